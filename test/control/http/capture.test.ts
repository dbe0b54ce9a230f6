/** The capture stream: interfaces, packets of a frame and its copies, filters, loss, limits. */
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ObservedFrame, ObservedListener } from '../../../src/control/controls.js';
import { TAG_POP, TAG_PUSH, TAG_REPLACE } from '../../../src/port/packet-io.js';
import { fromHex, toHex } from '../../../src/wire/bytes.js';
import { type PcapngBlock, PcapngReader } from '../../../src/wire/pcapng-reader.js';
import { askJson, type Harness, harness } from './server-harness.js';

const MACS = '020000000002 020000000001';
const PLAIN = fromHex(`${MACS} 0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002`);
const TAGGED = fromHex(`${MACS} 8100 600a 88b5 0102030405`);

let server: Harness;
beforeEach(async () => {
  server = await harness({ captures: 2, captureBufferBytes: 64 * 1024 });
  server.controls.ports = [
    { name: 'tap1', description: 'tap, bridge br0', isTunnel: false },
    { name: 'vx', description: 'vxlan, bridge br0', isTunnel: true },
  ];
});
afterEach(() => server.close());

/** A client that keeps what it gets. */
class Client {
  readonly blocks: PcapngBlock[] = [];
  private readonly reader = new PcapngReader();
  private readonly outgoing;
  /** Resolves when the answer has begun. */
  readonly begun: Promise<void>;

  constructor(query: string, reads = true) {
    this.outgoing = request({ socketPath: server.path, path: `/v1/capture${query}`, agent: false });
    this.begun = new Promise((resolve, reject) => {
      this.outgoing.once('error', reject);
      this.outgoing.once('response', (incoming) => {
        expect(incoming.headers['content-type']).toBe('application/x-pcapng');
        this.outgoing.on('error', () => undefined);
        incoming.on('error', () => undefined);
        if (reads) incoming.on('data', (piece: Buffer) => this.take(piece));
        this.resume = () => incoming.on('data', (piece: Buffer) => this.take(piece));
        resolve();
      });
    });
    this.outgoing.end();
  }

  resume: () => void = () => undefined;

  private take(piece: Buffer): void {
    this.reader.push(new Uint8Array(piece));
    for (let block = this.reader.next(); block !== undefined; block = this.reader.next()) this.blocks.push(block);
  }

  /** Waits until there are so many packets. */
  async packets(count: number): Promise<Extract<PcapngBlock, { type: 'packet' }>[]> {
    for (;;) {
      const found = this.blocks.filter((block) => block.type === 'packet');
      if (found.length >= count) return found;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  get interfaces(): (string | undefined)[] {
    return this.blocks.flatMap((block) => (block.type === 'interface' ? [block.name] : []));
  }

  end(): void {
    this.outgoing.destroy();
  }
}

async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setImmediate(resolve));
}

const listeners = (): ObservedListener[] => [...server.controls.watchers.keys()];
const show = (frame: ObservedFrame): void => {
  for (const listener of listeners()) listener.frame(frame);
};

const frame = (fields: Partial<ObservedFrame> = {}): ObservedFrame => ({
  id: 7n,
  time: 1_700_000_000_000_000_001n,
  port: 'tap1',
  vlan: 10,
  length: PLAIN.length,
  bytes: PLAIN,
  verdict: 'flooded',
  copies: [{ port: 'vx', remote: '192.0.2.2', vni: 1010, tag: 0 }],
  ...fields,
});

describe('a capture', () => {
  it('has an interface for each port and remote, and packets with one id and the decision', async () => {
    const client = new Client('');
    await client.begun;
    show(frame());
    const packets = await client.packets(2);
    expect(client.interfaces).toEqual(['tap1', 'vx', 'vx/192.0.2.2']);
    expect(packets).toEqual([
      {
        type: 'packet',
        interface: 0,
        time: 1_700_000_000_000_000_001n,
        data: PLAIN,
        length: 42,
        flags: 1,
        packetId: 7n,
        comments: ['overtap verdict=flooded port=tap1 vlan=10 copies=1'],
      },
      expect.objectContaining({
        interface: 2,
        flags: 2,
        packetId: 7n,
        comments: ['overtap verdict=sent port=vx vlan=10 vni=1010 remote=192.0.2.2'],
      }),
    ]);
    client.end();
    await until(() => server.controls.watchers.size === 0);
  });

  it('shows drops, of the frame or of a copy, and what the switch itself sends', async () => {
    const client = new Client('');
    await client.begun;
    show(frame({ verdict: 'dropped', reason: 'no_pvid', copies: [] }));
    show(frame({ copies: [{ port: 'vx', tag: 0, reason: 'mtu_exceeded' }] }));
    show(frame({ verdict: 'originated', copies: [{ port: 'tap1', tag: 0 }] }));
    const comments = (await client.packets(4)).map(({ comments: [comment] = [] }) => comment);
    expect(comments).toEqual([
      'overtap verdict=dropped reason=no_pvid port=tap1 vlan=10 copies=0',
      'overtap verdict=flooded port=tap1 vlan=10 copies=1',
      'overtap verdict=dropped reason=mtu_exceeded port=vx vlan=10',
      'overtap verdict=originated port=tap1 vlan=10',
    ]);
    client.end();
  });

  it.each([
    ['pushes', PLAIN, TAG_PUSH | 0x600a, `${MACS} 8100 600a ${toHex(PLAIN.subarray(12))}`],
    ['pops', TAGGED, TAG_POP, `${MACS} 88b5 0102030405`],
    ['replaces', TAGGED, TAG_REPLACE | 0x2014, `${MACS} 8100 2014 88b5 0102030405`],
    ['keeps', TAGGED, 0, toHex(TAGGED)],
  ])('%s the tag of a copy', async (_name, bytes, tag, expected) => {
    const client = new Client('?interfaces=vx');
    await client.begun;
    show(frame({ bytes, length: bytes.length, copies: [{ port: 'vx', tag }] }));
    const [packet] = await client.packets(1);
    expect([toHex(packet.data), packet.length]).toEqual([toHex(fromHex(expected)), fromHex(expected).length]);
    client.end();
  });

  it('has the wanted interfaces, as many bytes, and the frames that fit', async () => {
    const client = new Client('?interfaces=192.0.2.2&snaplen=20&filter=ip+10.0.0.2+vlan+10');
    await client.begun;
    expect([...server.controls.watchers.values()]).toEqual([{ ports: null, snaplen: 128 }]);
    show(frame({ vlan: 20 }));
    show(frame({ bytes: TAGGED }));
    show(frame({ copies: [{ port: 'vx', remote: '192.0.2.9', tag: 0 }] }));
    show(frame({ id: 9n }));
    const packets = await client.packets(1);
    expect(packets).toHaveLength(1);
    expect(packets[0]).toMatchObject({ packetId: 9n, data: PLAIN.subarray(0, 20), length: 42, flags: 2 });
    expect(client.interfaces).toEqual(['vx/192.0.2.2']);
    client.end();
  });

  it('asks engines only for the ports that it shows', async () => {
    const client = new Client('?interfaces=tap1&snaplen=64');
    await client.begun;
    expect([...server.controls.watchers.values()]).toEqual([{ ports: ['tap1'], snaplen: 64 }]);
    client.end();
  });

  it('tells what the engines lost, in the next packet and in the statistics', async () => {
    const client = new Client('');
    await client.begun;
    for (const listener of listeners()) listener.lost('tap1', 5);
    show(frame({ copies: [] }));
    show(frame({ copies: [] }));
    const packets = await client.packets(2);
    expect(packets.map(({ dropCount }) => dropCount)).toEqual([5, undefined]);
    await until(() => client.blocks.some(({ type }) => type === 'statistics'));
    expect(client.blocks.find(({ type }) => type === 'statistics')).toMatchObject({
      interface: 0,
      received: 2,
      dropped: 5,
    });
    client.end();
  });

  it('of a client that does not read, packets are lost and counted, and memory is bounded', async () => {
    const client = new Client('', false);
    await client.begun;
    const bytes = new Uint8Array(1000);
    const shown = 5000;
    for (let n = 0; n < shown; n++) show(frame({ bytes, length: 1000, copies: [] }));
    client.resume();
    show(frame({ copies: [] }));
    await until(() => client.blocks.some((block) => block.type === 'statistics' && (block.dropped ?? 0) > 0));
    show(frame({ id: 99n, copies: [] }));
    await until(() => client.blocks.some((block) => block.type === 'packet' && block.packetId === 99n));
    const packets = client.blocks.filter((block) => block.type === 'packet');
    const lost = packets.reduce((sum, { dropCount = 0 }) => sum + dropCount, 0);
    expect(packets.length).toBeLessThan(200);
    expect(packets.length + lost).toBe(shown + 2);
    client.end();
  });
});

describe('a client that reads nothing', () => {
  const stalled: number[] = [];
  beforeEach(async () => {
    await server.close();
    stalled.length = 0;
    const limits = { captures: 1, captureBufferBytes: 1024 * 1024, captureTickMs: 5, eventStallMs: 50 };
    server = await harness(limits, { captureStalled: (lost) => stalled.push(lost) });
    server.controls.ports = [{ name: 'tap1', description: 'tap, bridge br0', isTunnel: false }];
  });

  it('is disconnected, its place is free, and its loss is told once', async () => {
    const client = new Client('', false);
    await client.begun;
    const bytes = new Uint8Array(1000);
    for (let n = 0; n < 5000; n++) show(frame({ bytes, length: 1000, copies: [] }));
    await until(() => server.controls.watchers.size === 0);
    expect(stalled).toHaveLength(1);
    expect(stalled[0]).toBeGreaterThan(3000);
    expect(stalled[0]).toBeLessThan(5000);
    const next = new Client('');
    await next.begun;
    next.end();
    await until(() => server.controls.watchers.size === 0);
  });

  it('stays while nothing waits for it', async () => {
    const client = new Client('', false);
    await client.begun;
    const until = performance.now() + 200;
    while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(server.controls.watchers.size).toBe(1);
    expect(stalled).toEqual([]);
    client.end();
  });
});

describe('a capture is refused', () => {
  const get = (query: string) => askJson(server.path, 'GET', `/v1/capture${query}`);
  it.each([
    ['?interfaces=tap9', 404, 'tap9'],
    ['?snaplen=0', 400, 'snaplen: expected a number of bytes from 1 to 262144'],
    ['?snaplen=many', 400, 'snaplen: expected a number of bytes'],
    ['?filter=prot+tap1', 400, 'filter: a filter has no word "prot"; did you mean "port"?'],
    [`?interfaces=${'a,'.repeat(300)}${Array.from({ length: 300 }, (_, n) => `p${n}`)}`, 400, 'at most 256'],
    ['?colour=red', 400, 'colour: is not known'],
  ])('%s', async (query, status, message) => {
    const answer = await get(query);
    expect(answer).toMatchObject({ status, value: { error: { message: expect.stringContaining(message) } } });
    expect(server.controls.watchers.size).toBe(0);
  });

  it('when there are as many as may be', async () => {
    const clients = [new Client(''), new Client('')];
    await Promise.all(clients.map(({ begun }) => begun));
    expect(await get('')).toMatchObject({ status: 503, value: { error: { code: 'overloaded' } } });
    for (const client of clients) client.end();
    await until(() => server.controls.watchers.size === 0);
    const another = new Client('');
    await another.begun;
    another.end();
  });
});

describe('a flood to a thousand remotes', () => {
  it('is captured as far as the buffer has room, and the other copies are counted as lost', async () => {
    const client = new Client('');
    await client.begun;
    const bytes = new Uint8Array(16 * 1024);
    bytes.set(PLAIN);
    const copies = Array.from({ length: 1000 }, (_, i) => ({
      port: 'vx',
      remote: `10.0.${i >> 8}.${i & 255}`,
      vni: 1010,
      tag: 0,
    }));
    show(frame({ bytes, length: bytes.length, copies }));
    const first = await client.packets(5);
    await new Promise((resolve) => setTimeout(resolve, 1)); // the buffer is written
    show(frame({ id: 8n, copies: [{ port: 'vx', tag: 0 }] }));
    await until(() => client.blocks.some((block) => block.type === 'packet' && block.packetId === 8n));
    const packets = await client.packets(first.length + 1);
    expect(packets.filter(({ packetId }) => packetId === 7n).length).toBeLessThanOrEqual(6);
    const told = packets.reduce((sum, { dropCount = 0 }) => sum + dropCount, 0);
    expect(packets.filter(({ packetId, flags }) => packetId === 7n && flags === 2).length + told).toBe(1000);
    client.end();
  });
});

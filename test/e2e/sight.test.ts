/**
 * What the switch says of frames, with real ones: a ping is captured on both of its ports under one packet id, by two switches in
 * one file too; a drop is kept with its bytes; a capture of everything costs the guests no byte. tshark reads the captures, and
 * filters by the fields of the dissector (in the long form, since it has to be installed).
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DroppedFrame } from '../../src/api/api.js';
import { createClient } from '../../src/client/client.js';
import { run } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { type CaptureResult, type CaptureSource, capture } from '../../src/sight/capture.js';
import { FileSink } from '../../src/sight/capture-file.js';
import { factsOf } from '../../src/sight/frames.js';
import { fromHex } from '../../src/wire/bytes.js';
import { DIRECTION_MASK, INBOUND } from '../../src/wire/pcapng.js';
import { type PcapngBlock, PcapngReader, readPcapng } from '../../src/wire/pcapng-reader.js';
import { summaryOf } from '../../src/wire/summary.js';
import { LONG, long } from '../long.js';
import { World } from './host-testbed.js';
import { overtap, type RunningSwitch, settledStats } from './switch.js';
import { filteringBridge, type Guest, type Host, tapPort, tunnelPort, twoHosts } from './topologies.js';
import { BROADCAST, experimentalFrame, inject, ping } from './traffic.js';
import { expectBalance, expectTransfer, MB } from './two-hosts.js';

const DISSECTOR = fileURLToPath(new URL('../../packaging/wireshark/overtap.lua', import.meta.url));
const BYTES = long(400, 20) * MB;

const world = new World();
let hosts: [Host, Host];
let guests: [Guest, Guest];
let switches: [RunningSwitch, RunningSwitch];

beforeAll(async () => {
  hosts = await twoHosts(world);
  const guest = async (number: number): Promise<Guest> => ({
    netns: await world.netns(`guest${number}`),
    ifname: 'eth0',
    address: `198.18.0.${number}`,
    mac: `02:00:00:00:00:0${number}`,
  });
  guests = [await guest(1), await guest(2)];
  const start = (at: 0 | 1): Promise<RunningSwitch> => {
    const tap = tapPort('tap0', guests[at], '[{ vid: 10, pvid: true, untagged: true }]');
    const tunnel = tunnelPort(hosts[at].address, [hosts[1 - at].address], { 10: 1010 });
    return world.startSwitch(hosts[at].netns, `sw${at + 1}`, filteringBridge(tap, tunnel));
  };
  switches = [await start(0), await start(1)];
  expect(await ping(world, guests[0].netns, guests[1].address)).toMatchObject({ received: 3 });
});

afterAll(() => world.cleanUp());

type PacketBlock = Extract<PcapngBlock, { type: 'packet' }>;

interface Captured {
  blocks: PcapngBlock[];
  packets: PacketBlock[];
  result: CaptureResult;
  path: string;
  nameOf(packet: PacketBlock): string | undefined;
}

/** Captures while the work is done. It has begun when the work begins, and ends with a frame that is sent behind the work. */
async function captured(name: string, of: readonly RunningSwitch[], work: () => Promise<unknown>): Promise<Captured> {
  const path = world.path(`${name}.pcapng`);
  const end = new AbortController();
  const begun = new Set<RunningSwitch>();
  const ended = new Set<RunningSwitch>();
  const sources = of.map(
    (sw, at): CaptureSource => ({
      name: of.length === 1 ? '' : `h${at + 1}`,
      async *open(signal) {
        const reader = new PcapngReader();
        for await (const piece of createClient(sw.control).capture(signal, {})) {
          begun.add(sw);
          reader.push(piece);
          for (let block = reader.next(); block !== undefined; block = reader.next()) {
            if (block.type === 'packet' && Buffer.from(block.data).includes(name)) ended.add(sw);
          }
          yield piece;
        }
      },
    }),
  );
  const running = capture(sources, new FileSink(path, null), end.signal, { application: 'test' });
  await until('the captures have begun', () => begun.size === of.length);
  await work();
  await until('the last frame is captured', async () => {
    await inject(world, guests[0], experimentalFrame({ destination: BROADCAST, source: guests[0].mac, text: name }));
    return ended.size === of.length;
  });
  end.abort();
  const result = await running;
  const blocks = [...readPcapng(readFileSync(path))];
  const names = blocks.flatMap((block) => (block.type === 'interface' ? [block.name] : []));
  const packets = blocks.flatMap((block) => (block.type === 'packet' ? [block] : []));
  return { blocks, packets, result, path, nameOf: (packet) => names[packet.interface] };
}

const isRequest = ({ data }: PacketBlock): boolean => summaryOf(data)?.text.endsWith('ICMP echo request') === true;

/** tshark's fields of each packet; it must have no complaint. */
async function tshark(path: string, ...words: string[]): Promise<string[]> {
  const ended = await run(['tshark', '-r', path, ...words]);
  expect([ended.status, ended.stderr.replace(/^Running as user "root".*\n/, '')]).toEqual([0, '']);
  return ended.stdout.trim().split('\n');
}

describe('a ping that is captured', () => {
  test('came in by one port and left by the other, with one packet id and the decision', async () => {
    const { packets, nameOf } = await captured('ping', [switches[0]], async () => {
      expect(await ping(world, guests[0].netns, guests[1].address, { count: 1 })).toMatchObject({ received: 1 });
    });
    const requests = packets.filter(isRequest);
    expect(requests.length % 2).toBe(0);
    const [arrived, left] = requests;
    expect(left.packetId).toBe(arrived.packetId);
    expect(requests.filter(({ packetId }) => packetId === arrived.packetId)).toHaveLength(2);
    expect([nameOf(arrived), (arrived.flags ?? 0) & DIRECTION_MASK]).toEqual(['tap0', INBOUND]);
    expect(nameOf(left)).toBe(`vxlan0/${hosts[1].address}`);
    expect(left.data).toEqual(arrived.data);
    expect(factsOf(arrived)).toEqual({ verdict: 'forwarded', port: 'tap0', vlan: '10', copies: '1' });
    const to = { port: 'vxlan0', vlan: '10', vni: '1010', remote: hosts[1].address };
    expect(factsOf(left)).toEqual({ verdict: 'sent', ...to });
  });

  test('by both switches is in one file, in the order of its way', async () => {
    const { packets, nameOf } = await captured('both', switches, async () => {
      expect(await ping(world, guests[0].netns, guests[1].address, { count: 1 })).toMatchObject({ received: 1 });
    });
    const ways = packets.filter(isRequest).map((packet) => nameOf(packet));
    expect(ways.slice(0, 4)).toEqual([
      'h1/tap0',
      `h1/vxlan0/${hosts[1].address}`,
      `h2/vxlan0/${hosts[0].address}`,
      'h2/tap0',
    ]);
    const times = packets.map(({ time = 0n }) => time);
    expect(times).toEqual([...times].sort((one, other) => Number(one - other)));
  });

  test.each(LONG ? ['tshark'] : [])('is read by tshark without a complaint, with fields for the decision', async () => {
    const { packets, path } = await captured('tshark', switches, async () => {
      await inject(
        world,
        guests[0],
        experimentalFrame({ destination: BROADCAST, source: guests[0].mac, vlan: 20, text: 'x' }),
      );
      expect(await ping(world, guests[0].netns, guests[1].address)).toMatchObject({ received: 3 });
    });
    const lines = await tshark(path, '-T', 'fields', '-e', 'frame.packet_id', '-e', 'frame.comment');
    const ids = packets.map(({ packetId, comments = [] }) => `${packetId}\t${comments.join()}`);
    expect(lines).toEqual(ids);
    const fields = ['-X', `lua_script:${DISSECTOR}`, '-T', 'fields', '-e', 'overtap.port', '-e', 'overtap.vlan'];
    const dropped = await tshark(path, ...fields, '-Y', 'overtap.reason == "vlan_not_allowed"');
    expect(dropped).toEqual(['tap0\t20']);
  });
});

describe('a frame that is dropped', () => {
  test('is kept with its bytes, and explained', async () => {
    const given = experimentalFrame({ destination: BROADCAST, source: guests[0].mac, vlan: 77, text: 'not allowed' });
    await inject(world, guests[0], given);
    const rows = await until('the drop is kept', async () => {
      const found = await switches[0].json<DroppedFrame[]>('drops --reason vlan_not_allowed');
      return found.some(({ vlan }) => vlan === 77) ? found : undefined;
    });
    const row = rows.find(({ vlan }) => vlan === 77);
    expect(row).toMatchObject({ port: 'tap0', direction: 'rx', reason: 'vlan_not_allowed' });
    expect(fromHex(row?.frame ?? '').subarray(0, given.length / 2)).toEqual(fromHex(given));
    const text = await overtap('-s', switches[0].control, 'drops', '--reason', 'vlan_not_allowed');
    expect(text.stdout).toContain('Dropped: the port is no member of its VLAN.');
  });
});

describe('a capture of everything at full speed', () => {
  test('costs the guests no byte and the switch no frame; its own loss is counted', async () => {
    const { packets, result } = await captured('full', [switches[0]], () =>
      expectTransfer(world, guests[0], guests[1], BYTES, 'captured'),
    );
    await expectBalance(...switches);
    const stats = await settledStats(switches[0]);
    expect(stats.drops).not.toHaveProperty('tx_backpressure');
    expect(packets.length).toBe(result.packets);
    expect(packets.length).toBeGreaterThan(100);
    const told = packets.reduce((sum, { dropCount = 0 }) => sum + dropCount, 0);
    expect(result.lost).toBeGreaterThanOrEqual(told);
  });
});

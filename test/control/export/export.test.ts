/** sFlow and IPFIX in bytes: `e2e/export.test.ts` has real collectors. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { END_FORCED, END_IDLE, END_RESOURCES, type Flow, FlowCache } from '../../../src/control/export/flows.js';
import { IpfixExporter, statusOf } from '../../../src/control/export/ipfix.js';
import { headersOf } from '../../../src/control/export/sampled.js';
import { Sender } from '../../../src/control/export/sender.js';
import { SflowAgent } from '../../../src/control/export/sflow.js';
import { REASON } from '../../../src/dataplane/state/drop-reasons.js';
import { observerMemory } from '../../../src/dataplane/state/observer.js';
import type { FrameRecord } from '../../../src/dataplane/state/observer-reader.js';
import { Sampler } from '../../../src/dataplane/state/sampler.js';
import { toHex } from '../../../src/wire/bytes.js';
import { seededRandom } from '../../fdb/table-inspection.js';
import { frame, packet } from '../../dataplane/support/frames.js';

const VTEP = [0, 0, 0xffff, 0xc0000202 | 0] as [number, number, number, number];
const LOCAL = [0, 0, 0xffff, 0xc0000201 | 0] as const;

function record(fields: Partial<FrameRecord> = {}, bytes = packet({ protocol: 'udp', data: 10 })): FrameRecord {
  return {
    engine: 0,
    number: 1,
    time: 1_700_000_000_000_000_000n,
    port: 0,
    vid: 0,
    vni: 0,
    remote: null,
    length: bytes.length,
    bytes,
    verdict: 0,
    reason: -1,
    copies: [{ port: 1, remote: VTEP, vni: 42, tag: 0, reason: -1 }],
    ...fields,
  };
}

function sflow(): { agent: SflowAgent; sent: Buffer[] } {
  const sent: Buffer[] = [];
  const site = {
    agent: Uint8Array.of(192, 0, 2, 1),
    uptime: () => 5000,
    local: () => ({ words: LOCAL, udpPort: 4789 }),
  };
  return { agent: new SflowAgent(site, (datagram) => sent.push(datagram)), sent };
}

describe('an sFlow datagram', () => {
  it('has the frame, its VNI and the outer addresses, word for word', () => {
    const { agent, sent } = sflow();
    const bytes = frame({ payload: Uint8Array.of(1, 2, 3) });
    agent.flow(record({}, bytes), 100, 300, 2);
    agent.flush();
    const words = toHex(sent[0]).match(/.{8}/g) ?? [];
    // Version 5, agent 192.0.2.1, sub-agent 0, sequence 1, uptime, 1 sample.
    expect(words.splice(0, 7)).toEqual([
      '00000005',
      '00000001',
      'c0000201',
      '00000000',
      '00000001',
      '00001388',
      '00000001',
    ]);
    // Flow sample: sequence, source, 1 in 100 of 300, 2 lost, from interface 1 to 2, 3 records.
    expect(words.splice(0, 10)).toEqual([
      '00000001',
      '00000080',
      '00000001',
      '00000001',
      '00000064',
      '0000012c',
      '00000002',
      '00000001',
      '00000002',
      '00000003',
    ]);
    // Raw header: Ethernet, 17 + 4 bytes on the wire, FCS stripped, 17 bytes.
    expect(words.splice(0, 6)).toEqual(['00000001', '00000024', '00000001', '00000015', '00000004', '00000011']);
    expect(words.splice(0, 5).join('')).toBe(`${toHex(bytes)}000000`);
    expect(words.splice(0, 3)).toEqual(['00000405', '00000004', '0000002a']);
    // extended_ipv4_tunnel_egress: 20 + 8 + 8 + 17 bytes, UDP, addresses, ports.
    expect(words).toEqual([
      '000003ff',
      '00000020',
      '00000035',
      '00000011',
      'c0000201',
      'c0000202',
      '00000000',
      '000012b5',
      '00000000',
      '00000000',
    ]);
  });

  it('says that a frame was discarded, or that it left by several ports', () => {
    const outputOf = (fields: Partial<FrameRecord>): string => {
      const { agent, sent } = sflow();
      agent.flow(record(fields), 1, 1, 0);
      agent.flush();
      return toHex(sent[0].subarray(60, 64));
    };
    expect(outputOf({ copies: [], reason: REASON.no_destination })).toBe('40000100');
    const copy = { port: 1, remote: null, vni: 0, tag: 0, reason: -1 };
    expect(outputOf({ copies: [copy, { ...copy, port: 2 }] })).toBe('80000002');
    expect(outputOf({ copies: [] })).toBe('00000000');
  });

  it('never exceeds an Ethernet frame, whatever is sampled', () => {
    const { agent, sent } = sflow();
    for (let i = 0; i < 100; i++) {
      agent.flow(record({ remote: VTEP, vni: 7, vid: 10 }, packet({ data: 86 })), 1, i, 0);
      agent.counters(3, true, {
        traffic: { rx_packets: 2 ** 40, rx_bytes: 2 ** 52, tx_packets: 1, tx_bytes: 1 },
        rx: {},
        tx: {},
      });
    }
    agent.flush();
    expect(Math.max(...sent.map(({ length }) => length))).toBeLessThan(1400);
    expect(sent.reduce((count, datagram) => count + datagram.readUInt32BE(24), 0)).toBe(200);
  });
});

describe('an IPFIX message', () => {
  const make = (): { exporter: IpfixExporter; sent: Buffer[] } => {
    const sent: Buffer[] = [];
    const site = { domain: () => 9, now: () => 1_700_000_000_000, local: () => LOCAL };
    return { exporter: new IpfixExporter(site, (datagram) => sent.push(datagram)), sent };
  };
  const flowOf = (one: FrameRecord): Flow => {
    let made: Flow | null = null;
    const cache = new FlowCache({ cache: 16, active: 1, inactive: 1 }, (flow) => {
      made = flow;
    });
    cache.add(one, 10);
    cache.clear();
    return made as unknown as Flow;
  };

  it('has its templates, and sequence numbers that count records', () => {
    const { exporter, sent } = make();
    exporter.templates();
    exporter.add(flowOf(record()), END_IDLE);
    exporter.add(flowOf(record()), END_IDLE);
    exporter.flush();
    exporter.templates();
    expect(sent.map((message) => [message.readUInt16BE(0), message.length - message.readUInt16BE(2)])).toEqual([
      [10, 0],
      [10, 0],
      [10, 0],
    ]);
    expect(sent.map((message) => message.readUInt32BE(8))).toEqual([0, 0, 2]);
    expect(sent.map((message) => message.readUInt16BE(16))).toEqual([2, 257, 2]);
    expect(sent[0].readUInt16BE(18)).toBe(sent[0].length - 16);
  });

  it('has the inner addresses, the VNI, both VTEPs and the status of a flow', () => {
    const { exporter, sent } = make();
    exporter.add(flowOf(record()), END_IDLE);
    exporter.flush();
    const data = sent[0].subarray(20);
    expect(Number(data.readBigUInt64BE(0))).toBe(1_700_000_000_000);
    expect([data.readBigUInt64BE(16), data.readBigUInt64BE(24)]).toEqual([10n, 380n]);
    expect([data.readUInt32BE(32), data.readUInt32BE(36)]).toEqual([1, 2]);
    expect(toHex(data.subarray(40, 56))).toBe('02000000000a02000000000b08000000');
    expect(toHex(data.subarray(56, 64))).toBe('010000000000002a');
    expect(toHex(data.subarray(64, 74))).toBe('4001c0000201c0000202');
    expect(toHex(data.subarray(90))).toBe('c6120001c612000211009c401389');
  });

  it('tells why frames were dropped', () => {
    expect([
      statusOf(-1),
      statusOf(REASON.mtu_exceeded),
      statusOf(REASON.storm_limited),
      statusOf(REASON.suppressed),
    ]).toEqual([64, 133, 138, 128]);
  });

  it('takes frames that were cut off anywhere', () => {
    fc.assert(
      fc.property(
        fc.nat(200),
        fc.constantFrom(4 as const, 6 as const),
        fc.array(fc.tuple(fc.nat(120), fc.nat(255))),
        (length, version, changes) => {
          const { exporter, sent } = make();
          const { agent } = sflow();
          const bytes = Uint8Array.from(packet({ version, data: 80 }));
          for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
          const one = record({ length: bytes.length }, bytes.slice(0, length));
          agent.flow(one, 1, 1, 0);
          if (headersOf(one) === null) return;
          exporter.add(flowOf(one), END_FORCED);
          exporter.flush();
          expect(sent[0].readUInt16BE(2)).toBe(sent[0].length);
        },
      ),
    );
  });
});

describe('the flows', () => {
  it('are bounded: the oldest gives way, and none is lost', () => {
    const ended: number[] = [];
    const cache = new FlowCache({ cache: 16, active: 60_000, inactive: 15_000 }, (_, why) => ended.push(why));
    for (let i = 0; i < 100; i++) cache.add(record({}, packet({ sourcePort: 1000 + i })), 1);
    expect([cache.size, ended.length, new Set(ended)]).toEqual([16, 84, new Set([END_RESOURCES])]);
    cache.clear();
    expect([cache.size, ended.length]).toEqual([0, 100]);
  });

  it('end when they are idle, and now and then', () => {
    const ended: [number, number][] = [];
    const cache = new FlowCache({ cache: 16, active: 60_000, inactive: 15_000 }, ({ packets }, why) =>
      ended.push([packets, why]),
    );
    const at = (seconds: number): bigint => BigInt(seconds) * 1_000_000_000n;
    for (let second = 0; second <= 60; second += 10) cache.add(record({ time: at(second) }), 5);
    cache.expire(59_999);
    expect(ended).toEqual([]);
    cache.expire(60_000);
    expect(ended).toEqual([[35, 2]]);
    cache.add(record({ time: at(70) }), 5);
    cache.expire(84_999);
    expect(cache.size).toBe(1);
    cache.expire(85_000);
    expect(ended.at(-1)).toEqual([5, END_IDLE]);
  });
});

describe('a sampler', () => {
  it('wants one frame of so many on average, in no pattern', () => {
    const below = seededRandom(7);
    const random = (): number => below(1_000_000) / 1_000_000;
    const sampler = new Sampler(observerMemory(1024), 16, Date.now, 50, random);
    const gaps = new Set<number>();
    let wanted = 0;
    let before = 0;
    for (let at = 0; at < 100_000; at++) {
      if (!sampler.wants()) continue;
      wanted++;
      gaps.add(at - before);
      before = at;
    }
    expect(wanted).toBeGreaterThan(1900);
    expect(wanted).toBeLessThan(2100);
    expect(gaps.size).toBeGreaterThan(50);
    const all = new Sampler(observerMemory(1024), 16, Date.now, 1, random);
    expect(Array.from({ length: 10 }, () => all.wants())).toEqual(new Array(10).fill(true));
  });
});

describe('a sender', () => {
  it('counts what a collector that cannot be reached does not get, and goes on', async () => {
    const sender = new Sender([
      { address: '127.0.0.1', port: 9 },
      { address: '240.0.0.1', port: 9 },
    ]);
    for (let i = 0; i < 2000; i++) sender.send(Buffer.alloc(1000));
    // Most of them were more than may be under way.
    expect(sender.failed).toBeGreaterThan(3000);
    for (let turn = 0; turn < 1000 && sender.sent + sender.failed < 4000; turn++) await new Promise(setImmediate);
    expect(sender.sent + sender.failed).toBe(4000);
    sender.close();
  });
});

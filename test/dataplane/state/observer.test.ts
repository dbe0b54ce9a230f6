/** What the observer records: frames with verdict and copies; a ring that is full, and one that wraps; nobody looking. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DROP_REASONS } from '../../../src/dataplane/state/drop-reasons.js';
import {
  Observer,
  type ObserverSettings,
  observerMemory,
  RECORD_SENT,
  VERDICT_DROPPED,
  VERDICT_FLOODED,
  VERDICT_FORWARDED,
  VERDICT_ORIGINATED,
} from '../../../src/dataplane/state/observer.js';
import { type FrameRecord, ObserverReader } from '../../../src/dataplane/state/observer-reader.js';
import { TAG_POP, TAG_PUSH } from '../../../src/port/packet-io.js';
import { toHex, viewOf } from '../../../src/wire/bytes.js';
import { formatAddress } from '../../../src/wire/ip-address.js';
import { A, B, BROADCAST, bytes, C, frame } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

const NOW = 1_700_000_000_123.5;
const ALL: ObserverSettings = { ports: null, snaplen: 65_600 };
const [R1, R2] = ['192.0.2.1', '192.0.2.2'];
const NOBODY = [0, 0, 0, 0];

function watched(settings = ALL, words?: number): { sw: TestSwitch; look(): string[]; frames(): FrameRecord[] } {
  const sw = new TestSwitch(
    {
      br0: {
        filtering: true,
        ports: {
          tap1: { type: 'tap', vlans: ['10 pvid untagged'] },
          tap2: { type: 'tap', vlans: ['10 pvid untagged'], mtu: 1400 },
          trunk: { type: 'tap', vlans: ['10', '20'] },
          vx: { type: 'vxlan', vlans: ['10'], tunnel: { 10: 1010 }, remotes: [R1, R2] },
        },
      },
    },
    { observed: false },
  );
  const memory = observerMemory(words);
  const rows = sw.context.batch.port.length;
  sw.context.observer = new Observer(memory, settings, rows, () => NOW);
  const reader = new ObserverReader([memory]);
  const names = [...sw.topology.ports.values()];
  const name = (port: number): string => names.find(({ number }) => number === port)?.name ?? '?';
  const frames = (): FrameRecord[] => {
    const found: FrameRecord[] = [];
    reader.drain(1 << 20, (one) => found.push(one));
    return found;
  };
  return { sw, frames, look: () => frames().map((one) => lineOf(one, name)) };
}

const VERDICTS = ['forwarded', 'flooded', 'answered', 'dropped', 'originated'];

/** As `tap1 10 forwarded > tap2`. */
function lineOf(
  { port, vid, vni, remote, verdict, reason, copies }: FrameRecord,
  name: (port: number) => string,
): string {
  const behind = (at: FrameRecord['remote'], of: number): string =>
    at === null ? '' : `/${formatAddress(...at)}/${of}`;
  const sent = copies.map((copy) => {
    const why = copy.reason < 0 ? '' : `!${DROP_REASONS[copy.reason]}`;
    return `${name(copy.port)}${behind(copy.remote, copy.vni)}${why}`;
  });
  const why = reason < 0 ? '' : ` ${DROP_REASONS[reason]}`;
  return `${name(port)}${behind(remote, vni)} ${vid} ${VERDICTS[verdict]}${why} > ${sent.join(' ')}`.trimEnd();
}

describe('what becomes of a frame', () => {
  it('unicast, flood and drop, in a batch, with their bytes', () => {
    const { sw, frames, look } = watched();
    sw.send('tap2', frame({ source: B, destination: BROADCAST }));
    expect(look()).toEqual([`tap2 10 flooded > tap1 trunk vx/${R1}/1010 vx/${R2}/1010`]);
    const given = [frame(), frame({ tci: 20 }), frame({ source: C, destination: A })];
    for (const one of given) sw.inject('tap1', one);
    sw.turn();
    const found = frames();
    expect(found.map(({ bytes: kept }) => toHex(kept))).toEqual(given.map(toHex));
    expect(found.map(({ time }) => time)).toEqual(Array(3).fill(1_700_000_000_123_500_000n));
    expect(found.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(found.map(({ verdict }) => verdict)).toEqual([VERDICT_FORWARDED, VERDICT_DROPPED, VERDICT_DROPPED]);
    expect(found.map(({ reason }) => DROP_REASONS[reason])).toEqual([undefined, 'vlan_not_allowed', 'same_port']);
  });

  it('from a remote: its address and VNI; a copy that does not fit', () => {
    const { sw, look } = watched();
    sw.send('tap2', frame({ source: B, destination: BROADCAST }));
    look();
    sw.tunnel('vx', R2, 1010, frame({ source: A, destination: B, payload: bytes(1450) }));
    expect(look()).toEqual([`vx/${R2}/1010 10 forwarded > tap2!mtu_exceeded`]);
    sw.tunnel('vx', '203.0.113.9', 7, frame());
    expect(look()).toEqual([`vx/203.0.113.9/7 0 dropped vni_unknown >`]);
  });

  it('tags of the copies', () => {
    const { sw, frames } = watched();
    sw.send('trunk', frame({ destination: BROADCAST, tci: 10 }));
    expect(frames()[0].copies.map(({ tag }) => tag)).toEqual([TAG_POP, TAG_POP, TAG_POP, TAG_POP]);
    sw.send('tap1', frame({ destination: BROADCAST }));
    expect(frames()[0].copies.map(({ tag }) => tag)).toEqual([0, TAG_PUSH | 10, 0, 0]);
  });

  it('a failed send is a drop of the copy', () => {
    const { sw, look } = watched();
    sw.io.faults.set((1 << 16) | sw.port('tap2'), 11);
    sw.send('tap1', frame({ destination: BROADCAST }));
    expect(look()).toEqual([`tap1 10 flooded > tap2!tx_backpressure trunk vx/${R1}/1010 vx/${R2}/1010`]);
  });
});

describe('an answer of the switch', () => {
  it('is a frame of its own', () => {
    const sw = new TestSwitch(
      {
        br0: { ports: { tap1: { type: 'tap', mtu: 9000 }, tap2: { type: 'tap', mtu: 1400 } } },
      },
      { observed: false },
    );
    const memory = observerMemory();
    sw.context.observer = new Observer(memory, ALL, sw.context.batch.port.length, () => NOW);
    const found: FrameRecord[] = [];
    sw.send('tap2', frame({ source: B, destination: A }));
    const payload = Uint8Array.from([
      ...[0x45, 0, 0x05, 0xdc, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
      ...bytes(1480),
    ]);
    sw.send('tap1', frame({ etherType: 0x0800, payload }));
    new ObserverReader([memory]).drain(1 << 20, (one) => found.push(one));
    const last = found.at(-1) as FrameRecord;
    expect([last.verdict, last.port, last.copies.length]).toEqual([VERDICT_ORIGINATED, sw.port('tap1'), 1]);
    expect(last.copies[0].port).toBe(sw.port('tap1'));
  });
});

describe('only some ports', () => {
  it('frames from, to and flooded past them', () => {
    const { sw, look } = watched();
    sw.send('tap2', frame({ source: B, destination: BROADCAST }));
    sw.send('tap1', frame({ source: A, destination: BROADCAST }));
    sw.send('trunk', frame({ source: C, destination: BROADCAST, tci: 10 }));
    look();
    const ports = new Uint8Array(1024);
    ports[sw.port('tap2')] = 1;
    (sw.context.observer as Observer).settings = { ports, snaplen: 20 };
    sw.send('tap1', frame({ source: A, destination: C }));
    sw.send('tap1', frame({ source: A, destination: B }));
    sw.send('tap2', frame({ source: B, destination: A }));
    sw.send('tap1', frame({ tci: 20 }));
    expect(look()).toEqual(['tap1 10 forwarded > tap2', 'tap2 10 forwarded > tap1']);
  });

  it('as many bytes as are asked for', () => {
    const { sw, frames } = watched({ ports: null, snaplen: 17 });
    sw.send('tap1', frame());
    expect(frames()).toMatchObject([{ length: 60, bytes: frame().subarray(0, 17) }]);
  });
});

describe('a full ring', () => {
  it('loses records, counts them by port, and goes on', () => {
    const { sw, frames } = watched(ALL, 1024);
    for (let n = 0; n < 60; n++) sw.inject('tap1', frame({ destination: BROADCAST }));
    sw.turn();
    const lost = new Map<number, number>();
    const reader = new ObserverReader([(sw.context.observer as Observer).memory]);
    reader.takeLost((port, count) => lost.set(port, count));
    const found = frames();
    expect(found.length).toBeGreaterThan(10);
    expect(found.length + (lost.get(sw.port('tap1')) ?? 0)).toBe(60);
    const copies = found.reduce((sum, one) => sum + one.copies.length, 0);
    const lostCopies = [...lost].reduce((sum, [port, count]) => sum + (port === sw.port('tap1') ? 0 : count), 0);
    expect(copies + lostCopies).toBe(240);
    sw.send('tap1', frame());
    expect(frames()).toHaveLength(1);
    reader.takeLost(() => expect.fail('lost more'));
  });

  it('frames of any lengths come as they were, wherever the ring wraps', () => {
    const seed = Number(process.env.OVERTAP_SEED ?? 15);
    const memory = observerMemory(1024);
    const observer = new Observer(memory, ALL, 8, () => NOW);
    const reader = new ObserverReader([memory]);
    const source = bytes(4096);
    const property = fc.property(fc.nat(500), fc.nat(500), fc.integer({ min: 0, max: 3 }), (offset, length, copies) => {
      observer.begin();
      observer.frame(1, 2, 3, 4, VERDICT_FLOODED, 0, NOBODY, 0, viewOf(source), offset, length);
      for (let copy = 0; copy < copies; copy++) observer.copy(RECORD_SENT, 1, copy, 0, 0, NOBODY);
      observer.end();
      const found: FrameRecord[] = [];
      expect(reader.drain(1, (one) => found.push(one))).toBe(false);
      expect(found.map((one) => [toHex(one.bytes), one.copies.length])).toEqual([
        [toHex(source.subarray(offset, offset + length)), copies],
      ]);
    });
    fc.assert(property, { seed, numRuns: 500 });
  });
});

/** Punted frames: selection, recorded bytes, notification, and a full ring. */
import { describe, expect, it } from 'vitest';
import {
  PUNT_BPDU,
  PUNT_BYTES,
  PUNT_IGMP,
  PUNT_MLD,
  PUNT_MRD,
  PUNT_PIM,
  PUNT_PROBE,
  PUNT_SLOTS,
  type Punt,
  PuntReader,
  PuntRing,
} from '../../../src/dataplane/state/punt-ring.js';
import { viewOf } from '../../../src/wire/bytes.js';
import { bytes, frame } from '../support/frames.js';
import {
  GROUP,
  GROUP6,
  igmpFrame,
  igmpQuery,
  mldFrame,
  mldQuery,
  pimHello,
  routerAdvertisement,
  routerAdvertisement6,
  toGroup,
} from '../support/group-traffic.js';
import { TestSwitch } from '../support/harness.js';

function drain(reader: PuntReader): Punt[] {
  const punts: Punt[] = [];
  reader.drain((punt) => punts.push(punt));
  return punts;
}

function snooping(on = true): { sw: TestSwitch; reader: PuntReader } {
  const vlans = ['10 pvid untagged', '20'];
  const sw = new TestSwitch({
    br0: {
      filtering: true,
      snooping: on,
      ports: {
        t1: { type: 'tap', vlans },
        t2: { type: 'tap', vlans },
        v0: { type: 'vxlan', vlans: ['10'], tunnel: { 10: 100 }, remotes: ['192.0.2.2'] },
      },
    },
  });
  return { sw, reader: new PuntReader([sw.context.punts.memory]) };
}

describe('a message is handed over and goes its way', () => {
  it.each([
    ['IGMP', PUNT_IGMP, igmpFrame(0x16, GROUP)],
    ['an IGMP query', PUNT_IGMP, igmpQuery(100)],
    ['MLD', PUNT_MLD, mldFrame(131, GROUP6)],
    ['a PIM hello', PUNT_PIM, pimHello()],
    ['an advertisement of a multicast router', PUNT_MRD, routerAdvertisement()],
    ['an advertisement of an IPv6 multicast router', PUNT_MRD, routerAdvertisement6()],
  ])('%s', (_name, kind, message) => {
    const { sw, reader } = snooping();
    expect(sw.send('t1', message).to).toEqual(['t2', 'v0>192.0.2.2']);
    const expected = { kind, port: sw.port('t1'), remote: 0, vid: 10, length: message.length, bytes: message };
    expect(drain(reader)).toEqual([expected]);
  });

  it('with the VLAN of its tag', () => {
    const { sw, reader } = snooping();
    const message = igmpFrame(0x16, GROUP, { tci: 0xe014 });
    sw.send('t1', message);
    expect(drain(reader)).toMatchObject([{ vid: 20, bytes: message }]);
  });

  it('with the remote that it came from', () => {
    const { sw, reader } = snooping();
    sw.tunnel('v0', '192.0.2.2', 100, igmpFrame(0x16, GROUP));
    const remote = sw.topology.port('v0').remotes.get('192.0.2.2 4789');
    expect(drain(reader)).toMatchObject([{ port: sw.port('v0'), remote, vid: 10 }]);
  });

  it('unless it is a query that no host hears: to another MAC, or another group, than that which it asks about', () => {
    const { sw, reader } = snooping();
    const to = (message: Uint8Array, mac: string): Uint8Array => {
      const copy = message.slice();
      copy.set(Buffer.from(mac, 'hex'));
      return copy;
    };
    const asked = [igmpQuery(100), igmpQuery(100, GROUP), mldQuery(1000), mldQuery(1000, GROUP6)];
    // An IPv4 query about one group to another one, with its MAC; the checksum of the header is not looked at.
    const elsewhere = to(igmpQuery(100, GROUP), '01005e010102');
    elsewhere.set([239, 1, 1, 2], 30);
    const elsewhere6 = to(mldQuery(1000, GROUP6), '333300000124');
    for (const query of [
      ...asked.map((one) => to(one, '01005e7ffffa')),
      ...asked.map((one) => to(one, '333300000002')),
    ])
      expect(sw.send('t1', query).to).toEqual(['t2', 'v0>192.0.2.2']);
    for (const query of [elsewhere, elsewhere6]) expect(sw.send('t1', query).to).toEqual(['t2', 'v0>192.0.2.2']);
    expect(drain(reader)).toEqual([]);
    for (const query of asked) sw.send('t1', query);
    expect(drain(reader)).toHaveLength(asked.length);
  });

  it('but nothing else is, and nothing at all without snooping', () => {
    const { sw, reader } = snooping();
    for (const other of [toGroup(GROUP), toGroup(GROUP6), toGroup('224.0.0.13'), frame()]) sw.send('t1', other);
    expect(drain(reader)).toEqual([]);
    const off = snooping(false);
    off.sw.send('t1', igmpFrame(0x16, GROUP));
    expect(drain(off.reader)).toEqual([]);
    expect(sw.punted + off.sw.punted).toBe(0);
  });
});

describe('the ring', () => {
  const view = viewOf(bytes(4000));
  const push = (punts: PuntRing, mark: number, length = 60): void => punts.push(PUNT_IGMP, mark, 0, 0, view, 0, length);

  it('keeps the beginning of a long frame', () => {
    const punts = new PuntRing();
    push(punts, 1, 4000);
    const [punt] = drain(new PuntReader([punts.memory]));
    expect(punt.length).toBe(4000);
    expect(punt.bytes).toEqual(bytes(PUNT_BYTES));
  });

  it('is rung when it was empty, and only then', () => {
    const { sw, reader } = snooping();
    for (let i = 0; i < 5; i++) sw.inject('t1', igmpFrame(0x16, GROUP));
    sw.turn();
    sw.send('t1', igmpFrame(0x16, GROUP));
    expect(sw.punted).toBe(1);
    expect(drain(reader)).toHaveLength(6);
    sw.send('t1', igmpFrame(0x16, GROUP));
    expect(sw.punted).toBe(2);
  });

  it('loses and counts what finds it full, and goes on in order for ever', () => {
    const punts = new PuntRing();
    const reader = new PuntReader([punts.memory]);
    for (let round = 0; round < 3; round++) {
      for (let mark = 0; mark < PUNT_SLOTS + 7; mark++) push(punts, mark);
      expect(drain(reader).map(({ port }) => port)).toEqual(Array.from({ length: PUNT_SLOTS }, (_, mark) => mark));
      expect(reader.lost).toBe(7 * (round + 1));
    }
  });

  it('goes on where the cursors wrap', () => {
    const { memory } = new PuntRing();
    new Int32Array(memory).fill(0x7fffffff, 0, 2);
    const punts = new PuntRing(memory);
    const reader = new PuntReader([punts.memory]);
    for (let mark = 0; mark < PUNT_SLOTS + 1; mark++) push(punts, mark);
    expect(punts.rang).toBe(true);
    expect(drain(reader)).toHaveLength(PUNT_SLOTS);
    expect([reader.lost, drain(reader).length]).toEqual([1, 0]);
  });

  it('leaves half of itself to others when a port floods it, and a share to each port', () => {
    const punts = new PuntRing();
    const reader = new PuntReader([punts.memory]);
    // More than once: what was read is counted no more.
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 10_000; i++) push(punts, 1);
      for (let i = 0; i < 10_000; i++) push(punts, 2);
      for (let i = 0; i < 3; i++) push(punts, 3);
      const ports = drain(reader).map(({ port }) => port);
      expect([1, 2, 3].map((port) => ports.filter((one) => one === port).length)).toEqual([
        PUNT_SLOTS / 2,
        PUNT_SLOTS / 4,
        3,
      ]);
    }
  });

  it('takes probes and BPDUs of a port that floods it: their own limit bounds them', () => {
    const punts = new PuntRing();
    for (let i = 0; i < 1000; i++) push(punts, 1);
    punts.push(PUNT_PROBE, 1, 0, 0, view, 0, 60);
    punts.push(PUNT_BPDU, 1, 0, 0, view, 0, 60);
    const kinds = drain(new PuntReader([punts.memory])).map(({ kind }) => kind);
    expect(kinds.slice(PUNT_SLOTS / 2)).toEqual([PUNT_PROBE, PUNT_BPDU]);
  });

  it('takes reports of a guest beside the flood of another one', () => {
    const { sw, reader } = snooping();
    for (let turn = 0; turn < 10; turn++) {
      for (let i = 0; i < 64; i++) sw.inject('t1', igmpFrame(0x16, GROUP));
      sw.turn();
    }
    sw.send('t2', igmpFrame(0x16, GROUP));
    expect(drain(reader).filter(({ port }) => port === sw.port('t2'))).toHaveLength(1);
  });

  it('hands over at most a ringful at a time, and says that there is more', () => {
    const [one, other] = [new PuntRing(), new PuntRing()];
    const reader = new PuntReader([one.memory, other.memory]);
    push(one, 0);
    push(other, 1);
    let taken = 0;
    // A guest that sends as fast as it is read must not keep the reader for ever.
    expect(reader.drain(() => push(one, ++taken))).toBe(true);
    expect(taken).toBe(PUNT_SLOTS + 1);
    expect(reader.drain(() => undefined)).toBe(false);
  });

  it('tells of what comes while the last record is read', () => {
    const punts = new PuntRing();
    const reader = new PuntReader([punts.memory]);
    push(punts, 1);
    punts.rang = false;
    const seen: number[] = [];
    reader.drain(({ port }) => {
      seen.push(port);
      if (port === 1) push(punts, 2);
    });
    expect(seen).toEqual([1, 2]);
    push(punts, 3);
    expect(punts.rang).toBe(true);
  });
});

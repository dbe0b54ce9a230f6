/**
 * GRO batches: datagrams received together are handled as if each came alone, whatever bytes differ.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KIND_FRAME } from '../../../src/port/packet-io.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { long } from '../../long.js';
import { A, B, BROADCAST, finished, frame, type PacketFields, packet } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

const EIO = 5;
const REMOTE = '192.0.2.1';

function make(mtu = 1450): TestSwitch {
  const sw = new TestSwitch(
    {
      br0: {
        filtering: true,
        ports: {
          tap2: { type: 'tap', mtu, vlans: ['2 pvid untagged'] },
          trunk: { type: 'tap', vlans: ['2', '3'] },
          vx: { type: 'vxlan', vlans: ['2', '3'], tunnel: { 2: 200, 3: 300 }, remotes: [REMOTE] },
        },
      },
    },
    { maxFrames: 128 },
  );
  sw.send('tap2', frame({ source: A, destination: BROADCAST }));
  return sw;
}

function arrive(sw: TestSwitch, datagrams: readonly Uint8Array[], tos = 0): void {
  datagrams.forEach((bytes, train) => {
    sw.injectDatagram('vx', REMOTE, bytes, { tos, train, segment: datagrams[0].length });
  });
}

const toGuest = (fields: PacketFields) => encodeVxlan(200, packet({ source: B, destination: A, ...fields }));

describe('a train', () => {
  it.each([4, 6] as const)('of TCP over IPv%d goes to the guest, counted to the byte', (version) => {
    const sw = make();
    const members = [1, 2, 3].map((sourcePort) => ({ source: B, destination: A, version, data: 1000, sourcePort }));
    arrive(sw, members.map(toGuest));
    const turn = sw.turn();
    expect(turn.to).toEqual(['tap2', 'tap2', 'tap2']);
    expect(turn.out.map((out) => out.frame)).toEqual(members.map(finished));
    expect(turn.out.every(({ vnet }) => vnet === 0)).toBe(true);
  });

  it('marks those whose checksum is unfinished, and no other', () => {
    const sw = make();
    arrive(sw, [toGuest({}), toGuest({ checksum: 'partial' }), toGuest({}), toGuest({ checksum: 'partial' })]);
    expect(sw.turn().out.map(({ vnet }) => vnet & 1)).toEqual([0, 1, 0, 1]);
  });

  it('that begins with an unfinished one is not all unfinished', () => {
    const sw = make();
    arrive(sw, [toGuest({ checksum: 'partial' }), toGuest({}), toGuest({})]);
    expect(sw.turn().out.map(({ vnet }) => vnet & 1)).toEqual([1, 0, 0]);
  });

  it('has its congestion mark in every frame', () => {
    const sw = make();
    arrive(sw, [toGuest({ tos: 2 }), toGuest({ tos: 2 }), toGuest({ tos: 0 }), toGuest({ tos: 2 })], 3);
    const turn = sw.turn();
    expect(turn.out.map(({ frame: bytes }) => bytes[15] & 3)).toEqual([3, 3, 3]);
    expect(turn.drops).toEqual(['vx ecn_invalid']);
  });

  it('too long for the guest is dropped frame by frame', () => {
    const sw = make(900);
    const data = 1000;
    arrive(sw, [toGuest({ data }), toGuest({ data }), toGuest({ data: 10 })]);
    const turn = sw.turn();
    expect(turn.to).toEqual(['tap2']);
    expect(turn.drops).toEqual(['tap2 mtu_exceeded', 'tap2 mtu_exceeded']);
  });

  it('whose TAP fails is accounted for frame by frame', () => {
    const sw = make();
    sw.io.faults.set((KIND_FRAME << 16) | sw.port('tap2'), EIO);
    arrive(sw, [toGuest({}), toGuest({})]);
    expect(sw.turn().drops).toEqual(['tap2 port_down', 'tap2 port_down']);
  });
});

const trains = fc.record({
  version: fc.constantFrom(4, 6) as fc.Arbitrary<4 | 6>,
  protocol: fc.constantFrom('tcp', 'udp') as fc.Arbitrary<'tcp' | 'udp'>,
  tag: fc.constantFrom({}, {}, { tci: 5 }),
  destination: fc.constantFrom(A, A, A, B, BROADCAST),
  checksum: fc.constantFrom('complete', 'complete', 'partial') as fc.Arbitrary<'complete' | 'partial'>,
  tos: fc.constantFrom(0, 0, 2, 3),
  members: fc.array(
    fc.record({
      cut: fc.constantFrom(0, 0, 0, 1, 20, 80),
      changes: fc.array(fc.tuple(fc.nat(110), fc.nat(255)), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 8 },
  ),
});

describe('any train', () => {
  it('does what its datagrams do one at a time', () => {
    fc.assert(
      fc.property(trains, ({ members, tos, tag, ...fields }) => {
        const whole = toGuest({ ...fields, ...tag, source: '02:00:00:00:00:0e' });
        const datagrams = members.map(({ cut, changes }) => {
          const bytes = whole.slice(0, whole.length - cut);
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          return bytes;
        });
        const [together, alone] = [make(), make()];
        const out = datagrams.flatMap((bytes) => {
          alone.injectDatagram('vx', REMOTE, bytes, { tos });
          return alone.turn().out;
        });
        datagrams.forEach((bytes, train) => {
          together.injectDatagram('vx', REMOTE, bytes, { tos, train });
        });
        expect(together.turn().out).toEqual(out);
        expect(together.drops()).toEqual(alone.drops());
      }),
      { numRuns: long(500, 40) },
    );
  });
});

/**
 * Runs: frames with equal headers in a batch are handled as if each came alone; only the number of look-ups differs.
 */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { long } from '../../long.js';
import { A, B, BROADCAST, C, D, frame, packet } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

const [R1, R2] = ['192.0.2.1', '192.0.2.2'];

function make(): TestSwitch {
  const sw = new TestSwitch(
    {
      br0: {
        filtering: true,
        ports: {
          tap2: { type: 'tap', vlans: ['2 pvid untagged'] },
          trunk: { type: 'tap', vlans: ['2', '3'] },
          vx: { type: 'vxlan', vlans: ['2', '3'], tunnel: { 2: 200, 3: 300 }, remotes: [R1, R2] },
        },
      },
    },
    { senders: 4, maxFrames: 128 },
  );
  sw.send('tap2', frame({ source: A, destination: BROADCAST }));
  sw.send('trunk', frame({ source: C, destination: BROADCAST, tci: 2 }));
  sw.tunnel('vx', R1, 200, frame({ source: B, destination: BROADCAST }));
  return sw;
}

describe('a run of frames', () => {
  it('from a TAP costs one look-up', () => {
    const sw = make();
    const find = vi.spyOn(sw.context.fdb, 'find');
    for (let i = 0; i < 64; i++) sw.inject('tap2', packet({ destination: B, data: 1 + i }));
    expect(sw.turn().to).toEqual(Array(64).fill(`vx>${R1}`));
    expect(find.mock.calls.length).toBeLessThanOrEqual(2); // source and destination of the first
  });

  it('from a remote costs one look-up', () => {
    const sw = make();
    const find = vi.spyOn(sw.context.fdb, 'find');
    for (let i = 0; i < 64; i++) {
      sw.injectDatagram('vx', R1, encodeVxlan(200, packet({ source: B, destination: A, data: 1 + i })));
    }
    expect(sw.turn().to).toEqual(Array(64).fill('tap2'));
    expect(find.mock.calls.length).toBeLessThanOrEqual(2);
  });

  it('ends where the address of the VTEP, the VNI, a MAC, the tag or the port changes', () => {
    const sw = make();
    const inner = frame({ source: B, destination: A });
    sw.injectDatagram('vx', R1, encodeVxlan(200, inner));
    sw.injectDatagram('vx', '192.0.2.77', encodeVxlan(200, inner));
    sw.injectDatagram('vx', R1, encodeVxlan(300, inner));
    sw.injectDatagram('vx', R1, encodeVxlan(200, frame({ source: B, destination: D })));
    const turn = sw.turn();
    expect(turn.drops).toEqual(['vx vtep_unknown']);
    // Known in VLAN 2; in VLAN 3 and for D flooded.
    expect(turn.to).toEqual(['tap2', 'tap2', 'trunk', 'trunk']);
  });
});

/** Frames that often continue a run and often just do not. */
const arrivals = fc.array(
  fc.record({
    from: fc.constantFrom('tap2', 'trunk', R1, R2, '192.0.2.99'),
    repeat: fc.integer({ min: 1, max: 4 }),
    vni: fc.constantFrom(200, 300, 999),
    source: fc.constantFrom(A, B, C, '00:00:00:00:00:00'),
    destination: fc.constantFrom(A, B, C, D, BROADCAST, '01:80:c2:00:00:02'),
    tci: fc.constantFrom(undefined, 2, 3, 0x2002, 4),
    kind: fc.constantFrom('raw', 'tcp', 'partial', 'short'),
    tos: fc.constantFrom(0, 2, 3),
  }),
  { minLength: 1, maxLength: 12 },
);

describe('a batch', () => {
  it('does what the frames get one at a time', () => {
    fc.assert(
      fc.property(arrivals, (list) => {
        const [batch, single] = [make(), make()];
        const alone = [];
        for (const a of list) {
          const bytes = build(a);
          for (let i = 0; i < a.repeat; i++) {
            put(batch, a, bytes);
            put(single, a, bytes);
            alone.push(...single.turn().out);
          }
        }
        expect(batch.turn().out).toEqual(alone);
        expect(batch.drops()).toEqual(single.drops());
      }),
      { numRuns: long(300, 30) },
    );
  });
});

type Arrival = typeof arrivals extends fc.Arbitrary<(infer T)[]> ? T : never;

function build({ kind, source, destination, tci }: Arrival): Uint8Array {
  const fields = { source, destination, ...(tci === undefined ? {} : { tci }) };
  if (kind === 'raw') return frame(fields);
  if (kind === 'short') return frame(fields).slice(0, 16);
  return packet({ ...fields, checksum: kind === 'partial' ? 'partial' : 'complete' });
}

function put(sw: TestSwitch, { from, vni, tos }: Arrival, bytes: Uint8Array): void {
  if (from === 'tap2' || from === 'trunk') sw.inject(from, bytes);
  else sw.injectDatagram('vx', from, encodeVxlan(vni, bytes), { tos }, 'vx');
}

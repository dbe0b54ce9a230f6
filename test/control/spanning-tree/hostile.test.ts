/** Whatever BPDUs come to the ports of a bridge: its machines come to rest, and some time after the last one it is the root again. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Bpdu } from '../../../src/wire/bpdu.js';
import { decodeBpdu, encodeBpdu } from '../../../src/wire/bpdu.js';
import { addPort, createBridge, type TreeBridge, type TreeEffects } from '../../../src/control/spanning-tree/state.js';
import { passTime, receive, settle } from '../../../src/control/spanning-tree/tree.js';
import { long } from '../../long.js';
import { TICK, TIMES } from './graph.js';

const PORTS = 3;
const OWN = '80000200000000aa';
/** Times three of the longest hello time, then twice the longest forward delay, and what is under way. */
const SILENCE_MS = 120_000;

const identifier = fc.oneof(
  fc.constantFrom('0000000000000000', 'ffffffffffffffff', OWN, '80000200000000ab'),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map((value) => value.toString(16).padStart(16, '0')),
);
const time = fc
  .oneof(fc.constantFrom(0, 1, 2, 0x100, 0x200, 0x1400, 0xffff), fc.nat({ max: 0xffff }))
  .map((parts) => (parts * 1000) / 256);
const config: fc.Arbitrary<Bpdu> = fc.record({
  kind: fc.constantFrom('config', 'rst'),
  topologyChange: fc.boolean(),
  topologyChangeAck: fc.boolean(),
  proposal: fc.boolean(),
  agreement: fc.boolean(),
  learning: fc.boolean(),
  forwarding: fc.boolean(),
  role: fc.constantFrom('unknown', 'alternate', 'root', 'designated'),
  root: identifier,
  cost: fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff), fc.nat()),
  bridge: identifier,
  port: fc.nat({ max: 0xffff }),
  times: fc.record({ messageAge: time, maxAge: time, helloTime: time, forwardDelay: time }),
});
const said = fc.record({
  port: fc.nat({ max: PORTS - 1 }),
  bpdu: fc.oneof({ weight: 6, arbitrary: config }, { weight: 1, arbitrary: fc.constant<Bpdu>({ kind: 'tcn' }) }),
  ms: fc.constantFrom(0, 0, TICK, 1000, 5000),
});

function pass(bridge: TreeBridge, ms: number, effects: TreeEffects): void {
  for (let at = 0; at < ms; at += TICK) if (passTime(bridge, TICK)) settle(bridge, effects);
}

it('any BPDUs', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(said, { maxLength: 40 }), (isRapid, all) => {
      const bridge = createBridge(OWN, TIMES, isRapid);
      let isCostWrapped = false;
      const effects: TreeEffects = {
        send: (_, bpdu) => {
          if (bpdu.kind === 'tcn') return;
          const { cost } = bridge.rootPriority;
          const read = decodeBpdu(encodeBpdu(bpdu, '020000000000'));
          if (read?.kind !== 'tcn') isCostWrapped ||= read?.cost !== bpdu.cost || bpdu.cost < Math.min(cost, 1);
        },
        flush: () => undefined,
        state: () => undefined,
        changed: () => undefined,
      };
      for (let id = 1; id <= PORTS; id++)
        addPort(bridge, {
          enabled: true,
          cost: 4,
          id: 0x8000 | id,
          edge: 'auto',
          pointToPoint: true,
          rootBlock: id === 3,
        });
      settle(bridge, effects);
      for (const { port, bpdu, ms } of all) {
        const heard = decodeBpdu(encodeBpdu(bpdu, '020000000001'));
        if (heard === null) throw new Error('no BPDU');
        receive(bridge, bridge.ports[port], heard, effects);
        settle(bridge, effects);
        pass(bridge, ms, effects);
      }
      pass(bridge, SILENCE_MS, effects);
      expect(isCostWrapped).toBe(false);
      expect(bridge.rootPriority.root).toBe(OWN);
      expect(bridge.ports.map(({ role, forwarding }) => [role, forwarding])).toEqual(
        bridge.ports.map(() => ['designated', true]),
      );
    }),
    { numRuns: long(3000, 100) },
  );
});

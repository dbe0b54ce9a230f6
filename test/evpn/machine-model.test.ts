/** The state machine under anything that a network and a neighbour may do: two of our own sessions always find each other again. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { notification } from '../../src/wire/bgp/notification.js';
import type { Received } from '../../src/evpn/session/messages.js';
import { ownOpen } from '../../src/evpn/session/open.js';
import { stop, start } from '../../src/evpn/session/machine.js';
import { long } from '../long.js';
import { Net, Side, type Update } from './two-sessions.js';

type Step =
  | { do: 'connect' | 'refuse' | 'deliver' | 'lose'; at: number }
  | { do: 'wait'; ms: number }
  | { do: 'hostile'; at: number; message: Received<Update> }
  | { do: 'restart'; side: number; isGraceful: boolean };

const RUNS = long(20_000, 600);
const at = fc.nat({ max: 7 });
const strange = new Side(new Net(() => 0), 'strange', '10.0.0.9');

const hostile: fc.Arbitrary<Received<Update>> = fc.oneof(
  fc.constant<Received<Update>>({ type: 'keepalive' }),
  fc.constant<Received<Update>>({ type: 'ignored' }),
  fc.boolean().map((isEndOfRib): Received<Update> => ({ type: 'update', update: 'x', isEndOfRib })),
  fc.constantFrom(0 as const, 1 as const, 2 as const).map((kind): Received<Update> => ({ type: 'refresh', kind })),
  fc.tuple(fc.nat({ max: 8 }), fc.nat({ max: 12 }), fc.uint8Array({ maxLength: 9 })).map(
    ([code, subcode, data]): Received<Update> => ({
      type: 'notification',
      notification: notification(code, subcode, data),
    }),
  ),
  fc.constant<Received<Update>>({ type: 'fault', notification: notification(1, 1) }),
  fc.nat({ max: 3 }).map((kind): Received<Update> => {
    const open = ownOpen(strange.session, 0);
    if (kind === 1) open.asn = 65009;
    if (kind === 2) open.routerId = '10.0.0.1';
    if (kind === 3) open.capabilities = { ...open.capabilities, families: [] };
    return { type: 'open', open };
  }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: at.map((one): Step => ({ do: 'deliver', at: one })) },
  { weight: 3, arbitrary: at.map((one): Step => ({ do: 'connect', at: one })) },
  { weight: 3, arbitrary: fc.integer({ min: 10, max: 12_000 }).map((ms): Step => ({ do: 'wait', ms })) },
  { weight: 1, arbitrary: at.map((one): Step => ({ do: 'refuse', at: one })) },
  { weight: 1, arbitrary: at.map((one): Step => ({ do: 'lose', at: one })) },
  { weight: 1, arbitrary: fc.tuple(at, hostile).map(([one, message]): Step => ({ do: 'hostile', at: one, message })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat({ max: 1 }), fc.boolean())
      .map(([side, isGraceful]): Step => ({ do: 'restart', side, isGraceful })),
  },
);

function carryOut(net: Net, one: Step): void {
  const { connected } = net;
  if (one.do === 'wait') net.advance(one.ms);
  else if (one.do === 'restart') {
    const side = net.sides[one.side] as Side;
    stop(side.session, side.world, one.isGraceful ? null : 2, 'stopped');
    start(side.session, side.world);
  } else if (one.do === 'connect' || one.do === 'refuse') {
    if (net.dials.length > 0) net[one.do](one.at);
  } else {
    const end = connected[one.at % Math.max(1, connected.length)];
    if (end === undefined) return;
    if (one.do === 'hostile') net.hostile(end, one.message);
    else net[one.do](end);
  }
}

test(`${RUNS} histories of two sessions: no fault, never two sessions at once, and in calm weather one, on one connection`, () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80 }),
      fc.boolean(),
      fc.boolean(),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (steps, isPassive, isGraceful, chance) => {
        const net = new Net(() => chance.next().value as number);
        const restart = { graceful_restart: isGraceful ? 30 : 0 };
        const a = net.add(new Side(net, 'a', '10.0.0.1', { passive: isPassive, ...restart }));
        const b = net.add(new Side(net, 'b', '10.0.0.2', restart));
        net.start();
        for (const one of steps) carryOut(net, one);
        net.calm(500);
        expect([a.session.state, b.session.state], `${a.log.join(', ')} | ${b.log.join(', ')}`).toEqual([
          'established',
          'established',
        ]);
        expect([a.session.links.length, b.session.links.length]).toEqual([1, 1]);
        const [end] = a.ends.filter(({ isOver }) => !isOver);
        expect(a.ends.filter(({ isOver }) => !isOver)).toHaveLength(1);
        expect(b.session.links[0]?.wire).toBe(end?.other);
      },
    ),
    { numRuns: RUNS },
  );
});

/** Words about frames for many: broadcast, multicast, unknown unicast. */
import { option } from '../../../config/options/option.js';
import { value } from '../../../values/value.js';
import { floodsOnce, unknownFloodsOnce } from '../copies.js';
import { heardOnce, type ShoutKind } from '../probes.js';
import { fromGuest, guestList, namesOf } from './rows.js';
import { type CheckWord, checkWord } from './word.js';

function once(kind: ShoutKind): CheckWord {
  return checkWord({
    word: `${kind} once`,
    rows: {
      from: fromGuest,
      to: guestList('all other guests', 'Those who must receive each exactly once.'),
      not: guestList('none', 'Those who must receive none.'),
      copies: option({
        value: value.flag,
        default: false,
        doc: 'Also counts on every wire: one copy to each other host from the host of the sender, none from others, none back. Not with `to` and `not`.',
      }),
    },
    names: { from: 'guest', to: 'guest', not: 'guest' },
    doc: `Ten ${kind}s of a guest arrive exactly once each.`,
    example: `${kind} once: { from: alice, to: [bob], not: [carol] }`,
    claim: ({ from, not }) =>
      `each ${kind} of ${from} arrives once${not === undefined ? '' : `, and never at ${namesOf(not)?.join(', ')}`}`,
    fault: ({ to, not, copies }) =>
      copies && (to !== undefined || not !== undefined)
        ? 'counts copies for all guests; remove "to" and "not"'
        : undefined,
    wires: ({ copies }, hosts) => (copies ? hosts : []),
    prove: (place, { from, to, not, copies }) => {
      const sender = place.guest(from);
      if (copies) return floodsOnce(place, sender, kind);
      const listeners = place.guests(namesOf(to)).filter((guest) => guest !== sender);
      return heardOnce(place.inspection, sender, kind, listeners, place.guests(namesOf(not) ?? []));
    },
  });
}

export const BROADCAST_ONCE = once('broadcast');
export const MULTICAST_ONCE = once('multicast');

export const UNKNOWN_ONCE = checkWord({
  word: 'unknown once',
  rows: { from: fromGuest },
  names: { from: 'guest' },
  doc: 'Ten frames to a MAC that nobody has pass the NIC of every other guest once each, with one copy to each other host on the wire.',
  example: 'unknown once: { from: alice }',
  claim: ({ from }) => `unknown unicast of ${from} reaches every guest once`,
  wires: (_, hosts) => hosts,
  prove: (place, { from }) => unknownFloodsOnce(place, place.guest(from)),
});

/** Words about who reaches whom. */
import { option } from '../../../config/options/option.js';
import { value } from '../../../values/value.js';
import { labValue } from '../../values/lab-value.js';
import { neverMeet } from '../isolation.js';
import { allReach, GUEST_MTU, mtuIsRight, reach, TRANSFER_BYTES, transfer, unanswered } from '../probes.js';
import { atHost, fromGuest, guestList, namesOf, type SegmentArgs, segmentList, toGuest } from './rows.js';
import { checkWord } from './word.js';

const count = option({
  value: labValue.whole('a number of probes', 1, 100),
  default: 5,
  doc: 'Probes, one after another.',
});

export const PING = checkWord({
  word: 'ping',
  rows: {
    from: option({ value: labValue.name, otherwise: 'every guest', doc: 'The guest that asks.' }),
    to: option({ value: labValue.name, otherwise: 'every other guest', doc: 'The guest that answers.' }),
    among: guestList('all', 'All of these in both directions, in place of `from` and `to`; three probes each.'),
    count,
  },
  names: { from: 'guest', to: 'guest', among: 'guest' },
  doc: 'Every probe is answered. A probe is a UDP datagram, since ICMP needs rights or a program in the guest.',
  example: 'ping: { from: alice, to: bob }',
  claim: ({ from, to, among }) => {
    if (from !== undefined) return `${from} reaches ${to}`;
    return among === undefined
      ? 'all pairs of guests reach each other'
      : `${namesOf(among)?.join(', ')} reach each other`;
  },
  fault: ({ from, to, among }) => {
    if ((from === undefined) !== (to === undefined)) return 'needs both "from" and "to", or neither of them';
    if (from !== undefined && from === to) return '"from" and "to" are the same guest';
    return from !== undefined && among !== undefined ? 'has "from" and "to", or "among"; remove one' : undefined;
  },
  prove: (place, { from, to, among, count: probes }) =>
    from === undefined || to === undefined
      ? allReach(place.inspection, place.guests(namesOf(among)))
      : reach(place.inspection, place.guest(from), place.guest(to), probes),
});

export const NOT_PING = checkWord({
  word: 'not ping',
  rows: { from: fromGuest, to: toGuest },
  names: { from: 'guest', to: 'guest' },
  doc: 'No probe arrives and none is answered. A missing route is a reason too: `isolated` is stricter.',
  example: 'not ping: { from: alice, to: carol }',
  claim: ({ from, to }) => `${from} does not reach ${to}`,
  prove: (place, { from, to }) => unanswered(place.inspection, place.guest(from), place.guest(to)),
});

export const ISOLATED = checkWord({
  word: 'isolated',
  rows: { at: atHost, segments: segmentList },
  names: { at: 'host' },
  doc: 'Guests of different segments never reach each other, even with routes and static neighbours, which it adds meanwhile: their frames are seen on the wire of the host, each in the VNI of its sender, and none arrives.',
  example: 'isolated: { at: h1, segments: [{ vni: 2, guests: [a, b] }, { vni: 3, guests: [c, d] }] }',
  claim: ({ segments }) =>
    `guests of VNIs ${(segments as SegmentArgs[]).map(({ vni }) => vni).join(' and ')} do not reach each other, even with routes and static neighbours`,
  fault: ({ segments }) => (segments.length < 2 ? 'needs two segments or more' : undefined),
  wires: ({ at }) => [at],
  prove: (place, { at, segments }) => {
    const groups = segments as SegmentArgs[];
    const vniOf = new Map(groups.flatMap(({ vni, guests }) => place.guests(guests).map(({ mac }) => [mac, vni])));
    const members = place.guests().filter(({ mac }) => vniOf.has(mac));
    const pairs = members.flatMap((from) =>
      members.filter((to) => vniOf.get(to.mac) !== vniOf.get(from.mac)).map((to) => [from, to] as const),
    );
    return neverMeet(place.inspection, place.wire(at), pairs, (from, seen) => seen.vni === vniOf.get(from.mac));
  },
});

export const TCP = checkWord({
  word: 'tcp',
  rows: {
    from: fromGuest,
    to: toGuest,
    bytes: option({
      value: labValue.whole('a number of bytes', 1, 100_000_000),
      default: TRANSFER_BYTES,
      doc: 'Random bytes; the hash is compared at both ends. At most 30 s.',
    }),
  },
  names: { from: 'guest', to: 'guest' },
  isBulk: true,
  doc: 'Bytes sent over TCP arrive unchanged. Captures of the wire end here.',
  example: 'tcp: { from: alice, to: bob, bytes: 1000000 }',
  claim: ({ from, to, bytes }) => `${bytes / 1e6} MB over TCP, ${from} -> ${to}`,
  prove: (place, { from, to, bytes }) => transfer(place.inspection, place.guest(from), place.guest(to), bytes),
});

export const MTU = checkWord({
  word: 'mtu',
  rows: {
    of: guestList('all', 'The guests.'),
    is: option({ value: value.mtuNumber, default: GUEST_MTU, doc: 'The MTU that their NICs have.' }),
  },
  names: { of: 'guest' },
  doc: "The guests' NICs have this MTU. 1450 is what fits an underlay of 1500 with an IPv4 tunnel.",
  example: 'mtu: { is: 1450 }',
  claim: ({ is }) => `the guests have an MTU of ${is}`,
  prove: (place, { of, is }) => mtuIsRight(place.inspection, place.guests(namesOf(of)), is),
});

/** Words about what the wire carries, and what the switches know. */
import { option, required } from '../../../config/options/option.js';
import { value } from '../../../values/value.js';
import { labValue } from '../../values/lab-value.js';
import { fdbHolds, wireCarries, wireRoutes } from '../carried.js';
import { atHost, guestList, namesOf, optionalSegments, type SegmentArgs, segmentList } from './rows.js';
import { checkWord } from './word.js';

export const WIRE_CARRIES = checkWord({
  word: 'wire carries',
  rows: { at: atHost, segments: segmentList },
  names: { at: 'host' },
  doc: 'Since the checks began the wire of the host has carried datagrams of every segment from every host that has guests in it, each frame in the VNI of its sender, without inner tags and with all reserved bits zero, and no other VNI. Of guests that no segment names it says nothing.',
  example: 'wire carries: { at: h1, segments: [{ vni: 2, guests: [a, b] }] }',
  claim: ({ segments }) => `the wire carries VNI ${(segments as SegmentArgs[]).map(({ vni }) => vni).join(' and ')}`,
  wires: ({ at }) => [at],
  prove: (place, { at, segments }) => wireCarries(place, at, segments as SegmentArgs[]),
});

export const WIRE_ROUTES = checkWord({
  word: 'wire routes',
  rows: {
    at: atHost,
    from: required({ value: labValue.name, doc: 'The guest that has sent.' }),
    to: required({ value: labValue.name, doc: 'The guest of another VLAN, at another host.' }),
    vni: required({ value: value.vni, doc: 'That of the VLAN of `to`.' }),
  },
  names: { at: 'host', from: 'guest', to: 'guest' },
  doc: 'Since the checks began the wire of the host has carried IPv4 packets of one guest for another one that were routed at the host of the sender: in this VNI and no other, to the MAC of the receiver, from the MAC of no guest, without inner tag and with a TTL of 63.',
  example: 'wire routes: { at: h1, from: alice, to: carol, vni: 20 }',
  claim: ({ from, to, vni }) => `routed packets from ${from} to ${to} travel in VNI ${vni}`,
  wires: ({ at }) => [at],
  prove: (place, { at, from, to, vni }) => wireRoutes(place, at, { from: place.guest(from), to: place.guest(to), vni }),
});

export const FDB = checkWord({
  word: 'fdb',
  rows: {
    host: required({ value: labValue.name, doc: 'Whose switch.' }),
    port: option({ value: value.netdev, default: 'vxlan0', doc: 'The tunnel port.' }),
    via: required({ value: labValue.name, doc: 'The host that the entries must lead to.' }),
    guests: guestList('none', 'The guests whose MACs must be there.'),
    flood: option({
      value: value.flag,
      default: false,
      doc: 'The all-zeros entry of the flood list, in place of guests.',
    }),
    segments: optionalSegments,
  },
  names: { host: 'host', via: 'host', guests: 'guest' },
  doc: 'The FDB of a switch has exactly one entry of each, to that host. Entries of guests must be learned.',
  example: 'fdb: { host: h1, via: h2, guests: [bob] }',
  claim: ({ host, via, flood }) => `the FDB of ${host} leads to ${via} for ${flood ? 'floods' : 'its guests'}`,
  fault: ({ guests, flood, segments }) =>
    [guests !== undefined, flood, segments !== undefined].filter(Boolean).length === 1
      ? undefined
      : 'has one of "guests", "segments" and "flood: true"',
  prove: (place, { guests, segments, ...rest }) =>
    fdbHolds(place, { ...rest, guests: namesOf(guests) ?? [], segments: segments as SegmentArgs[] | undefined }),
});

/** Words about what the wire carries, and what the switches know. */
import { option, required } from '../../../config/options/option.js';
import { value } from '../../../values/value.js';
import { labValue } from '../../values/lab-value.js';
import { fdbHolds, wireCarries } from '../carried.js';
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

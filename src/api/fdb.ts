/** `/v1/fdb`: the forwarding database, and changes of it. */
import { z } from 'zod';
import { PROTOCOLS } from '../config/options/nexthop.js';
import { expected, value } from '../values/value.js';
import { anyIp, count, digits, linkName, said } from './fields.js';

export const FDB_STATES = ['dynamic', 'static', 'permanent'] as const;

const state = value.choice(FDB_STATES);

const stateList = z
  .array(state, { error: expected(`"all" or a list of ${FDB_STATES.join(', ')}`) })
  .min(1, { error: 'is empty; give one state or leave the list out' });

/** Accepts either of two shapes and reports faults by the shape that was given: the error of a zod union says only that neither fits. */
const flushStates = z
  .unknown()
  .transform((input, context): FdbState[] | 'all' => {
    if (input === 'all') return 'all';
    const { data, error } = stateList.safeParse(input);
    for (const { path, message } of error?.issues ?? []) context.issues.push({ code: 'custom', path, message, input });
    return data ?? z.NEVER;
  })
  .meta({
    anyOf: [{ const: 'all' }, { type: 'array', items: { enum: [...FDB_STATES] }, minItems: 1 }],
    description:
      'States of the entries that go. Default: learned ones only, or any with a flag or `nhid`; `all`: flood lists too.',
  });

const key = {
  mac: value.mac,
  dev: said(linkName, 'The port; or a bridge, for the host itself.'),
  vlan: value.vid.exactOptional(),
  vni: said(
    value.vni,
    'The VNI that the entry is of; beside `src_vni`, or on a port with one VNI, the one that its frames are sent with.',
  ).exactOptional(),
  src_vni: said(value.vni, 'The VNI that the entry is of, where `vni` is another one.').exactOptional(),
  port: said(value.udpPort, 'UDP port of `dst`.').exactOptional(),
  nhid: said(value.nexthopId, 'A group of nexthops, in place of `dst`.').exactOptional(),
  via: said(
    value.netdev,
    'Device that frames to `dst` leave by: that of the port (`dev`), or the request is refused.',
  ).exactOptional(),
};

/** An entry to add, or one destination of an all-zeros or multicast MAC. */
export const FDB_PUT = z.strictObject({
  op: said(
    z.enum(['add', 'append', 'replace']),
    '`add` refuses an entry that is there, `replace` makes it as told, `append` adds a destination.',
  ),
  ...key,
  dst: said(value.vtepIp, 'The remote. Without it, on a vxlan port: the flood list.').exactOptional(),
  state: said(state, 'Default: `permanent`, as with `bridge fdb`.').exactOptional(),
  sticky: value.flag.exactOptional(),
  extern_learn: value.flag.exactOptional(),
  router: value.flag.exactOptional(),
  proto: value.choice(PROTOCOLS).exactOptional(),
  activity_notify: said(
    value.flag,
    'An event tells when a lasting entry has had no frame for the ageing time, and when it has one again.',
  ).exactOptional(),
  inactive: said(value.flag, 'With `activity_notify`: it begins as inactive.').exactOptional(),
  norefresh: said(value.flag, 'The age of an entry that is replaced stays.').exactOptional(),
  use: said(
    value.flag,
    'As if a frame from the MAC had come by the port: learned, moved or refreshed, and never against a static entry.',
  ).exactOptional(),
});

const del = z.strictObject({ op: z.literal('del'), ...key, dst: anyIp.exactOptional() });

const flush = z
  .strictObject({
    op: z.literal('flush'),
    dev: linkName.exactOptional(),
    br: linkName.exactOptional(),
    vlan: value.vid.exactOptional(),
    vni: said(value.vni, 'That frames are sent with.').exactOptional(),
    src_vni: said(value.vni, 'That the entry is of.').exactOptional(),
    dst: anyIp.exactOptional(),
    port: said(value.udpPort, 'UDP port of the remote.').exactOptional(),
    via: said(value.netdev, 'Device that frames leave by: the `dev` of the port.').exactOptional(),
    nhid: value.nexthopId.exactOptional(),
    state: flushStates.exactOptional(),
    added_by_user: said(value.flag, 'True: entries that were not learned; false: learned ones.').exactOptional(),
    extern_learn: said(value.flag, 'True: entries with the flag; false: without; so the next ones.').exactOptional(),
    sticky: value.flag.exactOptional(),
    router: value.flag.exactOptional(),
    offloaded: said(value.flag, 'True: none.').exactOptional(),
  })
  .meta({ description: 'Removes the entries that fit all fields given. Answers with the number removed.' });

export const FDB_REQUEST = z.discriminatedUnion('op', [FDB_PUT, del, flush]);

export type FdbState = (typeof FDB_STATES)[number];
export type FdbRequest = z.output<typeof FDB_REQUEST>;
export type FdbPut = z.output<typeof FDB_PUT>;
export type FdbDelete = z.output<typeof del>;
export type FdbFlush = z.output<typeof flush>;

export const FLUSH_ANSWER = z.object({ removed: count }).meta({ id: 'FlushAnswer' });
export type FlushAnswer = z.output<typeof FLUSH_ANSWER>;

/** A comma-separated list of words in a query string. */
export function words<const T extends readonly [string, ...string[]]>(known: T) {
  return z
    .string()
    .transform((list) => list.split(','))
    .pipe(z.array(value.choice(known)))
    .meta({ description: `Some of ${known.join(', ')}, separated by commas.` });
}

export const FDB_QUERY = z.strictObject({
  mac: value.mac.exactOptional(),
  dev: linkName.exactOptional(),
  br: linkName.exactOptional(),
  vlan: digits(value.vid).exactOptional(),
  vni: digits(value.vni).exactOptional(),
  dst: anyIp.exactOptional(),
  state: words(FDB_STATES).exactOptional(),
});

/** All given criteria must match; of several states one must match. */
export type FdbFilter = z.output<typeof FDB_QUERY>;

export const FDB_ROW = z
  .object({
    mac: z.string(),
    ifname: z.string(),
    master: z.string(),
    vlan: z.int().exactOptional(),
    vni: said(z.int(), 'The VNI that frames are sent with.').exactOptional(),
    src_vni: said(z.int(), 'The VNI that the entry is of, where `vni` is another one.').exactOptional(),
    dst: said(z.string(), 'Address of the remote that the MAC is behind.').exactOptional(),
    port: said(z.int(), "UDP port of that remote, where it is not the port's own.").exactOptional(),
    nhid: said(z.int(), 'The group of nexthops that the MAC is behind.').exactOptional(),
    state: z.enum(FDB_STATES),
    flags: said(z.array(z.string()), "iproute2's words: `self`, `sticky`, `extern_learn` and the like."),
    proto: said(z.string(), 'The routing protocol that put it in.').exactOptional(),
    source: said(z.string(), 'The source of peers that put it in: `evpn`, a file, a DNS name, `etcd`.').exactOptional(),
    activity_notify: said(z.literal(true), 'Events tell whether it is in use.').exactOptional(),
    inactive: said(z.literal(true), 'With `activity_notify`: no frame came for the ageing time.').exactOptional(),
    updated: said(count, 'Seconds since the last refresh; absent for permanent entries.').exactOptional(),
    moves: said(count, 'How often the entry moved to another destination.'),
  })
  .meta({
    id: 'FdbRow',
    description: 'One FDB entry, or one remote of a flood list (MAC 00:00:00:00:00:00), as `bridge -j fdb` shows it.',
  });

export type FdbRow = z.output<typeof FDB_ROW>;

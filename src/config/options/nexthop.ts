/** The keys of an item of `nexthops`: a VTEP, or a group of them, that FDB entries name by its ID. */
import { z } from 'zod';
import { expected, value } from '../../values/value.js';
import { choiceOption, option, required, shapeOf } from './option.js';

/** Members of a group, as in the kernel's `struct nexthop_grp`. */
export const MAX_MEMBERS = 256;

/** Names of routing protocols (iproute2's `rt_protos`). */
export const PROTOCOLS = [
  'unspec',
  'redirect',
  'kernel',
  'boot',
  'static',
  'gated',
  'ra',
  'mrt',
  'zebra',
  'bird',
  'dnrouted',
  'xorp',
  'ntk',
  'dhcp',
  'keepalived',
  'babel',
  'openr',
  'bgp',
  'isis',
  'ospf',
  'rip',
  'eigrp',
] as const;

export const nexthopMemberOptions = {
  id: required({ value: value.nexthopId, doc: 'A nexthop with `via`.' }),
  weight: option({ value: value.weight, default: 1, doc: 'Share of the flows, relative to the other members.' }),
};

const members = z
  .array(
    z.strictObject(shapeOf(nexthopMemberOptions), {
      error: expected('a member such as { id: 1 } or { id: 1, weight: 2 }'),
    }),
    { error: expected('a list of members such as [{ id: 1 }, { id: 2, weight: 3 }]') },
  )
  .min(1, { error: 'a group needs a member; add one, or remove the group' })
  .max(MAX_MEMBERS, { error: `a group has at most ${MAX_MEMBERS} members; give fewer` });

export const nexthopOptions = {
  id: required({ value: value.nexthopId, doc: 'The number that entries and groups name it by.' }),
  via: option({ value: value.ip, otherwise: 'none; the nexthop is a group', doc: 'Address of the VTEP.' }),
  group: option({
    value: members,
    items: nexthopMemberOptions,
    otherwise: 'none; the nexthop has `via`',
    doc: 'Each flow goes to one of these nexthops, by a hash and their weights. When one is removed, the flows of the others stay where they are.',
  }),
  protocol: choiceOption(PROTOCOLS, {
    default: 'unspec',
    word: [],
    doc: 'The routing protocol that put it in; shown only.',
  }),
};

/** `/v1/nexthops`: VTEPs and groups of VTEPs that FDB entries name by an ID, and changes of them. */
import { z } from 'zod';
import { nexthopOptions, PROTOCOLS } from '../config/options/nexthop.js';
import { value } from '../values/value.js';
import { count, said } from './fields.js';

const put = z.strictObject({
  op: said(z.enum(['add', 'replace']), '`add` refuses an ID that is there, `replace` makes it as told.'),
  id: value.nexthopId,
  via: said(value.ip, 'Address of a VTEP; or `group`.').exactOptional(),
  group: said(nexthopOptions.group.value, 'Members, each a nexthop with `via`.').exactOptional(),
  protocol: value.choice(PROTOCOLS).exactOptional(),
});

const del = z.strictObject({ op: z.literal('del'), id: value.nexthopId });

const flush = z.strictObject({ op: z.literal('flush') }).meta({ description: 'Deletes all nexthops.' });

export const NEXTHOP_REQUEST = z.discriminatedUnion('op', [put, del, flush]);
export type NexthopRequest = z.output<typeof NEXTHOP_REQUEST>;

export const NEXTHOP_ROW = z
  .object({
    id: z.int(),
    group: z.array(z.object({ id: z.int(), weight: said(count, 'Absent: 1.').exactOptional() })).exactOptional(),
    gateway: said(z.string(), 'Address of a VTEP.').exactOptional(),
    scope: said(z.literal('link'), 'Of an address.').exactOptional(),
    protocol: said(z.string(), 'The routing protocol that put it in.').exactOptional(),
    flags: z.array(z.string()),
    fdb: z.null(),
  })
  .meta({ id: 'NexthopRow', description: 'One nexthop, as `ip -j nexthop` shows it.' });

export type NexthopRow = z.output<typeof NEXTHOP_ROW>;

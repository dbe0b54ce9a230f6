/** `/v1/mdb`: multicast groups and routers, and changes of the groups. */
import { z } from 'zod';
import { value } from '../values/value.js';
import { count, groupIp, linkName, said } from './fields.js';

export const MDB_REQUEST = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.enum(['add', 'del']),
    dev: said(linkName, 'The bridge.'),
    port: linkName,
    grp: said(groupIp, 'An IPv4 or IPv6 multicast address.'),
    vid: value.vid.exactOptional(),
    dst: said(value.ip, 'The remote, on a vxlan port.').exactOptional(),
  }),
]);

export type MdbRequest = z.output<typeof MDB_REQUEST>;

const KINDS = ['temp', 'permanent'] as const;
const timer = said(count, 'Seconds until it ends; absent for permanent ones.').exactOptional();
const place = { dev: z.string(), port: z.string(), vid: z.int().exactOptional(), dst: z.string().exactOptional() };

const MDB_ROW = z.object({
  ...place,
  grp: z.string(),
  state: said(z.enum(KINDS), '`temp`: reported by a member; `permanent`: added by hand.'),
  timer,
});

const MDB_ROUTER_ROW = z.object({ ...place, type: z.enum(KINDS), timer });

export const MDB_ANSWER = z
  .object({ mdb: z.array(MDB_ROW), router: z.array(MDB_ROUTER_ROW) })
  .meta({ id: 'MdbAnswer' });

export type MdbRow = z.output<typeof MDB_ROW>;
export type MdbRouterRow = z.output<typeof MDB_ROUTER_ROW>;
export type MdbAnswer = z.output<typeof MDB_ANSWER>;

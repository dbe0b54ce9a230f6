/** `/v1/mdb`: multicast groups and routers, and changes of the groups. */
import { z } from 'zod';
import { value } from '../values/value.js';
import { count, groupAddress, linkName, said } from './fields.js';

const BRIDGE_OR_TUNNEL = 'The bridge; or a vxlan port, for the entries of its tunnel.';

/** Words for entries of a tunnel. */
const tunnel = {
  dst_port: said(value.udpPort, 'UDP port of `dst`, in an entry of a tunnel.').exactOptional(),
  vni: said(value.vni, 'That frames are sent with, in an entry of a tunnel.').exactOptional(),
  src_vni: said(value.vni, 'That the entry of a tunnel is of; needed where VLANs are mapped to VNIs.').exactOptional(),
};

const at = {
  dev: said(linkName, BRIDGE_OR_TUNNEL),
  port: said(linkName, 'The member; of a tunnel, the vxlan port itself.'),
  grp: said(
    groupAddress,
    'An IPv4 or IPv6 multicast address, or a group MAC; of a tunnel, 0.0.0.0 or :: for the groups without an entry.',
  ),
  vid: value.vid.exactOptional(),
  dst: said(
    value.remoteIp,
    'The remote, on a vxlan port; of a tunnel it may be a group of the underlay.',
  ).exactOptional(),
  src: said(value.ip, 'The one source, of a pair of source and group.').exactOptional(),
  ...tunnel,
  via: said(value.netdev, 'Device that frames of a tunnel leave by: the `dev` of the port.').exactOptional(),
};
const KINDS = ['temp', 'permanent'] as const;
const MODES = ['include', 'exclude'] as const;

export const MDB_REQUEST = z.discriminatedUnion('op', [
  z.strictObject({
    op: said(z.enum(['add', 'replace']), '`replace` changes an entry that is there.'),
    ...at,
    state: said(z.enum(KINDS), 'Default `permanent`.').exactOptional(),
    filter_mode: z.enum(MODES).exactOptional(),
    source_list: z.array(value.ip).max(64).exactOptional(),
    proto: said(z.string().max(32), 'A routing protocol; default `static`.').exactOptional(),
  }),
  z.strictObject({ op: z.literal('del'), ...at }),
  z.strictObject({
    op: z.literal('flush'),
    dev: said(linkName, BRIDGE_OR_TUNNEL),
    port: linkName.exactOptional(),
    vid: value.vid.exactOptional(),
    dst: value.remoteIp.exactOptional(),
    state: said(z.enum(KINDS), 'Default: both.').exactOptional(),
    proto: z.string().max(32).exactOptional(),
    ...tunnel,
  }),
]);

export type MdbRequest = z.output<typeof MDB_REQUEST>;

const timer = said(count, 'Seconds until it ends; absent for permanent ones.').exactOptional();
const place = { dev: z.string(), port: z.string(), vid: z.int().exactOptional(), dst: z.string().exactOptional() };

const FLAGS = ['added_by_star_ex', 'blocked'] as const;

const MDB_ROW = z.object({
  ...place,
  dst_port: said(z.int(), 'Of an entry of a tunnel, as the next three; absent: that of the port.').exactOptional(),
  vni: said(z.int(), 'That frames are sent with; absent: that of the entry.').exactOptional(),
  src_vni: said(z.int(), 'That the entry is of; absent on a port with one VNI.').exactOptional(),
  via: z.string().exactOptional(),
  grp: z.string(),
  src: said(z.string(), 'The source, in the row of a pair of source and group.').exactOptional(),
  state: said(z.enum(KINDS), '`temp`: it ends without a report; `permanent`: it does not.'),
  filter_mode: said(
    z.enum(MODES),
    '`include`: frames of the sources of the list only; `exclude`: of all others. Absent where sources are not obeyed.',
  ).exactOptional(),
  source_list: said(
    z.array(z.object({ address: z.string(), timer: said(count, 'Seconds; 0: it does not run.') })),
    'In `exclude` a source whose timer does not run is blocked.',
  ).exactOptional(),
  protocol: said(z.string(), 'Who has put it in: `kernel` for what was learned.'),
  flags: said(z.array(z.enum(FLAGS)), '`added_by_star_ex`: a member of the group that has not named the source.'),
  timer,
});

const MDB_ROUTER_ROW = z.object({ ...place, type: z.enum(KINDS), timer });

export const MDB_ANSWER = z
  .object({ mdb: z.array(MDB_ROW), router: z.array(MDB_ROUTER_ROW) })
  .meta({ id: 'MdbAnswer' });

export type MdbRow = z.output<typeof MDB_ROW>;
export type MdbRouterRow = z.output<typeof MDB_ROUTER_ROW>;
export type MdbAnswer = z.output<typeof MDB_ANSWER>;

/** `/v1/evpn`: the BGP speaker: its sessions, routes and VNIs, and what it can be told to do at once. */
import { z } from 'zod';
import { value } from '../values/value.js';
import { anyIp, count, digits, said } from './fields.js';

/** Routes of one answer, at most. */
export const EVPN_PAGE = 1024;

const ROUTE_TYPES = [2, 3, 5] as const;
const wholeNumber = z.int().min(0).max(0xffffffff);
const rdText = z.string().regex(/^((\d{1,3}\.){3}\d{1,3}|\d{1,10}L?):\d{1,10}$|^0x[0-9a-f]{16}$/, {
  error: 'is no route distinguisher; give one such as 65001:100 or 192.0.2.1:5',
});

export const EVPN_ROUTES_QUERY = z.strictObject({
  type: said(
    digits(z.int().refine((type) => type === 2 || type === 3 || type === 5, { error: 'is no type: give 2, 3 or 5' })),
    '2: MACs, 3: VTEPs that take part in floods, 5: prefixes.',
  ).exactOptional(),
  vni: said(digits(value.vni), 'One of our VNIs: what it imports, and what it announces.').exactOptional(),
  rd: rdText.exactOptional(),
  mac: value.mac.exactOptional(),
  neighbor: said(anyIp, 'That has sent the route.').exactOptional(),
  after: said(digits(wholeNumber), '`next` of the answer before; default: from the first one on.').exactOptional(),
  limit: said(
    digits(z.int().min(1).max(EVPN_PAGE)),
    `Most routes of the answer; default: ${EVPN_PAGE}, which is the most.`,
  ).exactOptional(),
});
export type EvpnRoutesQuery = z.output<typeof EVPN_ROUTES_QUERY>;

export const EVPN_ANSWER = z
  .object({
    asn: z.int(),
    router_id: z.string(),
    listen: said(z.int(), 'TCP port for neighbours that connect to us; 0: none do.'),
    neighbors: count,
    established: said(count, 'Neighbours with a session.'),
    routes_received: count,
    routes_sent: count,
    routes_stale: said(count, 'Of neighbours that restart: kept until they are told again.'),
    l2vnis: count,
    l3vnis: count,
    remotes: said(count, 'Other VTEPs.'),
    local_macs: said(count, 'MACs that this switch announces.'),
    remote_macs: count,
    duplicates: said(count, 'MACs that are left where they are, since they moved too often.'),
  })
  .meta({ id: 'EvpnAnswer', description: 'The BGP speaker, in numbers.' });
export type EvpnAnswer = z.output<typeof EVPN_ANSWER>;

export const EVPN_NEIGHBOR_ROW = z
  .object({
    address: z.string(),
    asn: z.int(),
    state: z.enum(['idle', 'connect', 'active', 'opensent', 'openconfirm', 'established']),
    since: said(count, 'Seconds since the state changed.'),
    ups: said(count, 'Sessions with it that have come up.'),
    router_id: z.string().exactOptional(),
    received: said(count, 'Routes that it has sent us.'),
    accepted: said(count, 'Of those: routes that are kept.'),
    crowded: said(
      count,
      'Routes that are refused, since attributes that no two routes share have taken the part of the memory that the neighbour has. Others are beyond `max_routes`.',
    ).exactOptional(),
    sent: said(count, 'Routes that we have sent it.'),
    stale: said(count, 'Routes that are kept while it restarts.'),
    messages_in: count,
    messages_out: count,
    last_end: said(z.string(), 'Why its last session ended.').exactOptional(),
    malformed: said(count, 'UPDATEs whose attributes were wrong, so that their routes were withdrawn (RFC 7606).'),
  })
  .meta({ id: 'EvpnNeighborRow', description: 'A BGP neighbour.' });
export type EvpnNeighborRow = z.output<typeof EVPN_NEIGHBOR_ROW>;

const mobility = z.object({ sequence: count, sticky: z.boolean() });
const ndFlags = z.object({ immutable: z.boolean(), override: z.boolean(), router: z.boolean() });
const pmsi = z.object({ type: z.int(), vni: z.int(), endpoint: z.string().exactOptional() });

export const EVPN_ROUTE_ROW = z
  .object({
    type: z.union(ROUTE_TYPES.map((type) => z.literal(type))),
    rd: said(z.string(), 'Route distinguisher.'),
    tag: said(z.int(), 'Ethernet tag.'),
    esi: said(z.string(), 'Ethernet segment, where there is one.').exactOptional(),
    mac: said(z.string(), 'Of type 2.').exactOptional(),
    ip: said(z.string(), 'Of type 2: the address of the MAC. Of type 3: the VTEP.').exactOptional(),
    prefix: said(z.string(), 'Of type 5.').exactOptional(),
    gateway: said(z.string(), 'Of type 5, where it is not the next hop.').exactOptional(),
    vni: said(z.int(), 'That frames to it are sent with.').exactOptional(),
    l3vni: said(z.int(), 'That packets which were routed to it are sent with.').exactOptional(),
    next_hop: said(z.string(), 'The VTEP.'),
    neighbor: said(z.string(), 'That has sent it; absent: it is our own.').exactOptional(),
    best: z.boolean(),
    stale: z.boolean(),
    imported: said(z.array(z.int()), 'Our VNIs that import it.'),
    origin: z.enum(['igp', 'egp', 'incomplete']),
    as_path: said(z.string(), 'AS numbers, sets in braces, confederations in parentheses; empty: our own AS.'),
    med: z.int().exactOptional(),
    local_pref: z.int().exactOptional(),
    communities: z.array(z.string()).exactOptional(),
    originator_id: z.string().exactOptional(),
    cluster_list: z.array(z.string()).exactOptional(),
    route_targets: z.array(z.string()),
    encapsulation: said(z.int(), 'Tunnel type (RFC 9012); 8 is VXLAN.').exactOptional(),
    mobility: said(mobility, 'How often the MAC has moved, and whether it may (RFC 7432 section 7.7).').exactOptional(),
    default_gateway: z.literal(true).exactOptional(),
    router_mac: z.string().exactOptional(),
    nd: said(ndFlags, 'Flags of ARP and ND (RFC 9047).').exactOptional(),
    pmsi: said(pmsi, 'How floods are sent (RFC 6514); type 6: a copy to each VTEP.').exactOptional(),
  })
  .meta({ id: 'EvpnRouteRow', description: 'One path of an EVPN route.' });
export type EvpnRouteRow = z.output<typeof EVPN_ROUTE_ROW>;

export const EVPN_ROUTES_ANSWER = z.object({
  routes: z.array(EVPN_ROUTE_ROW),
  next: said(count, '`after` of the next page; absent: this is the last one.').exactOptional(),
});
export type EvpnRoutesAnswer = z.output<typeof EVPN_ROUTES_ANSWER>;

export const EVPN_VNI_ROW = z
  .object({
    vni: z.int(),
    type: said(z.enum(['l2', 'l3']), 'Bridged, or of a VRF.'),
    owner: said(z.string(), 'The vxlan port, or the VRF.'),
    local: said(z.string(), 'Our VTEP.'),
    rd: z.string(),
    imports: said(z.array(z.string()), 'Route targets.'),
    exports: said(z.array(z.string()), 'Route targets.'),
    floods: said(z.boolean(), 'Type 3 is announced, and taken for flood lists.'),
    router_mac: z.string().exactOptional(),
    l3vni: z.int().exactOptional(),
    remotes: said(z.array(z.string()), 'VTEPs that have told of this VNI.'),
    local_macs: count,
    remote_macs: count,
    duplicates: said(z.array(z.string()), 'MACs that are left where they are, since they moved too often.'),
  })
  .meta({ id: 'EvpnVniRow', description: 'A VNI that takes part in EVPN.' });
export type EvpnVniRow = z.output<typeof EVPN_VNI_ROW>;

const clearDuplicates = z.strictObject({
  op: said(z.literal('clear_duplicates'), 'Forgets that MACs moved too often.'),
  vni: said(value.vni, 'Default: all.').exactOptional(),
  mac: said(value.mac, 'Default: all.').exactOptional(),
});
export type EvpnClearDuplicates = z.output<typeof clearDuplicates>;

const clearNeighbor = z.strictObject({
  op: said(z.literal('clear_neighbor'), 'Ends the session, and begins it anew.'),
  neighbor: said(anyIp, 'Default: all.').exactOptional(),
});

const refresh = z.strictObject({
  op: said(z.literal('refresh'), 'Asks for all routes again (RFC 2918).'),
  neighbor: said(anyIp, 'Default: all.').exactOptional(),
});

export const EVPN_REQUEST = z.discriminatedUnion('op', [clearDuplicates, clearNeighbor, refresh]);
export type EvpnRequest = z.output<typeof EVPN_REQUEST>;

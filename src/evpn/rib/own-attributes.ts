/**
 * What this switch says of its MACs, prefixes and VTEPs (RFC 7432 sections 7.7, 7.8, 9 to 11, RFC 8365 section 5.1.3, RFC 9047,
 * RFC 9135 section 5, RFC 9136 section 4.4.1).
 */
import { familyOf } from '../../values/address.js';
import { type EvpnCommunities, type EvpnRoute, NO_ESI, type PathAttributes } from '../../wire/bgp/route.js';
import { isLinkLocal } from '../../wire/ip-address.js';
import { VXLAN } from './attributes.js';
import { INGRESS_REPLICATION } from './import.js';
import type { LocalState, MacEntry } from './mac-entry.js';
import type { VniTable } from './vni-table.js';

const IGP = 0;

export interface Announcement {
  route: EvpnRoute;
  attributes: PathAttributes;
}

/** Type 3, when the VNI floods. */
export function ownFloods({ config, vni }: VniTable): Announcement[] {
  const { kind, floods, local, rd, exports } = config;
  if (kind === 'l3' || !floods) return [];
  const pmsi = { flags: 0, type: INGRESS_REPLICATION, label: vni, endpoint: local };
  const attributes = { ...common(config.local, exports, {}), pmsi };
  return [{ route: { type: 3, rd, tag: 0, origin: local }, attributes }];
}

/** Type 2, for the MAC and each of its addresses; nothing while another VTEP has it. */
export function ownMacs(table: VniTable, entry: MacEntry): Announcement[] {
  const { local } = entry;
  if (local === null || local.isPending || entry.holder !== null) return [];
  const all: Announcement[] = local.isPlain ? [ownMac(table, entry.mac, local)] : [];
  for (const [ip, isRouter] of local.ips) all.push(ownMac(table, entry.mac, local, { ip, isRouter }));
  return all;
}

/** Type 5; nothing before the router MAC is known, since nobody could use it. */
export function ownPrefix({ config, vni }: VniTable, prefix: string): Announcement[] {
  const { rd, routerMac, local, exports } = config;
  if (config.kind !== 'l3' || routerMac === undefined) return [];
  const gateway = familyOf(prefix) === 4 ? '0.0.0.0' : '::';
  return [
    {
      route: { type: 5, rd, esi: NO_ESI, tag: 0, prefix, gateway, label: vni },
      attributes: common(local, exports, { routerMac }),
    },
  ];
}

function ownMac(
  table: VniTable,
  mac: string,
  local: LocalState,
  bound?: { ip: string; isRouter: boolean },
): Announcement {
  const { config, vni } = table;
  const route: EvpnRoute = { type: 2, rd: config.rd, esi: NO_ESI, tag: 0, mac, label: vni };
  const says: Partial<EvpnCommunities> = { isGateway: local.isGateway };
  if (local.sequence > 0 || local.isSticky) says.mobility = { sequence: local.sequence, sticky: local.isSticky };
  if (bound === undefined) return { route, attributes: common(config.local, config.exports, says) };
  route.ip = bound.ip;
  if (bound.isRouter && familyOf(bound.ip) === 6) says.nd = { immutable: local.isSticky, override: true, router: true };
  const l3 = symmetricOf(table, local, bound.ip);
  if (l3 === null) return { route, attributes: common(config.local, config.exports, says) };
  route.label2 = l3.label;
  says.routerMac = l3.routerMac;
  return { route, attributes: common(config.local, [...new Set([...config.exports, ...l3.targets])], says) };
}

/** The VRF that a guest's address is reachable through. An anycast gateway's own address is not: every VTEP has it. */
function symmetricOf(
  { config, l3 }: VniTable,
  local: LocalState,
  ip: string,
): { label: number; routerMac: string; targets: readonly string[] } | null {
  const routerMac = l3?.config.routerMac ?? config.routerMac;
  if (config.l3vni === undefined || routerMac === undefined || local.isGateway || isLinkLocal(ip)) return null;
  return { label: config.l3vni, routerMac, targets: l3?.config.exports ?? [] };
}

function common(nextHop: string, routeTargets: readonly string[], says: Partial<EvpnCommunities>): PathAttributes {
  return {
    origin: IGP,
    asPath: [],
    nextHop,
    extended: { routeTargets, encapsulation: VXLAN, isGateway: false, ...says },
  };
}

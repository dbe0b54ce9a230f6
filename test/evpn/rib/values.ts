/** Configurations, routes and attributes for tests of the RIB, each with one line. */
import type { LocalMac, NeighborConfig, SpeakerConfig, VniConfig } from '../../../src/evpn/contract.js';
import type { Rib } from '../../../src/evpn/rib/contract.js';
import { createRib } from '../../../src/evpn/rib/rib.js';
import {
  type EvpnCommunities,
  type EvpnRoute,
  type InclusiveRoute,
  type MacIpRoute,
  NO_ESI,
  type PathAttributes,
  type PrefixRoute,
} from '../../../src/wire/bgp/route.js';

export const OWN_VTEP = '192.0.2.10';
export const ASN = 65000;

export function neighbor(address: string, more: Partial<NeighborConfig> = {}): NeighborConfig {
  return {
    address,
    port: 179,
    asn: ASN,
    passive: false,
    hold_time: 90,
    connect_retry: 10,
    max_routes: 1_000_000,
    graceful_restart: 120,
    long_lived_stale: 0,
    ...more,
  };
}

export function l2(vni: number, more: Partial<VniConfig> = {}): VniConfig {
  const target = `${ASN}:${vni}`;
  return {
    vni,
    kind: 'l2',
    owner: 'vx',
    local: OWN_VTEP,
    rd: `${OWN_VTEP}:${vni}`,
    imports: [target],
    exports: [target],
    floods: true,
    ...more,
  };
}

export function l3(vni: number, more: Partial<VniConfig> = {}): VniConfig {
  return { ...l2(vni), kind: 'l3', owner: 'red', routerMac: '02:00:00:00:10:10', floods: false, ...more };
}

export function config(more: Partial<SpeakerConfig> = {}): SpeakerConfig {
  return {
    asn: ASN,
    routerId: '192.0.2.10',
    listen: 0,
    neighbors: [neighbor('10.0.0.1'), neighbor('10.0.0.2')],
    vnis: [l2(100), l2(200)],
    duplicates: { moves: 0, seconds: 180, hold: 0 },
    ...more,
  };
}

/** A RIB with the first neighbour up. */
export function ribWith(more: Partial<SpeakerConfig> = {}): Rib {
  const rib = createRib();
  rib.configure(config(more));
  for (const { address } of config(more).neighbors) rib.up(address, address);
  return rib;
}

export function attributes(
  nextHop: string,
  vni: number,
  says: Partial<EvpnCommunities> = {},
  more: Partial<PathAttributes> = {},
): PathAttributes {
  const extended = { routeTargets: [`${ASN}:${vni}`], encapsulation: 8, isGateway: false, ...says };
  return { origin: 0, asPath: [], nextHop, localPref: 100, extended, ...more };
}

export function flooding(nextHop: string, vni: number, label = vni): PathAttributes {
  return attributes(nextHop, vni, {}, { pmsi: { flags: 0, type: 6, label, endpoint: nextHop } });
}

export function moved(sequence: number, sticky = false): Partial<EvpnCommunities> {
  return { mobility: { sequence, sticky } };
}

export function macRoute(vtep: string, vni: number, mac: string, more: Partial<MacIpRoute> = {}): MacIpRoute {
  return { type: 2, rd: `${vtep}:${vni}`, esi: NO_ESI, tag: 0, mac, label: vni, ...more };
}

export function floodRoute(vtep: string, vni: number): InclusiveRoute {
  return { type: 3, rd: `${vtep}:${vni}`, tag: 0, origin: vtep };
}

export function prefixRoute(vtep: string, vni: number, prefix: string, more: Partial<PrefixRoute> = {}): PrefixRoute {
  return { type: 5, rd: `${vtep}:${vni}`, esi: NO_ESI, tag: 0, prefix, gateway: '0.0.0.0', label: vni, ...more };
}

export function local(vni: number, mac: string, more: Partial<LocalMac> = {}): LocalMac {
  return { vni, mac, sticky: false, isGateway: false, isRouter: false, ...more };
}

export function mac(n: number): string {
  const hex = n.toString(16).padStart(8, '0');
  return `02:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6)}`;
}

/** The neighbour announces one route. */
export function hear(rib: Rib, from: string, route: EvpnRoute, value: PathAttributes): void {
  rib.receive(from, { announced: [route], attributes: value, withdrawn: [] });
}

export function unhear(rib: Rib, from: string, ...withdrawn: EvpnRoute[]): void {
  rib.receive(from, { announced: [], attributes: null, withdrawn });
}

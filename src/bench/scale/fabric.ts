/** A fabric on paper: hosts, VNIs, which host has which VNI, and where each MAC is. */
import type { LocalMac, SpeakerConfig, VniConfig } from '../../evpn/contract.js';
import { type EvpnRoute, NO_ESI, type PathAttributes } from '../../wire/bgp/route.js';
import { MESSAGE_LIMIT, type SessionFormat } from '../../wire/bgp/session.js';

export const ASN = 65000;
/** iBGP with messages of the usual size. */
export const SESSION: SessionFormat = { fourOctetAs: true, isInternal: true, maxLength: MESSAGE_LIMIT };
export const REFLECTOR = '10.255.255.1';
/** More routes than any run has. */
const MAX_ROUTES = 10_000_000;

export interface Fabric {
  hosts: number;
  vnis: number;
  macs: number;
  /** Hosts that a VNI is on. */
  spread: number;
}

/** Where a MAC is. */
export interface Place {
  vni: number;
  host: number;
}

/** 10.0.0.0/8, from 10.0.0.1 on: also the router identifier. */
export function vtepOf(host: number): string {
  const n = host + 1;
  return `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
}

/** First two bytes of all MACs; the others are their number. */
export const MAC_HIGH = 0x0200;

export function macOf(n: number): string {
  const hex = n.toString(16).padStart(8, '0');
  return `02:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6)}`;
}

/** VNIs are 1 and up; a VNI is on `spread` hosts in a row, beginning at another one each. */
export function hostsOf({ hosts, vnis, spread }: Fabric, vni: number): number[] {
  const first = Math.floor(((vni - 1) * hosts) / vnis);
  return Array.from({ length: Math.min(spread, hosts) }, (_, i) => (first + i) % hosts);
}

export function vnisOf(fabric: Fabric, host: number): number[] {
  const all: number[] = [];
  for (let vni = 1; vni <= fabric.vnis; vni++) if (hostsOf(fabric, vni).includes(host)) all.push(vni);
  return all;
}

/** The VNI of a MAC, and the host that has it after `moves` moves. */
export function placeOf(fabric: Fabric, mac: number, moves = 0): Place {
  const vni = 1 + (mac % fabric.vnis);
  const hosts = hostsOf(fabric, vni);
  return { vni, host: hosts[(Math.floor(mac / fabric.vnis) + moves) % hosts.length] as number };
}

export function configOf(vnis: readonly number[], host: number): SpeakerConfig {
  const neighbor = {
    address: REFLECTOR,
    port: 179,
    asn: ASN,
    passive: false,
    // Hosts of one process wait for each other.
    hold_time: 0,
    connect_retry: 1,
    max_routes: MAX_ROUTES,
    graceful_restart: 600,
    long_lived_stale: 0,
  };
  return {
    asn: ASN,
    routerId: vtepOf(host),
    listen: 0,
    neighbors: [neighbor],
    vnis: vnis.map((vni) => vniConfig(vni, host)),
    duplicates: { moves: 5, seconds: 180, hold: 0 },
  };
}

export function localMac(fabric: Fabric, mac: number, moves = 0): LocalMac {
  const { vni } = placeOf(fabric, mac, moves);
  return { vni, mac: macOf(mac), sticky: false, isGateway: false, isRouter: false };
}

/** What a host announces for a MAC, as a reflector passes it on; for hosts that only exist on paper. */
export function macRoute(host: number, vni: number, mac: number): EvpnRoute {
  return { type: 2, rd: `${vtepOf(host)}:${vni}`, esi: NO_ESI, tag: 0, mac: macOf(mac), label: vni };
}

export function floodRoute(host: number, vni: number): EvpnRoute {
  return { type: 3, rd: `${vtepOf(host)}:${vni}`, tag: 0, origin: vtepOf(host) };
}

export function attributesOf(host: number, vni: number, isFlood: boolean): PathAttributes {
  const extended = { routeTargets: [`${ASN}:${vni}`], encapsulation: 8, isGateway: false };
  const attributes: PathAttributes = { origin: 0, asPath: [], nextHop: vtepOf(host), localPref: 100, extended };
  if (isFlood) attributes.pmsi = { flags: 0, type: 6, label: vni, endpoint: vtepOf(host) };
  return attributes;
}

function vniConfig(vni: number, host: number): VniConfig {
  const target = `${ASN}:${vni}`;
  const local = vtepOf(host);
  return {
    vni,
    kind: 'l2',
    owner: 'vxlan0',
    local,
    rd: `${local}:${vni}`,
    imports: [target],
    exports: [target],
    floods: true,
  };
}

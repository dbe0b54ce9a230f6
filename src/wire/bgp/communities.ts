/**
 * Extended communities of EVPN routes (RFC 4360): 8 bytes each, type and subtype first.
 *
 *   00/01/02 02   route target of an AS, an IPv4 address, an AS of 4 bytes   RFC 4360, RFC 5668
 *   03 0c         encapsulation: 4 reserved bytes, tunnel type (2)           RFC 9012 section 4.1
 *   03 0d         default gateway                                            RFC 7432 section 7.8
 *   06 00         MAC mobility: flags, reserved, sequence number (4)         RFC 7432 section 7.7
 *   06 03         router's MAC (6)                                           RFC 9135 section 8.1
 *   06 08         ARP/ND: flags, 5 reserved bytes                            RFC 9047 section 2
 *
 * Others are left out. Of those that stand once, the first counts.
 */
import { viewOf } from '../bytes.js';
import { formatAdministrator, parseAdministrator } from './rd.js';
import type { EvpnCommunities } from './route.js';
import { readMac, writeMac } from './texts.js';

export const ENCAPSULATION_VXLAN = 8;

export const COMMUNITY = 8;
const ROUTE_TARGET = 0x02;
const OPAQUE_ENCAPSULATION = 0x030c;
const OPAQUE_GATEWAY = 0x030d;
const EVPN_MOBILITY = 0x0600;
const EVPN_ROUTER_MAC = 0x0603;
const EVPN_ND = 0x0608;

const FLAG_STICKY = 0x01;
const FLAG_ROUTER = 0x01;
const FLAG_OVERRIDE = 0x02;
const FLAG_IMMUTABLE = 0x08;

/** Communities of a route that has none. */
export const NO_COMMUNITIES: EvpnCommunities = { routeTargets: [], isGateway: false };

/** Reads an attribute whose length the caller has found to be a multiple of 8. */
export function decodeExtended(bytes: Uint8Array, at: number, end: number): EvpnCommunities {
  const view = viewOf(bytes);
  const routeTargets = new Set<string>();
  const read: EvpnCommunities = { routeTargets: [], isGateway: false };
  for (; at < end; at += COMMUNITY) {
    const type = view.getUint16(at);
    if ((type & 0xff) === ROUTE_TARGET && type >>> 8 <= 2) {
      const text = formatAdministrator(type >>> 8, view.getUint16(at + 2), view.getUint32(at + 4));
      if (text !== null) routeTargets.add(text);
    } else readKnown(bytes, view, at, type, read);
  }
  read.routeTargets = [...routeTargets];
  return read;
}

function readKnown(bytes: Uint8Array, view: DataView, at: number, type: number, read: EvpnCommunities): void {
  switch (type) {
    case OPAQUE_ENCAPSULATION: {
      // Several are choices of the sender (RFC 8365 section 5.1.3): VXLAN is the one that can be taken here.
      const encapsulation = view.getUint16(at + 6);
      if (read.encapsulation === undefined || encapsulation === ENCAPSULATION_VXLAN) read.encapsulation = encapsulation;
      return;
    }
    case OPAQUE_GATEWAY:
      read.isGateway = true;
      return;
    case EVPN_MOBILITY:
      read.mobility ??= { sequence: view.getUint32(at + 4), sticky: (bytes[at + 2] & FLAG_STICKY) !== 0 };
      return;
    case EVPN_ROUTER_MAC:
      read.routerMac ??= readMac(bytes, at + 2);
      return;
    case EVPN_ND: {
      const flags = bytes[at + 2];
      read.nd ??= {
        immutable: (flags & FLAG_IMMUTABLE) !== 0,
        override: (flags & FLAG_OVERRIDE) !== 0,
        router: (flags & FLAG_ROUTER) !== 0,
      };
      return;
    }
  }
}

/**
 * The value of an EXTENDED_COMMUNITIES attribute; empty: the attribute is left away.
 * @throws RangeError for a route target or MAC that cannot be read
 */
export function encodeExtended(communities: EvpnCommunities): Uint8Array {
  const { routeTargets, encapsulation, mobility, isGateway, routerMac, nd } = communities;
  const list: Uint8Array[] = routeTargets.map(encodeRouteTarget);
  const add = (type: number): DataView => {
    const bytes = new Uint8Array(COMMUNITY);
    list.push(bytes);
    const view = viewOf(bytes);
    view.setUint16(0, type);
    return view;
  };
  if (encapsulation !== undefined) add(OPAQUE_ENCAPSULATION).setUint16(6, encapsulation);
  if (mobility !== undefined) {
    const view = add(EVPN_MOBILITY);
    view.setUint8(2, mobility.sticky ? FLAG_STICKY : 0);
    view.setUint32(4, mobility.sequence);
  }
  if (isGateway) add(OPAQUE_GATEWAY);
  if (routerMac !== undefined) {
    add(EVPN_ROUTER_MAC);
    writeMac(list[list.length - 1], 2, routerMac);
  }
  if (nd !== undefined) {
    const flags =
      (nd.immutable ? FLAG_IMMUTABLE : 0) | (nd.override ? FLAG_OVERRIDE : 0) | (nd.router ? FLAG_ROUTER : 0);
    add(EVPN_ND).setUint8(2, flags);
  }
  const value = new Uint8Array(list.length * COMMUNITY);
  list.forEach((bytes, i) => {
    value.set(bytes, i * COMMUNITY);
  });
  return value;
}

function encodeRouteTarget(text: string): Uint8Array {
  const target = parseAdministrator(text);
  if (target === null) throw new RangeError(`"${text}" is no route target: write 65001:100 or 192.0.2.1:5`);
  const bytes = new Uint8Array(COMMUNITY);
  const view = viewOf(bytes);
  view.setUint16(0, (target.type << 8) | ROUTE_TARGET);
  view.setUint16(2, target.high);
  view.setUint32(4, target.low);
  return bytes;
}

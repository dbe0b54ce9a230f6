/**
 * EVPN NLRI: a list of `type, length, route` (RFC 7432 section 7, RFC 9136 section 3).
 *
 *   1  Ethernet auto-discovery   RD 8, ESI 10, tag 4, label 3
 *   2  MAC/IP                    RD 8, ESI 10, tag 4, 48, MAC 6, IP length 1, IP 0/4/16, label 3, label 0/3
 *   3  inclusive multicast       RD 8, tag 4, IP length 1, IP 4/16
 *   4  Ethernet segment          RD 8, ESI 10, IP length 1, IP 4/16
 *   5  IP prefix                 RD 8, ESI 10, tag 4, prefix length 1, prefix 4/16, gateway 4/16, label 3
 *
 * Lengths of addresses are in bits, lengths of routes in bytes. Owns the lists; what routes mean is for the speaker.
 */
import { viewOf } from '../bytes.js';
import { RD_LENGTH, readRd } from './rd.js';
import {
  type EvpnRoute,
  type InclusiveRoute,
  type MacIpRoute,
  NO_ESI,
  type OtherRoute,
  type PrefixRoute,
} from './route.js';
import { isMappedAt, isUnicastAddress, readAddress, readEsi, readMac, readPrefix } from './texts.js';

/** Routes of one MP_REACH_NLRI or MP_UNREACH_NLRI. */
export interface NlriList {
  routes: EvpnRoute[];
  /** Of types 1, 4, and of those that nobody here knows (RFC 7432 section 7: they are skipped by their length). */
  others: OtherRoute[];
  /** Well-formed, but not to be used: to be treated as withdrawn (RFC 9136 section 3.1). */
  unusable: EvpnRoute[];
  /** Of types 1 to 5, whose inner lengths contradict each other. They name no route, so they are skipped. */
  malformed: number;
}

const HEAD = 2;

/**
 * Reads a list from `at` to `end`.
 * @returns null when a length reaches past the end, so that the list cannot be divided into routes (RFC 7606 section 5.3)
 */
export function decodeNlri(bytes: Uint8Array, at: number, end: number): NlriList | null {
  const view = viewOf(bytes);
  const list: NlriList = { routes: [], others: [], unusable: [], malformed: 0 };
  const rds = { high: -1, low: -1, text: '' };
  while (at < end) {
    if (end - at < HEAD) return null;
    const next = at + HEAD + bytes[at + 1];
    if (next > end) return null;
    readRoute(bytes, view, bytes[at], at + HEAD, next, list, rds);
    at = next;
  }
  return list;
}

/** The distinguisher of the route before: neighbours send many routes of one in a row. */
interface LastRd {
  high: number;
  low: number;
  text: string;
}

function rdAt(view: DataView, at: number, last: LastRd): string {
  const high = view.getUint32(at);
  const low = view.getUint32(at + 4);
  if (high !== last.high || low !== last.low) {
    last.high = high;
    last.low = low;
    last.text = readRd(view, at);
  }
  return last.text;
}

function readRoute(
  bytes: Uint8Array,
  view: DataView,
  type: number,
  at: number,
  end: number,
  list: NlriList,
  rds: LastRd,
): void {
  let route: EvpnRoute | null;
  if (type === 2) route = readMacIp(bytes, view, at, end, rds);
  else if (type === 3) route = readInclusive(view, at, end, rds);
  else if (type === 5) route = readPrefixRoute(view, at, end, rds);
  else {
    const hasRd = end - at >= RD_LENGTH;
    if ((type === 1 || type === 4) && !isOtherSound(view, type, at, end)) list.malformed++;
    else list.others.push({ type, ...(hasRd ? { rd: rdAt(view, at, rds) } : {}), bytes: bytes.slice(at, end) });
    return;
  }
  if (route === null) list.malformed++;
  else if (isUsable(route)) list.routes.push(route);
  else list.unusable.push(route);
}

/** Type 1 has 25 bytes; type 4 has an address of 4 or 16. */
function isOtherSound(view: DataView, type: number, at: number, end: number): boolean {
  if (type === 1) return end - at === 25;
  const length = end - at >= 19 ? view.getUint8(at + 18) >>> 3 : 0;
  return (length === 4 || length === 16) && view.getUint8(at + 18) === length * 8 && end - at === 19 + length;
}

function readMacIp(bytes: Uint8Array, view: DataView, at: number, end: number, rds: LastRd): MacIpRoute | null {
  if (end - at < 33 || bytes[at + 22] !== 48) return null;
  const bits = bytes[at + 29];
  if (bits !== 0 && bits !== 32 && bits !== 128) return null;
  const label = at + 30 + (bits >>> 3);
  if (end !== label + 3 && end !== label + 6) return null;
  const route: MacIpRoute = {
    type: 2,
    rd: rdAt(view, at, rds),
    esi: readEsi(view, at + 8),
    tag: view.getUint32(at + 18),
    mac: readMac(bytes, at + 23),
    label: read24(view, label),
  };
  if (bits !== 0) route.ip = readAddress(view, at + 30, bits === 32 ? 4 : 16);
  if (end === label + 6) route.label2 = read24(view, label + 3);
  return route;
}

function readInclusive(view: DataView, at: number, end: number, rds: LastRd): InclusiveRoute | null {
  if (end - at !== 17 && end - at !== 29) return null;
  const length = end - at === 17 ? 4 : 16;
  if (view.getUint8(at + 12) !== length * 8) return null;
  return { type: 3, rd: rdAt(view, at, rds), tag: view.getUint32(at + 8), origin: readAddress(view, at + 13, length) };
}

function readPrefixRoute(view: DataView, at: number, end: number, rds: LastRd): PrefixRoute | null {
  // The length of the route tells the family (RFC 9136 section 3.1).
  if (end - at !== 34 && end - at !== 58) return null;
  const length = end - at === 34 ? 4 : 16;
  const bits = view.getUint8(at + 22);
  if (bits > length * 8) return null;
  // IPv4 in IPv6 is neither family's prefix or gateway.
  if (length === 16 && (isMappedAt(view, at + 23) || isMappedAt(view, at + 39))) return null;
  return {
    type: 5,
    rd: rdAt(view, at, rds),
    esi: readEsi(view, at + 8),
    tag: view.getUint32(at + 18),
    prefix: readPrefix(view, at + 23, length, bits),
    gateway: readAddress(view, at + 23 + length, length),
    label: read24(view, end - 3),
  };
}

/** A label field. With VXLAN all 24 bits are the VNI (RFC 8365 section 5.1.3). */
function read24(view: DataView, at: number): number {
  return (view.getUint16(at) << 8) | view.getUint8(at + 2);
}

/** Whether a route names what a switch can have: MACs and addresses of one host; a gateway or a segment, not both. */
function isUsable(route: EvpnRoute): boolean {
  switch (route.type) {
    case 2:
      return isUnicastMac(route.mac) && (route.ip === undefined || isUnicastAddress(route.ip));
    case 3:
      return isUnicastAddress(route.origin);
    case 5:
      // RFC 9136 section 3.2.
      return route.esi === NO_ESI || /^[0.:]+$/.test(route.gateway);
  }
}

function isUnicastMac(mac: string): boolean {
  return (Number.parseInt(mac[1], 16) & 1) === 0 && mac !== '00:00:00:00:00:00';
}

/**
 * What names a route among others: two routes of one key are versions of one route, whatever their segment, gateway and labels are
 * (RFC 7432 sections 7.2 and 7.3, RFC 9136 section 3.1).
 */
export function routeKey(route: EvpnRoute): string {
  switch (route.type) {
    case 2:
      return `2|${route.rd}|${route.tag}|${route.mac}|${route.ip ?? ''}`;
    case 3:
      return `3|${route.rd}|${route.tag}|${route.origin}`;
    case 5:
      return `5|${route.rd}|${route.tag}|${route.prefix}`;
  }
}

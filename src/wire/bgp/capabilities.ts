/**
 * Capabilities of an OPEN (RFC 5492): `code, length, value` each.
 *
 *   1  families            RFC 4760   AFI (2), reserved, SAFI
 *   2  route refresh       RFC 2918   empty
 *   6  extended messages   RFC 8654   empty
 *   64 graceful restart    RFC 4724   flags (4 bits), seconds (12 bits), for each family AFI, SAFI, flags
 *   65 AS of 4 bytes       RFC 6793   AS
 *   70 enhanced refresh    RFC 7313   empty
 *   71 long-lived stale    RFC 9494   for each family AFI, SAFI, flags, seconds (24 bits)
 *
 * Others are ignored, but named in `unknown`.
 */
import { viewOf } from '../bytes.js';

export interface Family {
  afi: number;
  safi: number;
}

export interface RestartFamily extends Family {
  /** The neighbour has kept forwarding while it restarted. */
  isForwarding: boolean;
}

export interface GracefulRestart {
  /** The R bit: the sender has restarted. */
  isRestarting: boolean;
  /** The N bit (RFC 8538): NOTIFICATION and hold time do not end graceful restart. */
  keepsOnNotification: boolean;
  /** For which the sender's routes are kept. */
  seconds: number;
  families: RestartFamily[];
}

export interface LongLivedFamily extends RestartFamily {
  seconds: number;
}

export interface Capabilities {
  families: Family[];
  /** Absent: a speaker with AS numbers of 2 bytes. */
  fourOctetAs?: number;
  routeRefresh: boolean;
  enhancedRefresh: boolean;
  extendedMessages: boolean;
  gracefulRestart?: GracefulRestart;
  longLived?: LongLivedFamily[];
  /** Codes that nobody here knows. Not encoded. */
  unknown: number[];
}

const FAMILIES = 1;
const ROUTE_REFRESH = 2;
const EXTENDED_MESSAGES = 6;
const GRACEFUL_RESTART = 64;
const FOUR_OCTET_AS = 65;
const ENHANCED_REFRESH = 70;
const LONG_LIVED = 71;

const FLAG_RESTARTING = 0x80;
const FLAG_NOTIFICATION = 0x40;
const FLAG_FORWARDING = 0x80;

/** The capabilities of an OPEN without any. */
export function noCapabilities(): Capabilities {
  return { families: [], routeRefresh: false, enhancedRefresh: false, extendedMessages: false, unknown: [] };
}

/** Whether a family is among those that a speaker has told. */
export function hasFamily(capabilities: Capabilities, afi: number, safi: number): boolean {
  return capabilities.families.some((family) => family.afi === afi && family.safi === safi);
}

/** Reads capabilities from `at` to `end` into `into`. @returns false: a length is wrong */
export function decodeCapabilities(body: Uint8Array, at: number, end: number, into: Capabilities): boolean {
  const view = viewOf(body);
  while (at < end) {
    if (end - at < 2) return false;
    const next = at + 2 + body[at + 1];
    if (next > end || !readCapability(view, body[at], at + 2, next, into)) return false;
    at = next;
  }
  return true;
}

function readCapability(view: DataView, code: number, at: number, end: number, into: Capabilities): boolean {
  const length = end - at;
  switch (code) {
    case FAMILIES:
      if (length !== 4) return false;
      into.families.push({ afi: view.getUint16(at), safi: view.getUint8(at + 3) });
      return true;
    case ROUTE_REFRESH:
      into.routeRefresh = true;
      return length === 0;
    case EXTENDED_MESSAGES:
      into.extendedMessages = true;
      return length === 0;
    case ENHANCED_REFRESH:
      into.enhancedRefresh = true;
      return length === 0;
    case FOUR_OCTET_AS:
      if (length !== 4) return false;
      into.fourOctetAs = view.getUint32(at);
      return true;
    case GRACEFUL_RESTART:
      return readRestart(view, at, end, into);
    case LONG_LIVED:
      return readLongLived(view, at, end, into);
    default:
      into.unknown.push(code);
      return true;
  }
}

function readRestart(view: DataView, at: number, end: number, into: Capabilities): boolean {
  if (end - at < 2 || (end - at - 2) % 4 !== 0) return false;
  const word = view.getUint16(at);
  const families: RestartFamily[] = [];
  for (let one = at + 2; one < end; one += 4) families.push(restartFamily(view, one));
  into.gracefulRestart = {
    isRestarting: (word & (FLAG_RESTARTING << 8)) !== 0,
    keepsOnNotification: (word & (FLAG_NOTIFICATION << 8)) !== 0,
    seconds: word & 0x0fff,
    families,
  };
  return true;
}

function readLongLived(view: DataView, at: number, end: number, into: Capabilities): boolean {
  if ((end - at) % 7 !== 0) return false;
  const families: LongLivedFamily[] = [];
  for (let one = at; one < end; one += 7) {
    families.push({ ...restartFamily(view, one), seconds: (view.getUint8(one + 4) << 16) | view.getUint16(one + 5) });
  }
  into.longLived = families;
  return true;
}

function restartFamily(view: DataView, at: number): RestartFamily {
  const isForwarding = (view.getUint8(at + 3) & FLAG_FORWARDING) !== 0;
  return { afi: view.getUint16(at), safi: view.getUint8(at + 2), isForwarding };
}

/** Each capability with code and length. */
export function encodeCapabilities(capabilities: Capabilities): Uint8Array[] {
  const { families, fourOctetAs, gracefulRestart, longLived } = capabilities;
  const list = families.map(({ afi, safi }) => capability(FAMILIES, [...u16(afi), 0, safi]));
  if (capabilities.routeRefresh) list.push(capability(ROUTE_REFRESH, []));
  if (capabilities.extendedMessages) list.push(capability(EXTENDED_MESSAGES, []));
  if (gracefulRestart !== undefined) list.push(capability(GRACEFUL_RESTART, restartValue(gracefulRestart)));
  if (fourOctetAs !== undefined) {
    list.push(capability(FOUR_OCTET_AS, [...u16(fourOctetAs >>> 16), ...u16(fourOctetAs & 0xffff)]));
  }
  if (capabilities.enhancedRefresh) list.push(capability(ENHANCED_REFRESH, []));
  if (longLived !== undefined) {
    const value = longLived.flatMap((family) => [
      ...familyValue(family),
      ...[(family.seconds >>> 16) & 255, (family.seconds >>> 8) & 255, family.seconds & 255],
    ]);
    list.push(capability(LONG_LIVED, value));
  }
  return list;
}

function restartValue(restart: GracefulRestart): number[] {
  const flags = (restart.isRestarting ? FLAG_RESTARTING : 0) | (restart.keepsOnNotification ? FLAG_NOTIFICATION : 0);
  return [...u16((flags << 8) | Math.min(restart.seconds, 0x0fff)), ...restart.families.flatMap(familyValue)];
}

function familyValue({ afi, safi, isForwarding }: RestartFamily): number[] {
  return [...u16(afi), safi, isForwarding ? FLAG_FORWARDING : 0];
}

function capability(code: number, value: readonly number[]): Uint8Array {
  return Uint8Array.of(code, value.length, ...value);
}

function u16(value: number): [number, number] {
  return [(value >>> 8) & 255, value & 255];
}

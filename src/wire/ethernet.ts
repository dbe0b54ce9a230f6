/**
 * Ethernet II header (IEEE 802.3 clause 3, RFC 894).
 *
 *   byte 0        2        4        6        8        10       12       14
 *        +--------+--------+--------+--------+--------+--------+--------+----------
 *        |    destination address   |      source address      |  type  | payload
 *        +--------+--------+--------+--------+--------+--------+--------+----------
 *          high   |       low       |  high  |       low       |
 *
 * An address is held as two integers: `high`, the first two bytes as an unsigned 16-bit number, and `low`, the last
 * four as a *signed* 32-bit number, which V8 keeps unboxed and which an Int32Array gives back as it was put in.
 *
 * Owns the header's offsets, the classes of addresses and their text form. It never looks behind the type field, and
 * never checks bounds: the caller has at least ETHERNET_HEADER bytes.
 */
import { concatBytes, viewOf } from './bytes.js';

export const ETHERNET_HEADER = 14;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
/** IEEE 802.1Q customer tag. */
export const ETHERTYPE_VLAN = 0x8100;
export const ETHERTYPE_IPV6 = 0x86dd;
/** IEEE 802.1ad service tag. */
export const ETHERTYPE_QINQ = 0x88a8;

const DESTINATION = 0;
const SOURCE = 6;
const TYPE = 12;

/** First two bytes of the address at `off`, 0 to 0xffff. */
export function macHigh(view: DataView, off: number): number {
  return view.getUint16(off);
}

/** Last four bytes of the address at `off`, as a signed 32-bit number. */
export function macLow(view: DataView, off: number): number {
  return view.getInt32(off + 2);
}

export function destinationHigh(view: DataView, frameOff: number): number {
  return view.getUint16(frameOff + DESTINATION);
}

export function destinationLow(view: DataView, frameOff: number): number {
  return view.getInt32(frameOff + DESTINATION + 2);
}

export function sourceHigh(view: DataView, frameOff: number): number {
  return view.getUint16(frameOff + SOURCE);
}

export function sourceLow(view: DataView, frameOff: number): number {
  return view.getInt32(frameOff + SOURCE + 2);
}

/** The type field at bytes 12 and 13, whatever it is: a tag's, a protocol's, or an 802.3 length below 0x600. */
export function etherType(view: DataView, frameOff: number): number {
  return view.getUint16(frameOff + TYPE);
}

/** True for group addresses, broadcast among them: the lowest bit of the first byte is set. */
export function isMulticastHigh(hi: number): boolean {
  return (hi & 0x0100) !== 0;
}

/** True for 01:80:c2:00:00:00 to -0f, which no bridge forwards (IEEE 802.1Q, table 8-1). */
export function isLinkLocalReserved(hi: number, lo: number): boolean {
  return hi === 0x0180 && (lo & ~0x0f) === (0xc2000000 | 0);
}

export function isZeroMac(hi: number, lo: number): boolean {
  return (hi | lo) === 0;
}

export function isBroadcast(hi: number, lo: number): boolean {
  return hi === 0xffff && lo === -1;
}

/** Text form, lower case with colons (cold). */
export function formatMac(hi: number, lo: number): string {
  const digits = (hi & 0xffff).toString(16).padStart(4, '0') + (lo >>> 0).toString(16).padStart(8, '0');
  return (digits.match(/../g) as string[]).join(':');
}

const COLON = 0x3a;
const DASH = 0x2d;
const TEXT_LENGTH = 17;

/**
 * Reads six pairs of hexadecimal digits joined by colons, or all by dashes. By characters: a neighbour may send hundreds of thousands.
 * @returns null for other text
 */
export function parseMac(text: string): { high: number; low: number } | null {
  const separator = text.charCodeAt(2);
  if (text.length !== TEXT_LENGTH || (separator !== COLON && separator !== DASH)) return null;
  let high = 0;
  let low = 0;
  for (let at = 0; at < TEXT_LENGTH; at += 3) {
    const byte = (digitOf(text.charCodeAt(at)) << 4) | digitOf(text.charCodeAt(at + 1));
    if (byte < 0 || (at > 0 && text.charCodeAt(at - 1) !== separator)) return null;
    if (at < 6) high = (high << 8) | byte;
    else low = (low << 8) | byte;
  }
  return { high, low };
}

/** Value of a hexadecimal digit; -1: it is none. */
function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Writes an address at `off`. */
export function writeMac(view: DataView, off: number, hi: number, lo: number): void {
  view.setUint16(off, hi);
  view.setInt32(off + 2, lo);
}

export interface EthernetFields {
  /** Text form of the addresses. */
  destination: string;
  source: string;
  etherType: number;
  payload: Uint8Array;
}

/**
 * Builds a frame (cold). It is not padded to 60 bytes: TAPs and tunnels carry shorter ones.
 * @throws RangeError when an address cannot be read
 */
export function encodeEthernet(fields: EthernetFields): Uint8Array {
  const header = new Uint8Array(ETHERNET_HEADER);
  const view = viewOf(header);
  writeMacText(view, DESTINATION, fields.destination);
  writeMacText(view, SOURCE, fields.source);
  view.setUint16(TYPE, fields.etherType);
  return concatBytes(header, fields.payload);
}

/** Writes an address given as text (cold). @throws RangeError when it cannot be read */
export function writeMacText(view: DataView, off: number, text: string): void {
  const mac = parseMac(text);
  if (mac === null) throw new RangeError(`"${text}" is not a MAC address: write six bytes as 02:00:00:00:00:01`);
  writeMac(view, off, mac.high, mac.low);
}

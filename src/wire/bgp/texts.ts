/**
 * Addresses, MACs and Ethernet segments between bytes and canonical text, fast enough for some hundred thousand routes a second.
 *
 * The texts are those of `formatAddress` and `formatMac`; writers take every text that `parseAddress` and `parseMac` take.
 */
import { parseMac } from '../ethernet.js';
import { addressBytes, formatAddress, isMapped, parseAddress } from '../ip-address.js';
import { type Esi, NO_ESI } from './route.js';

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
export const ESI_LENGTH = 10;
export const MAC_LENGTH = 6;

/** An address of 32 bits, dotted. */
export function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** The address of 4 or 16 bytes at `at`. */
export function readAddress(view: DataView, at: number, length: 4 | 16): string {
  if (length === 4) return formatIpv4(view.getUint32(at));
  return formatAddress(view.getInt32(at), view.getInt32(at + 4), view.getInt32(at + 8), view.getInt32(at + 12));
}

/** Whether the 16 bytes at `at` are an IPv4 address in IPv6. */
export function isMappedAt(view: DataView, at: number): boolean {
  return isMapped(view.getInt32(at), view.getInt32(at + 4), view.getInt32(at + 8));
}

/** Writes 4 or 16 bytes. @returns how many; @throws RangeError for a text that is no address */
export function writeAddress(bytes: Uint8Array, at: number, text: string): 4 | 16 {
  if (writeDotted(bytes, at, text)) return 4;
  const address = addressBytes(text);
  bytes.set(address, at);
  return address.length === 4 ? 4 : 16;
}

/** Plain dotted text, without leading zeros; anything else is left to the parser of all forms. */
function writeDotted(bytes: Uint8Array, at: number, text: string): boolean {
  let part = 0;
  let digits = 0;
  let value = 0;
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : 46;
    if (code === 46) {
      if (digits === 0 || part > 3) return false;
      bytes[at + part++] = value;
      digits = 0;
      value = 0;
    } else {
      if (code < 48 || code > 57 || (digits > 0 && value === 0)) return false;
      value = value * 10 + code - 48;
      digits++;
      if (value > 255) return false;
    }
  }
  return part === 4;
}

export function readMac(bytes: Uint8Array, at: number): string {
  const first = `${HEX[bytes[at]]}:${HEX[bytes[at + 1]]}:${HEX[bytes[at + 2]]}`;
  return `${first}:${HEX[bytes[at + 3]]}:${HEX[bytes[at + 4]]}:${HEX[bytes[at + 5]]}`;
}

/** @throws RangeError for a text that is no MAC */
export function writeMac(bytes: Uint8Array, at: number, text: string): void {
  if (!writePlainMac(bytes, at, text)) writeAnyMac(bytes, at, text);
}

/** Pairs of digits joined by colons. @returns false for anything else, which may have written some bytes */
function writePlainMac(bytes: Uint8Array, at: number, text: string): boolean {
  if (text.length !== 17) return false;
  for (let i = 0; i < MAC_LENGTH; i++) {
    const high = hexDigit(text.charCodeAt(i * 3));
    const low = hexDigit(text.charCodeAt(i * 3 + 1));
    if (high < 0 || low < 0 || (i < 5 && text.charCodeAt(i * 3 + 2) !== 58)) return false;
    bytes[at + i] = (high << 4) | low;
  }
  return true;
}

function writeAnyMac(bytes: Uint8Array, at: number, text: string): void {
  const mac = parseMac(text);
  if (mac === null) throw new RangeError(`"${text}" is no MAC: write 02:00:00:00:00:01`);
  bytes[at] = mac.high >>> 8;
  bytes[at + 1] = mac.high;
  for (let i = 0; i < 4; i++) bytes[at + 2 + i] = mac.low >>> (24 - 8 * i);
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  return code >= 65 && code <= 70 ? code - 55 : -1;
}

export function readEsi(view: DataView, at: number): Esi {
  if ((view.getUint32(at) | view.getUint32(at + 4) | view.getUint16(at + 8)) === 0) return NO_ESI;
  let text = '';
  for (let i = 0; i < ESI_LENGTH; i++) text += HEX[view.getUint8(at + i)];
  return text;
}

/** @throws RangeError for a text that is not 20 hexadecimal digits */
export function writeEsi(bytes: Uint8Array, at: number, text: Esi): void {
  if (text === NO_ESI) {
    bytes.fill(0, at, at + ESI_LENGTH);
    return;
  }
  if (!/^[0-9a-f]{20}$/i.test(text))
    throw new RangeError(`"${text}" is no Ethernet segment: write 20 hexadecimal digits`);
  for (let i = 0; i < ESI_LENGTH; i++) bytes[at + i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16);
}

/** Whether a canonical address may be that of one host: not unspecified, multicast or broadcast. */
export function isUnicastAddress(canonical: string): boolean {
  if (canonical.includes(':')) return canonical !== '::' && !canonical.startsWith('ff');
  const first = Number.parseInt(canonical, 10);
  return first > 0 && first < 224;
}

/** The prefix of `bits` bits in 4 or 16 bytes at `at`, host bits cleared. */
export function readPrefix(view: DataView, at: number, length: 4 | 16, bits: number): string {
  if (length === 4) return `${formatIpv4(view.getUint32(at) & maskOf(bits))}/${bits}`;
  const word = (i: number): number => view.getInt32(at + 4 * i) & maskOf(bits - 32 * i);
  return `${formatAddress(word(0), word(1), word(2), word(3))}/${bits}`;
}

/** The first `bits` bits of a word; none for a negative number. */
function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}

/** Writes the address of a prefix, host bits cleared. @returns bytes and bits; @throws RangeError for other text */
export function writePrefix(bytes: Uint8Array, at: number, text: string): { length: 4 | 16; bits: number } {
  const [address, digits = ''] = text.split('/');
  const bits = /^\d{1,3}$/.test(digits) ? Number(digits) : -1;
  const parsed = parseAddress(address);
  const isIpv6 = address.includes(':');
  if (parsed === null || bits < 0 || bits > (isIpv6 ? 128 : 32)) {
    throw new RangeError(`"${text}" is no prefix: write 192.0.2.0/24 or 2001:db8::/64`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const from = isIpv6 ? 0 : 3;
  for (let i = from; i < 4; i++) view.setInt32(at + 4 * (i - from), parsed.words[i] & maskOf(bits - 32 * (i - from)));
  return { length: isIpv6 ? 16 : 4, bits };
}

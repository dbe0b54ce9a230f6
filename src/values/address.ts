/**
 * Addresses as the configuration writes them: IP addresses, prefixes and MACs.
 *
 * Converts text to a canonical form, so that equal addresses are equal strings, and explains why other text is invalid.
 * Independent of files, positions and options.
 */
import { isIP } from 'node:net';
import { formatAddress, isLinkLocal, parseAddress } from '../wire/ip-address.js';

/** Why a text is invalid; the message completes "PATH: ". */
export class Refusal {
  constructor(readonly message: string) {}
}

export interface CanonicalIp {
  /** Dotted for IPv4, RFC 5952 for IPv6. */
  text: string;
  family: 4 | 6;
}

export interface NicAddress {
  address: string;
  prefix: number;
  family: 4 | 6;
}

export const ZERO_MAC = '00:00:00:00:00:00';

/** Reads an IPv4 or IPv6 address without a zone. An IPv4-mapped IPv6 address is the IPv4 address. @returns undefined for other text */
export function canonicalIp(text: string): CanonicalIp | undefined {
  const parsed = isIP(text) === 0 ? null : parseAddress(text);
  return parsed === null ? undefined : { text: formatAddress(...parsed.words), family: parsed.family };
}

/** The family of a canonical address. */
export function familyOf(canonical: string): 4 | 6 {
  return canonical.includes(':') ? 6 : 4;
}

/** 224.0.0.0/4 or ff00::/8; takes canonical text. */
export function isMulticastIp(canonical: string): boolean {
  if (canonical.includes(':')) return /^ff[0-9a-f]{2}:/.test(canonical);
  const first = Number.parseInt(canonical, 10);
  return first >= 224 && first <= 239;
}

/** Reads a host address: not multicast, broadcast or unspecified. */
export function readHostIp(text: string): string | Refusal {
  const ip = canonicalIp(text);
  if (ip === undefined) {
    const hint = text.includes('/') ? '; remove the prefix length' : text.includes('%') ? '; remove the zone' : '';
    return new Refusal(`expected an IPv4 or IPv6 address, found ${JSON.stringify(text.slice(0, 60))}${hint}`);
  }
  const fault = notOneHost(ip.text);
  return fault === undefined ? ip.text : new Refusal(`${ip.text} is ${fault}; give the address of one host`);
}

/** Reads the address of a host, or of a group. */
export function readRemoteIp(text: string): string | Refusal {
  const group = canonicalIp(text)?.text;
  return group !== undefined && isMulticastIp(group) ? group : readHostIp(text);
}

/**
 * Reads the address of a VTEP: a host address. A link-local one may have a zone, as fe80::1%eth0 (RFC 4007 section 11).
 * @returns the address, with its zone if present
 */
export function readVtepIp(text: string): string | Refusal {
  const at = text.indexOf('%');
  if (at < 0) return readHostIp(text);
  const ip = readHostIp(text.slice(0, at));
  if (ip instanceof Refusal) return ip;
  const zone = text.slice(at + 1);
  if (!isLinkLocal(ip)) return new Refusal(`${ip} is not link-local and needs no zone; remove the zone`);
  if (/^[\x21-\x7e]{1,15}$/.test(zone) && !/[/:%]/.test(zone)) return `${ip}%${zone}`;
  return new Refusal(`expected the name of a device after ${ip}%, found ${JSON.stringify(zone.slice(0, 60))}`);
}

/** Splits an address from its zone. */
export function splitZone(text: string): { address: string; zone?: string } {
  const at = text.indexOf('%');
  return at < 0 ? { address: text } : { address: text.slice(0, at), zone: text.slice(at + 1) };
}

/** Reads ADDRESS/PREFIX. */
export function readNicAddress(text: string): NicAddress | Refusal {
  const [address, prefixText, rest] = text.split('/');
  const ip = canonicalIp(address ?? '');
  if (ip === undefined || rest !== undefined) {
    const found = JSON.stringify(text.slice(0, 60));
    return new Refusal(`expected an address with its prefix length, such as 192.0.2.1/24, found ${found}`);
  }
  const example = `${ip.text}/${ip.family === 4 ? 24 : 64}`;
  if (prefixText === undefined) return new Refusal(`${ip.text} has no prefix length; write ${example} or the like`);
  const longest = ip.family === 4 ? 32 : 128;
  if (!/^[0-9]{1,3}$/.test(prefixText) || Number(prefixText) > longest) {
    const found = JSON.stringify(prefixText.slice(0, 60));
    return new Refusal(`expected a prefix length from 0 to ${longest} after ${ip.text}/, found ${found}`);
  }
  const fault = notOneHost(ip.text);
  if (fault !== undefined) return new Refusal(`${ip.text} is ${fault}; give the address of one host`);
  return { address: ip.text, prefix: Number(prefixText), family: ip.family };
}

/** Reads the address of one host, or a prefix of addresses as ADDRESS/PREFIX. @returns canonical text; a whole prefix is left out */
export function readAddressOrPrefix(text: string): string | Refusal {
  const [address = '', prefixText, rest] = text.split('/');
  if (prefixText === undefined) return readHostIp(address);
  const ip = canonicalIp(address);
  const longest = ip?.family === 4 ? 32 : 128;
  const isPrefix = /^[0-9]{1,3}$/.test(prefixText) && Number(prefixText) <= longest;
  if (ip === undefined || rest !== undefined || !isPrefix) {
    const found = JSON.stringify(text.slice(0, 60));
    return new Refusal(`expected an address or a prefix such as 2001:db8::/64, found ${found}`);
  }
  return Number(prefixText) === longest ? readHostIp(ip.text) : `${ip.text}/${Number(prefixText)}`;
}

/** Reads six bytes in hexadecimal with colons. @returns lower case */
export function readMac(text: string): string | Refusal {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return text.toLowerCase();
  return new Refusal(
    `expected a MAC address such as 02:00:00:00:00:01, found ${JSON.stringify(text.slice(0, 60))}; write six bytes in hexadecimal with colons`,
  );
}

/** Reads a MAC that is valid for a NIC: unicast and not all zeros. */
export function readNicMac(text: string): string | Refusal {
  const mac = readMac(text);
  if (mac instanceof Refusal) return mac;
  if (mac === ZERO_MAC) return new Refusal('a NIC cannot have the all-zeros MAC address; give another or remove it');
  if (isMulticastMac(mac)) {
    return new Refusal(
      `${mac} is a multicast MAC address, which no NIC can have; make the first byte even, such as 02`,
    );
  }
  return mac;
}

/** True for group addresses, broadcast included; takes canonical text. */
export function isMulticastMac(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}

function notOneHost(canonical: string): string | undefined {
  if (isMulticastIp(canonical)) return 'a multicast address';
  if (canonical === '0.0.0.0' || canonical === '::') return 'the unspecified address';
  if (canonical === '255.255.255.255') return 'the broadcast address';
  return undefined;
}

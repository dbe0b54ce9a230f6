/**
 * Where a packet of a layer-3 port goes on its link: to its destination if that is in a prefix of the port's addresses or
 * link-local, else to a gateway. A host's routing table, of which the configuration is all that is known.
 */
import { IPV4_MAPPED } from '../../wire/ip-address.js';
import { isIpv6Multicast } from '../../wire/mld.js';
import type { Layer3Port } from '../state/layer3.js';

/** The packet goes nowhere. */
export const HOP_NONE = 0;
/** To all hosts of the link. */
export const HOP_BROADCAST = 1;
/** To a group, the destination itself. */
export const HOP_GROUP = 2;
/** To the address in `hop`; `sender` is the port's own address that may ask for its MAC. */
export const HOP_ONE = 3;

/** Results of `nextHop`, four words each. */
export const hop = new Int32Array(4);
export const sender = new Int32Array(4);

/**
 * @param destination, source of the packet, four words, IPv4 mapped
 * @returns HOP_*
 */
export function nextHop(host: Layer3Port, destination: Int32Array, source: Int32Array): number {
  const isV4 = isMappedAt(destination);
  const kind = isV4 ? kindOf4(destination[3]) : kindOf6(destination);
  if (kind !== HOP_ONE) return kind;
  for (let word = 0; word < 4; word++) hop[word] = destination[word];
  const own = ownFor(host, destination);
  if (own >= 0) {
    copyOwn(host, own);
    return isV4 && isBroadcastOf(destination[3], host.prefixes[own]) ? HOP_BROADCAST : HOP_ONE;
  }
  if (isLinkLocal6(destination)) return asLinkLocal(host, source);
  return toGateway(host, isV4, source);
}

function toGateway(host: Layer3Port, isV4: boolean, source: Int32Array): number {
  const { gateways } = host;
  for (let at = 0; at < gateways.length; at += 4) {
    for (let word = 0; word < 4; word++) hop[word] = gateways[at + word];
    if (isMappedAt(hop) !== isV4) continue;
    const own = ownFor(host, hop);
    if (own < 0) return isLinkLocal6(hop) ? asLinkLocal(host, source) : HOP_NONE;
    copyOwn(host, own);
    return HOP_ONE;
  }
  return HOP_NONE;
}

/**
 * Puts the address of the port that may ask a neighbour for its MAC into `to`: one in its subnet, or for a link-local neighbour any
 * of IPv6. @returns false when it has none
 */
export function senderFor(
  { own, prefixes }: Pick<Layer3Port, 'own' | 'prefixes'>,
  neighbour: Int32Array,
  to: Int32Array,
): boolean {
  let found = ownFor({ own, prefixes }, neighbour);
  for (let index = 0; found < 0 && isLinkLocal6(neighbour) && index < prefixes.length; index++) {
    if (own[index * 4 + 2] !== IPV4_MAPPED || (own[index * 4] | own[index * 4 + 1]) !== 0) found = index;
  }
  if (found < 0) return false;
  for (let word = 0; word < 4; word++) to[word] = own[found * 4 + word];
  return true;
}

/** A neighbour by its link-local address is asked from the packet's own one, or from any address of the port. */
function asLinkLocal({ own }: Layer3Port, source: Int32Array): number {
  let found = isLinkLocal6(source);
  for (let word = 0; word < 4; word++) sender[word] = source[word];
  for (let at = 0; at < own.length && !found; at += 4) {
    for (let word = 0; word < 4; word++) sender[word] = own[at + word];
    found = !isMappedAt(sender);
  }
  return found ? HOP_ONE : HOP_NONE;
}

function copyOwn({ own }: Layer3Port, index: number): void {
  for (let word = 0; word < 4; word++) sender[word] = own[index * 4 + word];
}

/** The address of the port whose prefix has the destination, the longest first; -1: none. */
function ownFor({ own, prefixes }: Pick<Layer3Port, 'own' | 'prefixes'>, destination: Int32Array): number {
  let found = -1;
  for (let index = 0; index < prefixes.length; index++) {
    if (found >= 0 && prefixes[found] >= prefixes[index]) continue;
    if (isInPrefix(own, index * 4, prefixes[index], destination)) found = index;
  }
  return found;
}

function isInPrefix(words: Int32Array, at: number, prefix: number, destination: Int32Array): boolean {
  for (let word = 0; word < 4; word++) {
    const bits = prefix - word * 32;
    if (bits <= 0) break;
    const mask = bits >= 32 ? -1 : -1 << (32 - bits);
    if (((words[at + word] ^ destination[word]) & mask) !== 0) return false;
  }
  // IPv4 is no part of an IPv6 prefix, however short.
  return prefix >= 96 || !isMappedAt(destination);
}

/** The last address of a subnet of more than two (RFC 919, RFC 3021). @param prefix of 128 bits */
function isBroadcastOf(address: number, prefix: number): boolean {
  const host = 128 - prefix;
  if (host < 2) return false;
  const mask = host >= 32 ? -1 : (1 << host) - 1;
  return (address & mask) === mask;
}

function kindOf4(address: number): number {
  const first = address >>> 24;
  if (address === -1) return HOP_BROADCAST;
  if (first >= 224 && first < 240) return HOP_GROUP;
  return first === 0 || first === 127 || first >= 240 ? HOP_NONE : HOP_ONE;
}

function kindOf6(words: Int32Array): number {
  if (isIpv6Multicast(words[0])) return HOP_GROUP;
  // `::` and `::1`.
  return (words[0] | words[1] | words[2]) === 0 && words[3] >>> 1 === 0 ? HOP_NONE : HOP_ONE;
}

/** fe80::/10 (RFC 4291 section 2.5.6). */
export function isLinkLocal6(words: Int32Array, at = 0): boolean {
  return (words[at] & 0xffc00000) === (0xfe800000 | 0);
}

function isMappedAt(words: Int32Array): boolean {
  return (words[0] | words[1]) === 0 && words[2] === IPV4_MAPPED;
}

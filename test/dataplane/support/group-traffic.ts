/**
 * Frames to multicast groups, and of their membership protocols. Owns names and defaults; the bytes come from the builders of
 * src/wire.
 */

import { viewOf } from '../../../src/wire/bytes.js';
import { internetChecksum } from '../../../src/wire/checksum.js';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, formatMac } from '../../../src/wire/ethernet.js';
import { encodeIgmp, encodeIgmpV3Report, IGMP_QUERY, PROTOCOL_IGMP } from '../../../src/wire/igmp.js';
import { parseAddress } from '../../../src/wire/ip-address.js';
import { encodeIpv4 } from '../../../src/wire/ipv4.js';
import { encodeMld, encodeMldPacket, encodeMldV2Report, MLD_QUERY } from '../../../src/wire/mld.js';
import { ICMPV6_ROUTER_ADVERTISEMENT, IGMP_ROUTER_ADVERTISEMENT } from '../../../src/wire/mrd.js';
import { frame, packet } from './frames.js';

export const GROUP = '239.1.1.1';
export const OTHER = '239.1.1.2';
export const GROUP6 = 'ff0e::123';

/** The MAC that an IP multicast group is sent to (RFC 1112 section 6.4, RFC 2464 section 7). */
export function groupMac(group: string): string {
  const address = parseAddress(group);
  if (address === null) throw new Error(`not an address: ${group}`);
  const low = address.words[3];
  return address.family === 4 ? formatMac(0x0100, 0x5e000000 | (low & 0x7fffff)) : formatMac(0x3333, low);
}

/** The four words of a group, as operations have them. */
export function wordsOf(group: string): number[] {
  const address = parseAddress(group);
  if (address === null) throw new Error(`not an address: ${group}`);
  return [...address.words];
}

/** A datagram to a group. */
export function toGroup(group: string, fields: { tci?: number; source?: string } = {}): Uint8Array {
  const version = group.includes(':') ? 6 : 4;
  return packet({ ...fields, version, protocol: 'udp', destination: groupMac(group), destinationAddress: group });
}

interface Sender {
  tci?: number;
  /** MAC and IP address of the sender. */
  source?: string;
  address?: string;
}

function igmp(message: Uint8Array, to: string, sender: Sender): Uint8Array {
  const { address = '198.18.0.2', ...fields } = sender;
  const options = Uint8Array.of(0x94, 4, 0, 0); // Router Alert (RFC 2113)
  const payload = encodeIpv4({
    source: address,
    destination: to,
    protocol: PROTOCOL_IGMP,
    ttl: 1,
    options,
    payload: message,
  });
  return frame({ ...fields, destination: groupMac(to), etherType: ETHERTYPE_IPV4, payload });
}

function mld(message: Uint8Array, to: string, sender: Sender): Uint8Array {
  const { address = 'fe80::a', ...fields } = sender;
  const payload = encodeMldPacket(message, { source: address, destination: to });
  return frame({ ...fields, destination: groupMac(to), etherType: ETHERTYPE_IPV6, payload });
}

/** A message of version 1 or 2; an IGMPv2 leave goes to all routers. */
export function igmpFrame(type: number, group: string, sender: Sender = {}): Uint8Array {
  return igmp(encodeIgmp({ type, group }), type === 0x17 ? '224.0.0.2' : group, sender);
}

/** An IGMPv3 report, by types of records. */
export function igmpV3Frame(
  records: { type: number; group: string; sources?: string[] }[],
  sender: Sender = {},
): Uint8Array {
  return igmp(encodeIgmpV3Report(records), '224.0.0.22', sender);
}

/** A query: general, or to a group. @param code tenths of a second */
export function igmpQuery(code: number, group: string | null = null, sender: Sender = {}): Uint8Array {
  const message = encodeIgmp({ type: IGMP_QUERY, code, ...(group === null ? {} : { group }) });
  return igmp(message, group ?? '224.0.0.1', { address: '198.18.0.1', ...sender });
}

/** A message of MLD version 1; a done goes to all routers. */
export function mldFrame(type: number, group: string, sender: Sender = {}): Uint8Array {
  return mld(encodeMld({ type, group }), type === 132 ? 'ff02::2' : group, sender);
}

export function mldV2Frame(records: { type: number; group: string }[], sender: Sender = {}): Uint8Array {
  return mld(encodeMldV2Report(records), 'ff02::16', sender);
}

/** @param delay in milliseconds */
export function mldQuery(delay: number, group: string | null = null, sender: Sender = {}): Uint8Array {
  const message = encodeMld({ type: MLD_QUERY, code: delay, ...(group === null ? {} : { group }) });
  return mld(message, group ?? 'ff02::1', { address: 'fe80::1', ...sender });
}

/** An advertisement of a multicast router, in IGMP (RFC 4286 section 3.2). */
export function routerAdvertisement(to = '224.0.0.106'): Uint8Array {
  const message = Uint8Array.of(IGMP_ROUTER_ADVERTISEMENT, 20, 0, 0, 0, 125, 0, 2);
  const view = viewOf(message);
  view.setUint16(2, internetChecksum(view, 0, message.length));
  return igmp(message, to, { address: '198.18.0.1' });
}

/** The same in ICMPv6. */
export function routerAdvertisement6(to = 'ff02::6a'): Uint8Array {
  return mld(Uint8Array.of(ICMPV6_ROUTER_ADVERTISEMENT, 20, 0, 0, 0, 125, 0, 2), to, { address: 'fe80::1' });
}

/** A PIM version 2 hello without options. */
export function pimHello(): Uint8Array {
  const payload = encodeIpv4({
    source: '198.18.0.1',
    destination: '224.0.0.13',
    protocol: 103,
    ttl: 1,
    payload: Uint8Array.of(0x20, 0, 0xdf, 0xff),
  });
  return frame({ destination: groupMac('224.0.0.13'), etherType: ETHERTYPE_IPV4, payload });
}

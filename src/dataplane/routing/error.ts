/**
 * ICMP errors of gateways (RFC 1812 section 4.3, RFC 4443): to the sender of a packet that cannot go on, from the gateway that the answer
 * leaves by, so that it is an address of the sender's own subnet where it has one here. Bounded in number by tick and source, and by turn.
 */
import { ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.js';
import { ICMP_TIME_EXCEEDED, ICMP_UNREACHABLE, ICMPV6_TIME_EXCEEDED, ICMPV6_UNREACHABLE } from '../../wire/icmp.js';
import { mayTell, mayTellTooBig, writeError } from '../../wire/icmp-error.js';
import { ICMP_FRAGMENTATION_NEEDED, ICMPV6_PACKET_TOO_BIG } from '../../wire/icmp.js';
import { L3_KIND, parseInner } from '../../wire/inner.js';
import { isMapped, setMapped } from '../../wire/ip-address.js';
import { ipv4Source } from '../../wire/ipv4.js';
import { ipv6Source } from '../../wire/ipv6.js';
import { isLinkLocal6, senderFor } from '../layer3/next-hop.js';
import type { Context } from '../state/context.js';
import type { Layer3Port } from '../state/layer3.js';
import { NO_ROUTE, ROUTE_UNICAST, WAY_PORT } from '../state/routes.js';

/** What an error is about. */
export const ERROR_TTL = 0;
export const ERROR_NO_ROUTE = 1;
export const ERROR_HOST = 2;
export const ERROR_PORT = 3;
export const ERROR_TOO_BIG = 4;

/** By ERROR_*: type and code of ICMP and of ICMPv6 (RFC 792, RFC 1191, RFC 4443). */
const TYPES = [
  [ICMP_TIME_EXCEEDED, 0, ICMPV6_TIME_EXCEEDED, 0],
  [ICMP_UNREACHABLE, 0, ICMPV6_UNREACHABLE, 0],
  [ICMP_UNREACHABLE, 1, ICMPV6_UNREACHABLE, 3],
  [ICMP_UNREACHABLE, 3, ICMPV6_UNREACHABLE, 4],
  [ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, ICMPV6_PACKET_TOO_BIG, 0],
].map((row) => Int32Array.from(row));

/** Scratch of this file: headers, sender of the packet, address of the gateway. */
const layout = new Int32Array(8);
const to = new Int32Array(4);
const own = new Int32Array(4);

/**
 * Adds the error about the packet at `l3` to those that are routed after this batch, if it may be said.
 * @param port the gateway that has the packet @param from whose it is (`sourceOf`) @param mtu of ERROR_TOO_BIG
 */
export function tellError(
  sw: Context,
  port: number,
  from: number,
  l3: number,
  end: number,
  about: number,
  mtu = 0,
): void {
  const { gateways, view } = sw;
  parseInner(view, l3 - ETHERNET_HEADER, end - l3 + ETHERNET_HEADER, layout);
  const isV4 = layout[L3_KIND] === 4;
  if (about === ERROR_TOO_BIG ? !mayTellTooBig(view, layout, mtu) : !mayTell(view, layout)) return;
  const speaker = findSpeaker(sw, port, l3, isV4);
  if (speaker < 0 || !gateways.limiter.admits(from, sw.tick)) return;
  const at = gateways.takeError();
  if (at < 0) return;
  const types = TYPES[about];
  const word = about !== ERROR_TOO_BIG ? 0 : isV4 ? Math.min(mtu, 0xffff) : mtu;
  const length = writeError(view, at, layout, types[isV4 ? 0 : 2], types[isV4 ? 1 : 3], word, own, 0);
  view.setUint16(at - 2, isV4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  const index = gateways.add(speaker, at, at + length);
  if (index < 0) return;
  gateways.own[index] = 1;
  gateways.from[index] = from;
}

/** The gateway that says it, with its address in `own`: the one that the way back leaves by. -1: there is none */
function findSpeaker(sw: Context, port: number, l3: number, isV4: boolean): number {
  const { gateways, layer3, view } = sw;
  if (isV4) setMapped(to, 0, ipv4Source(view, l3));
  else for (let word = 0; word < 4; word++) to[word] = ipv6Source(view, l3, word);
  let speaker = port;
  if (!isLinkLocal6(to) || isV4) {
    const found = gateways.routes.lookup(gateways.vrf[port], to, 0);
    if (found === NO_ROUTE || gateways.routes.kind !== ROUTE_UNICAST) return -1;
    speaker = gateways.routes.ways[WAY_PORT];
  }
  if (isAddressOf(layer3.of[speaker], to)) return speaker;
  // A gateway without addresses of this family, as that of a layer-3 VNI.
  return isAddressOf(layer3.of[port], to) ? speaker : -1;
}

/** Puts an address of the gateway into `own`, best one in the subnet of `to`. @returns false when it has none of that family */
function isAddressOf(host: Layer3Port | undefined, towards: Int32Array): boolean {
  if (host === undefined) return false;
  if (senderFor(host, towards, own)) return true;
  const isV4 = isMapped(towards[0], towards[1], towards[2]);
  for (let at = 0; at < host.own.length; at += 4) {
    if (isMapped(host.own[at], host.own[at + 1], host.own[at + 2]) !== isV4) continue;
    for (let word = 0; word < 4; word++) own[word] = host.own[at + word];
    if (isV4 || !isLinkLocal6(own)) return true;
  }
  return false;
}

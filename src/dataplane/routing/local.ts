/**
 * Packets to an address of a gateway: echo is answered, in place; a segment or a datagram gets "port unreachable"; everything else, errors
 * and redirects above all, is dropped without effect.
 */
import { VNET_NEEDS_CSUM } from '../../port/packet-io.js';
import { adjust16 } from '../../wire/checksum.js';
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import {
  ICMP_ECHO_HEADER,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  icmpType,
} from '../../wire/icmp.js';
import { L3_END, L3_KIND, L4_OFFSET, L4_PROTOCOL, parseInner } from '../../wire/inner.js';
import { ipv4HeaderLength, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../../wire/ipv4.js';
import { internetChecksum } from '../../wire/checksum.js';
import { PROTOCOL_ICMPV6 } from '../../wire/ipv6.js';
import type { Context } from '../state/context.js';
import { ERROR_PORT, tellError } from './error.js';

/** TTL of what a gateway says itself. */
const TTL = 64;

/** Scratch of this file: the headers of the packet at hand. */
const layout = new Int32Array(8);

/** Makes packet `index` the answer to itself. @returns false when there is no answer */
export function answerLocal(sw: Context, index: number): boolean {
  const { gateways, view } = sw;
  const l3 = gateways.l3[index];
  const end = gateways.end[index];
  parseInner(view, l3 - ETHERNET_HEADER, end - l3 + ETHERNET_HEADER, layout);
  const l4 = layout[L4_OFFSET];
  const protocol = layout[L4_PROTOCOL];
  const isV4 = layout[L3_KIND] === 4;
  if (l4 === 0) return false;
  if (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP) {
    tellError(sw, gateways.port[index], gateways.from[index], l3, end, ERROR_PORT);
    return false;
  }
  if (protocol !== (isV4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6) || layout[L3_END] - l4 < ICMP_ECHO_HEADER) return false;
  const request = isV4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST;
  if (icmpType(view, l4) !== request || !gateways.limiter.admits(gateways.from[index], sw.tick)) return false;
  const before = view.getUint16(l4);
  const after = ((isV4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY) << 8) | (before & 0xff);
  view.setUint16(l4, after);
  // A checksum that is left to the device covers the addresses only, so far.
  if ((gateways.vnet[index] & VNET_NEEDS_CSUM) === 0)
    view.setUint16(l4 + 2, adjust16(view.getUint16(l4 + 2), before, after));
  if (isV4) turn4(view, l3);
  else turn6(view, l3);
  gateways.own[index] = 1;
  return true;
}

function turn4(view: DataView, l3: number): void {
  const source = view.getInt32(l3 + 12);
  view.setInt32(l3 + 12, view.getInt32(l3 + 16));
  view.setInt32(l3 + 16, source);
  view.setUint8(l3 + 8, TTL);
  view.setUint16(l3 + 10, 0);
  view.setUint16(l3 + 10, internetChecksum(view, l3, ipv4HeaderLength(view, l3)));
}

function turn6(view: DataView, l3: number): void {
  for (let word = 0; word < 16; word += 4) {
    const source = view.getInt32(l3 + 8 + word);
    view.setInt32(l3 + 8 + word, view.getInt32(l3 + 24 + word));
    view.setInt32(l3 + 24 + word, source);
  }
  view.setUint8(l3 + 7, TTL);
}

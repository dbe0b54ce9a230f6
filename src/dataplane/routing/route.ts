/**
 * The router: what gateways have taken from the bridge goes on to its next hop (RFC 1812 section 5.2). A packet is rewritten where it lies
 * in the arena, both MACs, TTL and checksum, and becomes a frame of the gateway in the VLAN of its next hop. These frames are the next
 * batch of the engine, so the bridge decides about them as about any other: FDB, tunnels, limits, mirrors, observers (RFC 9135 section
 * 4, asymmetric IRB; with a gateway in the VLAN of a layer-3 VNI also section 5, symmetric IRB).
 *
 * Superframes stay whole. A packet whose next hop is not known waits as those of layer-3 ports do (`layer3/hold.ts`).
 */
import {
  KIND_FRAME,
  RX_CSUM,
  RX_GSO,
  RX_INDEX,
  RX_KIND,
  RX_LENGTH,
  RX_OFFSET,
  RX_STRIDE,
  RX_VNET,
  VNET_GSO_ECN,
  VNET_GSO_UDP_L4,
  VNET_NEEDS_CSUM,
} from '../../port/packet-io.js';
import { adjust16 } from '../../wire/checksum.js';
import { ETHERNET_HEADER, writeMac } from '../../wire/ethernet.js';
import { ipVersion, ipv4TotalLength, ipv4Ttl } from '../../wire/ipv4.js';
import { IPV6_HEADER, ipv6HopLimit, ipv6PayloadLength } from '../../wire/ipv6.js';
import { TCP_HEADER, tcpHeaderLength } from '../../wire/tcp.js';
import { UDP_HEADER } from '../../wire/udp.js';
import { readAddresses } from '../layer3/addresses.js';
import { keepPacket } from '../layer3/hold.js';
import { isLinkLocal6 } from '../layer3/next-hop.js';
import { isOwnAddress } from '../layer3/own.js';
import type { Context } from '../state/context.js';
import { dropKept } from '../state/drop.js';
import { REASON } from '../state/drop-reasons.js';
import { UP } from '../state/forwarding.js';
import { ROUNDS } from '../state/gateways.js';
import { type Layer3Port, NO_ASK } from '../state/layer3.js';
import { NO_ROUTE, ROUTE_LOCAL, ROUTE_UNICAST } from '../state/routes.js';
import { VALID, whyInvalid } from './check.js';
import { ERROR_NO_ROUTE, ERROR_TOO_BIG, ERROR_TTL, tellError } from './error.js';
import { answerLocal } from './local.js';
import { findNext, findOnLink, NEXT_ASKED, NEXT_KNOWN, NEXT_NONE, way } from './next.js';

/** Scratch of this file: the addresses of the packet at hand. */
const destination = new Int32Array(4);
const source = new Int32Array(4);
/** The destination of the packet before, whose next hop is in `way`; the VRF is -1 where that does not hold. */
const last = new Int32Array(4);
let lastVrf = -1;

/** What became of a packet. */
const DONE = 0;
const SENT = 1;

/**
 * Routes what waits, into descriptors of a batch.
 * @param round of this turn, from 0 @returns the frames of the batch
 */
export function routeWaiting(sw: Context, round: number): number {
  const { gateways } = sw;
  lastVrf = -1;
  let row = 0;
  // Errors are added while this goes on.
  for (let index = 0; index < gateways.count; index++) {
    if (row === sw.batch.size || round === ROUNDS) drop(sw, index, REASON.turn_exceeded);
    else if (routeOne(sw, index) === SENT) describe(sw, index, row++);
  }
  gateways.count = 0;
  return row;
}

function routeOne(sw: Context, index: number): number {
  const { forwarding, gateways, view } = sw;
  const port = gateways.port[index];
  const l3 = gateways.l3[index];
  if (sw.layer3.of[port] === undefined || (forwarding.portFlags[port] & UP) === 0)
    return drop(sw, index, REASON.port_down);
  if (gateways.own[index] === 0) {
    const type = view.getUint16(l3 - 2);
    const reason = whyInvalid(view, type, l3, gateways.end[index], isSuper(sw, index));
    if (reason !== VALID) return drop(sw, index, reason);
  }
  trim(sw, index);
  readAddresses(view, l3, source, destination);
  return isLinkLocal6(destination) || isLinkLocal6(source) ? onLink(sw, index) : byTable(sw, index);
}

function isSuper({ gateways }: Context, index: number): boolean {
  return gateways.vnet[index] >>> 8 !== 0 || gateways.gsoHeader[index] !== 0;
}

/** The packet ends where its header says: what is behind is padding. */
function trim({ gateways, view }: Context, index: number): void {
  const l3 = gateways.l3[index];
  const isV4 = ipVersion(view, l3) === 4;
  const length = isV4 ? ipv4TotalLength(view, l3) : ipv6PayloadLength(view, l3);
  if (length !== 0 || !isSuper({ gateways } as Context, index))
    gateways.end[index] = l3 + length + (isV4 ? 0 : IPV6_HEADER);
}

/** Link-local addresses stay on their link (RFC 4291 section 2.5.6): there is the gateway itself, and what it says there. */
function onLink(sw: Context, index: number): number {
  const { gateways, layer3 } = sw;
  const port = gateways.port[index];
  if (gateways.own[index] === 0) {
    if (!isOwnAddress(layer3.of[port] as Layer3Port, destination)) return drop(sw, index, REASON.no_route);
    if (!answerLocal(sw, index)) return drop(sw, index, REASON.not_served);
    readAddresses(sw.view, gateways.l3[index], source, destination);
  }
  lastVrf = -1;
  return goOn(sw, index, findOnLink(sw, port, gateways.from[index], destination));
}

function byTable(sw: Context, index: number): number {
  const { gateways } = sw;
  const vrf = gateways.vrf[gateways.port[index]];
  if (vrf === lastVrf && isLast()) return goOn(sw, index, NEXT_KNOWN);
  let kind = kindOf(sw, vrf);
  if (kind === ROUTE_LOCAL && gateways.own[index] === 0) {
    if (!answerLocal(sw, index)) return drop(sw, index, REASON.not_served);
    readAddresses(sw.view, gateways.l3[index], source, destination);
    kind = kindOf(sw, vrf);
  }
  // What a gateway says goes to no gateway: they would answer each other.
  if (kind !== ROUTE_UNICAST) {
    if (kind === NO_ROUTE) tellOf(sw, index, ERROR_NO_ROUTE);
    return drop(sw, index, REASON.no_route);
  }
  const next = findNext(sw, gateways.from[index], gateways.l3[index], gateways.end[index], destination);
  lastVrf = next === NEXT_KNOWN && way.isOnly ? vrf : -1;
  for (let word = 0; word < 4; word++) last[word] = destination[word];
  return goOn(sw, index, next);
}

/** ROUTE_* of the route to `destination`, or NO_ROUTE. */
function kindOf({ gateways }: Context, vrf: number): number {
  return gateways.routes.lookup(vrf, destination, 0) === NO_ROUTE ? NO_ROUTE : gateways.routes.kind;
}

/** Tells the sender of a packet; not the gateway itself. */
function tellOf(sw: Context, index: number, about: number, mtu = 0): void {
  const { gateways } = sw;
  if (gateways.own[index] !== 0) return;
  tellError(sw, gateways.port[index], gateways.from[index], gateways.l3[index], gateways.end[index], about, mtu);
}

function isLast(): boolean {
  return (
    last[3] === destination[3] && last[2] === destination[2] && last[1] === destination[1] && last[0] === destination[0]
  );
}

/** Sends the packet by `way`, or has it wait. */
function goOn(sw: Context, index: number, next: number): number {
  const { gateways, view } = sw;
  const l3 = gateways.l3[index];
  if (next === NEXT_NONE) return drop(sw, index, REASON.no_route);
  if (gateways.own[index] === 0 && !mayLive(view, l3)) {
    tellOf(sw, index, ERROR_TTL);
    return drop(sw, index, REASON.ttl_exceeded);
  }
  if (!fits(sw, index)) return drop(sw, index, REASON.mtu_exceeded);
  if (gateways.own[index] === 0) age(view, l3);
  if (next === NEXT_ASKED) return wait(sw, index);
  const { macHigh, macLow } = sw.layer3.of[way.port] as Layer3Port;
  writeMac(view, l3 - ETHERNET_HEADER, way.high, way.low);
  writeMac(view, l3 - 8, macHigh, macLow);
  gateways.port[index] = way.port;
  return SENT;
}

function mayLive(view: DataView, l3: number): boolean {
  return (ipVersion(view, l3) === 4 ? ipv4Ttl(view, l3) : ipv6HopLimit(view, l3)) > 1;
}

/** One hop less to live; the checksum of IPv4 changes by the difference (RFC 1141, RFC 1624). */
function age(view: DataView, l3: number): void {
  if (ipVersion(view, l3) === 6) {
    view.setUint8(l3 + 7, ipv6HopLimit(view, l3) - 1);
    return;
  }
  const before = view.getUint16(l3 + 8);
  view.setUint16(l3 + 8, before - 0x100);
  view.setUint16(l3 + 10, adjust16(view.getUint16(l3 + 10), before, before - 0x100));
}

/** Whether the packet, or each segment of it, is within the MTU of the gateway that it leaves by. If not, its sender is told. */
function fits(sw: Context, index: number): boolean {
  const { forwarding, gateways } = sw;
  const mtu = forwarding.portMtu[way.port];
  if (gateways.end[index] - gateways.l3[index] <= mtu) return true;
  if (gateways.vnet[index] >>> 8 !== 0 && segmentOf(sw, index) <= mtu) return true;
  if (gateways.gsoHeader[index] !== 0 && asSuperframe(sw, index, mtu)) return true;
  tellOf(sw, index, ERROR_TOO_BIG, mtu);
  return false;
}

/** Bytes of the longest packet that a superframe becomes. One with invalid offloads is no longer than itself; the PacketIo will refuse it. */
function segmentOf({ gateways, view }: Context, index: number): number {
  const l3 = gateways.l3[index];
  const l4 = l3 - ETHERNET_HEADER + (gateways.csum[index] & 0xffff);
  const isUdp = ((gateways.vnet[index] >>> 8) & ~VNET_GSO_ECN) === VNET_GSO_UDP_L4;
  if (l4 + (isUdp ? UDP_HEADER : TCP_HEADER) > gateways.end[index]) return gateways.end[index] - l3;
  return l4 + (isUdp ? UDP_HEADER : tcpHeaderLength(view, l4)) - l3 + (gateways.gso[index] & 0xffff);
}

/** An unsegmented TCP frame from a kernel peer: a superframe from here on, for segments that its tunnel has room for. */
function asSuperframe({ gateways }: Context, index: number, mtu: number): boolean {
  const header = gateways.gsoHeader[index] & 0xffff;
  const way = gateways.wayMtu[index];
  const segment = (way === 0 || way > mtu ? mtu : way) + ETHERNET_HEADER - header;
  if (segment <= 0) return false;
  gateways.vnet[index] = VNET_NEEDS_CSUM | ((gateways.gsoHeader[index] >>> 16) << 8);
  gateways.gso[index] = segment | (header << 16);
  return true;
}

function wait(sw: Context, index: number): number {
  const { gateways } = sw;
  const offset = gateways.l3[index] - ETHERNET_HEADER;
  const length = gateways.end[index] - offset;
  const { ask, port } = way;
  if (
    ask !== NO_ASK &&
    keepPacket(
      sw,
      ask,
      port,
      gateways.from[index],
      offset,
      length,
      gateways.vnet[index],
      gateways.gso[index],
      gateways.csum[index],
    )
  )
    return DONE;
  return drop(sw, index, REASON.neigh_failed);
}

/** Writes the descriptor of the frame that packet `index` has become. */
function describe({ gateways, rx }: Context, index: number, row: number): void {
  const at = row * RX_STRIDE;
  const offset = gateways.l3[index] - ETHERNET_HEADER;
  rx.fill(0, at, at + RX_STRIDE);
  rx[at + RX_KIND] = KIND_FRAME;
  rx[at + RX_INDEX] = gateways.port[index];
  rx[at + RX_OFFSET] = offset;
  rx[at + RX_LENGTH] = gateways.end[index] - offset;
  rx[at + RX_VNET] = gateways.vnet[index];
  rx[at + RX_GSO] = gateways.gso[index];
  rx[at + RX_CSUM] = gateways.csum[index];
}

/** Drops a packet, at the gateway that had it: it counts as received from there. */
function drop(sw: Context, index: number, reason: number): number {
  const { counters, gateways } = sw;
  const port = gateways.port[index];
  const offset = gateways.l3[index] - ETHERNET_HEADER;
  const length = Math.max(0, gateways.end[index] - offset);
  if (sw.forwarding.portKind[port] === 0) return DONE;
  counters.received(port, length, 1);
  dropKept(sw, port, reason, offset, length);
  return DONE;
}

/**
 * A packet from the device of a layer-3 port becomes a frame: the source MAC is the port's, the destination MAC that of the group, of
 * all, or of the next hop as the neighbour table knows it. Without one the packet waits (`hold.ts`) while the engine asks.
 */
import {
  ageOf,
  BINDING_FLAGS,
  BINDING_HIGH,
  BINDING_LOW,
  BINDING_PORT,
  BINDING_STAMP,
  BINDING_WORDS,
  NEIGH_SET,
} from '../../neigh/table.js';
import {
  ETHERNET_HEADER,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  isZeroMac,
  sourceHigh,
  sourceLow,
  writeMac,
} from '../../wire/ethernet.js';
import { IPV4_HEADER, ipVersion, ipv4HeaderLength, ipv4TotalLength } from '../../wire/ipv4.js';
import { IPV6_HEADER, ipv6PayloadLength } from '../../wire/ipv6.js';
import { looksLikeNd } from '../../wire/nd.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { fidOf } from '../state/fid.js';
import { NEIGH_SUPPRESS, PROXY } from '../state/forwarding.js';
import type { Layer3Port } from '../state/layer3.js';
import { readAddresses } from './addresses.js';
import { askFor } from './ask.js';
import { hold } from './hold.js';
import { HOP_BROADCAST, HOP_GROUP, HOP_NONE, hop, isLinkLocal6, nextHop, sender } from './next-hop.js';
import { configuredOwner } from './own.js';

/** Age in ticks from which a neighbour is asked whether it is still there, and from which its binding is not used any more. */
export const REACHABLE = 300;
export const UNREACHABLE = 600;

/** Scratch of this file: the packet's addresses, four words each, and a binding. */
const destination = new Int32Array(4);
const source = new Int32Array(4);
export const found = new Int32Array(BINDING_WORDS);

/** Whether the frame has its Ethernet header: one that the engine says itself. A packet of the device comes behind zeros. */
export function isFrame({ batch, view }: Context, frame: number): boolean {
  const offset = batch.offset[frame];
  return !isZeroMac(sourceHigh(view, offset), sourceLow(view, offset));
}

/** Checks the packet, and writes source MAC and EtherType. @returns false when it was dropped */
export function beginPacket(sw: Context, frame: number, port: number): boolean {
  const { batch, layer3, view } = sw;
  const host = layer3.of[port];
  const offset = batch.offset[frame];
  const l3 = offset + ETHERNET_HEADER;
  const length = batch.length[frame] - ETHERNET_HEADER;
  // Without settings the port is just being made.
  if (host === undefined) return batch.drop(frame, REASON.port_down);
  if (length < 1) return batch.drop(frame, REASON.frame_too_short);
  const version = ipVersion(view, l3);
  if (version !== 4 && version !== 6) return batch.drop(frame, REASON.not_layer3);
  if (version === 4 ? isCut4(view, l3, length) : isCut6(view, l3, length))
    return batch.drop(frame, REASON.frame_too_short);
  // Neighbour discovery is the engine's; a host without Ethernet has nothing to say there.
  if (version === 6 && looksLikeNd(view, l3, length)) return batch.drop(frame, REASON.suppressed);
  writeMac(view, offset + 6, host.macHigh, host.macLow);
  view.setUint16(offset + 12, version === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  return true;
}

function isCut4(view: DataView, l3: number, length: number): boolean {
  if (length < IPV4_HEADER) return true;
  const header = ipv4HeaderLength(view, l3);
  const total = ipv4TotalLength(view, l3);
  return header < IPV4_HEADER || total < header || total > length;
}

function isCut6(view: DataView, l3: number, length: number): boolean {
  return length < IPV6_HEADER || ipv6PayloadLength(view, l3) > length - IPV6_HEADER;
}

/** Writes the destination MAC. The frame's VLAN is known. @returns false when the packet was dropped, or waits */
export function addressPacket(sw: Context, frame: number, port: number): boolean {
  const { batch, layer3, view } = sw;
  const host = layer3.of[port] as Layer3Port;
  const offset = batch.offset[frame];
  readAddresses(view, offset + ETHERNET_HEADER, source, destination);
  if (isLinkLocal6(source)) hearOwn(sw, frame, port, host);
  const kind = nextHop(host, destination, source);
  if (kind === HOP_NONE) return batch.drop(frame, REASON.no_route);
  if (kind === HOP_BROADCAST) writeMac(view, offset, 0xffff, -1);
  else if (kind === HOP_GROUP) writeGroup(view, offset);
  else return writeNeighbour(sw, frame, port);
  return true;
}

/** The MAC of a group (RFC 1112 section 6.4, RFC 2464 section 7). */
function writeGroup(view: DataView, offset: number): void {
  if (destination[0] === 0) writeMac(view, offset, 0x0100, 0x5e000000 | (destination[3] & 0x7fffff));
  else writeMac(view, offset, 0x3333, destination[3]);
}

/** The host's kernel chooses its link-local address itself: it is known once it is used. */
function hearOwn(sw: Context, frame: number, port: number, { macHigh, macLow }: Layer3Port): void {
  const fid = fidOf(sw.forwarding.portBridge[port], sw.batch.vid[frame]);
  sw.neigh.hear(fid, source, 0, macHigh, macLow, port, 0, sw.tick, found);
}

function writeNeighbour(sw: Context, frame: number, port: number): boolean {
  const { batch, forwarding, layer3, view } = sw;
  const bridge = forwarding.portBridge[port];
  const vid = batch.vid[frame];
  const offset = batch.offset[frame];
  const owner = configuredOwner(sw, bridge, vid, hop, 0);
  const ofOwner = owner < 0 ? undefined : layer3.of[owner];
  if (ofOwner !== undefined) {
    writeMac(view, offset, ofOwner.macHigh, ofOwner.macLow);
    return true;
  }
  const isKnown = sw.neigh.read(fidOf(bridge, vid), hop, 0, found);
  if (isKnown && isUsable(sw, vid)) {
    if (needsProof(sw, vid)) askFor(sw, port, vid, hop, sender, port, found[BINDING_HIGH], found[BINDING_LOW]);
    writeMac(view, offset, found[BINDING_HIGH], found[BINDING_LOW]);
    return true;
  }
  const ask = askFor(sw, port, vid, hop, sender, port, 0, 0);
  return hold(sw, frame, ask);
}

/** Whether the binding in `found` may be used. */
export function isUsable(sw: Context, vid: number): boolean {
  return ageOf(sw.tick, found[BINDING_STAMP]) < UNREACHABLE || isTrusted(sw, vid);
}

/** Whether its neighbour has to be asked again. */
export function needsProof(sw: Context, vid: number): boolean {
  return ageOf(sw.tick, found[BINDING_STAMP]) >= REACHABLE && !isTrusted(sw, vid);
}

/** A binding that was put in by hand, or that the switch itself answers from: no question would reach its owner. */
function isTrusted({ forwarding }: Context, vid: number): boolean {
  if ((found[BINDING_FLAGS] & NEIGH_SET) !== 0) return true;
  return (forwarding.flagsIn(found[BINDING_PORT], vid) & (NEIGH_SUPPRESS | PROXY)) !== 0;
}

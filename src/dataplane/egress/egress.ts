/**
 * Egress of one copy of a frame: whether the frame fits, its encapsulation, and the command that sends it. The frame's bytes stay in
 * place.
 */
import { outerTos } from '../../encap/ecn.js';
import { flowHash } from '../../encap/flow.js';
import { STATIC_REMOTES } from '../../encap/remotes.js';
import { senderChoice } from '../../encap/tunnel.js';
import {
  KIND_FRAME,
  KIND_UDP,
  TX_COOKIE,
  TX_COOKIE2,
  TX_COOKIE3,
  TX_CSUM,
  TX_FRAGMENT_SHIFT,
  TX_GSO,
  TX_HEADER,
  TX_HEADER_LENGTH,
  TX_INDEX,
  TX_KIND,
  TX_LENGTH,
  TX_OFFSET,
  TX_REMOTE,
  TX_TAG,
  TX_LABELLED,
  TX_TOS,
  TX_VNET,
  VNET_GSO_ECN,
  VNET_GSO_NONE,
  VNET_GSO_UDP_L4,
  VNET_NEEDS_CSUM,
} from '../../port/packet-io.js';
import { ETHERNET_HEADER, ETHERTYPE_QINQ } from '../../wire/ethernet.js';
import { L3_KIND, L3_OFFSET, L4_PROTOCOL, parseInner } from '../../wire/inner.js';
import { ipv4DontFragment, ipv4Tos, PROTOCOL_UDP } from '../../wire/ipv4.js';
import { ipv6ClassAndLabel } from '../../wire/ipv6.js';
import { TCP_HEADER, tcpHeaderLength } from '../../wire/tcp.js';
import { UDP_HEADER } from '../../wire/udp.js';
import { hasTag, VLAN_TAG } from '../../wire/vlan.js';
import { VXLAN_HEADER } from '../../wire/vxlan.js';
import { passesPolice } from '../bridge/police.js';
import { whyNotToHost } from '../layer3/egress.js';
import { FLOW_KNOWN, FLOW_OWN_TUNNEL, NO_TAG } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { GROUP_REMOTES, isGroup, NEXTHOP_BUCKETS } from '../state/destination.js';
import { dropOut } from '../state/drop.js';
import { REASON } from '../state/drop-reasons.js';
import { FRAGMENTS, LAYER3, POLICED_OUT, PORT_LOCAL } from '../state/forwarding.js';
import { ALLOWED } from '../state/may-forward.js';
import { mayFragment } from './fragment.js';
import { POLICE_OUT } from '../state/policers.js';
import { installRemote } from './install-remote.js';
import { isOwnTunnel, reportOwnTunnel } from './own-tunnel.js';
import { tagGrowth, tagOnEgress } from './tag.js';
import { nextCommand, packCounters } from './transmit.js';

const BUCKET_BITS = Math.log2(NEXTHOP_BUCKETS);

/** Scratch of this file: the headers of the frame at hand. */
const layout = new Int32Array(8);

// Results of `mostOf` beside a length.
const WHOLE = 0;
const REFUSED = -1;

/** Sends one copy of a frame out of a port. @param remote behind a tunnel port; 0: none */
export function emit(sw: Context, frame: number, port: number, remote: number): void {
  emitRun(sw, frame, frame + 1, port, remote);
}

/** Sends one copy of each frame of a run, from `first` to before `end`, out of a port. */
export function emitRun(sw: Context, first: number, end: number, port: number, remote: number): void {
  if ((sw.forwarding.portFlags[port] & POLICED_OUT) !== 0) emitPoliced(sw, first, end, port, remote);
  else emitAll(sw, first, end, port, remote);
}

/** Sends the copies that the limit of the port has room for. */
function emitPoliced(sw: Context, first: number, end: number, port: number, remote: number): void {
  for (let frame = first; frame < end; frame++) {
    if (passesPolice(sw, frame, port, POLICE_OUT)) emitAll(sw, frame, frame + 1, port, remote);
    else dropOut(sw, frame, port, REASON.policed, remote);
  }
}

function emitAll(sw: Context, first: number, end: number, port: number, remote: number): void {
  if (sw.forwarding.portKind[port] === PORT_LOCAL) {
    emitRunToLocal(sw, first, end, port);
    return;
  }
  if (remote === 0) {
    for (let frame = first; frame < end; frame++) dropOut(sw, frame, port, REASON.no_destination);
    return;
  }
  emitRunToRemote(sw, first, end, port, remote);
}

/** One header, one tag operation and one pair of counters for the whole run. */
function emitRunToRemote(sw: Context, first: number, end: number, port: number, remote: number): void {
  const tag = tagOnEgress(sw, first, port);
  const counters = countersTo(sw, first, port, remote);
  for (let frame = first; frame < end; frame++) {
    if (mayEnterTunnel(sw, frame, port)) sendToRemote(sw, frame, port, remote, tag, counters);
  }
}

/** One tag operation, one VLAN counter and one limit for the whole run: most frames need no look at anything else. */
function emitRunToLocal(sw: Context, first: number, end: number, port: number): void {
  const { batch, forwarding } = sw;
  const tag = tagOnEgress(sw, first, port);
  const counters = packCounters(0, forwarding.vlanCounter(port, batch.vid[first]));
  // Packets for a host of a layer-3 port are looked at one by one.
  const isHost = (forwarding.portFlags[port] & LAYER3) !== 0;
  const most = isHost ? 0 : forwarding.portMtu[port] + ETHERNET_HEADER + VLAN_TAG - tagGrowth(tag);
  for (let frame = first; frame < end; frame++) {
    if (batch.length[frame] > most || batch.gsoHeader[frame] !== 0) emitToLocal(sw, frame, port, tag, counters);
    else writeToLocal(sw, frame, port, tag, counters, batch.vnet[frame], batch.gso[frame]);
  }
}

/** Whether the frame may enter a tunnel port, whatever the remote; if not, one copy is dropped. Called before `emitToRemote`. */
export function mayEnterTunnel(sw: Context, frame: number, port: number): boolean {
  const { batch, forwarding, view } = sw;
  if (batch.flowKnown[frame] === 0) computeFlow(sw, frame);
  if (batch.flowKnown[frame] === FLOW_OWN_TUNNEL) {
    dropOut(sw, frame, port, REASON.own_tunnel);
    reportOwnTunnel(sw, frame);
    return false;
  }
  // The tag of the frame's VLAN is popped; a tag behind it would be the first that the remote sees.
  const tci = batch.tci[frame];
  if (tci === NO_TAG || !forwarding.refusesInnerTag(port)) return true;
  if (!hasTag(view, batch.offset[frame] + (tci < 0 ? 0 : VLAN_TAG))) return true;
  dropOut(sw, frame, port, REASON.inner_vlan_tagged);
  return false;
}

/** Bytes of the service tag that a copy leaves with: on a bridge of 802.1ad it is beside the frame, as in Linux, and counts for no MTU. */
function serviceTag({ batch, forwarding }: Context, frame: number, port: number): number {
  if (forwarding.bridgeTpid[forwarding.portBridge[port]] !== ETHERTYPE_QINQ) return 0;
  return forwarding.isUntagged(port, batch.vid[frame]) ? 0 : VLAN_TAG;
}

/** Writes the frame to a local port, if it may go there: one that is long, unsegmented or for a layer-3 port. */
function emitToLocal(sw: Context, frame: number, port: number, tag: number, counters: number): void {
  const { batch } = sw;
  if ((sw.forwarding.portFlags[port] & LAYER3) !== 0) {
    const reason = whyNotToHost(sw, frame, port, tag);
    if (reason !== ALLOWED) {
      dropOut(sw, frame, port, reason);
      return;
    }
  }
  let vnet = batch.vnet[frame];
  let gso = batch.gso[frame];
  const mtu = localMtu(sw, frame, port);
  // Every port has room for one tag beyond its MTU, as in Linux is_skb_forwardable.
  const over = batch.length[frame] + tagGrowth(tag) - mtu - ETHERNET_HEADER - VLAN_TAG;
  if (over > 0 && vnet >>> 8 === 0 && over > serviceTag(sw, frame, port)) {
    const header = batch.gsoHeader[frame] & 0xffff;
    const segment = mtu + ETHERNET_HEADER - header;
    if (header === 0 || segment <= 0) {
      refuse(sw, frame, port, mtu);
      return;
    }
    // An unsegmented TCP frame from a kernel peer: passed on whole, to be segmented to this MTU.
    vnet = VNET_NEEDS_CSUM | ((batch.gsoHeader[frame] >>> 16) << 8);
    gso = segment | (header << 16);
  }
  writeToLocal(sw, frame, port, tag, counters, vnet, gso);
}

/** One command that writes the frame to a local port, with the offload header for the guest. */
function writeToLocal(
  sw: Context,
  frame: number,
  port: number,
  tag: number,
  counters: number,
  vnet: number,
  gso: number,
): void {
  const { batch, tx } = sw;
  const at = nextCommand(sw);
  tx[at + TX_KIND] = KIND_FRAME;
  tx[at + TX_INDEX] = port;
  tx[at + TX_OFFSET] = batch.offset[frame];
  tx[at + TX_LENGTH] = batch.length[frame];
  tx[at + TX_TAG] = tag;
  tx[at + TX_VNET] = vnet;
  tx[at + TX_GSO] = gso;
  tx[at + TX_CSUM] = batch.csum[frame];
  tx[at + TX_REMOTE] = 0;
  tx[at + TX_COOKIE] = port;
  tx[at + TX_COOKIE2] = counters;
  tx[at + TX_COOKIE3] = frame;
}

/**
 * The MTU of a frame to a local port: that of the port; for what may be an unsegmented frame, also that of the tunnel that it comes
 * from, since larger segments may be too long behind the port.
 */
function localMtu({ batch, forwarding }: Context, frame: number, port: number): number {
  const mtu = forwarding.portMtu[port];
  if (batch.gsoHeader[frame] === 0) return mtu;
  const way = forwarding.portMtu[batch.port[frame]];
  return way === 0 || way > mtu ? mtu : way;
}

/** Sends a frame to a remote behind the VXLAN header of its VNI. `mayEnterTunnel` has allowed the frame. */
export function emitToRemote(sw: Context, frame: number, port: number, remote: number): void {
  sendToRemote(sw, frame, port, remote, tagOnEgress(sw, frame, port), countersTo(sw, frame, port, remote));
}

/** Whether the VNI of a remote was given to it, and is not that of the VLAN. */
function hasOwnVni({ sentHeader }: Context, remote: number): boolean {
  return remote < STATIC_REMOTES && sentHeader[remote] >= 0;
}

/** TX_COOKIE2 of copies to a remote. */
function countersTo(sw: Context, frame: number, port: number, remote: number): number {
  const vid = sw.batch.vid[frame];
  const counter = hasOwnVni(sw, remote) ? sw.sentCounter[remote] : sw.forwarding.tunnels[port].counterOfVlan[vid];
  return packCounters(counter, sw.forwarding.vlanCounter(port, vid));
}

/** One command that sends a frame. @param tag TX_TAG @param counters TX_COOKIE2: both are those of the first frame of a run */
function sendToRemote(sw: Context, frame: number, port: number, remote: number, tag: number, counters: number): void {
  const { batch, tx } = sw;
  const tunnel = sw.forwarding.tunnels[port];
  const vid = batch.vid[frame];
  if (tunnel.vniOfVlan[vid] === 0) {
    dropOut(sw, frame, port, REASON.no_destination, remote);
    return;
  }
  if (remote >= STATIC_REMOTES) {
    if (isGroup(remote)) {
      emitToGroup(sw, frame, port, remote);
      return;
    }
    // For each frame: another engine may give the number away at any time.
    if (!installRemote(sw, remote)) {
      dropOut(sw, frame, port, REASON.no_destination);
      return;
    }
  }
  // The exact check includes the tag operation; most frames are short enough to skip it.
  let most = WHOLE;
  if (batch.length[frame] > sw.pathMtus.longest[remote] - VLAN_TAG) {
    most = mostOf(sw, frame, port, remote);
    if (most === REFUSED) return;
  }
  const at = nextCommand(sw);
  tx[at + TX_KIND] = KIND_UDP;
  tx[at + TX_INDEX] = tunnel.senders[batch.flow[frame] & (tunnel.senders.length - 1)];
  tx[at + TX_OFFSET] = batch.offset[frame];
  tx[at + TX_LENGTH] = batch.length[frame];
  tx[at + TX_TAG] = tag;
  tx[at + TX_VNET] = batch.vnet[frame];
  tx[at + TX_GSO] = batch.gso[frame];
  tx[at + TX_CSUM] = batch.csum[frame];
  tx[at + TX_HEADER] = hasOwnVni(sw, remote) ? sw.sentHeader[remote] : tunnel.headerOfVlan[vid];
  tx[at + TX_HEADER_LENGTH] = VXLAN_HEADER;
  tx[at + TX_REMOTE] = remote;
  const tos = batch.tos[frame];
  // Only packets of IPv4 are fragmented, and those have no label.
  tx[at + TX_TOS] = outerTos(tunnel.tos, tos) | (tos & tunnel.labels) | (most << TX_FRAGMENT_SHIFT);
  tx[at + TX_COOKIE] = port;
  tx[at + TX_COOKIE2] = counters;
  tx[at + TX_COOKIE3] = frame;
}

/** Sends a frame to the member of a nexthop group that its flow hashes to. */
function emitToGroup(sw: Context, frame: number, port: number, group: number): void {
  const buckets = sw.forwarding.nexthops[group - GROUP_REMOTES];
  if (buckets === undefined || buckets.length === 0) {
    dropOut(sw, frame, port, REASON.no_destination);
    return;
  }
  // The lowest bits of the hash choose the source port; multiplying spreads all of them over the highest.
  const bucket = Math.imul(sw.batch.flow[frame], 0x9e3779b1) >>> (32 - BUCKET_BITS);
  emitToRemote(sw, frame, port, buckets[bucket]);
}

/**
 * What becomes of a copy that may exceed the path MTU to a remote: it is sent as it is (WHOLE), dropped (REFUSED), or, on a port with
 * `fragment`, sent as fragments, in frames of so many bytes at most.
 */
function mostOf(sw: Context, frame: number, port: number, remote: number): number {
  const most = sw.pathMtus.longest[remote];
  const longest = most - tagGrowth(tagOnEgress(sw, frame, port));
  if (longestPiece(sw, frame) <= longest) return WHOLE;
  if ((sw.forwarding.portFlags[port] & FRAGMENTS) !== 0 && mayFragment(sw, frame, longest)) return most;
  refuse(sw, frame, port, longest - linkHeader(sw, frame), remote);
  return REFUSED;
}

/** Drops a copy that is too long. @param mtu the largest inner IP packet that fits, in bytes */
function refuse(sw: Context, frame: number, port: number, mtu: number, remote = 0): void {
  dropOut(sw, frame, port, REASON.mtu_exceeded, remote);
  sw.tooBig.note(frame, mtu);
}

/**
 * Length, before the tag operation, of the longest frame that the PacketIo sends for this one: it segments a superframe. 0 for one with
 * invalid offloads, which the PacketIo will refuse.
 */
function longestPiece(sw: Context, frame: number): number {
  return pieceLength(sw, frame, sw.batch.gso[frame]);
}

/** @param gso TX_GSO of the command */
export function pieceLength({ batch, view }: Context, frame: number, gso: number): number {
  const length = batch.length[frame];
  const type = (batch.vnet[frame] >>> 8) & ~VNET_GSO_ECN;
  if (type === VNET_GSO_NONE) return length;
  const l4 = batch.csum[frame] & 0xffff;
  if (l4 + (type === VNET_GSO_UDP_L4 ? UDP_HEADER : TCP_HEADER) > length) return 0;
  const transport = type === VNET_GSO_UDP_L4 ? UDP_HEADER : tcpHeaderLength(view, batch.offset[frame] + l4);
  return Math.min(length, l4 + transport + (gso & 0xffff));
}

/** Bytes of the Ethernet header of a frame in the arena, its tags included. */
function linkHeader({ batch, view }: Context, frame: number): number {
  parseInner(view, batch.offset[frame], batch.length[frame], layout);
  return layout[L3_KIND] === 0 ? ETHERNET_HEADER : layout[L3_OFFSET] - batch.offset[frame];
}

/**
 * Computes what every tunnel copy of the frame needs: the flow hash that chooses the sending socket, also by DF (IPv6 always
 * has it); the inner TOS and flow label; and whether the frame belongs to one of the switch's own tunnels.
 */
function computeFlow({ batch, forwarding, remotes, view }: Context, frame: number): void {
  const offset = batch.offset[frame];
  parseInner(view, offset, batch.length[frame], layout);
  const kind = layout[L3_KIND];
  const l3 = layout[L3_OFFSET];
  batch.tos[frame] = kind === 4 ? ipv4Tos(view, l3) : kind === 6 ? TX_LABELLED | ipv6ClassAndLabel(view, l3) : 0;
  const dontFragment = kind === 6 || (kind === 4 && ipv4DontFragment(view, l3));
  batch.flow[frame] = senderChoice(flowHash(view, offset, layout), dontFragment);
  const isOwn = layout[L4_PROTOCOL] === PROTOCOL_UDP && isOwnTunnel(forwarding, remotes, view, layout);
  batch.flowKnown[frame] = isOwn ? FLOW_OWN_TUNNEL : FLOW_KNOWN;
}

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
  TX_CSUM,
  TX_GSO,
  TX_HEADER,
  TX_HEADER_LENGTH,
  TX_INDEX,
  TX_KIND,
  TX_LENGTH,
  TX_OFFSET,
  TX_REMOTE,
  TX_TAG,
  TX_TOS,
  TX_VNET,
  VNET_GSO_ECN,
  VNET_GSO_NONE,
  VNET_GSO_UDP_L4,
  VNET_NEEDS_CSUM,
} from '../../port/packet-io.js';
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { L3_KIND, L3_OFFSET, L4_PROTOCOL, parseInner } from '../../wire/inner.js';
import { ipv4DontFragment, ipv4Tos, PROTOCOL_UDP } from '../../wire/ipv4.js';
import { ipv6TrafficClass } from '../../wire/ipv6.js';
import { TCP_HEADER, tcpHeaderLength } from '../../wire/tcp.js';
import { UDP_HEADER } from '../../wire/udp.js';
import { hasTag, VLAN_TAG } from '../../wire/vlan.js';
import { VXLAN_HEADER } from '../../wire/vxlan.js';
import { whyNotToHost } from '../layer3/egress.js';
import { FLOW_KNOWN, FLOW_OWN_TUNNEL, NO_TAG } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { LAYER3, PORT_LOCAL } from '../state/forwarding.js';
import { ALLOWED } from '../state/may-forward.js';
import { installRemote } from './install-remote.js';
import { isOwnTunnel, reportOwnTunnel } from './own-tunnel.js';
import { tagGrowth, tagOnEgress } from './tag.js';
import { nextCommand, packCounters } from './transmit.js';

/** Scratch of this file: the headers of the frame at hand. */
const layout = new Int32Array(8);

/** Sends one copy of a frame out of a port. @param remote behind a tunnel port; 0: none */
export function emit(sw: Context, frame: number, port: number, remote: number): void {
  emitRun(sw, frame, frame + 1, port, remote);
}

/** Sends one copy of each frame of a run, from `first` to before `end`, out of a port. */
export function emitRun(sw: Context, first: number, end: number, port: number, remote: number): void {
  if (sw.forwarding.portKind[port] === PORT_LOCAL) {
    // One tag operation and one VLAN counter for the whole run.
    const tag = tagOnEgress(sw, first, port);
    const counters = packCounters(0, sw.forwarding.vlanCounter(port, sw.batch.vid[first]));
    for (let frame = first; frame < end; frame++) emitToLocal(sw, frame, port, tag, counters);
    return;
  }
  for (let frame = first; frame < end; frame++) {
    if (remote === 0) sw.counters.droppedOut(port, REASON.no_destination);
    else if (mayEnterTunnel(sw, frame, port)) emitToRemote(sw, frame, port, remote);
  }
}

/** Whether the frame may enter a tunnel port, whatever the remote; if not, one copy is dropped. Called before `emitToRemote`. */
export function mayEnterTunnel(sw: Context, frame: number, port: number): boolean {
  const { batch, forwarding, view } = sw;
  if (batch.flowKnown[frame] === 0) computeFlow(sw, frame);
  if (batch.flowKnown[frame] === FLOW_OWN_TUNNEL) {
    sw.counters.droppedOut(port, REASON.own_tunnel);
    reportOwnTunnel(sw, frame);
    return false;
  }
  // The tag of the frame's VLAN is popped; a tag behind it would be the first that the remote sees.
  if (batch.tci[frame] === NO_TAG || !forwarding.refusesInnerTag(port)) return true;
  if (!hasTag(view, batch.offset[frame] + VLAN_TAG)) return true;
  sw.counters.droppedOut(port, REASON.inner_vlan_tagged);
  return false;
}

/** One command that writes the frame to a local port, with the offload header for the guest. */
function emitToLocal(sw: Context, frame: number, port: number, tag: number, counters: number): void {
  const { batch, tx } = sw;
  if ((sw.forwarding.portFlags[port] & LAYER3) !== 0) {
    const reason = whyNotToHost(sw, frame, port, tag);
    if (reason !== ALLOWED) {
      sw.counters.droppedOut(port, reason);
      return;
    }
  }
  let vnet = batch.vnet[frame];
  let gso = batch.gso[frame];
  const mtu = localMtu(sw, frame, port);
  // Every port has room for one tag beyond its MTU, as in Linux is_skb_forwardable.
  if (batch.length[frame] + tagGrowth(tag) > mtu + ETHERNET_HEADER + VLAN_TAG && vnet >>> 8 === 0) {
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

/** One command that sends a frame to a remote behind the VXLAN header of its VNI. `mayEnterTunnel` has allowed the frame. */
export function emitToRemote(sw: Context, frame: number, port: number, remote: number): void {
  const { batch, tx } = sw;
  const tunnel = sw.forwarding.tunnels[port];
  const vid = batch.vid[frame];
  if (tunnel.vniOfVlan[vid] === 0) {
    sw.counters.droppedOut(port, REASON.no_destination);
    return;
  }
  let header = tunnel.headerOfVlan[vid];
  let counter = tunnel.counterOfVlan[vid];
  if (remote >= STATIC_REMOTES) {
    if (!installRemote(sw, remote)) {
      sw.counters.droppedOut(port, REASON.no_destination);
      return;
    }
  } else if (sw.sentHeader[remote] >= 0) {
    header = sw.sentHeader[remote];
    counter = sw.sentCounter[remote];
  }
  // The exact check includes the tag operation; most frames are short enough to skip it.
  if (batch.length[frame] > sw.pathMtus.longest[remote] - VLAN_TAG && isTooLong(sw, frame, port, remote)) return;
  const at = nextCommand(sw);
  tx[at + TX_KIND] = KIND_UDP;
  tx[at + TX_INDEX] = tunnel.senders[batch.flow[frame] & (tunnel.senders.length - 1)];
  tx[at + TX_OFFSET] = batch.offset[frame];
  tx[at + TX_LENGTH] = batch.length[frame];
  tx[at + TX_TAG] = tagOnEgress(sw, frame, port);
  tx[at + TX_VNET] = batch.vnet[frame];
  tx[at + TX_GSO] = batch.gso[frame];
  tx[at + TX_CSUM] = batch.csum[frame];
  tx[at + TX_HEADER] = header;
  tx[at + TX_HEADER_LENGTH] = VXLAN_HEADER;
  tx[at + TX_REMOTE] = remote;
  tx[at + TX_TOS] = outerTos(tunnel.tos, batch.tos[frame]);
  tx[at + TX_COOKIE] = port;
  tx[at + TX_COOKIE2] = packCounters(counter, sw.forwarding.vlanCounter(port, vid));
}

/** Whether a copy exceeds the path MTU to a remote; if so it is dropped. */
function isTooLong(sw: Context, frame: number, port: number, remote: number): boolean {
  const longest = sw.pathMtus.longest[remote] - tagGrowth(tagOnEgress(sw, frame, port));
  if (longestPiece(sw, frame) <= longest) return false;
  refuse(sw, frame, port, longest - linkHeader(sw, frame));
  return true;
}

/** Drops a copy that is too long. @param mtu the largest inner IP packet that fits, in bytes */
function refuse(sw: Context, frame: number, port: number, mtu: number): void {
  sw.counters.droppedOut(port, REASON.mtu_exceeded);
  sw.tooBig.note(frame, mtu);
}

/**
 * Length, before the tag operation, of the longest frame that the PacketIo sends for this one: it segments a superframe. 0 for one with
 * invalid offloads, which the PacketIo will refuse.
 */
function longestPiece({ batch, view }: Context, frame: number): number {
  const length = batch.length[frame];
  const type = (batch.vnet[frame] >>> 8) & ~VNET_GSO_ECN;
  if (type === VNET_GSO_NONE) return length;
  const l4 = batch.csum[frame] & 0xffff;
  if (l4 + (type === VNET_GSO_UDP_L4 ? UDP_HEADER : TCP_HEADER) > length) return 0;
  const transport = type === VNET_GSO_UDP_L4 ? UDP_HEADER : tcpHeaderLength(view, batch.offset[frame] + l4);
  return Math.min(length, l4 + transport + (batch.gso[frame] & 0xffff));
}

/** Bytes of the Ethernet header of a frame in the arena, its tag included. */
function linkHeader({ batch, view }: Context, frame: number): number {
  return hasTag(view, batch.offset[frame]) ? ETHERNET_HEADER + VLAN_TAG : ETHERNET_HEADER;
}

/**
 * Computes what every tunnel copy of the frame needs: the flow hash that chooses the sending socket, also by DF (IPv6 always
 * has it); the inner TOS; and whether the frame belongs to one of the switch's own tunnels.
 */
function computeFlow({ batch, forwarding, remotes, view }: Context, frame: number): void {
  const offset = batch.offset[frame];
  parseInner(view, offset, batch.length[frame], layout);
  const kind = layout[L3_KIND];
  const l3 = layout[L3_OFFSET];
  batch.tos[frame] = kind === 4 ? ipv4Tos(view, l3) : kind === 6 ? ipv6TrafficClass(view, l3) : 0;
  const dontFragment = kind === 6 || (kind === 4 && ipv4DontFragment(view, l3));
  batch.flow[frame] = senderChoice(flowHash(view, offset, layout), dontFragment);
  const isOwn = layout[L4_PROTOCOL] === PROTOCOL_UDP && isOwnTunnel(forwarding, remotes, view, layout);
  batch.flowKnown[frame] = isOwn ? FLOW_OWN_TUNNEL : FLOW_KNOWN;
}

/**
 * MSS clamping: lowers the maximum segment size in TCP SYN segments that pass a port with `mss_clamp`, in either direction, so that two
 * hosts with a larger MTU than the path between them send segments that fit (RFC 4459 section 3.2; Linux xt_TCPMSS).
 *
 * A pass over the batch before it is acted on, which exists only while a port has the option: a plain frame pays nothing. It never
 * raises a value, and adds none.
 */
import { NO_LIMIT } from '../../encap/path-mtu.js';
import { VNET_NEEDS_CSUM } from '../../port/packet-io.js';
import { adjust16 } from '../../wire/checksum.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, parseInner } from '../../wire/inner.js';
import { IPV4_HEADER, PROTOCOL_TCP } from '../../wire/ipv4.js';
import { IPV6_HEADER } from '../../wire/ipv6.js';
import { TCP_CHECKSUM, TCP_HEADER, TCP_SYN, tcpChecksum, tcpFlags, tcpHeaderLength } from '../../wire/tcp.js';
import { findMss } from '../../wire/tcp-options.js';
import { DROPPED, OUTCOME_DROP } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { destinationPort, destinationRemote } from '../state/destination.js';
import { MSS_AUTO, PORT_TUNNEL } from '../state/forwarding.js';
import { tagGrowth, tagOnEgress } from './tag.js';

/** No value is lowered further (TCP_MIN_MSS of Linux). */
const LEAST_MSS = 88;
const NO_MSS = 0xffff;

/** Scratch of this file: the headers of the frame at hand. */
const layout = new Int32Array(8);

/** Lowers the MSS in the SYN segments of a batch that is decided. */
export function clampSegments(sw: Context, count: number): void {
  const { batch, forwarding } = sw;
  for (let frame = 0; frame < count; frame++) {
    if (batch.stage[frame] === DROPPED || batch.outcome[frame] === OUTCOME_DROP) continue;
    if (forwarding.clampsBridge[forwarding.portBridge[batch.port[frame]]] === 0) continue;
    if (isSyn(sw.view, batch.offset[frame], batch.length[frame])) clamp(sw, frame, mostOf(sw, frame));
  }
}

/** Whether the frame is a whole TCP segment with SYN, behind one tag or two; its headers are in `layout`. */
function isSyn(view: DataView, offset: number, length: number): boolean {
  parseInner(view, offset, length, layout);
  return layout[L4_PROTOCOL] === PROTOCOL_TCP && layout[L4_OFFSET] !== 0 && hasSyn(view);
}

function hasSyn(view: DataView): boolean {
  return (tcpFlags(view, layout[L4_OFFSET]) & TCP_SYN) !== 0;
}

/** The largest MSS that the ports allow which the frame passes. */
function mostOf(sw: Context, frame: number): number {
  const { batch, forwarding } = sw;
  const ingress = batch.port[frame];
  const outcome = batch.outcome[frame];
  const most = mostAt(sw, frame, ingress, batch.remote[frame], 0);
  if (outcome >= 0) {
    const port = destinationPort(outcome);
    const growth = tagGrowth(tagOnEgress(sw, frame, port));
    return Math.min(most, mostAt(sw, frame, port, destinationRemote(outcome), growth));
  }
  // A flood: one frame for all its copies, so the least of all ports.
  let least = most;
  const ports = forwarding.bridgePorts[forwarding.portBridge[ingress]];
  for (let index = 0; index < ports.length; index++) {
    if (ports[index] !== ingress) least = Math.min(least, mostAt(sw, frame, ports[index], 0, 0));
  }
  return least;
}

/** @param growth bytes that the tag operation adds @returns the largest MSS that one port allows; NO_MSS: it sets no limit */
function mostAt(sw: Context, frame: number, port: number, remote: number, growth: number): number {
  const mss = sw.forwarding.portMss[port];
  if (mss !== MSS_AUTO) return mss === 0 ? NO_MSS : mss;
  const mtu = mtuAt(sw, frame, port, remote, growth);
  if (mtu === 0) return NO_MSS;
  return mtu - TCP_HEADER - (layout[L3_KIND] === 4 ? IPV4_HEADER : IPV6_HEADER);
}

/** The largest IP packet: that of the path to or from a remote, or of the port; 0: not known. */
function mtuAt({ batch, forwarding, pathMtus }: Context, frame: number, port: number, remote: number, growth: number) {
  const longest = remote === 0 ? NO_LIMIT : pathMtus.longest[remote];
  const isTunnel = forwarding.portKind[port] === PORT_TUNNEL;
  if (!isTunnel || longest === NO_LIMIT) return forwarding.portMtu[port];
  return Math.max(1, longest - (layout[L3_OFFSET] - batch.offset[frame]) - growth);
}

/** Offset of the MSS in the segment whose headers are in `layout`; 0: it has none. */
function mssAt(view: DataView): number {
  const l4 = layout[L4_OFFSET];
  const header = tcpHeaderLength(view, l4);
  return header < TCP_HEADER || l4 + header > layout[L3_END] ? 0 : findMss(view, l4, header);
}

/** The MSS of a frame; 0: it is no SYN segment, or has none. For a trace. */
export function mssOf(view: DataView, offset: number, length: number): number {
  const at = isSyn(view, offset, length) ? mssAt(view) : 0;
  return at === 0 ? 0 : view.getUint16(at);
}

function clamp({ batch, view }: Context, frame: number, most: number): void {
  const l4 = layout[L4_OFFSET];
  const at = mssAt(view);
  if (at === 0) return;
  const before = view.getUint16(at);
  const after = Math.max(most, LEAST_MSS);
  if (before <= after) return;
  view.setUint16(at, after);
  // A partial checksum is the sum of the pseudo-header alone, which has not changed.
  if ((batch.vnet[frame] & VNET_NEEDS_CSUM) !== 0) return;
  const isOdd = ((at - l4) & 1) !== 0;
  const sum = adjust16(tcpChecksum(view, l4), isOdd ? swap(before) : before, isOdd ? swap(after) : after);
  view.setUint16(l4 + TCP_CHECKSUM, sum);
}

/** A value that begins at an odd byte adds to the words of the sum with its bytes exchanged (RFC 1071 section 2B). */
function swap(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

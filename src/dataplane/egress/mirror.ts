/**
 * The copies for mirrors that were noted in a batch (`mirror-notes.ts`): its last commands. A copy that is too long for a path is cut, and
 * none makes the sender of the frame hear of it.
 */
import { outerTos } from '../../encap/ecn.js';
import { STATIC_REMOTES } from '../../encap/remotes.js';
import {
  KIND_FRAME,
  KIND_UDP,
  TX_COOKIE,
  TX_COOKIE2,
  TX_COOKIE3,
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
  VNET_GSO_NONE,
  VNET_NEEDS_CSUM,
} from '../../port/packet-io.js';
import { VXLAN_HEADER } from '../../wire/vxlan.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { MIRROR, PORT_LOCAL } from '../state/forwarding.js';
import { NOTE_CSUM, NOTE_GSO, NOTE_MIRROR, NOTE_ROW, NOTE_TAG, NOTE_VNET, NOTE_WORDS } from '../state/mirrors.js';
import { copyDropped, mirrorSent } from './mirror-notes.js';
import { mayEnterTunnel, pieceLength } from './egress.js';
import { installRemote } from './install-remote.js';
import { tagGrowth } from './tag.js';
import { nextCommand, packCounters } from './transmit.js';

/** Ends a batch: writes the commands of all copies. They are behind those of the traffic, in the last list. */
export function emitMirrored(sw: Context): void {
  const { forwarding, mirrors } = sw;
  mirrorSent(sw);
  for (let index = 0; index < mirrors.count; index++) {
    const at = index * NOTE_WORDS;
    const { port } = mirrors.list[mirrors.notes[at + NOTE_MIRROR]];
    const row = mirrors.notes[at + NOTE_ROW];
    if (mirrors.left <= 0) copyDropped(sw, row, port, REASON.turn_exceeded);
    else if ((forwarding.portFlags[port] & MIRROR) === 0) copyDropped(sw, row, port, REASON.port_down);
    else if (forwarding.portKind[port] === PORT_LOCAL) emitToLocal(sw, row, port, at);
    else emitToRemotes(sw, row, port, at);
  }
  mirrors.count = 0;
}

function emitToLocal(sw: Context, row: number, port: number, from: number): void {
  sw.mirrors.left--;
  const at = begin(sw, row, port, from, sw.batch.length[row]);
  const { tx } = sw;
  tx[at + TX_KIND] = KIND_FRAME;
  tx[at + TX_INDEX] = port;
  tx[at + TX_REMOTE] = 0;
  tx[at + TX_COOKIE2] = packCounters(0, 0);
}

/** A copy to each remote of the flood list of the frame's VNI. */
function emitToRemotes(sw: Context, row: number, port: number, from: number): void {
  const tunnel = sw.forwarding.tunnels[port];
  const vid = sw.batch.vid[row];
  const remotes = tunnel.floodOfVlan[vid];
  if (tunnel.vniOfVlan[vid] === 0 || remotes.length === 0) {
    copyDropped(sw, row, port, REASON.no_destination);
    return;
  }
  if (!mayEnterTunnel(sw, row, port)) {
    sw.counters.replicated(1);
    return;
  }
  for (let index = 0; index < remotes.length; index++) {
    if (sw.mirrors.left <= 0) copyDropped(sw, row, port, REASON.turn_exceeded);
    else emitToRemote(sw, row, port, remotes[index], from);
  }
}

function emitToRemote(sw: Context, row: number, port: number, remote: number, from: number): void {
  const { batch, tx } = sw;
  const { notes } = sw.mirrors;
  sw.mirrors.left--;
  const tunnel = sw.forwarding.tunnels[port];
  const vid = batch.vid[row];
  if (remote >= STATIC_REMOTES && !installRemote(sw, remote)) {
    copyDropped(sw, row, port, REASON.no_destination);
    return;
  }
  const longest = sw.pathMtus.longest[remote] - tagGrowth(notes[from + NOTE_TAG]);
  const isSuper = notes[from + NOTE_VNET] >>> 8 !== VNET_GSO_NONE;
  if (isSuper && pieceLength(sw, row, notes[from + NOTE_GSO]) > longest) {
    copyDropped(sw, row, port, REASON.mtu_exceeded);
    return;
  }
  const isCut = !isSuper && batch.length[row] > longest;
  const at = begin(sw, row, port, from, isCut ? longest : batch.length[row]);
  if (isCut) cut(sw, row, at, longest);
  const isOwn = remote < STATIC_REMOTES && sw.sentHeader[remote] >= 0;
  tx[at + TX_KIND] = KIND_UDP;
  tx[at + TX_INDEX] = tunnel.senders[batch.flow[row] & (tunnel.senders.length - 1)];
  tx[at + TX_HEADER] = isOwn ? sw.sentHeader[remote] : tunnel.headerOfVlan[vid];
  tx[at + TX_HEADER_LENGTH] = VXLAN_HEADER;
  tx[at + TX_REMOTE] = remote;
  tx[at + TX_TOS] = outerTos(tunnel.tos, batch.tos[row]) | (batch.tos[row] & tunnel.labels);
  tx[at + TX_COOKIE2] = packCounters(isOwn ? sw.sentCounter[remote] : tunnel.counterOfVlan[vid], 0);
}

/** Begins the command of a copy with what both kinds have. @returns its first word */
function begin(sw: Context, row: number, port: number, from: number, length: number): number {
  const { notes } = sw.mirrors;
  sw.counters.replicated(1);
  const at = nextCommand(sw);
  const { tx } = sw;
  tx[at + TX_OFFSET] = sw.batch.offset[row];
  tx[at + TX_LENGTH] = length;
  tx[at + TX_TAG] = notes[from + NOTE_TAG];
  tx[at + TX_VNET] = notes[from + NOTE_VNET];
  tx[at + TX_GSO] = notes[from + NOTE_GSO];
  tx[at + TX_CSUM] = notes[from + NOTE_CSUM];
  tx[at + TX_COOKIE] = port;
  tx[at + TX_COOKIE3] = row;
  return at;
}

/**
 * A copy that is too long is cut, as by ERSPAN, since nobody could be told to send less; what may be an unsegmented TCP frame of a
 * kernel peer is segmented instead.
 */
function cut({ batch, tx }: Context, row: number, at: number, longest: number): void {
  const header = batch.gsoHeader[row] & 0xffff;
  if (header !== 0 && longest > header) {
    tx[at + TX_LENGTH] = batch.length[row];
    tx[at + TX_VNET] = VNET_NEEDS_CSUM | ((batch.gsoHeader[row] >>> 16) << 8);
    tx[at + TX_GSO] = (longest - header) | (header << 16);
    return;
  }
  tx[at + TX_VNET] = 0;
  tx[at + TX_GSO] = 0;
  tx[at + TX_CSUM] = 0;
}

/**
 * The bridge's decision for one frame: learn where its source is, look up where its destination is
 * (Linux `br_handle_frame_finish`). Afterwards the batch holds an FDB destination, a flood or a drop.
 */
import { FLAG_STATIC, FLAGS_NEVER_MOVED, NOT_FOUND, STATIC_OTHER } from '../../fdb/table.js';
import {
  destinationHigh,
  destinationLow,
  isLinkLocalReserved,
  isMulticastHigh,
  sourceHigh,
  sourceLow,
} from '../../wire/ethernet.js';
import { neighStage } from '../neigh/stage.js';
import { ENTERED, OUTCOME_FLOOD } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { destinationOf, destinationPort, destinationRemote } from '../state/destination.js';
import { REASON } from '../state/drop-reasons.js';
import { fidOf } from '../state/fid.js';
import { ISOLATED, LEARNING, LOCKED, SHORT_CIRCUITS, SNOOPS_NEIGHBOURS, UP } from '../state/forwarding.js';
import { isHorizon, isMember } from '../state/may-forward.js';

/** What was put in by hand on this host is not learned away by a remote. */
const SETTLED_FOR_REMOTES = FLAGS_NEVER_MOVED | FLAG_STATIC;

/** Decides about a frame whose ingress stage passed. */
export function bridgeFrame(sw: Context, frame: number): void {
  const { batch, view } = sw;
  const offset = batch.offset[frame];
  const high = destinationHigh(view, offset);
  const low = destinationLow(view, offset);
  const port = batch.port[frame];
  const bridge = sw.forwarding.portBridge[port];
  const flags = sw.forwarding.portFlags[port];
  if (isLinkLocalReserved(high, low) && ((sw.forwarding.bridgeGroupFwdMask[bridge] >>> (low & 0x0f)) & 1) === 0) {
    batch.drop(frame, REASON.link_local); // IEEE 802.1D section 7.12.6
    return;
  }
  const fid = fidOf(bridge, batch.vid[frame]);
  if ((flags & (LOCKED | LEARNING)) !== 0 && !learnSource(sw, frame, fid, flags)) return;
  const destination = isMulticastHigh(high) ? NOT_FOUND : sw.fdb.resolve(high, low, fid);
  if ((flags & (SNOOPS_NEIGHBOURS | SHORT_CIRCUITS)) !== 0 && neighStage(sw, frame, fid, destination)) return;
  if (destination === NOT_FOUND) {
    batch.outcome[frame] = OUTCOME_FLOOD;
    return;
  }
  const refusal = unicastRefusal(sw, frame, destinationPort(destination));
  if (refusal >= 0) batch.drop(frame, refusal);
  else batch.outcome[frame] = destination;
}

/**
 * Reads the first row of each look-up that the batch will make. The reads do not wait for one another, so the memory
 * answers them all at once; the look-ups that follow find their rows in the cache.
 */
export function warmFdb(sw: Context, count: number): void {
  const { batch, fdb, forwarding, view } = sw;
  let seen = 0;
  for (let frame = 0; frame < count; frame++) {
    if (batch.stage[frame] !== ENTERED) continue;
    const offset = batch.offset[frame];
    const fid = fidOf(forwarding.portBridge[batch.port[frame]], batch.vid[frame]);
    seen |= fdb.touch(sourceHigh(view, offset), sourceLow(view, offset), fid);
    seen |= fdb.touch(destinationHigh(view, offset), destinationLow(view, offset), fid);
  }
  sw.warmed = seen; // kept, so that the reads are not left out as useless
}

/** Learns `<source MAC, fid> -> where it came from`. @returns false when the source may not be there */
function learnSource(sw: Context, frame: number, fid: number, flags: number): boolean {
  const { batch, fdb, view } = sw;
  const port = batch.port[frame];
  const offset = batch.offset[frame];
  const high = sourceHigh(view, offset);
  const low = sourceLow(view, offset);
  if ((flags & LOCKED) !== 0 && !isBehind(sw, high, low, fid, port)) {
    batch.drop(frame, REASON.locked_port);
    return false;
  }
  if ((flags & LEARNING) === 0) return true;
  const destination = destinationOf(port, batch.remote[frame]);
  // Should another engine give this row away meanwhile, the worst is that its new entry is young: `learn` looks again.
  const row = fdb.lookup(high, low, fid);
  if (row >= 0 && isSamePlace(sw, fdb.destinationOf(row), destination)) {
    fdb.refresh(row, sw.tick);
    return true;
  }
  if (batch.remote[frame] === 0) {
    fdb.learn(high, low, fid, destination, port, sw.tick);
    return true; // also where its entry may not move, as in br_fdb_update
  }
  const learned = fdb.learn(high, low, fid, destination, port, sw.tick, SETTLED_FOR_REMOTES);
  if (learned !== STATIC_OTHER || !isOfOtherVtep(sw, high, low, fid, port)) return true;
  batch.drop(frame, REASON.fdb_static_move);
  return false;
}

/**
 * Whether an entry that does not move is behind the vxlan port `port`, and another VTEP there (vxlan_snoop). One on another
 * port of the bridge is this host's own: a gateway's MAC that every host has (anycast) comes from remotes as well.
 */
function isOfOtherVtep(sw: Context, high: number, low: number, fid: number, port: number): boolean {
  const known = sw.fdb.resolve(high, low, fid);
  return known !== NOT_FOUND && destinationPort(known) === port && destinationRemote(known) !== 0;
}

/** Whether a MAC is known to be behind the port. */
function isBehind(sw: Context, high: number, low: number, fid: number, port: number): boolean {
  const known = sw.fdb.resolve(high, low, fid);
  return known !== NOT_FOUND && destinationPort(known) === port;
}

/**
 * One port, and behind it one VTEP: an entry that sends to another UDP port of its VTEP has not moved (vxlan_snoop), nor has
 * one that leaves open which VTEP it is.
 */
function isSamePlace(sw: Context, one: number, other: number): boolean {
  if (one === other) return true;
  if (destinationPort(one) !== destinationPort(other)) return false;
  if (destinationRemote(one) === 0) return true;
  return sw.remotes.isSameVtep(destinationRemote(one), destinationRemote(other));
}

/** Why a frame may not go out of the one port that its destination is behind; -1 when it may. */
function unicastRefusal(sw: Context, frame: number, port: number): number {
  const { batch, forwarding } = sw;
  const ingress = batch.port[frame];
  if (port === ingress || isHorizon(sw, ingress, port)) return REASON.same_port;
  const bridge = forwarding.portBridge[ingress];
  if (forwarding.portBridge[port] !== bridge) return REASON.no_destination;
  const flags = forwarding.portFlags[port];
  if ((flags & UP) === 0) return REASON.port_down;
  if (!isMember(sw, bridge, port, batch.vid[frame])) return REASON.vlan_not_allowed;
  if ((flags & forwarding.portFlags[ingress] & ISOLATED) !== 0) return REASON.isolated_port;
  return -1;
}

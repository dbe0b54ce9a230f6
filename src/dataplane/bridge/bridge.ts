/**
 * The bridge's decision about one frame: learn its source, look up its destination (Linux `br_handle_frame_finish`). The row's
 * outcome is then an FDB destination, a flood, an answer or a drop; nothing is sent.
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
import { LEARNING, LOCKED, SHORT_CIRCUITS, SNOOPS_NEIGHBOURS, XCONNECT } from '../state/forwarding.js';
import { ALLOWED, whyNot } from '../state/may-forward.js';
import { crossConnect } from './cross-connect.js';

/** Entries that a frame from a remote does not move: those set by hand on this host. */
const SETTLED_FOR_REMOTES = FLAGS_NEVER_MOVED | FLAG_STATIC;

/** Decides about a frame that entered. */
export function bridgeFrame(sw: Context, frame: number): void {
  const { batch, view } = sw;
  const offset = batch.offset[frame];
  const high = destinationHigh(view, offset);
  const low = destinationLow(view, offset);
  const port = batch.port[frame];
  const bridge = sw.forwarding.portBridge[port];
  const flags = sw.forwarding.portFlags[port];
  if ((flags & XCONNECT) !== 0) {
    crossConnect(sw, frame);
    return;
  }
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
  const reason = whyNot(sw, frame, destinationPort(destination));
  if (reason === ALLOWED) batch.outcome[frame] = destination;
  else batch.drop(frame, reason);
}

/**
 * Reads the first row of each look-up that the batch will make. The reads are independent, so memory serves them in parallel; the
 * look-ups that follow hit the cache.
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
  sw.warmed = seen;
}

/** Learns where `<source MAC, FID>` is. @returns false when the source may not be there, and the frame was dropped */
function learnSource(sw: Context, frame: number, fid: number, flags: number): boolean {
  const { batch, fdb, view } = sw;
  const port = batch.port[frame];
  const offset = batch.offset[frame];
  const high = sourceHigh(view, offset);
  const low = sourceLow(view, offset);
  if ((flags & LOCKED) !== 0 && !isBehind(sw, high, low, fid, port)) return batch.drop(frame, REASON.locked_port);
  if ((flags & LEARNING) === 0) return true;
  const destination = destinationOf(port, batch.remote[frame]);
  // If another engine reuses this row meanwhile, its new entry is only refreshed: `learn` looks again.
  const row = fdb.lookup(high, low, fid);
  if (row >= 0 && isSamePlace(sw, fdb.destinationOf(row), destination)) {
    fdb.refresh(row, sw.tick);
    return true;
  }
  if (batch.remote[frame] === 0) {
    fdb.learn(high, low, fid, destination, port, sw.tick);
    return true; // the frame passes even where its entry may not move (br_fdb_update)
  }
  const learned = fdb.learn(high, low, fid, destination, port, sw.tick, SETTLED_FOR_REMOTES);
  if (learned !== STATIC_OTHER || !isOfOtherVtep(sw, high, low, fid, port)) return true;
  return batch.drop(frame, REASON.fdb_static_move);
}

/**
 * Whether an entry that does not move is behind tunnel port `port`, at another VTEP (vxlan_snoop). An entry on another port of the
 * bridge is this host's own: an anycast gateway has the same MAC on every host, and sends from remotes too.
 */
function isOfOtherVtep(sw: Context, high: number, low: number, fid: number, port: number): boolean {
  const known = sw.fdb.resolve(high, low, fid);
  return known !== NOT_FOUND && destinationPort(known) === port && destinationRemote(known) !== 0;
}

/** Whether the FDB has a MAC behind the port. */
function isBehind(sw: Context, high: number, low: number, fid: number, port: number): boolean {
  const known = sw.fdb.resolve(high, low, fid);
  return known !== NOT_FOUND && destinationPort(known) === port;
}

/**
 * Whether two destinations are one port and one VTEP behind it. An entry that names another UDP port of the same VTEP has not
 * moved (vxlan_snoop), nor has one that names no VTEP.
 */
function isSamePlace(sw: Context, one: number, other: number): boolean {
  if (one === other) return true;
  if (destinationPort(one) !== destinationPort(other)) return false;
  if (destinationRemote(one) === 0) return true;
  return sw.remotes.isSameVtep(destinationRemote(one), destinationRemote(other));
}

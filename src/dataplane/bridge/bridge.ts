/**
 * The bridge's decision about one frame: learn its source, look up its destination (Linux `br_handle_frame_finish`). The row's
 * outcome is then an FDB destination, a flood, an answer or a drop; nothing is sent.
 */
import { FLAG_LOCKED, FLAG_STATIC, FLAGS_NEVER_MOVED, NOT_FOUND, STATIC_OTHER } from '../../fdb/table.js';
import { destinationHigh, destinationLow, isMulticastHigh, sourceHigh, sourceLow } from '../../wire/ethernet.js';
import { passesGuard } from '../guard/guard.js';
import { neighStage } from '../neigh/stage.js';
import { ALONE, ENTERED, OUTCOME_FLOOD } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { destinationOf, destinationPort, destinationRemote, isGroup } from '../state/destination.js';
import { REASON } from '../state/drop-reasons.js';
import { bridgeOfFid, fidOf } from '../state/fid.js';
import {
  GUARDED,
  LEARNING,
  LOCKED,
  MAB,
  POLICED_IN,
  SHORT_CIRCUITS,
  SNOOPS_NEIGHBOURS,
  XCONNECT,
} from '../state/forwarding.js';
import { ALLOWED, whyNot } from '../state/may-forward.js';
import { hostPlace, placeOf } from '../state/place.js';
import { POLICE_IN } from '../state/policers.js';
import { crossConnect } from './cross-connect.js';
import { isForSwitch } from './for-switch.js';
import { passesPolice } from './police.js';

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
  if ((flags & (XCONNECT | GUARDED | POLICED_IN)) !== 0 && isDecidedAhead(sw, frame, flags)) return;
  if (isMulticastHigh(high) && isForSwitch(sw, frame, high, low)) return;
  const fid = fidOf(bridge, batch.vid[frame]);
  if ((flags & (LOCKED | LEARNING)) !== 0 && !learnSource(sw, frame, fid, flags)) return;
  const destination = isMulticastHigh(high) ? NOT_FOUND : placeOf(sw, high, low, fid);
  if ((flags & (SNOOPS_NEIGHBOURS | SHORT_CIRCUITS)) !== 0 && neighStage(sw, frame, fid, destination)) return;
  if (destination === NOT_FOUND) {
    batch.outcome[frame] = OUTCOME_FLOOD;
    return;
  }
  const reason = whyNot(sw, frame, destinationPort(destination));
  if (reason === ALLOWED) batch.outcome[frame] = destination;
  else if (reason === REASON.port_down) redirect(sw, frame, destinationPort(destination));
  else batch.drop(frame, reason);
}

/** Sends a frame for a port that is down to its backup (Linux br_forward), which has none of its own here. */
function redirect(sw: Context, frame: number, down: number): void {
  const { batch, forwarding } = sw;
  const backup = forwarding.portBackup[down] - 1;
  const reason = backup < 0 ? REASON.port_down : whyNot(sw, frame, backup);
  if (reason === ALLOWED) batch.outcome[frame] = destinationOf(backup, forwarding.portBackupRemote[down]);
  else batch.drop(frame, reason);
}

/** What few ports have, ahead of everything else: guards, limits, and a cross-connect. @returns whether the frame's outcome is decided */
function isDecidedAhead(sw: Context, frame: number, flags: number): boolean {
  const guard = sw.forwarding.guards[sw.batch.port[frame]];
  if (guard !== undefined && !passesGuard(sw, frame, guard)) return true;
  if ((flags & POLICED_IN) !== 0) {
    // Each frame of a run pays.
    sw.batch.stage[frame] = ALONE;
    if (!passesPolice(sw, frame, sw.batch.port[frame], POLICE_IN)) {
      sw.batch.drop(frame, REASON.policed);
      return true;
    }
  }
  if ((flags & XCONNECT) === 0) return false;
  crossConnect(sw, frame);
  return true;
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

/** Learns where `<source MAC, FID>` is. A port in the state `learning` does nothing else. @returns false when the source may not be there, and the frame was dropped */
export function learnSource(sw: Context, frame: number, fid: number, flags: number): boolean {
  const { batch, fdb, view } = sw;
  const port = batch.port[frame];
  const offset = batch.offset[frame];
  const high = sourceHigh(view, offset);
  const low = sourceLow(view, offset);
  if ((flags & LOCKED) !== 0 && !passesLock(sw, frame, fid, flags)) return batch.drop(frame, REASON.locked_port);
  if ((flags & LEARNING) === 0) return true;
  const destination = destinationOf(port, batch.remote[frame]);
  // If another engine reuses this row meanwhile, its new entry is only refreshed: `learn` looks again.
  const row = fdb.lookup(high, low, fid);
  if (row >= 0 && isSamePlace(sw, fdb.destinationOf(row), destination)) {
    fdb.refresh(row, sw.tick);
    return true;
  }
  if (row < 0 && isHosts(sw, high, low, fid)) return true;
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

/** Whether a MAC without an entry in its VLAN is the host's in all of them: nobody takes its place, in whatever VLAN. */
function isHosts(sw: Context, high: number, low: number, fid: number): boolean {
  return sw.forwarding.bridgeLocalVlan0[bridgeOfFid(fid)] !== 0 && hostPlace(sw, high, low, fid) !== NOT_FOUND;
}

/**
 * Whether a MAC may send into a locked port: the FDB has it there, and not as one that waits for its authentication. With MAB an unknown
 * one gets such an entry, which says so to whoever authenticates (Linux br_handle_frame_finish). An entry elsewhere does not move here.
 */
function passesLock(sw: Context, frame: number, fid: number, flags: number): boolean {
  const { batch, fdb, tick, view } = sw;
  const port = batch.port[frame];
  const high = sourceHigh(view, batch.offset[frame]);
  const low = sourceLow(view, batch.offset[frame]);
  const row = fdb.lookup(high, low, fid);
  if (row < 0) {
    const asks = (flags & (MAB | LEARNING)) === (MAB | LEARNING) && !isHosts(sw, high, low, fid);
    if (asks) fdb.learnLocked(high, low, fid, destinationOf(port, batch.remote[frame]), port, tick);
    return false;
  }
  const known = fdb.resolve(high, low, fid);
  if (known === NOT_FOUND || destinationPort(known) !== port) return false;
  if ((fdb.flagsOf(row) & FLAG_LOCKED) === 0) return true;
  fdb.refresh(row, tick);
  return false;
}

/**
 * Whether two destinations are one port and one VTEP behind it. An entry that names another UDP port of the same VTEP has not
 * moved (vxlan_snoop), nor has one that names no VTEP.
 */
function isSamePlace(sw: Context, one: number, other: number): boolean {
  if (one === other) return true;
  if (destinationPort(one) !== destinationPort(other)) return false;
  if (destinationRemote(one) === 0) return true;
  if (isGroup(destinationRemote(one))) return false;
  return sw.remotes.isSameVtep(destinationRemote(one), destinationRemote(other));
}

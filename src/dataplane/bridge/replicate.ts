/**
 * What all that sends one frame to many has in common: which ports are left out, and the copies of a vxlan port, one for
 * each remote of the VNI's flood list (head-end replication).
 */
import { NOT_FOUND } from '../../fdb/table.js';
import { destinationHigh, destinationLow } from '../../wire/ethernet.js';
import { emit, emitToRemote, mayEnterTunnel } from '../egress/egress.js';
import { reportL2Miss } from '../neigh/misses.js';
import type { Context } from '../state/context.js';
import { destinationPort, destinationRemote } from '../state/destination.js';
import { REASON } from '../state/drop-reasons.js';
import { pinFidOf } from '../state/fid.js';
import { TURN_SENDS } from '../state/flood-budget.js';
import { HAS_PINS, L2MISS } from '../state/forwarding.js';

/**
 * Whether the port has no copy of the frame that is being flooded, since the switch has answered it or keeps it from the
 * tunnel (`neigh/suppress.ts`). The copy that it would have had is counted; of a probe the owner alone has one, if it is there.
 */
export function withhold(sw: Context, frame: number, port: number): boolean {
  const { forwarding, probed } = sw;
  if (sw.withheld === 0 || (forwarding.flagsIn(port, sw.batch.vid[frame]) & sw.withheld) === 0) return false;
  if (probed !== NOT_FOUND && destinationPort(probed) === port) emit(sw, frame, port, destinationRemote(probed));
  else sw.counters.droppedOut(port, REASON.suppressed);
  return true;
}

/** Row of the list of remotes that the frame's multicast MAC is pinned to on a vxlan port; NOT_FOUND: it is not. */
export function pinOf(sw: Context, frame: number, port: number): number {
  if ((sw.forwarding.portFlags[port] & HAS_PINS) === 0) return NOT_FOUND;
  const offset = sw.batch.offset[frame];
  return sw.fdb.resolve(
    destinationHigh(sw.view, offset),
    destinationLow(sw.view, offset),
    pinFidOf(port, sw.batch.vid[frame]),
  );
}

/** The remotes that a vxlan port sends a flooded frame to: those of the VNI, or those that its MAC is pinned to. */
export function floodList(sw: Context, frame: number, port: number): Int32Array {
  const pin = pinOf(sw, frame, port);
  if (pin !== NOT_FOUND) return sw.forwarding.pinned[pin];
  return sw.forwarding.tunnels[port].floodOfVlan[sw.batch.vid[frame]];
}

/** Whether so many copies of a superframe are more than a whole turn has room for: its sender has to make it smaller. */
export function isTooMuch(sw: Context, copies: number): boolean {
  return sw.sends > 1 && copies * sw.sends > TURN_SENDS;
}

/** Copies to all remotes of a vxlan port's flood list. @returns how many, one that is dropped or withheld too */
export function replicate(sw: Context, frame: number, port: number): number {
  // A VLAN without a VNI does not leave this host.
  if (sw.forwarding.tunnels[port].vniOfVlan[sw.batch.vid[frame]] === 0) return 0;
  if (withhold(sw, frame, port)) return 1;
  const remotes = floodList(sw, frame, port);
  if (remotes.length === 0) {
    if ((sw.forwarding.portFlags[port] & L2MISS) !== 0) reportL2Miss(sw, frame, port);
    sw.counters.droppedOut(port, REASON.no_destination);
    return 1;
  }
  if (!mayEnterTunnel(sw, frame, port)) return 1;
  if (isTooMuch(sw, remotes.length)) {
    sw.counters.droppedOut(port, REASON.turn_exceeded);
    return 1;
  }
  for (let index = 0; index < remotes.length; index++) emitToRemote(sw, frame, port, remotes[index]);
  return remotes.length;
}

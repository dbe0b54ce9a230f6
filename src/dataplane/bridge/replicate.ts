/**
 * Copies of a flooded frame: which ports get none, and the copies of a tunnel port, one per remote of the VNI's flood list
 * (head-end replication). Shared by flooding and multicast.
 */
import { NOT_FOUND } from '../../fdb/table.js';
import { destinationHigh, destinationLow } from '../../wire/ethernet.js';
import { emit, emitToRemote, mayEnterTunnel } from '../egress/egress.js';
import { reportL2Miss } from '../neigh/misses.js';
import type { Context } from '../state/context.js';
import { destinationPort, destinationRemote } from '../state/destination.js';
import { dropOut } from '../state/drop.js';
import { REASON } from '../state/drop-reasons.js';
import { pinFidOf } from '../state/fid.js';
import { TURN_SENDS } from '../state/flood-budget.js';
import { HAS_PINS, L2MISS, POLICED_OUT } from '../state/forwarding.js';
import { POLICE_OUT } from '../state/policers.js';
import { passesPolice } from './police.js';
import { tunnelGroupRemotes } from './tunnel-groups.js';

/**
 * Whether the port gets no copy of an ARP or ND request, because the switch has answered it or keeps it out of the tunnel
 * (`neigh/suppress.ts`). The missing copy is counted as dropped. Of a probe the port gets the one copy for the address's owner, if that
 * is there.
 */
export function withhold(sw: Context, frame: number, port: number): boolean {
  const { flooding, forwarding } = sw;
  const { probed, withheld } = flooding;
  if (withheld === 0 || (forwarding.flagsIn(port, sw.batch.vid[frame]) & withheld) === 0) return false;
  if (probed !== NOT_FOUND && destinationPort(probed) === port) emit(sw, frame, port, destinationRemote(probed));
  else dropOut(sw, frame, port, REASON.suppressed);
  return true;
}

/** Number of the remote list that the frame's multicast MAC is pinned to on a tunnel port; NOT_FOUND: it is not pinned. */
export function pinOf(sw: Context, frame: number, port: number): number {
  if ((sw.forwarding.portFlags[port] & HAS_PINS) === 0) return NOT_FOUND;
  const offset = sw.batch.offset[frame];
  return sw.fdb.resolve(
    destinationHigh(sw.view, offset),
    destinationLow(sw.view, offset),
    pinFidOf(port, sw.batch.vid[frame]),
  );
}

/** The remotes to which a tunnel port sends a flooded frame: those of its group, or that its MAC is pinned to, or of the VNI. */
export function floodList(sw: Context, frame: number, port: number): Int32Array {
  const members = tunnelGroupRemotes(sw, frame, port);
  if (members !== null) return members;
  const pin = pinOf(sw, frame, port);
  if (pin !== NOT_FOUND) return sw.forwarding.pinned[pin];
  return sw.forwarding.tunnels[port].floodOfVlan[sw.batch.vid[frame]];
}

/** Whether so many copies of a superframe exceed a whole turn. It is dropped, and its sender must send smaller ones. */
export function exceedsTurn({ flooding }: Context, copies: number): boolean {
  return flooding.sends > 1 && copies * flooding.sends > TURN_SENDS;
}

/** Sends a copy to each remote of a tunnel port's flood list. @returns how many; 1 where the copy was dropped or withheld */
export function replicate(sw: Context, frame: number, port: number): number {
  // A VLAN without a VNI stays on this host.
  if (sw.forwarding.tunnels[port].vniOfVlan[sw.batch.vid[frame]] === 0) return 0;
  if (withhold(sw, frame, port)) return 1;
  const remotes = floodList(sw, frame, port);
  if (remotes.length === 0) {
    if ((sw.forwarding.portFlags[port] & L2MISS) !== 0) reportL2Miss(sw, frame, port);
    dropOut(sw, frame, port, REASON.no_destination);
    return 1;
  }
  if (!mayEnterTunnel(sw, frame, port)) return 1;
  if (exceedsTurn(sw, remotes.length)) {
    dropOut(sw, frame, port, REASON.turn_exceeded);
    return 1;
  }
  const isPoliced = (sw.forwarding.portFlags[port] & POLICED_OUT) !== 0;
  for (let index = 0; index < remotes.length; index++) {
    if (!isPoliced || passesPolice(sw, frame, port, POLICE_OUT)) emitToRemote(sw, frame, port, remotes[index]);
    else dropOut(sw, frame, port, REASON.policed, remotes[index]);
  }
  return remotes.length;
}

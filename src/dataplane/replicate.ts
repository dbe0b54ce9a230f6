/**
 * What all that sends one frame to many has in common: which ports may have a copy, and the copies of a vxlan port, one
 * for each remote of the VNI's flood list (head-end replication).
 */
import { NOT_FOUND } from '../fdb/table.js';
import { destinationHigh, destinationLow } from '../wire/ethernet.js';
import { isHorizon, isMember } from './bridge.js';
import type { Context } from './context.js';
import { NO_DESTINATION } from './drop-reasons.js';
import { emit } from './egress.js';
import { HAS_PINS, ISOLATED, pinSegmentOf } from './forwarding.js';

/**
 * Whether a port may have a copy of the frame: it is in the frame's bridge and VLAN, has all of the flags `needed`, and
 * neither is the ingress port nor kept from it by isolation or split horizon.
 */
export function mayReceive(sw: Context, frame: number, port: number, needed: number): boolean {
  const { batch, forwarding } = sw;
  const ingress = batch.port[frame];
  const bridge = forwarding.portBridge[ingress];
  const flags = forwarding.portFlags[port];
  if (port === ingress || forwarding.portBridge[port] !== bridge || (flags & needed) !== needed) return false;
  if ((flags & forwarding.portFlags[ingress] & ISOLATED) !== 0) return false;
  return isMember(sw, bridge, port, batch.vid[frame]) && !isHorizon(sw, ingress, port);
}

/** Row of the list of remotes that the frame's multicast MAC is pinned to on a vxlan port; NOT_FOUND: it is not. */
export function pinOf(sw: Context, frame: number, port: number): number {
  if ((sw.forwarding.portFlags[port] & HAS_PINS) === 0) return NOT_FOUND;
  const offset = sw.batch.offset[frame];
  return sw.fdb.resolve(
    destinationHigh(sw.view, offset),
    destinationLow(sw.view, offset),
    pinSegmentOf(port, sw.batch.vid[frame]),
  );
}

/** The remotes that a vxlan port sends a flooded frame to: those of the VNI, or those that its MAC is pinned to. */
export function floodList(sw: Context, frame: number, port: number): Int32Array {
  const pin = pinOf(sw, frame, port);
  if (pin !== NOT_FOUND) return sw.forwarding.pinned[pin];
  return sw.forwarding.tunnels[port].floodOfVlan[sw.batch.vid[frame]];
}

/** Copies to all remotes of a vxlan port's flood list. @returns how many, one that is dropped for want of remotes too */
export function replicate(sw: Context, frame: number, port: number): number {
  // A VLAN without a VNI does not leave this host.
  if (sw.forwarding.tunnels[port].vniOfVlan[sw.batch.vid[frame]] === 0) return 0;
  const remotes = floodList(sw, frame, port);
  if (remotes.length === 0) {
    sw.counters.droppedOut(port, NO_DESTINATION);
    return 1;
  }
  for (let index = 0; index < remotes.length; index++) emit(sw, frame, port, remotes[index]);
  return remotes.length;
}

/**
 * BUM frames: a copy out of every port that may have one, and behind a vxlan port one for each remote of the VNI's
 * flood list (head-end replication). Many commands, one payload.
 */
import { NOT_FOUND } from '../fdb/table.js';
import { destinationHigh, destinationLow, isBroadcast, isMulticastHigh } from '../wire/ethernet.js';
import { isHorizon, isMember } from './bridge.js';
import type { Context } from './context.js';
import { NO_DESTINATION } from './drop-reasons.js';
import { emit } from './egress.js';
import { BCAST_FLOOD, FLOOD, HAS_PINS, ISOLATED, MCAST_FLOOD, PORT_TAP, pinSegmentOf, UP } from './forwarding.js';

/** Sends the copies of a frame; one without any is dropped under `no_destination`. */
export function flood(sw: Context, frame: number): void {
  const { batch, forwarding } = sw;
  const ingress = batch.port[frame];
  const bridge = forwarding.portBridge[ingress];
  const ports = forwarding.bridgePorts[bridge];
  const needed = UP | floodFlag(sw, batch.offset[frame]);
  const isolated = forwarding.portFlags[ingress] & ISOLATED;
  let copies = 0;
  for (let index = 0; index < ports.length; index++) {
    const port = ports[index];
    const flags = forwarding.portFlags[port];
    if (port === ingress || (flags & needed) !== needed || (flags & isolated) !== 0) continue;
    if (!isMember(sw, bridge, port, batch.vid[frame]) || isHorizon(sw, ingress, port)) continue;
    if (forwarding.portKind[port] === PORT_TAP) {
      emit(sw, frame, port, 0);
      copies++;
    } else {
      copies += replicate(sw, frame, port);
    }
  }
  if (copies === 0) sw.counters.droppedIn(ingress, NO_DESTINATION);
  else sw.counters.replicated(copies - 1);
}

/** The flag a port needs to get this kind of frame. */
function floodFlag(sw: Context, offset: number): number {
  const high = destinationHigh(sw.view, offset);
  if (!isMulticastHigh(high)) return FLOOD;
  return isBroadcast(high, destinationLow(sw.view, offset)) ? BCAST_FLOOD : MCAST_FLOOD;
}

/** Copies to the remotes of the VNI, or to those that the multicast MAC is pinned to. @returns how many */
function replicate(sw: Context, frame: number, port: number): number {
  const { batch, forwarding } = sw;
  const vid = batch.vid[frame];
  const tunnel = forwarding.tunnels[port];
  if (tunnel.vniOfVlan[vid] === 0) return 0; // a VLAN that does not leave this host
  let remotes = tunnel.floodOfVlan[vid];
  if ((forwarding.portFlags[port] & HAS_PINS) !== 0) {
    const pin = sw.fdb.resolve(
      destinationHigh(sw.view, batch.offset[frame]),
      destinationLow(sw.view, batch.offset[frame]),
      pinSegmentOf(port, vid),
    );
    if (pin !== NOT_FOUND) remotes = forwarding.pinned[pin];
  }
  if (remotes.length === 0) {
    sw.counters.droppedOut(port, NO_DESTINATION);
    return 1;
  }
  for (let index = 0; index < remotes.length; index++) emit(sw, frame, port, remotes[index]);
  return remotes.length;
}

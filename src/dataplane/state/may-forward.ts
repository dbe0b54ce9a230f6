/**
 * Which ports a frame may leave by: those in its bridge and VLAN, less what isolation and split horizon exclude. One rule for
 * unicast and for flooding; it never chooses among the ports.
 */
import type { Context } from './context.js';
import { REASON } from './drop-reasons.js';
import { type Forwarding, HAIRPIN, ISOLATED, PORT_TUNNEL, UP } from './forwarding.js';

/** No reason: the frame may leave by the port. */
export const ALLOWED = -1;

/** Why a frame may not leave by a port: a drop reason, or ALLOWED. */
export function whyNot({ batch, forwarding }: Context, frame: number, port: number): number {
  const { portBridge, portFlags, portKind } = forwarding;
  const ingress = batch.port[frame];
  if (port === ingress) {
    if ((portFlags[port] & HAIRPIN) === 0) return REASON.same_port;
  } else if (portKind[ingress] === PORT_TUNNEL && portKind[port] === PORT_TUNNEL) {
    // Split horizon: nothing from a remote goes to a remote, so a full mesh of VTEPs has no loop.
    return REASON.same_port;
  }
  const bridge = portBridge[ingress];
  if (portBridge[port] !== bridge) return REASON.no_destination;
  const flags = portFlags[port];
  if ((flags & UP) === 0) return forwarding.whyClosed(port);
  // Without VLAN filtering every port carries the frame.
  if (forwarding.bridgeTpid[bridge] !== 0 && !forwarding.isMember(port, batch.vid[frame])) {
    return forwarding.whyNoMember(port, batch.vid[frame]);
  }
  if ((flags & portFlags[ingress] & ISOLATED) !== 0 && areIsolated(forwarding, ingress, port, batch.vid[frame]))
    return REASON.isolated_port;
  return ALLOWED;
}

/** Whether two ports with the flag ISOLATED are isolated from each other in a VLAN (Linux br_skb_isolated, for each VLAN). */
function areIsolated(forwarding: Forwarding, one: number, other: number, vid: number): boolean {
  return forwarding.isIsolatedIn(one, vid) && forwarding.isIsolatedIn(other, vid);
}

/** Whether a frame may leave by a port that has all the flags `needed`. */
export function mayForward(sw: Context, frame: number, port: number, needed = 0): boolean {
  return (sw.forwarding.portFlags[port] & needed) === needed && whyNot(sw, frame, port) === ALLOWED;
}

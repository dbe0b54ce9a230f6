/**
 * Which ports a frame can reach at all: those in its bridge and VLAN, less what isolation and split horizon keep apart.
 * It never decides which of them it is sent to.
 */
import type { Context } from './context.js';
import { ISOLATED, MEMBER, PORT_TUNNEL } from './forwarding.js';

/** Split horizon: what came from a remote is never sent to a remote, so that a full mesh of VTEPs has no loop. */
export function isHorizon(sw: Context, ingress: number, egress: number): boolean {
  const { portKind } = sw.forwarding;
  return portKind[ingress] === PORT_TUNNEL && portKind[egress] === PORT_TUNNEL;
}

/** Whether the port carries the VLAN; without VLAN filtering every port does. */
export function isMember(sw: Context, bridge: number, port: number, vid: number): boolean {
  const { forwarding } = sw;
  return forwarding.bridgeFiltering[bridge] === 0 || (forwarding.vlans[(port << 12) | vid] & MEMBER) !== 0;
}

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

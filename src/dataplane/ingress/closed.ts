/**
 * A frame from a port that is not UP: it is dropped. Where a loop has closed the port, the protocols that may open it again still hear
 * from it, and a port in the state `learning` of the spanning tree learns.
 */
import { RX_ADDRESS, RX_OFFSET, RX_TOS } from '../../port/packet-io.js';
import { destinationHigh, destinationLow, ETHERNET_HEADER, isMulticastHigh } from '../../wire/ethernet.js';
import { learnSource } from '../bridge/bridge.js';
import { isForSwitch } from '../bridge/for-switch.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { fidOf } from '../state/fid.js';
import { ANY_VTEP, LAYER3, LEARNING, LOCKED, MIRROR, PORT_TUNNEL } from '../state/forwarding.js';
import { STP_LEARNING } from '../state/port-states.js';
import { acceptInner, hasReserved } from './inner.js';
import { acceptSource } from './source.js';
import { classifyVlan } from './vlan.js';

/** Drops a frame of a local port. @returns false */
export function refuseClosed(sw: Context, frame: number, port: number): false {
  const { batch, forwarding } = sw;
  const reason = whyRefused(sw, port);
  const isHeard = isClosed(reason) && (forwarding.portFlags[port] & LAYER3) === 0;
  const isWhole = isHeard && batch.length[frame] >= ETHERNET_HEADER;
  if (isWhole && classifyVlan(sw, frame, port) && acceptSource(sw, frame, port)) hear(sw, frame, port);
  return batch.drop(frame, reason);
}

/** Drops a frame from a tunnel port. @param at word of its descriptor @param vid of its VNI @returns false */
export function refuseClosedTunnel(sw: Context, frame: number, at: number, port: number, vid: number): false {
  const { batch, forwarding, rx } = sw;
  const reason = whyRefused(sw, port);
  const flags = forwarding.portFlags[port];
  if (!isClosed(reason) || hasReserved(sw, port, rx[at + RX_OFFSET])) return batch.drop(frame, reason);
  const address = at + RX_ADDRESS;
  const remote = sw.remotes.find(port, rx[address], rx[address + 1], rx[address + 2], rx[address + 3]);
  if (remote === 0 && (flags & ANY_VTEP) === 0) return batch.drop(frame, REASON.vtep_unknown);
  batch.remote[frame] = remote;
  // What an open port would drop teaches a closed one nothing.
  if (acceptInner(sw, frame, port, vid, rx[at + RX_TOS])) hear(sw, frame, port);
  return batch.drop(frame, reason);
}

/** A mirror takes nothing in. */
function whyRefused({ forwarding }: Context, port: number): number {
  return (forwarding.portFlags[port] & MIRROR) !== 0 ? REASON.mirror_port : forwarding.whyClosed(port);
}

/** Whether loops are all that closes the port. */
function isClosed(reason: number): boolean {
  return reason === REASON.loop_blocked || reason === REASON.stp_blocked;
}

/** Hears a frame that an open port would take in. */
function hear(sw: Context, frame: number, port: number): void {
  const { batch, forwarding, view } = sw;
  const offset = batch.offset[frame];
  const high = destinationHigh(view, offset);
  if (isMulticastHigh(high) && isForSwitch(sw, frame, high, destinationLow(view, offset))) return;
  const flags = forwarding.portFlags[port];
  if (forwarding.portState[port] !== STP_LEARNING || (flags & (LEARNING | LOCKED)) === 0) return;
  // A VTEP that is none of the port's remotes yet is learned when the port is open.
  if (forwarding.portKind[port] === PORT_TUNNEL && batch.remote[frame] === 0) return;
  learnSource(sw, frame, fidOf(forwarding.portBridge[port], batch.vid[frame]), flags);
}

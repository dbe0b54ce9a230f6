/** A frame of a VLAN in the state `learning`: it does not pass, and its source is learned (Linux br_handle_frame_finish). */
import { destinationHigh, destinationLow, isLinkLocalReserved } from '../../wire/ethernet.js';
import { PROBE_HIGH, PROBE_LOW } from '../../wire/loop-probe.js';
import { learnSource } from '../bridge/bridge.js';
import type { Context } from '../state/context.js';
import { fidOf } from '../state/fid.js';
import { LEARNING, LOCKED, PORT_TUNNEL, UP } from '../state/forwarding.js';

/** Learns the source, which has been accepted. A VTEP that is none of the port's remotes yet is learned when the VLAN is open. */
export function learnInClosed(sw: Context, frame: number, port: number): void {
  const { batch, forwarding, view } = sw;
  const high = destinationHigh(view, batch.offset[frame]);
  const low = destinationLow(view, batch.offset[frame]);
  // What neighbours and bridges say to each other tells nothing of guests.
  if (isLinkLocalReserved(high, low) || (high === PROBE_HIGH && low === PROBE_LOW)) return;
  const flags = forwarding.portFlags[port];
  if ((flags & UP) === 0 || (flags & (LEARNING | LOCKED)) === 0) return;
  if (forwarding.portKind[port] === PORT_TUNNEL && batch.remote[frame] === 0) return;
  learnSource(sw, frame, fidOf(forwarding.portBridge[port], batch.vid[frame]), flags);
}

/**
 * Sends frames of the control thread out of ports, between two batches: loop probes and BPDUs. They take the way of every frame
 * that the switch originates, with the tag and the encapsulation of their port, and also leave ports that are closed to others.
 */
import { emit } from './egress/egress.js';
import { beginOriginated, NO_ROOM, ORIGINATED_BYTES } from './egress/originate.js';
import { transmitCommands } from './egress/transmit.js';
import { replicate } from './bridge/replicate.js';
import type { Context } from './state/context.js';
import { LAYER3, PORT_TUNNEL } from './state/forwarding.js';

/** A frame to send. */
export interface OwnFrame {
  /** Index of the port. */
  port: number;
  /** Its VLAN; 0 in a bridge without VLAN filtering, and for `untagged`. */
  vid: number;
  /** Leaves without a tag, whatever the port does with the VLAN: BPDUs. */
  untagged?: true;
  bytes: Uint8Array;
}

/** Sends the frames; those beyond the room of a batch, and those of ports that are no more, are left out. */
export function sendFrames(sw: Context, frames: readonly OwnFrame[]): void {
  sw.originated = 0;
  sw.observer?.begin();
  for (const frame of frames) if (!send(sw, frame)) break;
  transmitCommands(sw);
  sw.observer?.end();
}

/** @returns false when the batch has no room left */
function send(sw: Context, { port, vid, untagged, bytes }: OwnFrame): boolean {
  const { batch, counters, flooding, forwarding } = sw;
  const isFrameless = (forwarding.portFlags[port] & LAYER3) !== 0;
  if (forwarding.portKind[port] === 0 || isFrameless || bytes.length > ORIGINATED_BYTES) return true;
  const row = beginOriginated(sw);
  if (row === NO_ROOM) return false;
  const offset = batch.offset[row];
  sw.bytes.set(bytes, offset);
  batch.begin(row, port, offset, bytes.length);
  batch.vid[row] = vid;
  // As if it came with a priority tag that may stay: nothing is pushed.
  if (untagged === true) batch.tci[row] = 0;
  if (forwarding.portKind[port] !== PORT_TUNNEL) {
    counters.replicated(1);
    emit(sw, row, port, 0);
    return true;
  }
  flooding.begin(1, sw.commands);
  counters.replicated(replicate(sw, row, port));
  flooding.end(sw.commands);
  return true;
}

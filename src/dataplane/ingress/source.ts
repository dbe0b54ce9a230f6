/**
 * The source MAC of a frame: one that no station can have, or that is the port's own, is refused before anything is learned.
 */
import { isMulticastHigh, isZeroMac, sourceHigh, sourceLow } from '../../wire/ethernet.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { XCONNECT } from '../state/forwarding.js';

/** Whether the frame may enter by a port with its source MAC: a cross-connect takes every one. @returns false when it was dropped */
export function acceptSource({ batch, forwarding, view }: Context, frame: number, port: number): boolean {
  if ((forwarding.portFlags[port] & XCONNECT) !== 0) return true;
  const high = sourceHigh(view, batch.offset[frame]);
  const low = sourceLow(view, batch.offset[frame]);
  if (isMulticastHigh(high) || isZeroMac(high, low)) return batch.drop(frame, REASON.source_mac_invalid);
  const isOwn = low === forwarding.portMacLow[port] && high === forwarding.portMacHigh[port];
  return !isOwn || batch.drop(frame, REASON.source_is_own);
}

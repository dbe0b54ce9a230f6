/**
 * ICMP "packet too big" to the senders of frames that did not fit their path, as a router on that path would send it, in the name of the
 * destination host (Linux `iptunnel_pmtud_build_icmp`).
 *
 * Sent after the frames of the batch. It never decides what fits, nor counts the drop (`egress.ts`).
 */
import {
  destinationHigh,
  destinationLow,
  ETHERNET_HEADER,
  isMulticastHigh,
  sourceHigh,
  sourceLow,
  writeMac,
} from '../../wire/ethernet.js';
import { mayTellTooBig, writeTooBig } from '../../wire/icmp-error.js';
import { L3_OFFSET, parseInner } from '../../wire/inner.js';
import { VLAN_TAG } from '../../wire/vlan.js';
import { ERROR_TOO_BIG, tellError } from '../routing/error.js';
import type { Context } from '../state/context.js';
import { PORT_GATEWAY } from '../state/forwarding.js';
import { beginOriginated, NO_ROOM, sendBack } from './originate.js';

/** Bytes of both MACs. */
const MACS = 12;
/** Scratch of this file: the headers of the frame at hand. */
const layout = new Int32Array(8);

/** Answers the frames of this batch that were too long. */
export function answerTooBig(sw: Context): void {
  const { tooBig } = sw;
  const { count, frames, mtus } = tooBig;
  for (let index = 0; index < count; index++) answerFrame(sw, frames[index], mtus[index]);
  // Frames noted meanwhile are these answers themselves.
  tooBig.count = 0;
}

function answerFrame(sw: Context, frame: number, mtu: number): void {
  const { batch, view } = sw;
  const offset = batch.offset[frame];
  if (frame >= batch.size || isMulticastHigh(destinationHigh(view, offset))) return;
  if (sw.forwarding.portKind[batch.port[frame]] === PORT_GATEWAY) {
    // The gateway is the router on the path, and the sender is on another link.
    tellError(sw, batch.port[frame], offset + ETHERNET_HEADER, offset + batch.length[frame], ERROR_TOO_BIG, mtu);
    return;
  }
  parseInner(view, offset, batch.length[frame], layout);
  if (!mayTellTooBig(view, layout, mtu)) return;
  if (!sw.tooBig.takeAnswer(batch.port[frame], sw.tick)) return;
  const row = beginOriginated(sw);
  if (row === NO_ROOM) return;
  const at = batch.offset[row];
  const header = writeLink(sw, frame, at);
  sendBack(sw, row, header + writeTooBig(view, at + header, layout, mtu), frame);
}

/**
 * Writes the Ethernet header of an answer: the frame's, with its addresses swapped. Tags that are payload are copied; the tag of the
 * frame's VLAN is pushed by the port that the answer leaves by. `layout` has the frame's headers. @returns its length
 */
function writeLink({ batch, view }: Context, frame: number, at: number): number {
  const offset = batch.offset[frame];
  writeMac(view, at, sourceHigh(view, offset), sourceLow(view, offset));
  writeMac(view, at + 6, destinationHigh(view, offset), destinationLow(view, offset));
  const own = batch.tci[frame] < 0 ? 0 : VLAN_TAG;
  const length = layout[L3_OFFSET] - offset - own;
  for (let byte = MACS; byte < length; byte += 2) view.setUint16(at + byte, view.getUint16(offset + own + byte));
  return length;
}

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
import { parseInner } from '../../wire/inner.js';
import { hasTag, VLAN_TAG } from '../../wire/vlan.js';
import { NO_TAG } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { beginOriginated, NO_ROOM, sendBack } from './originate.js';

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
 * Writes the Ethernet header of an answer: the frame's, with its addresses swapped. A tag that is payload is copied; the tag of the
 * frame's VLAN is pushed by the port that the answer leaves by. @returns its length
 */
function writeLink({ batch, view }: Context, frame: number, at: number): number {
  const offset = batch.offset[frame];
  writeMac(view, at, sourceHigh(view, offset), sourceLow(view, offset));
  writeMac(view, at + 6, destinationHigh(view, offset), destinationLow(view, offset));
  const tagged = hasTag(view, offset);
  if (tagged && batch.tci[frame] === NO_TAG) {
    view.setInt32(at + 12, view.getInt32(offset + 12));
    view.setUint16(at + 16, view.getUint16(offset + 16));
    return ETHERNET_HEADER + VLAN_TAG;
  }
  view.setUint16(at + 12, view.getUint16(offset + (tagged ? 16 : 12)));
  return ETHERNET_HEADER;
}

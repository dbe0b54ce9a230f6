/**
 * Word to the senders of frames that did not fit where they were to go: as a router would on that path, in the name of the
 * host that the frame was for, so that the sender makes smaller packets (Linux `iptunnel_pmtud_build_icmp`).
 *
 * Carried out behind the frames of a batch. It never decides what fits (`egress/egress.ts`) nor counts the drop.
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
import { answer, beginOriginated, NO_ROOM } from './originate.js';

/** Answers the frames that this batch has noted as too long. */
export function answerTooBig(sw: Context): void {
  const { tooBig } = sw;
  const { count, frames, mtus } = tooBig;
  for (let index = 0; index < count; index++) answerFrame(sw, frames[index], mtus[index]);
  // What was noted meanwhile are these answers themselves.
  tooBig.count = 0;
}

function answerFrame(sw: Context, frame: number, mtu: number): void {
  const { batch, layout, view } = sw;
  const offset = batch.offset[frame];
  if (frame >= batch.size || isMulticastHigh(destinationHigh(view, offset))) return;
  parseInner(view, offset, batch.length[frame], layout);
  if (!mayTellTooBig(view, layout, mtu)) return;
  if (!sw.tooBig.takeAnswer(batch.port[frame], sw.tick)) return;
  const row = beginOriginated(sw);
  if (row === NO_ROOM) return;
  const at = batch.offset[row];
  const header = writeLink(sw, frame, at);
  answer(sw, row, header + writeTooBig(view, at + header, layout, mtu), frame);
}

/**
 * The Ethernet header of an answer: the frame's, with its addresses swapped. A tag that is payload comes along; one that
 * says the frame's VLAN is put on by the port that the answer leaves by. @returns its length
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

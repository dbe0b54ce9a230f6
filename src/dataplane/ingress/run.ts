/**
 * Runs: consecutive frames of a batch with equal headers, such as the segments of one flow. The first frame's path through the
 * bridge holds for all of them, so a forwarded run costs one look-up. Facts that may differ within a run are checked for each frame:
 * lengths, offloads, checksums, flow.
 *
 * A frame that ingress dropped starts no run, and only unicast decisions of the bridge are inherited (`engine.ts`).
 */
import {
  KIND_FRAME,
  LONGEST_FRAME,
  RX_ADDRESS,
  RX_INDEX,
  RX_KIND,
  RX_LENGTH,
  RX_OFFSET,
  RX_STRANGER,
  RX_STRIDE,
  RX_TOS,
} from '../../port/packet-io.js';
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { VLAN_TAG } from '../../wire/vlan.js';
import { DROPPED } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { decapsulate } from './decap.js';
import { takeOffload } from './local.js';

/** Bytes that the frames of a run share: both MACs, the EtherType, and the TCI if that says there is one. */
const SHARED = ETHERNET_HEADER + 2;
/** Least length of a frame whose SHARED bytes are all header. */
const MIN_LENGTH = ETHERNET_HEADER + VLAN_TAG;

/**
 * Whether the frame belongs to one run with the frame before it. If so its row is filled, and its stage is CONTINUES, or DROPPED for a
 * fault of its own. If not, its row must be begun again.
 */
export function continuesRun(sw: Context, frame: number, at: number): boolean {
  if (frame === 0 || sw.batch.stage[frame - 1] === DROPPED) return false;
  const { rx } = sw;
  const before = at - RX_STRIDE;
  if (rx[at + RX_KIND] !== rx[before + RX_KIND] || rx[at + RX_INDEX] !== rx[before + RX_INDEX]) return false;
  return rx[at + RX_KIND] === KIND_FRAME ? continuesFromLocal(sw, frame, at) : continuesFromRemote(sw, frame, at);
}

function continuesFromLocal(sw: Context, frame: number, at: number): boolean {
  const { rx, view } = sw;
  const offset = rx[at + RX_OFFSET];
  const length = rx[at + RX_LENGTH];
  if (length < MIN_LENGTH || length > LONGEST_FRAME || rx[at + RX_STRANGER] !== 0) return false;
  if (!isSame(view, offset, rx[at - RX_STRIDE + RX_OFFSET], SHARED)) return false;
  sw.batch.inherit(frame, offset, length);
  return takeOffload(sw, frame, at);
}

function continuesFromRemote(sw: Context, frame: number, at: number): boolean {
  const { batch, rx, view } = sw;
  const before = at - RX_STRIDE;
  // Behind the header of Geneve there may be options, equal ones in a run.
  const header = batch.offset[frame - 1] - rx[before + RX_OFFSET];
  for (let word = RX_ADDRESS; word < RX_ADDRESS + 4; word++) {
    if (rx[at + word] !== rx[before + word]) return false;
  }
  const datagram = rx[at + RX_OFFSET];
  const length = rx[at + RX_LENGTH];
  if (rx[at + RX_TOS] !== rx[before + RX_TOS] || length < header + MIN_LENGTH) return false;
  if (!isSame(view, datagram, rx[before + RX_OFFSET], header + SHARED)) return false;
  batch.inherit(frame, datagram + header, length - header);
  if (!decapsulate(sw, frame, rx[at + RX_TOS])) batch.stage[frame] = DROPPED;
  return true;
}

/** Compares bytes of the arena. @param length a multiple of 4 */
export function isSame(view: DataView, one: number, other: number, length: number): boolean {
  for (let at = 0; at < length; at += 4) {
    if (view.getInt32(one + at, true) !== view.getInt32(other + at, true)) return false;
  }
  return true;
}

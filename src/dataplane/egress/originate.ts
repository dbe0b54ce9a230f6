/**
 * Frames that the switch makes itself: answers to ARP and ND, word that a frame is too big. Each has room of its own in the
 * arena, behind the VXLAN headers, and a row of the batch behind those of the frames received, so that it goes out like
 * any other: with the tag, offloads and encapsulation of the port.
 *
 * A batch has a bounded number of them; what asks for more goes without. In the accounts such a frame is a copy that
 * nobody sent: `replicated` counts it, so that they balance.
 */
import { NO_TAG, ORIGINATED_FRAMES } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { UP } from '../state/forwarding.js';
import { emit } from './egress.js';

/** Bytes of such a frame at most: an ICMPv6 error fills the least MTU of IPv6 (RFC 4443 section 2.4). */
export const ORIGINATED_BYTES = 1536;
/** Room that the arena's header part keeps for them, at its end. */
export const ORIGINATED_ROOM = ORIGINATED_FRAMES * ORIGINATED_BYTES;

/** None is left in this batch. */
export const NO_ROOM = -1;

/** A row for a frame of the switch's own; its bytes go to `batch.offset[row]`. NO_ROOM when the batch has had its share. */
export function beginOriginated(sw: Context): number {
  if (sw.originated === ORIGINATED_FRAMES) return NO_ROOM;
  const own = sw.originated++;
  const row = sw.batch.size + own;
  sw.batch.offset[row] = sw.nic.headerBase + sw.nic.headerBytes - ORIGINATED_ROOM + own * ORIGINATED_BYTES;
  return row;
}

/**
 * Sends the frame of a row that `beginOriginated` gave, untagged and with finished checksums, to where another frame came from.
 * @param length bytes of the frame; @param like the frame that it answers: its VLAN, port and remote
 * @returns false when nothing may go out there now
 */
export function answer(sw: Context, row: number, length: number, like: number): boolean {
  const { batch, counters, forwarding } = sw;
  const port = batch.port[like];
  if ((forwarding.portFlags[port] & UP) === 0) return false;
  batch.port[row] = port;
  batch.remote[row] = batch.remote[like];
  batch.length[row] = length;
  batch.vid[row] = batch.vid[like];
  batch.tci[row] = NO_TAG;
  batch.vnet[row] = 0;
  batch.gso[row] = 0;
  batch.csum[row] = 0;
  batch.gsoHeader[row] = 0;
  batch.flowKnown[row] = 0;
  counters.replicated(1);
  emit(sw, row, port, batch.remote[like]);
  return true;
}

/**
 * Frames that the switch originates: answers to ARP and ND, ICMP errors for frames that are too big. Each has a slot of its own in the
 * arena, behind the VXLAN headers, and a row of the batch behind the received ones, so it leaves like any other frame: with the
 * tag, offloads and encapsulation of its port.
 *
 * The rows of a batch are limited. In the counters such a frame is a copy that was not received: `replicated` counts it, so that they
 * balance.
 */
import { ORIGINATED_FRAMES } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { UP } from '../state/forwarding.js';
import { GATEWAY_ROOM } from '../state/gateways.js';
import { LAYER3_ROOM } from '../state/layer3.js';
import { emit } from './egress.js';

/** Most bytes of such a frame: an ICMPv6 error fills the least MTU of IPv6 (RFC 4443 section 2.4). */
export const ORIGINATED_BYTES = 1536;
/** Bytes at the end of the arena's header part: for all of them, and behind them for frames of gateways and layer-3 ports. */
export const ORIGINATED_ROOM = ORIGINATED_FRAMES * ORIGINATED_BYTES + GATEWAY_ROOM + LAYER3_ROOM;

/** No row is left in this batch. */
export const NO_ROOM = -1;

/** A row for an originated frame, whose bytes go to `batch.offset[row]`; NO_ROOM when the batch has none left. */
export function beginOriginated(sw: Context): number {
  if (sw.originated === ORIGINATED_FRAMES) return NO_ROOM;
  const index = sw.originated++;
  const row = sw.batch.size + index;
  sw.batch.offset[row] = sw.io.headerBase + sw.io.headerBytes - ORIGINATED_ROOM + index * ORIGINATED_BYTES;
  return row;
}

/**
 * Sends an originated frame, untagged and with full checksums, to the place that another frame came from: its VLAN, port and remote.
 * @param row from `beginOriginated`; @param length bytes of the frame; @param received the frame that it answers
 */
export function sendBack(sw: Context, row: number, length: number, received: number): void {
  const { batch, counters, forwarding } = sw;
  const port = batch.port[received];
  const remote = batch.remote[received];
  if ((forwarding.portFlags[port] & UP) === 0) return;
  batch.begin(row, port, batch.offset[row], length);
  batch.remote[row] = remote;
  batch.vid[row] = batch.vid[received];
  counters.replicated(1);
  emit(sw, row, port, remote);
}

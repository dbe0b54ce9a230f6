/**
 * Miss reports of tunnel ports, for a control program: a MAC without a place (`l2miss`, Linux `vxlan_fdb_miss`), an address without
 * a MAC (`l3miss`, `vxlan_ip_miss`). They go through the punt ring; `state/miss-limiter.ts` limits them.
 */
import { destinationHigh, destinationLow, isMulticastHigh } from '../../wire/ethernet.js';
import type { Context } from '../state/context.js';
import { PUNT_L2MISS, PUNT_L3MISS } from '../state/punt-ring.js';

const NO_ADDRESS = new Int32Array(4);

/** Reports the frame's destination MAC: the FDB does not have it, and the port's flood list is empty. */
export function reportL2Miss(sw: Context, frame: number, port: number): void {
  const { batch, view } = sw;
  const offset = batch.offset[frame];
  const high = destinationHigh(view, offset);
  const low = destinationLow(view, offset);
  const vid = batch.vid[frame];
  if (isMulticastHigh(high) || !sw.missLimiter.isNew(PUNT_L2MISS, port, vid, high, low, 0, 0, sw.tick)) return;
  sw.punts.tell(PUNT_L2MISS, port, 0, vid, NO_ADDRESS, 0, high, low, 0, 0);
}

/** Reports the address at `words[at]`, to which a frame on its way into the port is sent: the neighbour table does not have it. */
export function reportL3Miss(sw: Context, frame: number, port: number, words: Int32Array, at: number): void {
  const vid = sw.batch.vid[frame];
  const isNew = sw.missLimiter.isNew(
    PUNT_L3MISS,
    port,
    vid,
    words[at],
    words[at + 1],
    words[at + 2],
    words[at + 3],
    sw.tick,
  );
  if (isNew) sw.punts.tell(PUNT_L3MISS, port, 0, vid, words, at, 0, 0, 0, 0);
}

/**
 * What a vxlan port would have to know to send a frame: the place of a MAC (`l2miss`, Linux `vxlan_fdb_miss`), the MAC of an
 * address (`l3miss`, `vxlan_ip_miss`). A control program hears of it through the ring of punts.
 * The same miss is told once a tick at most (`state/miss-limiter.ts`).
 */
import { destinationHigh, destinationLow, isMulticastHigh } from '../../wire/ethernet.js';
import type { Context } from '../state/context.js';
import { PUNT_L2MISS, PUNT_L3MISS } from '../state/punt-ring.js';

const NOBODY = new Int32Array(4);

/** The frame's destination is known nowhere, and the port has nobody to flood to. */
export function reportL2Miss(sw: Context, frame: number, port: number): void {
  const { batch, view } = sw;
  const offset = batch.offset[frame];
  const high = destinationHigh(view, offset);
  const low = destinationLow(view, offset);
  const vid = batch.vid[frame];
  if (isMulticastHigh(high) || !sw.missLimiter.isNew(PUNT_L2MISS, port, vid, high, low, 0, 0, sw.tick)) return;
  sw.punts.tell(PUNT_L2MISS, port, 0, vid, NOBODY, 0, high, low, 0, 0);
}

/** Nobody is known to have the address at `words[at]`, which a frame on its way into the port is for. */
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

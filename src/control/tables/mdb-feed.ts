/**
 * Parses punted frames for the MDB.
 *
 * The engine has validated the messages, since only it knows whether the checksum is partial. Frames longer than a ring record
 * are parsed as far as recorded.
 */
import { PUNT_IGMP, PUNT_MLD, PUNT_MRD, PUNT_PIM, type Punt } from '../../dataplane/state/punt-ring.js';
import { viewOf } from '../../wire/bytes.js';
import { isMulticastHigh, isZeroMac, sourceHigh, sourceLow } from '../../wire/ethernet.js';
import { readIgmp } from '../../wire/igmp.js';
import { L3_END, L3_OFFSET, L4_OFFSET, LAYOUT_WORDS, parseInner } from '../../wire/inner.js';
import { readMld } from '../../wire/mld.js';
import type { Mdb, MdbPlace } from './mdb.js';

const layout = new Int32Array(LAYOUT_WORDS);

/** Passes a frame to the MDB. @returns false for a frame that is irrelevant to it */
export function hearPunt(mdb: Mdb, punt: Punt, now: number): boolean {
  const { kind, port, remote, vid } = punt;
  const place: MdbPlace = { port, remote, vid };
  if (kind === PUNT_PIM || kind === PUNT_MRD) {
    mdb.hearRouter(place, now);
    return true;
  }
  if (kind !== PUNT_IGMP && kind !== PUNT_MLD) return false;
  const view = viewOf(whole(punt));
  parseInner(view, 0, punt.length, layout);
  if (layout[L4_OFFSET] === 0) return false;
  const end = Math.min(layout[L3_END], punt.bytes.length);
  const read = kind === PUNT_IGMP ? readIgmp : readMld;
  const message = read(view, layout[L3_OFFSET], layout[L4_OFFSET], end);
  if (message !== null) mdb.hear(message, { ...place, ...hostOf(view) }, now);
  return true;
}

/** The sender, if frames may be sent to it. */
function hostOf(view: DataView): { host?: number } {
  const [high, low] = [sourceHigh(view, 0), sourceLow(view, 0)];
  return isMulticastHigh(high) || isZeroMac(high, low) ? {} : { host: (high >>> 0) * 2 ** 32 + (low >>> 0) };
}

/** The frame at its full length, zero-filled, so that the length fields of its headers are valid. */
function whole({ bytes, length }: Punt): Uint8Array {
  if (bytes.length === length) return bytes;
  const frame = new Uint8Array(length);
  frame.set(bytes);
  return frame;
}

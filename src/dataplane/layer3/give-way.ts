/**
 * Who gives way when there is no room for another question, or for another packet that waits: the source that has most of them, if it
 * has more than the newcomer would have. So a guest that sends to invented neighbours of a gateway keeps no other guest from asking.
 */
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { ASK_FROM, ASK_HELD, ASK_PORT, ASKS, HELD_PACKETS, SOURCES } from '../state/layer3.js';
import { dropHeld, endAsk, giveUp } from './end.js';

/** In place of a port: all of them. */
export const ALL_PORTS = -1;
const NONE = -1;

/** Scratch of this file: questions or packets by source, zeros between two calls. */
const counts = new Uint16Array(SOURCES);

/**
 * Makes room for a question of source `from`, among those of a port or of all.
 * @returns the question that has ended, or -1: nobody has to give way
 */
export function askGivesWay(sw: Context, port: number, from: number): number {
  const { layer3 } = sw;
  const { asks } = layer3;
  let most = NONE;
  for (let ask = 0; ask < ASKS; ask++) {
    const at = layer3.askAt(ask);
    if (isOf(asks[at + ASK_PORT], port)) most = count(asks[at + ASK_FROM], most);
  }
  let ends = NONE;
  const gives = mustGive(most, from);
  for (let ask = 0; ask < ASKS; ask++) {
    const at = layer3.askAt(ask);
    if (!isOf(asks[at + ASK_PORT], port)) continue;
    counts[asks[at + ASK_FROM]] = 0;
    // One for which nothing waits first.
    if (gives && asks[at + ASK_FROM] === most && (ends < 0 || asks[at + ASK_HELD] === 0)) ends = ask;
  }
  if (ends < 0) return NONE;
  giveUp(sw, ends, REASON.neigh_failed);
  endAsk(sw, ends);
  return ends;
}

/** The same for a packet that waits. @returns its slot, which is free now, or -1 */
export function heldGivesWay(sw: Context, port: number, from: number): number {
  const { heldFor, heldFrom, heldOrder, heldPort } = sw.layer3;
  let most = NONE;
  for (let slot = 0; slot < HELD_PACKETS; slot++) {
    if (heldFor[slot] >= 0 && isOf(heldPort[slot], port)) most = count(heldFrom[slot], most);
  }
  let newest = NONE;
  const gives = mustGive(most, from);
  for (let slot = 0; slot < HELD_PACKETS; slot++) {
    if (heldFor[slot] < 0 || !isOf(heldPort[slot], port)) continue;
    counts[heldFrom[slot]] = 0;
    if (!gives || heldFrom[slot] !== most) continue;
    if (newest < 0 || ((heldOrder[slot] - heldOrder[newest]) | 0) > 0) newest = slot;
  }
  if (newest >= 0) dropHeld(sw, newest, REASON.neigh_failed);
  return newest;
}

/** Whether a place of port `of` counts for `port`. A free place of a question has no port: below 0. */
function isOf(of: number, port: number): boolean {
  return of >= 0 && (port === ALL_PORTS || of === port);
}

/** Counts one of a source. @returns the source that has most */
function count(source: number, most: number): number {
  counts[source]++;
  return most < 0 || counts[source] > counts[most] ? source : most;
}

/** Whether the one that has most has more than `from` would have with one more. */
function mustGive(most: number, from: number): boolean {
  return most >= 0 && most !== from && counts[most] > counts[from] + 1;
}

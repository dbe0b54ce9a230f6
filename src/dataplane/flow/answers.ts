/**
 * Flows that are each other's answers, one frame at a time: a request waits for its answer. Which way is sooner for them depends on the
 * machine: an engine that polls saves the wake-ups of processors that sleep until a frame comes, where those are dear; where they are
 * cheap the kernel is sooner. The flows themselves tell: the sooner, the more often they go back and forth.
 *
 * A carried flow is not seen, but two such flows show in their counts: as many small frames in both directions, and no more than go back
 * and forth one by one. Both are given back for a look of LOOK_TICKS, in which the engine counts their frames. Then they are carried
 * again, or stay with the engine while they are as they were, until the next look.
 */
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import type { Context } from '../state/context.js';
import {
  CARRIED,
  type Flows,
  LATELY_BYTES,
  LATELY_FRAMES,
  LATELY_SHIFT,
  ROW_CARRIED,
  ROW_FID,
  ROW_FROM_HIGH,
  ROW_FROM_LOW,
  ROW_IN,
  ROW_OUT,
  ROW_SHIFT,
  ROW_STATE,
  ROW_TO_HIGH,
  ROW_TO_LOW,
  SEEN_FRAMES,
  SEEN_KEPT,
  SEEN_LOOKED,
  SEEN_QUICK,
  SEEN_SINCE,
  SEEN_TICKS,
} from '../state/flows.js';

/** Frames of a tick: one for each round trip of 20 to 200 us. */
const LEAST = 500;
const MOST = 5000;
/** Mean length of a frame that is no superframe. */
const SMALL = 1500 + ETHERNET_HEADER;
/** The counts of a tick differ by a sixteenth at most: a frame may be under way. */
const ALIKE = 16;
const LOOK_TICKS = 4;
/** What is gained has to be an eighth at least. */
const GAIN = 8;
/** Ticks from one look to the next. */
const EACH_TICKS = 600;

/** @returns the slot of the flow that answers the one of `slot`; -1: there is none, or one of them was looked at lately */
export function answerOf(sw: Context, flows: Flows, slot: number): number {
  if (!mayBeAnswers(sw, flows, slot)) return -1;
  for (let other = slot + 1; other < flows.end; other++)
    if (mayBeAnswers(sw, flows, other) && isAnswer(flows, slot, other)) return other;
  return -1;
}

/** Rows of two ticks at least: the first one was not whole. */
function mayBeAnswers({ tick }: Context, flows: Flows, slot: number): boolean {
  const { candidates, lately, rows } = flows;
  const at = slot << LATELY_SHIFT;
  const row = slot << ROW_SHIFT;
  const frames = lately[at + LATELY_FRAMES];
  return (
    frames >= LEAST &&
    frames <= MOST &&
    lately[at + LATELY_BYTES] <= frames * SMALL &&
    rows[row + ROW_STATE] === CARRIED &&
    rows[row + ROW_CARRIED] !== frames &&
    candidates[flows.seenAt(slot) + SEEN_KEPT] <= tick
  );
}

function isAnswer({ lately, rows }: Flows, slot: number, other: number): boolean {
  const row = slot << ROW_SHIFT;
  const back = other << ROW_SHIFT;
  const frames = lately[(slot << LATELY_SHIFT) + LATELY_FRAMES];
  const answers = lately[(other << LATELY_SHIFT) + LATELY_FRAMES];
  return (
    Math.abs(frames - answers) * ALIKE <= frames &&
    rows[row + ROW_FROM_LOW] === rows[back + ROW_TO_LOW] &&
    rows[row + ROW_TO_LOW] === rows[back + ROW_FROM_LOW] &&
    rows[row + ROW_FROM_HIGH] === rows[back + ROW_TO_HIGH] &&
    rows[row + ROW_TO_HIGH] === rows[back + ROW_FROM_HIGH] &&
    rows[row + ROW_IN] === rows[back + ROW_OUT] &&
    rows[row + ROW_OUT] === rows[back + ROW_IN] &&
    rows[row + ROW_FID] === rows[back + ROW_FID]
  );
}

/** The look at a flow begins, which is not carried any more. @param seen the candidate, @param slot the row that it was */
export function beginLook({ candidates, lately }: Flows, seen: number, slot: number): void {
  candidates[seen + SEEN_LOOKED] = lately[(slot << LATELY_SHIFT) + LATELY_FRAMES];
}

/** Ends the look when it is time. @returns whether the flow has to be carried again */
export function isSoonerCarried(candidates: Int32Array, seen: number, tick: number): boolean {
  const ticks = tick - candidates[seen + SEEN_SINCE];
  if (ticks < LOOK_TICKS) return false;
  const carried = candidates[seen + SEEN_LOOKED];
  const isCarried = candidates[seen + SEEN_FRAMES] < ticks * (carried + Math.ceil(carried / GAIN));
  candidates[seen + SEEN_LOOKED] = 0;
  candidates[seen + (isCarried ? SEEN_KEPT : SEEN_QUICK)] = tick + EACH_TICKS;
  return isCarried;
}

/** Whether a flow that is the engine's is more than answers now. @param length of its frame */
export function hasOutgrown(candidates: Int32Array, seen: number, length: number): boolean {
  return length > SMALL || candidates[seen + SEEN_FRAMES] > MOST * SEEN_TICKS;
}

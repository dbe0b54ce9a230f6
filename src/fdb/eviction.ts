/**
 * Which learned entry gives way when the table is full and a new one comes.
 *
 * **The rule.** The owner with the most learned entries gives one up, the newcomer's own where it has as many as any. So
 * whoever fills the table pushes out its own entries, and one that is pushed back to the share of the others loses no
 * more. Of that owner's entries the least recently refreshed one goes; entries with a flag never do.
 *
 * **Its bound.** The learned entries of an owner form a ring, in the order in which they came; a hand goes round it.
 *
 *   | learned entries of the owner | which one goes                                     | looked at                          |
 *   |------------------------------|----------------------------------------------------|------------------------------------|
 *   | up to EXACT_ENTRIES          | the least recently refreshed                       | all of them, once for each new tick|
 *   | more                         | the next that was not refreshed since the hand last| 1 in a flood of addresses that     |
 *   |                              | passed it, if it comes within CHANCES entries      | come once, at most CHANCES         |
 *   |                              | else the oldest of these and of a sample of rows   | CHANCES and SAMPLE_ROWS            |
 *
 * In the first line the search ends with the first entry that is as old as the last one found: none is older, and among
 * entries of one tick the first is as good as any. The second is the "second chance" of page replacement: it finds what is
 * not used any more without an order by age, which a table could only keep if every refresh wrote more than one word. The
 * third is for where the hand comes into a stretch of entries that are all in use: rows lie in the order of a hash, so a
 * sample of them has what is older in proportion, wherever it is in the ring.
 *
 * Nothing depends on the size of the table, and an entry that may go is always found if there is one. A flood of new
 * addresses, measured (src/bench/micro/fdb.ts): 0.4 microseconds for each, 0.9 with a million entries, all of learning and
 * telling included; the longest of 100,000 took 8.
 *
 * Called with the lock held, since several threads share rings and hands. It never removes an entry: `table.ts` does.
 */
import { ageOf } from '../shared-memory/age.js';
import {
  type FdbViews,
  HEAD_SAMPLE,
  HEAD_SLOTS,
  RING_NEXT,
  RING_NOTED,
  RING_PREVIOUS,
  RING_SHIFT,
  ROW_MAC_HIGH,
  ROW_OWNER,
  ROW_SEGMENT,
  ROW_SHIFT,
  ROW_STAMP,
  SEGMENT_EMPTY,
} from './layout.js';
import { biggestOwner } from './ranking.js';

/** Most learned entries of an owner of which exactly the least recently refreshed one is found. */
export const EXACT_ENTRIES = 128;
/** Most entries that the hand passes where there are more. */
const CHANCES = 16;
/** Rows that are then looked at. */
const SAMPLE_ROWS = 256;

/** Takes an entry that has become a learned one of this owner into its ring, as the last that the hand comes to. */
export function enterRing(views: FdbViews, row: number, owner: number): void {
  const { handOfOwner, rings, rows } = views;
  const at = row << RING_SHIFT;
  const stamp = rows[(row << ROW_SHIFT) + ROW_STAMP];
  rings[at + RING_NOTED] = stamp;
  const next = handOfOwner[owner] - 1;
  if (next < 0) {
    rings[at + RING_NEXT] = row;
    rings[at + RING_PREVIOUS] = row;
    handOfOwner[owner] = row + 1;
    views.oldestOfOwner[owner] = stamp;
    return;
  }
  const previous = rings[(next << RING_SHIFT) + RING_PREVIOUS];
  rings[at + RING_NEXT] = next;
  rings[at + RING_PREVIOUS] = previous;
  rings[(next << RING_SHIFT) + RING_PREVIOUS] = row;
  rings[(previous << RING_SHIFT) + RING_NEXT] = row;
}

/** Takes an entry out of the ring of the owner whose learned one it was. */
export function leaveRing(views: FdbViews, row: number, owner: number): void {
  const { handOfOwner, rings } = views;
  const at = row << RING_SHIFT;
  const next = rings[at + RING_NEXT];
  const previous = rings[at + RING_PREVIOUS];
  rings[(previous << RING_SHIFT) + RING_NEXT] = next;
  rings[(next << RING_SHIFT) + RING_PREVIOUS] = previous;
  if (handOfOwner[owner] === row + 1) handOfOwner[owner] = next === row ? 0 : next + 1;
}

/**
 * The row of the entry that gives way to a new one.
 * @param owner the newcomer's
 * @returns -1 when nothing is learned
 */
export function victimFor(views: FdbViews, owner: number, now: number): number {
  const { learnedByOwner } = views;
  const biggest = biggestOwner(views);
  const from = learnedByOwner[owner] >= learnedByOwner[biggest] ? owner : biggest;
  const count = learnedByOwner[from];
  if (count === 0) return -1;
  return count <= EXACT_ENTRIES ? oldestOf(views, from, now) : secondChance(views, from, now);
}

function oldestOf(views: FdbViews, owner: number, now: number): number {
  const { oldestOfOwner, rings, rows } = views;
  const oldest = ageOf(now, oldestOfOwner[owner]);
  const first = views.handOfOwner[owner] - 1;
  let victim = first;
  let most = -1;
  let row = first;
  do {
    const age = ageOf(now, rows[(row << ROW_SHIFT) + ROW_STAMP]);
    if (age > most) {
      most = age;
      victim = row;
    }
    row = rings[(row << RING_SHIFT) + RING_NEXT];
  } while (most < oldest && row !== first);
  oldestOfOwner[owner] = rows[(victim << ROW_SHIFT) + ROW_STAMP];
  views.handOfOwner[owner] = rings[(victim << RING_SHIFT) + RING_NEXT] + 1;
  return victim;
}

function secondChance(views: FdbViews, owner: number, now: number): number {
  const { rings, rows } = views;
  let row = views.handOfOwner[owner] - 1;
  let victim = row;
  let most = -1;
  let isUnused = false;
  for (let left = CHANCES; left > 0 && !isUnused; left--) {
    const at = row << RING_SHIFT;
    const stamp = rows[(row << ROW_SHIFT) + ROW_STAMP];
    const age = ageOf(now, stamp);
    isUnused = rings[at + RING_NOTED] === stamp;
    if (isUnused || age > most) {
      most = age;
      victim = row;
    }
    rings[at + RING_NOTED] = stamp;
    row = rings[at + RING_NEXT];
  }
  views.handOfOwner[owner] = row + 1;
  return isUnused ? victim : olderInSample(views, owner, now, victim, most);
}

/** The owner's oldest learned entry among the next SAMPLE_ROWS rows, or `victim` where none is older than `most`. */
function olderInSample(views: FdbViews, owner: number, now: number, victim: number, most: number): number {
  const { header, rows } = views;
  const mask = header[HEAD_SLOTS] - 1;
  let row = header[HEAD_SAMPLE];
  let oldest = victim;
  let age = most;
  for (let left = SAMPLE_ROWS; left > 0; left--) {
    const base = row << ROW_SHIFT;
    const isLearned = rows[base + ROW_SEGMENT] > SEGMENT_EMPTY && rows[base + ROW_MAC_HIGH] >>> 16 === 0;
    if (isLearned && rows[base + ROW_OWNER] === owner && ageOf(now, rows[base + ROW_STAMP]) > age) {
      age = ageOf(now, rows[base + ROW_STAMP]);
      oldest = row;
    }
    row = (row + 1) & mask;
  }
  header[HEAD_SAMPLE] = row;
  return oldest;
}

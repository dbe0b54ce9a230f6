/**
 * Selects the learned entry that a full table evicts for a new one.
 *
 * **Rule.** The entry is the least recently refreshed one of the owner with the most learned entries; of the new entry's owner if
 * no other has more. So an owner that fills the table evicts its own entries, and loses none once it has no more than the others.
 * Entries that control has set are never evicted.
 *
 * **Cost.** The learned entries of an owner form a ring in the order of their arrival, and a hand moves around it.
 *
 *   | learned entries of the owner | selected entry                               | entries read                              |
 *   |------------------------------|----------------------------------------------|-------------------------------------------|
 *   | up to EXACT_ENTRIES          | the least recently refreshed                 | all of them, once for each new tick       |
 *   | more                         | the next one not refreshed since the hand's  | at most CHANCES; 1 in a flood of addresses|
 *   |                              | last pass, within CHANCES entries            | that send one frame each                  |
 *   |                              | otherwise the oldest of these and of a sample| CHANCES, and SAMPLE_ROWS rows             |
 *
 * First line: the search ends at the first entry as old as the last selected one, because no entry is older. Second line: the
 * "second chance" algorithm of page replacement. It finds unused entries without an order by age, for which each refresh
 * would have to write more than one word. Third line: the hand is among entries that are all in use. Rows are in hash order, so a
 * sample of rows contains older entries in proportion, wherever they are in the ring.
 *
 * The cost does not depend on the size of the table, and an entry is found whenever a learned one exists. Measured with a flood of
 * new addresses (src/bench/micro/fdb.ts): 0.4 microseconds each, 0.9 with a million entries, including learning and
 * events; the longest of 100,000 took 8.
 *
 * The caller holds the lock, because threads share rings and hands, and removes the entry (`changes.ts`).
 */
import { ageOf } from '../shared-memory/age.js';
import {
  type FdbViews,
  HEAD_SAMPLE,
  HEAD_SLOTS,
  isLearnedWord,
  RING_NEXT,
  RING_NOTED,
  RING_PREVIOUS,
  RING_SHIFT,
  ROW_MAC_HIGH,
  ROW_OWNER,
  ROW_FID,
  ROW_SHIFT,
  ROW_STAMP,
  FID_EMPTY,
} from './layout.js';
import { biggestOwner } from './ranking.js';

/** Most learned entries of an owner for which the selection is exact. */
export const EXACT_ENTRIES = 128;
/** Most entries that the hand passes for one selection. */
const CHANCES = 16;
/** Rows of a sample. */
const SAMPLE_ROWS = 256;

/** Adds a new learned entry to the ring of its owner, behind the hand: the hand reaches it last. */
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

/** An entry of the owner has this stamp, which may be older than those of the entries before it. */
export function noteOldest({ oldestOfOwner }: FdbViews, owner: number, stamp: number): void {
  if (ageOf(oldestOfOwner[owner], stamp) > 0) oldestOfOwner[owner] = stamp;
}

/** Removes an entry from the ring of the owner for which it was learned. */
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
 * The row of the entry to evict.
 * @param owner of the new entry
 * @returns -1 without learned entries
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

/** The owner's oldest learned entry in the next SAMPLE_ROWS rows; `victim` if none is older than `most`. */
function olderInSample(views: FdbViews, owner: number, now: number, victim: number, most: number): number {
  const { header, rows } = views;
  const mask = header[HEAD_SLOTS] - 1;
  let row = header[HEAD_SAMPLE];
  let oldest = victim;
  let age = most;
  for (let left = SAMPLE_ROWS; left > 0; left--) {
    const base = row << ROW_SHIFT;
    const isLearned = rows[base + ROW_FID] > FID_EMPTY && isLearnedWord(rows[base + ROW_MAC_HIGH]);
    if (isLearned && rows[base + ROW_OWNER] === owner && ageOf(now, rows[base + ROW_STAMP]) > age) {
      age = ageOf(now, rows[base + ROW_STAMP]);
      oldest = row;
    }
    row = (row + 1) & mask;
  }
  header[HEAD_SAMPLE] = row;
  return oldest;
}

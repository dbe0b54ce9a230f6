/**
 * The entries of an FDB as words for another process: all of them, or those that have changed since a copy of the rows. A switch that
 * is replaced sends all while it still forwards, and then, standing still, only the difference: one scan of the rows.
 *
 * Knows the words of a row only. Ages take the place of stamps, since the other table has a clock of its own.
 */
import { ageOf } from '../shared-memory/age.js';
import {
  FID_EMPTY,
  ROW_DESTINATION,
  ROW_FID,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_MOVES,
  ROW_OWNER,
  ROW_STAMP,
  ROW_VERSION,
  ROW_WORDS,
} from './layout.js';

/** Words of a transferred entry: MAC low, MAC high with flags, FID, destination, owner, age in ticks, moves. */
export const SENT_WORDS = 7;
export const SENT_MAC_LOW = 0;
/** As ROW_MAC_HIGH. */
export const SENT_MAC_HIGH = 1;
export const SENT_FID = 2;
export const SENT_DESTINATION = 3;
export const SENT_OWNER = 4;
export const SENT_AGE = 5;
export const SENT_MOVES = 6;
/** Words of a key: MAC low, MAC high, FID. */
export const KEY_WORDS = 3;

/** Rows that are compared at once: 4 KiB. */
const PIECE_WORDS = 128 * ROW_WORDS;

export interface FdbDifference {
  /** SENT_WORDS for each entry that is new or has changed. */
  entries: Int32Array;
  /** KEY_WORDS for each entry of the copy that is no longer in its row; it may be among `entries` again. */
  gone: Int32Array;
}

/**
 * @param now the rows; a row that is being written is left out
 * @param before an earlier copy of them; null: all entries are new. Rows that were being written when they were copied differ
 * from what they became, so they are sent again
 * @param tick the present one of the table's engines
 */
export function differenceOf(now: Int32Array, before: Int32Array | null, tick: number): FdbDifference {
  const changed: number[] = [];
  const left: number[] = [];
  for (const [from, end] of piecesThatDiffer(now, before)) {
    for (let base = from; base < end; base += ROW_WORDS) {
      if (before !== null && isSame(now, before, base)) continue;
      if (before !== null && before[base + ROW_FID] > FID_EMPTY && !isSameKey(now, before, base)) left.push(base);
      if (now[base + ROW_FID] > FID_EMPTY && (now[base + ROW_VERSION] & 1) === 0) changed.push(base);
    }
  }
  const entries = new Int32Array(changed.length * SENT_WORDS);
  for (let index = 0; index < changed.length; index++) pack(entries, index * SENT_WORDS, now, changed[index], tick);
  const gone = new Int32Array(left.length * KEY_WORDS);
  left.forEach((base, index) => {
    const words = before as Int32Array;
    gone.set(
      [words[base + ROW_MAC_LOW], words[base + ROW_MAC_HIGH] & 0xffff, words[base + ROW_FID]],
      index * KEY_WORDS,
    );
  });
  return { entries, gone };
}

/** Pieces of the rows that are not all the same, as first word and the word after the last one. */
function* piecesThatDiffer(now: Int32Array, before: Int32Array | null): Generator<[number, number]> {
  const [one, other] = [bytesOf(now), before === null ? null : bytesOf(before)];
  for (let from = 0; from < now.length; from += PIECE_WORDS) {
    const end = Math.min(from + PIECE_WORDS, now.length);
    if (other === null || one.compare(other, from * 4, end * 4, from * 4, end * 4) !== 0) yield [from, end];
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array): Buffer => Buffer.from(buffer, byteOffset, byteLength);

function isSame(now: Int32Array, before: Int32Array, base: number): boolean {
  for (let word = base; word < base + ROW_WORDS; word++) if (now[word] !== before[word]) return false;
  return true;
}

function isSameKey(now: Int32Array, before: Int32Array, base: number): boolean {
  return (
    now[base + ROW_FID] === before[base + ROW_FID] &&
    now[base + ROW_MAC_LOW] === before[base + ROW_MAC_LOW] &&
    (now[base + ROW_MAC_HIGH] & 0xffff) === (before[base + ROW_MAC_HIGH] & 0xffff)
  );
}

function pack(to: Int32Array, at: number, rows: Int32Array, base: number, tick: number): void {
  to[at + SENT_MAC_LOW] = rows[base + ROW_MAC_LOW];
  to[at + SENT_MAC_HIGH] = rows[base + ROW_MAC_HIGH];
  to[at + SENT_FID] = rows[base + ROW_FID];
  to[at + SENT_DESTINATION] = rows[base + ROW_DESTINATION];
  to[at + SENT_OWNER] = rows[base + ROW_OWNER];
  to[at + SENT_AGE] = ageOf(tick, rows[base + ROW_STAMP]);
  to[at + SENT_MOVES] = rows[base + ROW_MOVES];
}

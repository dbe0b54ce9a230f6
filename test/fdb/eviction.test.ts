import { describe, expect, it } from 'vitest';
import { EXACT_ENTRIES } from '../../src/fdb/eviction.js';
import {
  CAPACITY_MAX,
  COUNTER_ENTRIES,
  COUNTER_EVICTED,
  COUNTER_REFUSED,
  createFdb,
  type Fdb,
  FLAG_PERMANENT,
  FLAG_STATIC,
  FULL,
  LEARNED,
} from '../../src/fdb/table.js';
import { long } from '../long.js';
import { seededRandom } from './table-inspection.js';

const HIGH = 0x0200;
const FID = 1;

/** The first halves of the MACs of those that the noisy port must not push out: it never has them. */
const QUIET_HIGH = 0x0600;

const learn = (fdb: Fdb, low: number, owner: number, now: number): number =>
  fdb.learn(HIGH, low, FID, owner, owner, now);
const has = (fdb: Fdb, low: number): boolean => fdb.lookup(HIGH, low, FID) >= 0;

/** Entries of the quiet ports that are there. */
function quietOnes(fdb: Fdb, owners: number, each: number): number {
  let there = 0;
  for (let owner = 1; owner <= owners; owner++) {
    for (let i = 0; i < each; i++) if (fdb.lookup(QUIET_HIGH, owner * 65_536 + i, FID) >= 0) there++;
  }
  return there;
}

describe('in a full table', () => {
  it.each([
    [long(1_000_000, 250_000), '16 k entries', 16_384, 20, 500],
    [100_000, 'fewer than EXACT_ENTRIES', 200, 20, 5],
  ])('one port with %i random MACs leaves every entry of the others: %s', (macs, _name, capacity, owners, each) => {
    const fdb = createFdb({ capacity, seed: 11 });
    for (let owner = 1; owner <= owners; owner++) {
      for (let i = 0; i < each; i++) fdb.learn(QUIET_HIGH, owner * 65_536 + i, FID, owner, owner, 0);
    }
    const random = seededRandom(17);
    const noisy = owners + 1;
    for (let i = 0; i < macs; i++) {
      if (fdb.learn(HIGH, random(2 ** 32) | 0, FID, noisy, noisy, 1 + (i >> 12)) === FULL) expect.fail('refused');
    }
    expect(quietOnes(fdb, owners, each)).toBe(owners * each);
    expect(fdb.learnedByOwner[noisy]).toBe(capacity - owners * each);
    expect(fdb.counters[COUNTER_ENTRIES]).toBe(capacity);
    expect(fdb.counters[COUNTER_EVICTED]).toBeGreaterThan(macs * 0.9);
    expect(fdb.counters[COUNTER_REFUSED]).toBe(0);
  });

  it('a quiet port goes on learning: the noisy one makes room', () => {
    const fdb = createFdb({ capacity: 64 });
    for (let low = 0; low < 64; low++) learn(fdb, low, 1, low);
    for (let low = 100; low < 120; low++) expect(learn(fdb, low, 2, 100)).toBe(LEARNED);
    expect([fdb.learnedByOwner[1], fdb.learnedByOwner[2]]).toEqual([44, 20]);
    for (let low = 100; low < 120; low++) expect(has(fdb, low)).toBe(true);
    for (let low = 0; low < 64; low++) expect(has(fdb, low)).toBe(low >= 20);
  });

  it('ports that all want more end up with equal shares', () => {
    const fdb = createFdb({ capacity: 60 });
    const random = seededRandom(23);
    for (let i = 0; i < 60; i++) learn(fdb, i, 1, 0);
    for (let i = 0; i < 3000; i++) learn(fdb, 1000 + i, 1 + random(3), 1 + i);
    expect([1, 2, 3].map((owner) => fdb.learnedByOwner[owner])).toEqual([20, 20, 20]);
  });

  it('the least recently refreshed goes, whatever the order in which they came', () => {
    const fdb = createFdb({ capacity: EXACT_ENTRIES });
    const random = seededRandom(29);
    const lows = Array.from({ length: EXACT_ENTRIES }, (_, low) => low);
    for (const low of lows) learn(fdb, low, 1, 0);
    for (let i = lows.length - 1; i > 0; i--) {
      const other = random(i + 1);
      [lows[i], lows[other]] = [lows[other] as number, lows[i] as number];
    }
    lows.forEach((low, i) => void learn(fdb, low, 1, 10 + i));
    for (let i = 0; i < EXACT_ENTRIES; i++) {
      learn(fdb, 100_000 + i, 1, 5000);
      if (has(fdb, lows[i] as number)) expect.fail(`${i}: the oldest is still there`);
      if (i + 1 < EXACT_ENTRIES && !has(fdb, lows[i + 1] as number)) expect.fail(`${i}: a younger one is gone`);
    }
  });

  it('of many entries, those that are used stay, and those that came once go', () => {
    const capacity = EXACT_ENTRIES * 8;
    const used = capacity / 8;
    const fdb = createFdb({ capacity, seed: 3 });
    for (let low = 0; low < used; low++) learn(fdb, low, 1, 0);
    // What is used is refreshed each time that a quarter of the table has come anew.
    for (let i = 0; i < capacity * 6; i++) {
      const now = 1 + Math.floor(i / (capacity / 4));
      if (i % (capacity / 4) === 0) for (let low = 0; low < used; low++) learn(fdb, low, 1, now);
      learn(fdb, 1_000_000 + i, 1, now);
    }
    for (let low = 0; low < used; low++) if (!has(fdb, low)) expect.fail(`entry ${low} is gone`);
    const newest = 1_000_000 + capacity * 6 - 1;
    for (let i = 0; i < capacity / 2; i++) if (!has(fdb, newest - i)) expect.fail(`the newest but ${i} is gone`);
  });

  it('of many entries, the half that was refreshed stays where the hand meets it first', () => {
    const capacity = EXACT_ENTRIES * 32;
    const fdb = createFdb({ capacity, seed: 5 });
    for (let low = 0; low < capacity; low++) learn(fdb, low, 1, 0);
    for (let low = 0; low < capacity / 2; low++) learn(fdb, low, 1, 1);
    for (let i = 0; i < capacity / 4; i++) learn(fdb, 1_000_000 + i, 1, 2);
    for (let low = 0; low < capacity / 2; low++) if (!has(fdb, low)) expect.fail(`entry ${low} is gone`);
  });

  it('of many entries that are all used, the oldest of those at the hand goes', () => {
    const capacity = EXACT_ENTRIES * 2;
    const fdb = createFdb({ capacity });
    for (let low = 0; low < capacity; low++) learn(fdb, low, 1, 0);
    for (let low = 0; low < capacity; low++) learn(fdb, low, 1, low === 5 ? 1 : 2);
    learn(fdb, capacity, 1, 3);
    expect(has(fdb, 5)).toBe(false);
    expect(fdb.counters[COUNTER_ENTRIES]).toBe(capacity);
  });

  it('what control has set never gives way, and takes the place of what is learned', () => {
    const fdb = createFdb({ capacity: 4 });
    learn(fdb, 1, 1, 5);
    learn(fdb, 2, 1, 4);
    for (let low = 10; low < 14; low++) expect(fdb.set(HIGH, low, FID, 2, 2, FLAG_STATIC, 9)).toBe(true);
    expect([1, 2].map((low) => has(fdb, low))).toEqual([false, false]);
    expect(fdb.set(HIGH, 14, FID, 2, 2, FLAG_PERMANENT, 9)).toBe(false);
    expect(learn(fdb, 3, 1, 9)).toBe(FULL);
    expect([fdb.counters[COUNTER_EVICTED], fdb.counters[COUNTER_REFUSED]]).toEqual([2, 2]);
    for (let low = 10; low < 14; low++) expect(has(fdb, low)).toBe(true);
  });

  it('limits refuse before anything gives way', () => {
    const fdb = createFdb({ capacity: 4 });
    for (let low = 0; low < 4; low++) learn(fdb, low, 1, 0);
    fdb.ownerLimit[2] = 1;
    fdb.groupLimit[0] = 4;
    expect(learn(fdb, 10, 2, 1)).toBe(FULL);
    fdb.groupLimit[0] = 0;
    expect([10, 11].map((low) => learn(fdb, low, 2, 1))).toEqual([LEARNED, FULL]);
    expect([fdb.counters[COUNTER_EVICTED], fdb.counters[COUNTER_REFUSED]]).toEqual([1, 2]);
  });

  it('the largest table as any other', () => {
    const fdb = createFdb({ capacity: CAPACITY_MAX, seed: 7 });
    for (let i = 0; i < 1000; i++) fdb.learn(QUIET_HIGH, 65_536 + i, FID, 1, 1, 0);
    for (let i = 0; i < CAPACITY_MAX; i++) fdb.learn(HIGH, Math.imul(i, 0x9e3779b1), FID, 2, 2, 1 + (i >> 16));
    expect(quietOnes(fdb, 1, 1000)).toBe(1000);
    expect([1, 2].map((owner) => fdb.learnedByOwner[owner])).toEqual([1000, CAPACITY_MAX - 1000]);
    expect(fdb.counters[COUNTER_EVICTED]).toBe(1000);
    for (let i = 0; i < 1000; i++) expect(fdb.lookup(HIGH, Math.imul(i, 0x9e3779b1), FID)).toBe(-1);
    expect(fdb.set(HIGH, 5, FID, 3, 3, FLAG_STATIC, 99)).toBe(true);
    expect(fdb.counters[COUNTER_EVICTED]).toBe(1001);
  });

  it('a table of one entry always has the newest', () => {
    const fdb = createFdb({ capacity: 1 });
    for (let low = 0; low < 100; low++) {
      expect(learn(fdb, low, low % 3, low)).toBe(LEARNED);
      expect(has(fdb, low)).toBe(true);
    }
    expect(fdb.counters[COUNTER_EVICTED]).toBe(99);
    expect(fdb.tombstones).toBe(0);
  });

  it('the oldest is found across the wrap of the clock', () => {
    const fdb = createFdb({ capacity: 3 });
    for (let low = 1; low <= 3; low++) learn(fdb, low, 1, 0x7ffffff0 + low);
    learn(fdb, 1, 1, 5);
    learn(fdb, 4, 1, 9);
    expect([1, 2, 3, 4].map((low) => has(fdb, low))).toEqual([true, false, true, true]);
  });
});

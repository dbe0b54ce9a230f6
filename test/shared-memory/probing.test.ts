/** Free rows and the cleaning of tombstones, against a search that looks at every row. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  EMPTY,
  findFree,
  freeRow,
  PROBE_LIMIT,
  type ProbedRows,
  probeLimit,
  TOMBSTONE,
} from '../../src/shared-memory/probing.js';

const SHIFT = 1;
const KEY = 1;
const SLOTS = 16;

/** A table of two words a row; the home of key k is row k mod 16, so that keys from 1 on collide as the test wants. */
function makeTable(limit = probeLimit(SLOTS)): ProbedRows {
  const rows = new Int32Array(new SharedArrayBuffer((SLOTS << SHIFT) * 4));
  const homeOf = (row: number): number => rows[(row << SHIFT) + KEY] & (SLOTS - 1);
  return { rows, shift: SHIFT, keyWord: KEY, mask: SLOTS - 1, limit, homeOf };
}

const keyAt = ({ rows }: ProbedRows, row: number): number => rows[(row << SHIFT) + KEY];

function insert(table: ProbedRows, key: number): number {
  const row = findFree(table, key & (SLOTS - 1));
  if (row >= 0) table.rows[(row << SHIFT) + KEY] = key;
  return row;
}

/** As each table searches. */
function find(table: ProbedRows, key: number): number {
  let row = key & (SLOTS - 1);
  for (let left = table.limit; left > 0; left--) {
    if (keyAt(table, row) === EMPTY) return -1;
    if (keyAt(table, row) === key) return row;
    row = (row + 1) & (SLOTS - 1);
  }
  return -1;
}

const tombstonesOf = (table: ProbedRows): number[] =>
  Array.from({ length: SLOTS }, (_, row) => row).filter((row) => keyAt(table, row) === TOMBSTONE);

it('looks at all rows of a small table, and at PROBE_LIMIT of a large one', () => {
  expect([probeLimit(8), probeLimit(PROBE_LIMIT), probeLimit(1 << 20)]).toEqual([8, PROBE_LIMIT, PROBE_LIMIT]);
});

it('leaves a tombstone while a search passes over it, and none when the last such entry goes', () => {
  const table = makeTable();
  const [one, two, three] = [4, 20, 36].map((key) => insert(table, key)); // all at home in row 4
  expect([one, two, three]).toEqual([4, 5, 6]);
  expect(freeRow(table, one)).toBe(1);
  expect(freeRow(table, two)).toBe(1);
  expect([tombstonesOf(table), find(table, 36)]).toEqual([[4, 5], 6]);
  expect(freeRow(table, three)).toBe(-2);
  expect(tombstonesOf(table)).toEqual([]);
});

it('reuses the first tombstone on a path, round the end of the table too', () => {
  const table = makeTable();
  for (const key of [15, 31, 47]) insert(table, key); // rows 15, 0, 1
  freeRow(table, 0);
  expect(insert(table, 63)).toBe(0);
  expect([find(table, 47), tombstonesOf(table)]).toEqual([1, []]);
});

it('has no free row beyond the limit', () => {
  const table = makeTable(3);
  for (const key of [4, 20, 36]) expect(insert(table, key)).toBeGreaterThanOrEqual(0);
  expect(insert(table, 52)).toBe(-1);
});

it('keeps exactly the tombstones that some search passes over', () => {
  const step = fc.record({ key: fc.integer({ min: 1, max: 60 }), removes: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const table = makeTable();
      const held = new Set<number>();
      let tombstones = 0;
      for (const { key, removes } of steps) {
        const row = find(table, key);
        if (row >= 0 !== held.has(key)) expect.fail(`key ${key} is lost, or came from nowhere`);
        if (removes && row >= 0) {
          tombstones += freeRow(table, row);
          held.delete(key);
        } else if (!removes && row < 0 && held.size < SLOTS / 2) {
          const free = findFree(table, key & (SLOTS - 1));
          if (keyAt(table, free) === TOMBSTONE) tombstones--;
          expect(insert(table, key)).toBe(free);
          held.add(key);
        }
        // A row is passed over if it lies between the home of an entry and its row.
        const passed = new Set<number>();
        for (const one of held) {
          for (let at = one & (SLOTS - 1); at !== find(table, one); at = (at + 1) & (SLOTS - 1)) passed.add(at);
        }
        const left = tombstonesOf(table);
        if (!left.every((at) => passed.has(at))) expect.fail('a tombstone is left that no search passes over');
        if ([...passed].some((at) => keyAt(table, at) === EMPTY)) expect.fail('a search ends too early');
        if (tombstones !== left.length) expect.fail('the tombstones are miscounted');
      }
    }),
    { seed: 5, numRuns: 200 },
  );
});

/** Entries of control programs: what they may displace, and what displaces them. */
import { expect, it } from 'vitest';
import {
  createFdb,
  type Fdb,
  FLAG_ADDED,
  FLAG_EXTERN_LEARN,
  FLAG_PERMANENT,
  FLAG_PINNED,
  FLAG_STATIC,
} from '../../src/fdb/table.js';

const LOCAL = 1;
const REMOTE = 1024 + 2;
const KEY = [0x0200, 7, 1] as const;

const put = (fdb: Fdb, destination = REMOTE): boolean => fdb.setExternal(...KEY, destination, 2, FLAG_EXTERN_LEARN, 1);
const found = (fdb: Fdb): number[] => {
  const row = fdb.lookup(...KEY);
  const words = (fdb as unknown as { rows: Int32Array }).rows;
  return row < 0 ? [] : [words[row * 8 + 3], words[row * 8 + 1] >>> 16];
};

it('displace a learned entry, and one that learning has taken over', () => {
  const fdb = createFdb({ capacity: 8 });
  fdb.learn(...KEY, LOCAL, 1, 1);
  expect(put(fdb)).toBe(true);
  expect(found(fdb)).toEqual([REMOTE, FLAG_EXTERN_LEARN]);
  fdb.learn(...KEY, LOCAL, 1, 2);
  expect(found(fdb)).toEqual([LOCAL, FLAG_ADDED]);
  put(fdb);
  expect(found(fdb)).toEqual([REMOTE, FLAG_EXTERN_LEARN]);
});

it.each([FLAG_STATIC, FLAG_PERMANENT, FLAG_PINNED | FLAG_STATIC])(
  'leave a configured entry alone (flags %i)',
  (flags) => {
    const fdb = createFdb({ capacity: 8 });
    fdb.set(...KEY, LOCAL, 1, flags, 1);
    expect(put(fdb)).toBe(true);
    expect(found(fdb)).toEqual([LOCAL, flags]);
    expect(fdb.removeExternal(...KEY, LOCAL)).toBe(false);
  },
);

it('are removed only where they were put', () => {
  const fdb = createFdb({ capacity: 8 });
  put(fdb);
  expect(fdb.removeExternal(...KEY, REMOTE + 1)).toBe(false);
  fdb.learn(...KEY, LOCAL, 1, 2);
  expect(fdb.removeExternal(...KEY, LOCAL)).toBe(false);
  put(fdb);
  expect(fdb.removeExternal(...KEY, REMOTE)).toBe(true);
  expect(found(fdb)).toEqual([]);
});

it('do not age; of a full table they displace learned entries only', () => {
  const fdb = createFdb({ capacity: 2 });
  put(fdb);
  fdb.sweep(1_000_000, fdb.slots);
  expect(found(fdb)).toEqual([REMOTE, FLAG_EXTERN_LEARN]);
  fdb.learn(0x0200, 8, 1, LOCAL, 1, 1);
  expect(fdb.setExternal(0x0200, 9, 1, REMOTE, 2, FLAG_EXTERN_LEARN, 1)).toBe(true);
  expect(fdb.lookup(0x0200, 8, 1)).toBe(-1);
  expect(fdb.setExternal(0x0200, 10, 1, REMOTE, 2, FLAG_EXTERN_LEARN, 1)).toBe(false);
});

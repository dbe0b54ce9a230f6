import { describe, expect, it } from 'vitest';
import {
  AGEING_NEVER,
  COUNTER_AGED,
  COUNTER_ENTRIES,
  COUNTER_LEARNED,
  COUNTER_MOVED,
  COUNTER_REFUSED,
  createFdb,
  Fdb,
  FLAG_ADDED,
  FLAG_EXTERN_LEARN,
  FLAG_PERMANENT,
  FLAG_PINNED,
  FLAG_STATIC,
  FLAG_STICKY,
  FLAGS_ALL,
  FLAGS_NEVER_AGED,
  FULL,
  LEARNED,
  MOVED,
  REFRESHED,
  STATIC_OTHER,
  STATIC_SAME,
} from '../../src/fdb/table.js';

const HIGH = 0x0200;

describe('createFdb refuses', () => {
  it.each([
    ['no room at all', { capacity: 0 }, /capacity is 0: give an integer from 1 to 1048576/],
    ['more than a million entries', { capacity: 1_048_577 }, /capacity/],
    ['half an entry', { capacity: 1.5 }, /capacity/],
    ['no owners', { owners: 0 }, /owners/],
    ['no groups', { groups: 0 }, /groups/],
    ['no events', { events: 0 }, /FDB events is 0: give an integer from 1 to 1048576/],
  ])('%s', (_name, options, message) => {
    expect(() => createFdb(options)).toThrow(message);
  });

  it('memory that is no table', () => {
    expect(() => Fdb.attach(new SharedArrayBuffer(16))).toThrow(/not an FDB/);
    expect(() => Fdb.attach(new SharedArrayBuffer(4096))).toThrow(/not an FDB/);
  });
});

describe('the memory', () => {
  it.each([
    [1, 8],
    [4, 8],
    [5, 16],
    [65_536, 131_072],
  ])('has for %i entries %i rows of 32 bytes, each within one cache line', (capacity, slots) => {
    const fdb = createFdb({ capacity, owners: 3, groups: 5 });
    expect(fdb.slots).toBe(slots);
    expect(fdb.rows.byteLength).toBe(slots * 32);
    expect(fdb.rows.byteOffset % 64).toBe(0);
  });

  it('can be attached to', () => {
    const fdb = createFdb({ capacity: 16, seed: 77 });
    fdb.learn(HIGH, 5, 1, 42, 3, 9);
    const other = Fdb.attach(fdb.memory);
    const row = other.lookup(HIGH, 5, 1);
    expect(other.destinationOf(row)).toBe(42);
    expect(other.remove(HIGH, 5, 1)).toBe(true);
    expect(fdb.lookup(HIGH, 5, 1)).toBe(-1);
    expect(fdb.learnedByOwner[3]).toBe(0);
  });
});

describe('lookup and learn', () => {
  it('refuses what would corrupt the table', () => {
    const fdb = createFdb({ capacity: 8, owners: 4 });
    expect(() => fdb.learn(HIGH, 1, 0, 1, 0, 0)).toThrow(/fid is 0/);
    expect(() => fdb.learn(HIGH, 1, -1, 1, 0, 0)).toThrow(/fid is -1/);
    expect(() => fdb.learn(HIGH, 1, 1, 1, 4, 0)).toThrow(/owner is 4: give 0 to 3/);
    expect(() => fdb.learn(0x10000, 1, 1, 1, 0, 0)).toThrow(/MAC high word/);
    expect(() => fdb.set(HIGH, 1, 1, 1, -1, FLAG_STATIC, 0)).toThrow(/owner is -1/);
    expect(() => fdb.set(HIGH, 1, 1, 1, 0, 512, 0)).toThrow(/flags are 512/);
    expect(fdb.counters[COUNTER_ENTRIES]).toBe(0);
    fdb.learn(HIGH, 1, 1, 1, 0, 0);
    expect(() => fdb.learn(HIGH, 1, 1, 2, 9, 0)).toThrow(/owner is 9/);
    expect(fdb.destinationOf(fdb.lookup(HIGH, 1, 1))).toBe(1);
  });

  it('does not take an empty row for the MAC of zeros in no fid', () => {
    expect(createFdb({ capacity: 8 }).lookup(0, 0, 0)).toBe(-1);
  });

  it('finds what it learned, with every word', () => {
    const fdb = createFdb({ capacity: 8 });
    expect(fdb.lookup(0xfeff, -1, 0xffffff)).toBe(-1);
    expect(fdb.learn(0xfeff, -1, 0xffffff, -5, 7, 1000)).toBe(LEARNED);
    const row = fdb.lookup(0xfeff, -1, 0xffffff);
    expect([fdb.macHighOf(row), fdb.macLowOf(row), fdb.fidAt(row)]).toEqual([0xfeff, -1, 0xffffff]);
    expect([fdb.destinationOf(row), fdb.ownerOf(row), fdb.flagsOf(row)]).toEqual([-5, 7, 0]);
    expect([fdb.stampOf(row), fdb.movesOf(row)]).toEqual([1000, 0]);
  });

  it('keeps apart what differs in one part of the key', () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.learn(HIGH, 1, 1, 10, 0, 0);
    fdb.learn(HIGH, 1, 2, 20, 0, 0);
    fdb.learn(HIGH, 2, 1, 30, 0, 0);
    fdb.learn(HIGH + 1, 1, 1, 40, 0, 0);
    const to = (high: number, low: number, fid: number): number => fdb.destinationOf(fdb.lookup(high, low, fid));
    expect([to(HIGH, 1, 1), to(HIGH, 1, 2), to(HIGH, 2, 1), to(HIGH + 1, 1, 1)]).toEqual([10, 20, 30, 40]);
    expect(fdb.lookup(HIGH + 1, 2, 1)).toBe(-1);
  });

  it('refreshes the stamp only', () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.learn(HIGH, 1, 1, 10, 0, 5);
    const row = fdb.lookup(HIGH, 1, 1);
    const before = fdb.rows.slice(row * 8, row * 8 + 8);
    expect(fdb.learn(HIGH, 1, 1, 10, 0, 6)).toBe(REFRESHED);
    before[4] = 6;
    expect(fdb.rows.slice(row * 8, row * 8 + 8)).toEqual(before);
    expect(fdb.counters[COUNTER_LEARNED]).toBe(1);
  });

  it('moves a learned entry at once and in place', () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.learn(HIGH, 1, 1, 10, 2, 5);
    const row = fdb.lookup(HIGH, 1, 1);
    expect(fdb.learn(HIGH, 1, 1, 11, 3, 6)).toBe(MOVED);
    expect(fdb.lookup(HIGH, 1, 1)).toBe(row);
    expect([fdb.destinationOf(row), fdb.ownerOf(row), fdb.stampOf(row), fdb.movesOf(row)]).toEqual([11, 3, 6, 1]);
    expect([fdb.learnedByOwner[2], fdb.learnedByOwner[3], fdb.counters[COUNTER_MOVED]]).toEqual([0, 1, 1]);
  });
});

describe('entries set by control', () => {
  it.each([
    ['static', FLAG_STATIC, true],
    ['permanent', FLAG_PERMANENT, false],
    ['static sticky', FLAG_STATIC | FLAG_STICKY, false],
    ['pinned', FLAG_STATIC | FLAG_PINNED, false],
    ['pinned alone', FLAG_PINNED, false],
  ])('%s: never aged, moves: %s -> %s', (_name, flags, moves) => {
    const fdb = createFdb({ capacity: 8 });
    expect(fdb.set(HIGH, 1, 1, 10, 2, flags, 0)).toBe(true);
    const row = fdb.lookup(HIGH, 1, 1);
    expect(fdb.learn(HIGH, 1, 1, 10, 2, 4)).toBe(STATIC_SAME);
    expect(fdb.stampOf(row)).toBe(4);
    const before = fdb.rows.slice(row * 8, row * 8 + 8);
    expect(fdb.learn(HIGH, 1, 1, 11, 3, 5)).toBe(moves ? MOVED : STATIC_OTHER);
    if (moves) expect(fdb.destinationOf(row)).toBe(11);
    else expect(fdb.rows.slice(row * 8, row * 8 + 8)).toEqual(before);
    expect(fdb.flagsOf(row)).toBe(flags);
    expect(fdb.sweep(0x7ffffff0, fdb.slots)).toBe(0);
    expect(fdb.learnedByGroup[0]).toBe(0);
  });

  it('sticky without static ages, but does not move', () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.set(HIGH, 1, 1, 10, 2, FLAG_STICKY, 0);
    expect(fdb.learn(HIGH, 1, 1, 10, 2, 1)).toBe(REFRESHED);
    expect(fdb.learn(HIGH, 1, 1, 11, 2, 1)).toBe(STATIC_OTHER);
    expect(fdb.sweep(3001, fdb.slots)).toBe(1);
  });

  it('without a flag ages, moves, and is counted by no limit', () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.set(HIGH, 1, 1, 10, 2, 0, 0);
    expect(fdb.flagsOf(fdb.lookup(HIGH, 1, 1))).toBe(FLAG_ADDED);
    expect(fdb.learn(HIGH, 1, 1, 10, 2, 1)).toBe(REFRESHED);
    expect(fdb.learn(HIGH, 1, 1, 11, 3, 1)).toBe(MOVED);
    expect(fdb.learnedByGroup[0]).toBe(0);
    expect(fdb.sweep(3001, fdb.slots)).toBe(1);
  });

  it('extern_learn never ages, until learning moves it and takes it over', () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.set(HIGH, 1, 1, 10, 2, FLAG_EXTERN_LEARN, 0);
    expect(fdb.learn(HIGH, 1, 1, 10, 2, 0)).toBe(STATIC_SAME);
    expect(fdb.sweep(100_000, fdb.slots)).toBe(0);
    expect(fdb.learn(HIGH, 1, 1, 11, 3, 100_000)).toBe(MOVED);
    expect(fdb.flagsOf(fdb.lookup(HIGH, 1, 1))).toBe(FLAG_ADDED);
    expect(fdb.learnedByOwner[3]).toBe(0);
    expect(fdb.sweep(103_000, fdb.slots)).toBe(1);
  });

  it('replace a learned entry, which is then no longer counted', () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.learn(HIGH, 1, 1, 10, 2, 0);
    fdb.learn(HIGH, 1, 1, 11, 2, 0);
    expect(fdb.set(HIGH, 1, 1, 12, 4, FLAG_STATIC, 1)).toBe(true);
    const row = fdb.lookup(HIGH, 1, 1);
    expect([fdb.destinationOf(row), fdb.ownerOf(row), fdb.movesOf(row)]).toEqual([12, 4, 1]);
    expect([fdb.learnedByOwner[2], fdb.learnedByOwner[4], fdb.counters[COUNTER_ENTRIES]]).toEqual([0, 0, 1]);
  });
});

describe('limits', () => {
  it('the table itself, full of entries that do not give way: refused, counted, and room again after a removal', () => {
    const fdb = createFdb({ capacity: 3 });
    for (let low = 0; low < 3; low++) expect(fdb.set(HIGH, low, 1, 1, 0, 0, 0)).toBe(true);
    expect(fdb.learn(HIGH, 3, 1, 1, 0, 0)).toBe(FULL);
    expect(fdb.set(HIGH, 3, 1, 1, 0, FLAG_STATIC, 0)).toBe(false);
    expect(fdb.counters[COUNTER_REFUSED]).toBe(2);
    expect(fdb.learn(HIGH, 0, 1, 2, 0, 0)).toBe(MOVED);
    expect(fdb.set(HIGH, 1, 1, 2, 0, FLAG_STATIC, 0)).toBe(true);
    expect(fdb.remove(HIGH, 2, 1)).toBe(true);
    expect(fdb.remove(HIGH, 2, 1)).toBe(false);
    expect(fdb.learn(HIGH, 3, 1, 1, 0, 0)).toBe(LEARNED);
  });

  it("an owner's: learned entries only, static ones on top", () => {
    const fdb = createFdb({ capacity: 16 });
    fdb.ownerLimit[5] = 2;
    fdb.set(HIGH, 100, 1, 1, 5, FLAG_STATIC, 0);
    expect([1, 2, 3].map((low) => fdb.learn(HIGH, low, 1, 1, 5, 0))).toEqual([LEARNED, LEARNED, FULL]);
    expect(fdb.set(HIGH, 101, 1, 1, 5, FLAG_STATIC, 0)).toBe(true);
    expect(fdb.learn(HIGH, 4, 1, 1, 6, 0)).toBe(LEARNED);
    fdb.set(HIGH, 1, 1, 1, 5, FLAG_STATIC, 0);
    expect(fdb.learn(HIGH, 3, 1, 1, 5, 0)).toBe(LEARNED);
    expect(fdb.learnedByOwner[5]).toBe(2);
  });

  it("a group's: over all its owners", () => {
    const fdb = createFdb({ capacity: 16 });
    fdb.assignGroup(1, 9);
    fdb.assignGroup(2, 9);
    fdb.groupLimit[9] = 2;
    expect([1, 2, 1].map((owner, low) => fdb.learn(HIGH, low, 1, owner, owner, 0))).toEqual([LEARNED, LEARNED, FULL]);
    expect(fdb.learn(HIGH, 0, 1, 2, 2, 0)).toBe(MOVED);
    expect(fdb.learn(HIGH, 50, 1, 3, 3, 0)).toBe(LEARNED);
    expect([fdb.learnedByGroup[9], fdb.learnedByGroup[0]]).toEqual([2, 1]);
  });

  it('an entry that roams to an owner without room is forgotten, not left where it is no more', () => {
    const fdb = createFdb({ capacity: 16 });
    fdb.ownerLimit[2] = 1;
    fdb.learn(HIGH, 1, 1, 20, 2, 0);
    fdb.learn(HIGH, 2, 1, 10, 1, 0);
    expect(fdb.learn(HIGH, 2, 1, 20, 2, 0)).toBe(FULL);
    expect(fdb.lookup(HIGH, 2, 1)).toBe(-1);
    expect(fdb.learn(HIGH, 1, 1, 21, 2, 0)).toBe(MOVED);
    expect([fdb.learnedByOwner[1], fdb.learnedByOwner[2], fdb.counters[COUNTER_REFUSED]]).toEqual([0, 1, 1]);
  });

  it('counts follow an owner into another group', () => {
    const fdb = createFdb({ capacity: 16 });
    for (let low = 0; low < 3; low++) fdb.learn(HIGH, low, 1, 1, 1, 0);
    fdb.assignGroup(1, 4);
    expect([fdb.learnedByGroup[0], fdb.learnedByGroup[4]]).toEqual([0, 3]);
    fdb.remove(HIGH, 0, 1);
    expect(fdb.learnedByGroup[4]).toBe(2);
    expect(() => fdb.assignGroup(1, 256)).toThrow(/owner 1 or group 256 does not exist/);
    expect(() => fdb.assignGroup(-1, 0)).toThrow(/does not exist/);
  });
});

describe('ageing', () => {
  it('starts from 300 s and counts from the last frame from the MAC', () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.learn(HIGH, 1, 1, 1, 0, 0);
    fdb.learn(HIGH, 1, 1, 1, 0, 100);
    fdb.lookup(HIGH, 1, 1);
    expect(fdb.sweep(3099, fdb.slots)).toBe(0);
    expect(fdb.sweep(3100, fdb.slots)).toBe(1);
    expect([fdb.counters[COUNTER_AGED], fdb.counters[COUNTER_ENTRIES], fdb.learnedByOwner[0]]).toEqual([1, 0, 0]);
  });

  it("takes the owner's limit before the group's", () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.ageingOfGroup[0] = 50;
    fdb.ageingOfOwner[1] = 10;
    fdb.ageingOfOwner[2] = AGEING_NEVER;
    for (let owner = 0; owner < 3; owner++) fdb.learn(HIGH, owner, 1, owner, owner, 0);
    expect(fdb.sweep(10, fdb.slots)).toBe(1);
    expect(fdb.lookup(HIGH, 1, 1)).toBe(-1);
    expect(fdb.sweep(50, fdb.slots)).toBe(1);
    expect(fdb.sweep(0x7fffffff, fdb.slots)).toBe(0);
    expect(fdb.lookup(HIGH, 2, 1)).toBeGreaterThanOrEqual(0);
  });

  it('is not disturbed by the wrap of the clock', () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.learn(HIGH, 1, 1, 1, 0, 0x7ffffff0);
    expect(fdb.sweep(0, fdb.slots)).toBe(0);
    expect(fdb.sweep(3000 - 17, fdb.slots)).toBe(0);
    expect(fdb.sweep(3000 - 16, fdb.slots)).toBe(1);
  });

  it('goes round in pieces', () => {
    const fdb = createFdb({ capacity: 100 });
    for (let low = 0; low < 100; low++) fdb.learn(HIGH, low, 1, 1, 0, 0);
    let removed = 0;
    for (let row = 0; row < fdb.slots; row += 32) {
      const now = fdb.sweep(5000, 32);
      expect(now).toBeLessThanOrEqual(32);
      removed += now;
    }
    expect(removed).toBe(100);
    expect(fdb.tombstones).toBe(0);
  });

  it('ends after so many removals, and goes on there', () => {
    const fdb = createFdb({ capacity: 100 });
    for (let low = 0; low < 100; low++) fdb.learn(HIGH, low, 1, 1, 0, 0);
    for (let call = 0; call < 4; call++) expect(fdb.sweep(5000, fdb.slots, 25)).toBe(25);
    expect(fdb.counters[COUNTER_ENTRIES]).toBe(0);
  });

  it('never goes round twice in one call', () => {
    const fdb = createFdb({ capacity: 4 });
    fdb.learn(HIGH, 1, 1, 1, 0, 0);
    expect(fdb.sweep(5000, 1_000_000_000)).toBe(1);
  });
});

describe('flush', () => {
  const filled = (): Fdb => {
    const fdb = createFdb({ capacity: 32 });
    for (let i = 0; i < 8; i++) fdb.learn(HIGH, i, 1 + (i & 1), 10 + (i >> 2), i & 3, 0);
    fdb.set(HIGH, 100, 1, 10, 0, FLAG_STATIC, 0);
    fdb.set(HIGH, 101, 1, 10, 0, FLAG_STATIC | FLAG_STICKY, 0);
    fdb.set(HIGH, 102, 2, 11, 1, FLAG_PERMANENT, 0);
    return fdb;
  };

  it.each([
    ['everything', {}, 11],
    ['an owner', { owner: 0 }, 4],
    ['a fid', { fid: 2 }, 5],
    ['a destination', { destination: 11 }, 5],
    ['several destinations', { destinations: new Set([10, 11, 12]) }, 11],
    ['one of several destinations', { destinations: new Set([11, 12]) }, 5],
    ['up to a fid', { lastFid: 1 }, 6],
    ['a destination up to a fid', { destinations: new Set([11]), lastFid: 1 }, 2],
    ['an owner in a fid', { owner: 1, fid: 2 }, 3],
    ['learned entries', { flagsMask: FLAGS_ALL }, 8],
    ['learned entries of an owner', { owner: 0, flagsMask: FLAGS_ALL, flagsValue: 0 }, 2],
    ['static entries, sticky or not', { flagsMask: FLAG_STATIC, flagsValue: FLAG_STATIC }, 2],
    ['whatever never ages', { flagsAny: FLAGS_NEVER_AGED }, 3],
    ['of that, what is not permanent', { flagsAny: FLAGS_NEVER_AGED, flagsMask: FLAG_PERMANENT }, 2],
    ['nothing', { owner: 77 }, 0],
  ])('%s', (_name, match, count) => {
    const fdb = filled();
    expect(fdb.flush(match)).toBe(count);
    expect(fdb.counters[COUNTER_ENTRIES]).toBe(11 - count);
    expect(fdb.flush(match)).toBe(0);
  });

  it('in pieces', () => {
    const fdb = filled();
    let removed = 0;
    for (let row = 0; row < fdb.slots; row += 16) removed += fdb.flush({}, row, 16);
    expect(removed).toBe(11);
  });

  it('removeRow removes an entry once', () => {
    const fdb = filled();
    const row = fdb.lookup(HIGH, 100, 1);
    expect(fdb.removeRow(row)).toBe(true);
    expect(fdb.removeRow(row)).toBe(false);
    expect(fdb.removeRow(-1)).toBe(false);
    expect(fdb.removeRow(fdb.slots)).toBe(false);
    expect(fdb.counters[COUNTER_ENTRIES]).toBe(10);
  });
});

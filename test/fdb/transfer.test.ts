/** A table that gets all entries of another one, and then what has changed, holds the same entries. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createFdb,
  differenceOf,
  type Fdb,
  FdbReader,
  FLAG_ADDED,
  FLAG_STATIC,
  KEY_WORDS,
  SENT_AGE,
  SENT_DESTINATION,
  SENT_FID,
  SENT_MAC_HIGH,
  SENT_MAC_LOW,
  SENT_MOVES,
  SENT_OWNER,
  SENT_WORDS,
} from '../../src/fdb/table.js';

const OPTIONS = { capacity: 64, owners: 4, groups: 2 };
/** Ticks by which the clock of the other table is ahead. */
const AHEAD = 100_000;

const change = fc.oneof(
  fc.record({ kind: fc.constant('learn' as const), mac: fc.nat(40), owner: fc.nat(3) }),
  fc.record({
    kind: fc.constant('set' as const),
    mac: fc.nat(40),
    owner: fc.nat(3),
    flags: fc.constantFrom(0, FLAG_STATIC),
  }),
  fc.record({ kind: fc.constant('remove' as const), mac: fc.nat(40) }),
  fc.record({ kind: fc.constant('wait' as const), ticks: fc.integer({ min: 1, max: 50 }) }),
);

class Site {
  readonly fdb = createFdb({ ...OPTIONS, seed: 5 });
  readonly reader = new FdbReader(this.fdb.memory);
  tick = 1000;

  apply(changes: readonly (typeof change extends fc.Arbitrary<infer T> ? T : never)[]): void {
    for (const one of changes) {
      if (one.kind === 'wait') this.tick += one.ticks;
      else if (one.kind === 'remove') this.fdb.remove(1, one.mac, 1);
      else if (one.kind === 'learn') this.fdb.learn(1, one.mac, 1, one.owner, one.owner, this.tick);
      else this.fdb.set(1, one.mac, 1, one.owner, one.owner, one.flags, this.tick);
    }
  }
}

function receive(to: Fdb, { entries, gone }: ReturnType<typeof differenceOf>, now: number): void {
  for (let at = 0; at < gone.length; at += KEY_WORDS) to.remove(gone[at + 1], gone[at], gone[at + 2]);
  for (let at = 0; at < entries.length; at += SENT_WORDS) {
    const word = entries[at + SENT_MAC_HIGH];
    const [low, fid, destination] = [
      entries[at + SENT_MAC_LOW],
      entries[at + SENT_FID],
      entries[at + SENT_DESTINATION],
    ];
    const stamp = now - entries[at + SENT_AGE];
    to.restore(
      word & 0xffff,
      low,
      fid,
      destination,
      entries[at + SENT_OWNER],
      word >>> 16,
      stamp,
      entries[at + SENT_MOVES],
    );
  }
}

function contents(fdb: Fdb, now: number): string[] {
  const rows: string[] = [];
  new FdbReader(fdb.memory).forEach(({ row: _, stamp, ...entry }) => {
    rows.push(JSON.stringify({ ...entry, age: now - stamp }));
  });
  return rows.sort();
}

describe('entries of a table for another process', () => {
  it('are the same there, after all of them and two differences', () => {
    fc.assert(
      fc.property(fc.array(change), fc.array(change), fc.array(change), (first, second, third) => {
        const site = new Site();
        const other = createFdb({ ...OPTIONS, seed: 9 });
        let copy: Int32Array | null = null;
        for (const changes of [first, second, third]) {
          site.apply(changes);
          const difference = differenceOf(site.reader.words, copy, site.tick);
          copy = site.reader.words.slice();
          receive(other, difference, site.tick + AHEAD);
        }
        // Ages are those of the moment of sending: what was not sent again has grown older by the clock alone.
        expect(contents(other, site.tick + AHEAD)).toEqual(contents(site.fdb, site.tick));
        const counts = (fdb: Fdb): number[][] => [[...fdb.learnedByOwner], [...fdb.learnedByGroup]];
        expect(counts(other)).toEqual(counts(site.fdb));
      }),
    );
  });

  it('that were torn or being written when they were copied are sent again', () => {
    const site = new Site();
    site.apply([{ kind: 'learn', mac: 7, owner: 1 }]);
    const row = site.fdb.lookup(1, 7, 1) * 8;
    const copy = site.reader.words.slice();
    // Half of another entry, and an odd version: it is written at this moment.
    copy[row] = 99;
    copy[row + 6] |= 1;
    expect(differenceOf(copy, null, 1000).entries).toHaveLength(0);
    const { entries, gone } = differenceOf(site.reader.words, copy, 1000);
    expect([...entries.subarray(0, 3)]).toEqual([7, 1, 1]);
    expect([...gone]).toEqual([99, 1, 1]);
  });

  it('keep their order of eviction: an owner loses its oldest one', () => {
    const other = createFdb({ ...OPTIONS, capacity: 3 });
    other.restore(1, 10, 1, 1, 1, 0, 5000, 0);
    other.restore(1, 11, 1, 1, 1, 0, 100, 0);
    other.restore(1, 12, 1, 1, 1, 0, 4000, 2);
    other.learn(1, 13, 1, 1, 1, 5001);
    expect(
      contents(other, 0)
        .map((row) => (JSON.parse(row) as { low: number }).low)
        .sort(),
    ).toEqual([10, 12, 13]);
  });

  it('are refused with values that would corrupt the table', () => {
    const fdb = createFdb(OPTIONS);
    expect(() => fdb.restore(1, 1, 0, 1, 1, 0, 0, 0)).toThrow(RangeError);
    expect(() => fdb.restore(1, 1, 1, 1, 4, 0, 0, 0)).toThrow(RangeError);
    expect(() => fdb.restore(1, 1, 1, 1, 1, 0x400, 0, 0)).toThrow(RangeError);
    for (let mac = 0; mac < OPTIONS.capacity; mac++) expect(fdb.restore(1, mac, 1, 1, 1, FLAG_ADDED, 0, 0)).toBe(true);
    expect(fdb.restore(1, 1000, 1, 1, 1, 0, 0, 0)).toBe(false);
  });
});

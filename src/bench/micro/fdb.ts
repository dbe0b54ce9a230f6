/**
 * Cost of FDB look-ups and learning by table size. Keys are visited in a random order drawn beforehand, so that neither the
 * drawing nor a pattern is measured. Run by itself, it prints only the longest pauses: `node dist/bench/micro/fdb.js`.
 */
import { pathToFileURL } from 'node:url';
import { createFdb, type Fdb } from '../../fdb/table.js';
import type { Stage } from './measure.js';

export const SIZES = [1024, 65_536, 1_048_576];
const VISITS = 1 << 16;
const FID = 1;

/** A small random generator with a seed, so that every run visits the same keys. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 8) / (1 << 24)) * below);
  };
}

/** Creates a full table. @returns it, and the low words of the MACs to visit, all in the table */
function fill(entries: number): { fdb: Fdb; visits: Int32Array } {
  const fdb = createFdb({ capacity: entries, seed: 1 });
  const lows = new Int32Array(entries);
  const draw = random(entries);
  for (let i = 0; i < entries; i++) {
    lows[i] = Math.imul(i + 1, 0x9e3779b1);
    fdb.learn(0x0200, lows[i], FID, 1, 0, 1);
  }
  const visits = Int32Array.from({ length: VISITS }, () => lows[draw(entries)]);
  return { fdb, visits };
}

/** The stages of the FDB, by name. */
export function fdbStages(): Record<string, Stage> {
  const stages: Record<string, Stage> = {};
  for (const entries of SIZES) {
    const { fdb, visits } = fill(entries);
    const each = (visit: (low: number) => number) => () => {
      let sum = 0;
      for (let i = 0; i < VISITS; i++) sum += visit(visits[i]);
      return sum;
    };
    // As the engine does for a batch (warmFdb): it first touches the rows, then makes the look-ups.
    const batch = 256;
    const warmed = () => {
      let sum = 0;
      for (let from = 0; from < VISITS; from += batch) {
        for (let i = from; i < from + batch; i++) sum |= fdb.touch(0x0200, visits[i], FID);
        for (let i = from; i < from + batch; i++) sum += fdb.resolve(0x0200, visits[i], FID);
      }
      return sum;
    };
    // A MAC flood: every address is new and evicts another one of the same port.
    let fresh = 0;
    const flood = () => {
      for (let i = 0; i < VISITS; i++) fdb.learn(0x0204, Math.imul(++fresh, 0x9e3779b1), FID, 1, 0, 1 + (fresh >> 17));
    };
    const label = entries >= 1_048_576 ? '1 M' : `${entries / 1024} k`;
    stages[`FDB look-up, hit, ${label} entries`] = [VISITS, each((low) => fdb.resolve(0x0200, low, FID))];
    stages[`FDB look-up, hit, in batches, ${label} entries`] = [VISITS, warmed];
    stages[`FDB look-up, miss, ${label} entries`] = [VISITS, each((low) => fdb.resolve(0x0206, low, FID))];
    stages[`FDB learn, known, ${label} entries`] = [VISITS, each((low) => fdb.learn(0x0200, low, FID, 1, 0, 1))];
    stages[`FDB learn, new in a full table, ${label} entries`] = [VISITS, flood];
  }
  return stages;
}

const ROWS_A_STEP = 16_384;
const PASSES = 3;

interface Pauses {
  readonly longest: number;
  readonly mean: number;
}

/**
 * Times each step of some work. The work is repeated PASSES times with a new table, and the shortest time of each step counts:
 * interrupts and compilation do not hit the same step in every pass.
 * @param times number of steps
 * @param prepare creates a table and returns the work of one step
 * @returns longest and mean time of a step, in microseconds
 */
function pauses(times: number, prepare: () => (step: number) => unknown): Pauses {
  const shortest = new Float64Array(times).fill(Number.POSITIVE_INFINITY);
  for (let pass = 0; pass < PASSES; pass++) {
    const work = prepare();
    for (let i = 0; i < times; i++) {
      const start = performance.now();
      work(i);
      shortest[i] = Math.min(shortest[i], (performance.now() - start) * 1000);
    }
  }
  const sum = shortest.reduce((total, step) => total + step, 0);
  return { longest: shortest.reduce((most, step) => Math.max(most, step), 0), mean: sum / times };
}

/** A full table, divided equally among owners; every entry has a different stamp. */
function filledBy(owners: number, entries: number): Fdb {
  const fdb = createFdb({ capacity: entries, owners: Math.max(owners, 2), seed: 1 });
  for (let i = 0; i < entries; i++) fdb.learn(0x0200, Math.imul(i + 1, 0x9e3779b1), FID, i % owners, i % owners, i);
  return fdb;
}

/** Prints the longest delay of frames by one learning in a full table, and by one step of ageing. */
export function printPauses(entries: number): void {
  const print = (what: string, { longest, mean }: Pauses): void =>
    console.log(
      `${what.padEnd(58)} longest ${longest.toFixed(1).padStart(8)} us, mean ${mean.toFixed(2).padStart(8)} us`,
    );
  // The search for the oldest entry is longest with 128 entries per owner, all with different stamps.
  for (const [owners, size] of [
    [1, entries],
    [2, entries],
    [1000, entries],
    [1000, 128_000],
  ]) {
    const flood = () => {
      const full = filledBy(owners, size);
      return (i: number) => full.learn(0x0204, Math.imul(i + 1, 0x9e3779b1), FID, i % owners, i % owners, size + i);
    };
    print(`new in a full table, ${size} entries, ${owners} owners`, pauses(100_000, flood));
  }
  const sweeps: readonly [what: string, now: number, most?: number][] = [
    ['nothing expired', 0],
    ['all expired', entries * 2],
    ['all expired, at most 2048 removed', entries * 2, 2048],
  ];
  for (const [what, now, most] of sweeps) {
    const sweep = () => {
      const fdb = filledBy(1, entries);
      return () => fdb.sweep(now, ROWS_A_STEP, most);
    };
    print(`sweep of ${ROWS_A_STEP} rows, ${what}`, pauses(100, sweep));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) printPauses(SIZES[SIZES.length - 1]);

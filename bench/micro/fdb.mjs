/**
 * What a look-up and a learning cost as the table grows: keys are visited in a random order that is drawn beforehand, so
 * that neither the draw nor a pattern is measured. Run by itself it prints the longest pauses: `node bench/micro/fdb.mjs`.
 */
import { pathToFileURL } from 'node:url';
import { createFdb } from '../../dist/fdb/table.js';

export const SIZES = [1024, 65_536, 1_048_576];
const VISITS = 1 << 16;
const SEGMENT = 1;

/** A small generator with a seed, so that every run visits the same keys. */
function random(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 8) / (1 << 24)) * below);
  };
}

/** A full table of `entries`, and the lows of keys that are there and of keys that are not. */
function fill(entries) {
  const fdb = createFdb({ capacity: entries, seed: 1 });
  const lows = new Int32Array(entries);
  const draw = random(entries);
  for (let i = 0; i < entries; i++) {
    lows[i] = Math.imul(i + 1, 0x9e3779b1);
    fdb.learn(0x0200, lows[i], SEGMENT, 1, 0, 1);
  }
  const visits = Int32Array.from({ length: VISITS }, () => lows[draw(entries)]);
  return { fdb, visits };
}

/** Stages as `run.mjs` wants them: name -> [operations, work]. */
export function fdbStages() {
  const stages = {};
  for (const entries of SIZES) {
    const { fdb, visits } = fill(entries);
    const each = (visit) => () => {
      let sum = 0;
      for (let i = 0; i < VISITS; i++) sum += visit(visits[i]);
      return sum;
    };
    // As the engine does it for a batch (warmFdb): first the rows are read, then the look-ups are made.
    const batch = 256;
    const warmed = () => {
      let sum = 0;
      for (let from = 0; from < VISITS; from += batch) {
        for (let i = from; i < from + batch; i++) sum |= fdb.touch(0x0200, visits[i], SEGMENT);
        for (let i = from; i < from + batch; i++) sum += fdb.resolve(0x0200, visits[i], SEGMENT);
      }
      return sum;
    };
    // An attack: every address is new, and another of the same port gives way to it.
    let fresh = 0;
    const flood = () => {
      for (let i = 0; i < VISITS; i++)
        fdb.learn(0x0204, Math.imul(++fresh, 0x9e3779b1), SEGMENT, 1, 0, 1 + (fresh >> 17));
    };
    const label = entries >= 1_048_576 ? '1 M' : `${entries / 1024} k`;
    stages[`FDB look-up, hit, ${label} entries`] = [VISITS, each((low) => fdb.resolve(0x0200, low, SEGMENT))];
    stages[`FDB look-up, hit, in batches, ${label} entries`] = [VISITS, warmed];
    stages[`FDB look-up, miss, ${label} entries`] = [VISITS, each((low) => fdb.resolve(0x0206, low, SEGMENT))];
    stages[`FDB learn, known, ${label} entries`] = [VISITS, each((low) => fdb.learn(0x0200, low, SEGMENT, 1, 0, 1))];
    stages[`FDB learn, new in a full table, ${label} entries`] = [VISITS, flood];
  }
  return stages;
}

const ROWS_A_STEP = 16_384;

/**
 * Runs `work` so many times. Processor time is taken, so that other programs' load is not in it.
 * @returns the longest run and their mean, in microseconds
 */
function pauses(times, work) {
  let longest = 0;
  let sum = 0;
  for (let i = 0; i < times; i++) {
    const start = process.cpuUsage();
    work(i);
    const { user, system } = process.cpuUsage(start);
    sum += user + system;
    longest = Math.max(longest, user + system);
  }
  return { longest, mean: sum / times };
}

/** A table of `entries` that `owners` have filled, each its part, with a stamp of its own for each entry. */
function filledBy(owners, entries) {
  const fdb = createFdb({ capacity: entries, owners: Math.max(owners, 2), seed: 1 });
  for (let i = 0; i < entries; i++) fdb.learn(0x0200, Math.imul(i + 1, 0x9e3779b1), SEGMENT, i % owners, i % owners, i);
  return fdb;
}

/** The longest time that one step of ageing, and one learning in a full table, keeps frames waiting. */
function printPauses(entries) {
  const print = (what, { longest, mean }) =>
    console.log(
      `${what.padEnd(56)} longest ${longest.toFixed(1).padStart(8)} us, mean ${mean.toFixed(2).padStart(8)} us`,
    );
  // With 128 entries each the search for the oldest is longest, since each has a stamp of its own.
  for (const [owners, size] of [
    [1, entries],
    [2, entries],
    [1000, entries],
    [1000, 128_000],
  ]) {
    const full = filledBy(owners, size);
    const learn = (i) => full.learn(0x0204, Math.imul(i + 1, 0x9e3779b1), SEGMENT, i % owners, i % owners, size + i);
    print(`new in a full table, ${size} entries, ${owners} owners`, pauses(100_000, learn));
  }
  const fdb = filledBy(1, entries);
  const steps = Math.ceil(fdb.slots / ROWS_A_STEP);
  for (const [what, now] of [
    ['nothing', 0],
    ['every entry', entries * 2],
  ]) {
    print(
      `sweep of ${ROWS_A_STEP} rows, ${what} expired`,
      pauses(steps / 2, () => fdb.sweep(now, ROWS_A_STEP)),
    );
  }
  print(
    'the same, at most 2048 removed',
    pauses(steps / 2, () => fdb.sweep(entries * 2, ROWS_A_STEP, 2048)),
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) printPauses(SIZES[SIZES.length - 1]);

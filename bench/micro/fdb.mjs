/**
 * What a look-up and a learning cost as the table grows: keys are visited in a random order that is drawn beforehand, so
 * that neither the draw nor a pattern is measured.
 */
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
    const label = entries >= 1_048_576 ? '1 M' : `${entries / 1024} k`;
    stages[`FDB look-up, hit, ${label} entries`] = [VISITS, each((low) => fdb.resolve(0x0200, low, SEGMENT))];
    stages[`FDB look-up, hit, in batches, ${label} entries`] = [VISITS, warmed];
    stages[`FDB look-up, miss, ${label} entries`] = [VISITS, each((low) => fdb.resolve(0x0206, low, SEGMENT))];
    stages[`FDB learn, known, ${label} entries`] = [VISITS, each((low) => fdb.learn(0x0200, low, SEGMENT, 1, 0, 1))];
  }
  return stages;
}

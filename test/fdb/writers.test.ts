/** Several threads that learn, remove and sweep in one table at once, as engines do. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FdbReader } from '../../src/fdb/snapshot.js';
import { COUNTER_EVICTED, createFdb, type FdbRow } from '../../src/fdb/table.js';
import { translateRoom } from '../shared-memory/translate-room.js';
import { ringOf } from './table-inspection.js';

const THREADS = 2;
const ROUNDS = 200_000;

/**
 * Learns and removes the same few keys as the others, and resolves them: the destination says which key it was learned
 * for, so an answer that belongs to another key is seen.
 */
const LEARNER = `
import { parentPort, workerData } from 'node:worker_threads';
import { Fdb, NOT_FOUND } from './fdb/table.js';
const { memory, seed, rounds } = workerData;
const fdb = Fdb.attach(memory);
const key = (low, fid) => low * 16 + fid;
let state = seed;
let wrong = 0;
let found = 0;
for (let i = 0; i < rounds; i++) {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  const low = (state >> 8) & 15;
  const fid = 1 + ((state >> 12) & 3);
  const owner = (state >> 14) & 3;
  const what = (state >> 16) % 8;
  if (what === 0) fdb.remove(0x0200, low, fid);
  else if (what === 1) fdb.sweep(i, 8);
  else if (what < 5) fdb.learn(0x0200, low, fid, key(low, fid) * 4 + owner, owner, i);
  else {
    const destination = fdb.resolve(0x0200, low, fid);
    if (destination !== NOT_FOUND) {
      found++;
      if (destination >> 2 !== key(low, fid)) wrong++;
    }
  }
}
parentPort.postMessage({ wrong, found });
`;

describe('an FDB that several threads learn into', () => {
  let folder = '';

  beforeEach(() => {
    folder = translateRoom({ 'learner.js': LEARNER }, 'fdb');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('never answers with what belongs to another key, and keeps rows and counts whole', async () => {
    // 64 keys in 24 places with limits, so that rows are fought over, refused, freed, evicted and given to other keys.
    const fdb = createFdb({ capacity: 24, owners: 4, groups: 2, seed: 7 });
    for (let owner = 0; owner < 4; owner++) fdb.assignGroup(owner, owner & 1);
    fdb.ownerLimit[3] = 5;
    fdb.groupLimit[0] = 11;
    const results = await Promise.all(
      Array.from({ length: THREADS }, (_, thread) =>
        run(folder, { memory: fdb.memory, seed: 1 + thread, rounds: ROUNDS }),
      ),
    );
    for (const { wrong, found } of results) {
      expect(wrong).toBe(0);
      expect(found).toBeGreaterThan(1000);
    }
    const rows: FdbRow[] = [];
    expect(new FdbReader(fdb.memory).forEach((row) => void rows.push(row))).toBe(0);
    const keys = rows.map(({ low, fid }) => low * 16 + fid);
    expect(new Set(keys).size).toBe(keys.length); // no key twice
    for (const { low, fid, destination, owner } of rows) expect(destination).toBe((low * 16 + fid) * 4 + owner);
    expect(fdb.counters[0]).toBe(rows.length);
    for (let owner = 0; owner < 4; owner++) {
      const own = rows.filter((row) => row.owner === owner);
      expect(fdb.learnedByOwner[owner]).toBe(own.length);
      expect(ringOf(fdb.memory, owner)).toEqual(own.map(({ row }) => row).sort((a, b) => a - b));
    }
    expect(fdb.counters[COUNTER_EVICTED]).toBeGreaterThan(1000);
    for (let group = 0; group < 2; group++) {
      expect(fdb.learnedByGroup[group]).toBe(rows.filter((row) => (row.owner & 1) === group).length);
    }
    expect(fdb.learnedByOwner[3]).toBeLessThanOrEqual(5);
    expect(fdb.learnedByGroup[0]).toBeLessThanOrEqual(11);
  }, 60_000);
});

function run(folder: string, workerData: object): Promise<{ wrong: number; found: number }> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(folder, 'learner.js'), { workerData });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Several threads that hear, look up, remove and sweep in one table at once, as engines do. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { createNeighbours, NeighReader, type NeighRow } from '../../src/neigh/table.js';
import { translateRoom } from '../shared-memory/translate-room.js';

const ROUNDS = 150_000;

/** The MAC says which key it was heard for, so that an answer of another key is seen. */
const WRITER = `
import { parentPort, workerData } from 'node:worker_threads';
import { Neighbours } from './neigh/table.js';
const { memory, seed, rounds } = workerData;
const table = Neighbours.attach(memory);
const words = new Int32Array(4);
const out = new Int32Array(4);
let state = seed;
let wrong = 0;
let found = 0;
for (let i = 0; i < rounds; i++) {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  words[3] = (state >> 8) & 15;
  const fid = 1 + ((state >> 12) & 3);
  const key = words[3] * 16 + fid;
  const port = (state >> 14) & 3;
  const what = (state >> 16) % 9;
  if (what === 0) table.remove(fid, words);
  else if (what === 1) table.sweep(i, 8);
  else if (what === 2) table.isRouter(fid, 0x0200, key * 4);
  else if (what < 6) table.hear(fid, words, 0, 0x0200, key * 4 + (state & 1), port, (state >> 20) & 7, i, out);
  else if (table.read(fid, words, 0, out)) {
    found++;
    if (out[1] >> 2 !== key || out[0] !== 0x0200) wrong++;
  }
}
parentPort.postMessage({ wrong, found });
`;

it('never answers with what belongs to another key, and keeps rows and counts whole', async () => {
  const folder = translateRoom({ 'writer.js': WRITER }, 'neigh');
  try {
    // 64 keys, and routers, in 40 places.
    const table = createNeighbours({ capacity: 40, ports: 4, ageing: 5000, seed: 7 });
    const results = await Promise.all(
      [1, 2].map((seed) => run(folder, { memory: table.memory, seed, rounds: ROUNDS })),
    );
    for (const { wrong, found } of results) {
      expect(wrong).toBe(0);
      expect(found).toBeGreaterThan(1000);
    }
    const rows: NeighRow[] = [];
    const reader = new NeighReader(table.memory);
    expect(reader.forEach((row) => void rows.push(row))).toBe(0);
    const keys = rows.map(({ address, fid }) => address[3] * 16 + fid);
    expect(new Set(keys).size).toBe(keys.length);
    expect(rows.map(({ low }) => low >> 2)).toEqual(keys);
    expect(reader.counters().entries).toBe(rows.length);
    expect(reader.counters().evicted).toBeGreaterThan(1000);
    // Nothing is left once all is gone: no row of a router, no count.
    table.flush({});
    expect([table.counters[0], table.counters[7]]).toEqual([0, 0]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

function run(folder: string, workerData: object): Promise<{ wrong: number; found: number }> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(folder, 'writer.js'), { workerData });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

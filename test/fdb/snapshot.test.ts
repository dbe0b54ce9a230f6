import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROW_VERSION } from '../../src/fdb/layout.js';
import { createFdb, FdbReader, type FdbRow, FLAG_STATIC } from '../../src/fdb/table.js';
import { translateRoom } from '../shared-memory/translate-room.js';

const list = (reader: FdbReader): FdbRow[] => {
  const rows: FdbRow[] = [];
  reader.forEach((row) => {
    rows.push(row);
  });
  return rows.sort((a, b) => a.low - b.low);
};

describe('FdbReader', () => {
  it('refuses memory that is no table', () => {
    expect(() => new FdbReader(new SharedArrayBuffer(1024))).toThrow(/not an FDB/);
  });

  it('leaves out, and counts, a row whose writer has died in the middle of it', () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.learn(0x0200, 1, 1, 1, 0, 0);
    fdb.learn(0x0200, 2, 1, 1, 0, 0);
    fdb.rows[fdb.lookup(0x0200, 1, 1) * 8 + ROW_VERSION]++;
    const seen: number[] = [];
    const unreadable = new FdbReader(fdb.memory).forEach((row) => {
      seen.push(row.low);
    });
    expect(unreadable).toBe(1);
    expect(seen).toEqual([2]);
  });

  it('lists every entry with its fields, and no removed one', () => {
    const fdb = createFdb({ capacity: 8 });
    fdb.learn(0x0200, 1, 5, 10, 3, 100);
    fdb.learn(0x0200, 1, 5, 11, 4, 200);
    fdb.set(0xfe00, 2, 6, -1, 2, FLAG_STATIC, 300);
    fdb.learn(0x0200, 3, 5, 10, 3, 100);
    fdb.remove(0x0200, 3, 5);
    const reader = FdbReader.attach(fdb.memory);
    expect(list(reader)).toEqual([
      {
        row: fdb.lookup(0x0200, 1, 5),
        high: 0x0200,
        low: 1,
        fid: 5,
        destination: 11,
        owner: 4,
        flags: 0,
        stamp: 200,
        moves: 1,
      },
      {
        row: fdb.lookup(0xfe00, 2, 6),
        high: 0xfe00,
        low: 2,
        fid: 6,
        destination: -1,
        owner: 2,
        flags: FLAG_STATIC,
        stamp: 300,
        moves: 0,
      },
    ]);
    expect(reader.counters()).toEqual({ entries: 2, learned: 2, moved: 1, aged: 0, refused: 0, evicted: 0 });
    expect([reader.learnedByOwner[4], reader.learnedByGroup[0], reader.capacity, reader.slots]).toEqual([1, 1, 8, 16]);
    expect([reader.setByOwner[2], reader.setByOwner[4]]).toEqual([1, 0]);
  });

  it('finds one entry by its key', () => {
    const fdb = createFdb({ capacity: 8, seed: 9 });
    fdb.learn(0xfeff, -1, 5, 10, 3, 100);
    fdb.learn(0x0200, 2, 5, 11, 4, 100);
    fdb.learn(0x0200, 3, 5, 11, 4, 100);
    fdb.remove(0x0200, 3, 5);
    const reader = new FdbReader(fdb.memory);
    expect(reader.find(0xfeff, -1, 5)).toMatchObject({ row: fdb.lookup(0xfeff, -1, 5), destination: 10, owner: 3 });
    expect([reader.find(0xfeff, -1, 6), reader.find(0xfeff, 2, 5), reader.find(0x0200, 3, 5)]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it('lists in pieces', () => {
    const fdb = createFdb({ capacity: 50 });
    for (let low = 0; low < 50; low++) fdb.learn(0x0200, low, 1, 1, 0, 0);
    const reader = new FdbReader(fdb.memory);
    const seen = new Set<number>();
    const see = (entry: FdbRow): void => {
      seen.add(entry.low);
    };
    for (let row = 0; row < reader.slots; row += 16) reader.forEach(see, row, 16);
    expect(seen.size).toBe(50);
  });
});

/** Rewrites few entries as fast as it can; in each, destination and stamp follow from the rest of the row. */
const WRITER = `
import { workerData, parentPort } from 'node:worker_threads';
import { Fdb } from './fdb/table.js';
const fdb = Fdb.attach(workerData.memory);
const stop = new Int32Array(workerData.stop);
const mix = (low, fid, owner) => Math.imul(low * 31 + fid * 7 + owner, 0x9e3779b1);
// These two are never removed.
fdb.set(0x0600, 1000, 1, mix(1000, 1, 9), 9, 1, 0);
fdb.set(0x0600, 1001, 2, mix(1001, 2, 9), 9, 1, 0);
parentPort.postMessage('writing');
let state = 1;
let writes = 0;
while (Atomics.load(stop, 0) === 0) {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  const low = (state >> 8) & 7;
  const fid = 1 + ((state >> 11) & 1);
  const owner = (state >> 12) & 7;
  if ((state >> 16) % 3 === 0) fdb.remove(0x0200 + owner, low, fid);
  else fdb.learn(0x0200 + (low & 1), low, fid, mix(low, fid, owner), owner, mix(low, fid, owner) >>> 1);
  writes++;
}
parentPort.postMessage(writes);
`;

const mixOf = ({ low, fid, owner }: { low: number; fid: number; owner: number }): number =>
  Math.imul(low * 31 + fid * 7 + owner, 0x9e3779b1);

describe('FdbReader beside a writing thread', () => {
  let folder = '';

  beforeEach(() => {
    folder = translateRoom({ 'writer.js': WRITER }, 'fdb');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('never shows a torn row, and every lasting entry once', async () => {
    const fdb = createFdb({ capacity: 24, owners: 16 });
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(join(folder, 'writer.js'), { workerData: { memory: fdb.memory, stop: stop.buffer } });
    const next = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    await next();
    const reader = new FdbReader(fdb.memory);
    const torn: FdbRow[] = [];
    let rows = 0;
    let wrongListings = 0;
    let wrongAnswers = 0;
    const end = Date.now() + 1000;
    while (Date.now() < end) {
      let lasting = 0;
      reader.forEach((row) => {
        rows++;
        const expected = mixOf(row);
        const isWhole = row.destination === expected && (row.high === 0x0600 || row.stamp === expected >>> 1);
        if (!isWhole) torn.push(row);
        if (row.low >= 1000) lasting++;
      });
      if (lasting !== 2) wrongListings++;
      for (let low = 0; low < 8; low++) {
        const row = reader.find(0x0200 + (low & 1), low, 1);
        const isOther = row !== null && (row.low !== low || row.destination !== mixOf(row));
        if (isOther || reader.find(0x0600, 1000, 1)?.destination !== mixOf({ low: 1000, fid: 1, owner: 9 })) {
          wrongAnswers++;
        }
      }
    }
    const done = next();
    Atomics.store(stop, 0, 1);
    const writes = (await done) as number;
    await worker.terminate();
    expect(writes).toBeGreaterThan(1000);
    expect(rows).toBeGreaterThan(1000);
    expect([wrongListings, wrongAnswers]).toEqual([0, 0]);
    expect(torn.slice(0, 5)).toEqual([]);
  }, 20_000);
});

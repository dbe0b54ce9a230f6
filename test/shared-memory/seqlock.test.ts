/** The sequence lock that the FDB, the neighbour table and the table of remotes share. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { close, isStable, open, readPatiently, versionAt } from '../../src/shared-memory/seqlock.js';
import { translateRoom } from './translate-room.js';

const VERSION = 0;
/** Words of the row behind its version; each writing gives all of them one value. */
const WORDS = 7;
/** Behind the row: the reader wants no more. */
const STOP = 1 + WORDS;
/** Behind the row: how often it was written. */
const WRITTEN = STOP + 1;

/** A writer that does nothing else: it writes the row over and over, each time with a new value. */
const WRITER = `
import { parentPort, workerData } from 'node:worker_threads';
import { close, open } from './shared-memory/seqlock.js';
const { memory, words, stop, written } = workerData;
const row = new Int32Array(memory);
let value = 0;
parentPort.postMessage('writing');
while (Atomics.load(row, stop) === 0) {
  value = (value + 1) | 0;
  open(row, 0);
  for (let word = 1; word <= words; word++) Atomics.store(row, word, value);
  close(row, 0);
}
Atomics.store(row, written, value);
parentPort.postMessage('stopped');
`;

const newRow = (): Int32Array => new Int32Array(new SharedArrayBuffer((WRITTEN + 1) * 4));

describe('the sequence lock', () => {
  it('makes a version odd while the row is open, and another even one afterwards', () => {
    const row = newRow();
    expect(versionAt(row, VERSION)).toBe(0);
    open(row, VERSION);
    expect(row[VERSION] & 1).toBe(1);
    open(row, VERSION);
    expect(row[VERSION]).toBe(1); // an open row stays open
    close(row, VERSION);
    expect(row[VERSION]).toBe(2);
  });

  it('finds a reading stable only if the row was closed and not written meanwhile', () => {
    const row = newRow();
    const before = versionAt(row, VERSION);
    expect(isStable(row, VERSION, before)).toBe(true);
    open(row, VERSION);
    expect(isStable(row, VERSION, before)).toBe(false);
    expect(isStable(row, VERSION, versionAt(row, VERSION))).toBe(false); // begun and ended while it was open
    close(row, VERSION);
    expect(isStable(row, VERSION, before)).toBe(false);
    expect(isStable(row, VERSION, versionAt(row, VERSION))).toBe(true);
  });

  it('works on where the version wraps', () => {
    const row = newRow();
    row[VERSION] = 0x7ffffffe;
    open(row, VERSION);
    const during = versionAt(row, VERSION);
    close(row, VERSION);
    expect([during, row[VERSION]]).toEqual([0x7fffffff, -0x80000000]);
    open(row, VERSION);
    expect(row[VERSION] & 1).toBe(1);
  });

  it('reads patiently until a row is whole, and gives a dead writer up', () => {
    let left = 5;
    expect(readPatiently((row) => (left-- > 0 ? null : row * 2), 21)).toBe(42);
    expect(readPatiently(() => null, 1)).toBeNull();
  });

  it('never takes half of one writing and half of another, while another thread writes all the time', async () => {
    const folder = translateRoom({ 'writer.js': WRITER }, 'shared-memory');
    const row = newRow();
    const writer = new Worker(join(folder, 'writer.js'), {
      workerData: { memory: row.buffer, words: WORDS, stop: STOP, written: WRITTEN },
    });
    try {
      await said(writer, 'writing');
      const { stable, torn, refused, values } = readWhile(row, 300_000, 2000);
      const stopped = said(writer, 'stopped');
      Atomics.store(row, STOP, 1);
      await stopped;
      expect(torn).toBe(0);
      expect(stable).toBeGreaterThan(1000);
      // The two did meet: readings were refused, and the row changed between readings.
      expect(refused).toBeGreaterThan(100);
      expect(values).toBeGreaterThan(100);
      expect(row[WRITTEN]).toBeGreaterThan(1000);
    } finally {
      await writer.terminate();
      rmSync(folder, { recursive: true });
    }
  }, 60_000);
});

/** Reads the row as the tables do, until it was read so many times and changed so many times (20 s at most). */
function readWhile(row: Int32Array, readings: number, changes: number): Record<string, number> {
  const seen = { stable: 0, torn: 0, refused: 0, values: 0 };
  const deadline = Date.now() + 20_000;
  let last = 0;
  for (let i = 0; i < readings || (seen.values < changes && (i & 1023 || Date.now() < deadline)); i++) {
    const version = versionAt(row, VERSION);
    const first = row[1];
    let isWhole = true;
    for (let word = 2; word <= WORDS; word++) isWhole = row[word] === first && isWhole;
    if (!isStable(row, VERSION, version)) {
      seen.refused++;
      continue;
    }
    seen.stable++;
    if (!isWhole) seen.torn++;
    if (first !== last) seen.values++;
    last = first;
  }
  return seen;
}

function said(writer: Worker, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    writer.once('error', reject);
    writer.once('message', (message) => (message === word ? resolve() : reject(new Error(`it says ${message}`))));
  });
}

/** Several threads that admit, look up and remove VTEPs in one table at once, as engines do. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRemotes, STATIC_REMOTES } from '../../src/encap/remotes.js';
import { translateRoom } from '../shared-memory/translate-room.js';

const THREADS = 2;
const ROUNDS = 200_000;

/**
 * Works on few addresses of ports of its own, which it alone admits and removes: what it finds has to be what it has
 * admitted, whatever numbers go to and fro between the threads. The lasting ones are never removed, and always found.
 */
const ENGINE = `
import { parentPort, workerData } from 'node:worker_threads';
import { RemoteTable } from './encap/remotes.js';
const { memory, thread, rounds, lasting } = workerData;
const table = new RemoteTable(memory);
const own = new Map();
let state = 1 + thread;
let wrong = 0;
let lost = 0;
for (let i = 0; i < rounds; i++) {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  const port = 10 + thread * 2 + ((state >> 8) & 1);
  const low = (state >> 9) & 15;
  const key = port * 16 + low;
  const what = (state >> 16) & 3;
  const mine = own.get(key) ?? 0;
  if (table.find(port, 1, 2, 3, low) !== mine) wrong++;
  if (what === 0 && mine !== 0) {
    if (!table.remove(mine)) wrong++;
    own.delete(key);
  } else if (what === 1) {
    own.set(key, table.admit(port, [1, 2, 3, low], 0, 4789, i >> 5));
    if (mine !== 0 && own.get(key) !== mine) wrong++;
  } else if (what === 2 && i % 512 === 0) {
    let removed = 0;
    for (const [one, remote] of own) if (one >> 4 === port && own.delete(one)) removed++;
    if (table.removeLearnedOf(port) !== removed) wrong++;
  }
  const at = state % lasting;
  if (table.find(5, 9, 9, 9, at) !== at + 1) lost++;
}
parentPort.postMessage({ wrong, lost, own: [...own] });
`;

/** All admit the same addresses: they have to agree on each one's number. */
const RACER = `
import { parentPort, workerData } from 'node:worker_threads';
import { RemoteTable } from './encap/remotes.js';
const { memory, addresses } = workerData;
const table = new RemoteTable(memory);
const numbers = [];
for (let i = 0; i < addresses; i++) numbers.push(table.admit(7 + (i >> 12), [0, 0, 0xffff, i], 0, 4789, i >> 5));
parentPort.postMessage(numbers);
`;

describe('a table of remotes that several threads change', () => {
  let folder = '';

  beforeEach(() => {
    folder = translateRoom({ 'engine.js': ENGINE, 'racer.js': RACER }, 'encap');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('finds for each thread what is its own, and what lasts always', async () => {
    const table = createRemotes();
    const lasting = 500;
    for (let i = 0; i < lasting; i++) table.add(i + 1, 5, [9, 9, 9, i], 4789, true);
    const results = await Promise.all(
      Array.from({ length: THREADS }, (_, thread) =>
        run(join(folder, 'engine.js'), { memory: table.memory, thread, rounds: ROUNDS, lasting }),
      ),
    );
    const all: number[] = [];
    for (const result of results) {
      const { wrong, lost, own } = result as { wrong: number; lost: number; own: [number, number][] };
      expect([wrong, lost]).toEqual([0, 0]);
      for (const [key, remote] of own) {
        expect(table.find(key >> 4, 1, 2, 3, key & 15)).toBe(remote);
        expect(table.address(remote)).toEqual([1, 2, 3, key & 15]);
        all.push(remote);
      }
    }
    expect(new Set(all).size).toBe(all.length); // no number is two remotes'
    // No more numbers were ever taken than were in use at one time.
    expect(Math.max(...all)).toBeLessThan(STATIC_REMOTES + THREADS * 32);
  }, 20_000);

  it('has one number for a VTEP that several threads meet at once', async () => {
    const table = createRemotes();
    const results = await Promise.all(
      Array.from({ length: THREADS }, () => run(join(folder, 'racer.js'), { memory: table.memory, addresses: 20_000 })),
    );
    expect(results[1]).toEqual(results[0]);
    expect(Math.max(...(results[0] as number[]))).toBe(STATIC_REMOTES + 19_999);
  }, 20_000);
});

function run(program: string, workerData: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(program, { workerData });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

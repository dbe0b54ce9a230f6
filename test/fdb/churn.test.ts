import { describe, expect, it } from 'vitest';
import { createFdb, type Fdb, LEARNED } from '../../src/fdb/table.js';
import { PROBE_LIMIT } from '../../src/shared-memory/probing.js';
import { countProbes, seededRandom } from './table-inspection.js';

const FID = 7;

interface Probes {
  hitMean: number;
  missMean: number;
  missMax: number;
}

function measure(fdb: Fdb, live: number[], random: (below: number) => number): Probes {
  let hits = 0;
  for (const low of live) hits += countProbes(fdb, 0x0200, low, FID);
  let misses = 0;
  let missMax = 0;
  for (let i = 0; i < 10_000; i++) {
    // Another first half than any entry has: never there.
    const probes = countProbes(fdb, 0x0600, random(2 ** 32) | 0, FID);
    misses += probes;
    missMax = Math.max(missMax, probes);
  }
  return { hitMean: hits / live.length, missMean: misses / 10_000, missMax };
}

/** Fills the table and then replaces random entries by new ones, `rounds` times as many as it holds. */
function churn(fdb: Fdb, rounds: number, nextMac: (i: number) => number, random: (below: number) => number): number[] {
  const live: number[] = [];
  let fresh = 0;
  const add = (): void => {
    const low = nextMac(fresh++);
    expect(fdb.learn(0x0200, low, FID, 1, 1, 0)).toBe(LEARNED);
    live.push(low);
  };
  for (let i = 0; i < fdb.capacity; i++) add();
  for (let i = 0; i < fdb.capacity * rounds; i++) {
    const victim = random(live.length);
    const low = live[victim] as number;
    live[victim] = live[live.length - 1] as number;
    live.pop();
    if (!fdb.remove(0x0200, low, FID)) throw new Error(`entry ${low} was lost`);
    add();
  }
  return live;
}

describe('a full table under churn', () => {
  it.each([
    ['random MACs', (random: (below: number) => number) => () => random(2 ** 32) | 0],
    ['consecutive MACs', () => (i: number) => i],
    ['MACs that differ in one byte in the middle', () => (i: number) => Math.imul(i, 0x10100)],
  ])('keeps searches short after 20 times its capacity of replacements: %s', (_name, macs) => {
    const random = seededRandom(20260101);
    const fdb = createFdb({ capacity: 2048, seed: 99 });
    const live = churn(fdb, 20, macs(random), random);
    const probes = measure(fdb, live, random);
    // Without any tombstone, linear probing at a load of one half takes 1.5 and 2.5 (Knuth, volume 3, section 6.4).
    expect(probes.hitMean).toBeLessThan(3);
    expect(probes.missMean).toBeLessThan(8);
    expect(probes.missMax).toBeLessThan(PROBE_LIMIT / 2);
  });

  it.each([
    ['random', (random: (below: number) => number) => () => random(2 ** 32) | 0],
    ['consecutive', () => (i: number) => i],
    ['multiples of 65,536', () => (i: number) => Math.imul(i, 0x10000) | (i >>> 16)],
  ])('is filled as evenly as chance would: %s MACs', (_name, macs) => {
    const random = seededRandom(3);
    const fdb = createFdb({ capacity: 4096, seed: 4 });
    const probes = measure(fdb, churn(fdb, 0, macs(random), random), random);
    expect(probes.hitMean).toBeLessThan(1.7);
    expect(probes.missMean).toBeLessThan(3);
  });

  it('spreads one MAC in many fids', () => {
    const fdb = createFdb({ capacity: 4096, seed: 8 });
    for (let fid = 1; fid <= 4096; fid++) fdb.learn(0x0200, 1, fid, 1, 1, 0);
    let probes = 0;
    for (let fid = 1; fid <= 4096; fid++) probes += countProbes(fdb, 0x0200, 1, fid);
    expect(probes / 4096).toBeLessThan(1.7);
  });

  it('is as good as new when the entries are gone', () => {
    const random = seededRandom(5);
    const fdb = createFdb({ capacity: 1024 });
    const live = churn(fdb, 5, () => random(2 ** 32) | 0, random);
    for (const low of live) fdb.remove(0x0200, low, FID);
    expect(fdb.tombstones).toBe(0);
    expect(measure(fdb, [1], random).missMean).toBe(1);
  });
});

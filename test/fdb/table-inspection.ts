/** Looks into a table for tests: what searches cost, and which entries may give way. */
import {
  RING_NEXT,
  RING_SHIFT,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_FID,
  ROW_SHIFT,
  FID_EMPTY,
  viewsOf,
} from '../../src/fdb/layout.js';
import type { FdbStore } from '../../src/fdb/store.js';

/** Rows that a search for this key looks at. */
export function countProbes(store: FdbStore, high: number, low: number, fid: number): number {
  let row = store.homeOf(high, low, fid);
  for (let probes = 1; probes <= store.slots; probes++) {
    const base = row << ROW_SHIFT;
    const found = store.rows[base + ROW_FID];
    if (found === FID_EMPTY) return probes;
    const isKey = found === fid && store.rows[base + ROW_MAC_LOW] === low;
    if (isKey && (store.rows[base + ROW_MAC_HIGH] & 0xffff) === high) return probes;
    row = (row + 1) & (store.slots - 1);
  }
  return store.slots;
}

/** The rows of an owner's learned entries that the hand of its ring passes, from the smallest on. */
export function ringOf(memory: SharedArrayBuffer, owner: number): number[] {
  const { handOfOwner, rings } = viewsOf(memory);
  const rows = new Set<number>();
  let row = (handOfOwner[owner] as number) - 1;
  while (row >= 0 && !rows.has(row)) {
    rows.add(row);
    row = rings[(row << RING_SHIFT) + RING_NEXT] as number;
  }
  return [...rows].sort((a, b) => a - b);
}

/** A small generator with a seed, so that a failing run can be run again. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

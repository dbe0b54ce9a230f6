/** What another thread could find in the table between any two of a writer's steps. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  createNeighbours,
  HEARD_ROLE,
  HEARD_ROUTER,
  type Neighbours,
  NeighReader,
  ROUTERS,
  ROW_ADDRESS,
  ROW_MAC_LOW,
  ROW_FID,
  ROW_SHIFT,
  ROW_VERSION,
  viewsOf,
} from '../../src/neigh/table.js';

const STEPS = ['store', 'add', 'or'] as const;
const address = (host: number): number[] => [0, 0, 0xffff, host];
const out = new Int32Array(4);
let table: Neighbours;
let moments: number;
/** Bindings that no version told a reader to look at again, and that hold what was never heard. */
let wrong: string[];

beforeEach(() => {
  table = createNeighbours({ capacity: 12, ports: 2, seed: 3 });
  moments = 0;
  wrong = [];
  for (const name of STEPS) {
    const step = Atomics[name] as (...args: unknown[]) => unknown;
    vi.spyOn(Atomics, name).mockImplementation(((...args: unknown[]) => {
      const result = step(...args);
      look();
      return result;
    }) as never);
  }
});

afterEach(() => void vi.restoreAllMocks());

/** The MAC of a binding is made of its address and FID, so that what does not belong together is seen. */
function macOf(host: number, fid: number): number {
  return host * 8 + fid;
}

function look(): void {
  moments++;
  const { rows } = viewsOf(table.memory);
  for (let base = 0; base < rows.length; base += 1 << ROW_SHIFT) {
    const fid = rows[base + ROW_FID];
    if ((rows[base + ROW_VERSION] & 1) !== 0 || fid <= 0 || fid >= ROUTERS) continue;
    const host = rows[base + ROW_ADDRESS + 3];
    const low = rows[base + ROW_MAC_LOW] & ~0x8000;
    if (low !== macOf(host, fid)) wrong.push(`${host} in ${fid} has ${low}`);
  }
}

it('is nothing but what was heard, whole', () => {
  const keys = Array.from({ length: 400 }, (_, i) => ({ host: 1 + ((i * 7) % 23), fid: 1 + (i % 3), i }));
  for (const { host, fid, i } of keys) {
    // Bit 15 stands for another MAC of the same address.
    const low = macOf(host, fid) | (i % 5 === 0 ? 0x8000 : 0);
    const traits = i % 4 === 0 ? HEARD_ROLE | HEARD_ROUTER : 0;
    if (i % 6 === 5) table.remove(fid, address(host));
    else if (i % 11 === 7) table.set(fid, address(host), 0x0200, low, i % 2 === 0, 1, i);
    else table.hear(fid, address(host), 0, 0x0200, low, i & 1, traits, i, out);
  }
  expect(wrong).toEqual([]);
  expect(moments).toBeGreaterThan(2000);
  expect(new NeighReader(table.memory).counters().evicted).toBeGreaterThan(20);
});

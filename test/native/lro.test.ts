/** Superframes that a NIC has put together (LRO), and mutated ones, under the address sanitizer (fuzz-lro.c). */
import { expect, test } from 'vitest';
import { long } from '../long.js';
import { fuzz } from './sanitized.js';

const FUZZED = long(1_000_000, 10_000);

test('a superframe without a partial checksum gets the sum that its receiver expects; mutated ones stay inside their memory', () => {
  const [done, all] = fuzz('lro', ['nic/netdev-lro.c', 'frames/headers.c', 'frames/checksum.c'], FUZZED);
  expect(all).toBe(FUZZED);
  expect(done).toBeGreaterThanOrEqual(FUZZED / 2);
});

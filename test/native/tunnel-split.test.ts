/** Superframes of tunnels whose headers are not what they say: segmented under the address sanitizer (fuzz-tunnel.c). */
import { expect, test } from 'vitest';
import { long } from '../long.js';
import { fuzz } from './sanitized.js';

const FUZZED = long(1_000_000, 10_000);

test('mutated superframes stay inside their memory and their descriptors; most others are segmented', () => {
  const [taken, all] = fuzz('tunnel', ['nic/netdev-tunnel.c', 'frames/headers.c', 'frames/checksum.c'], FUZZED);
  expect(all).toBe(FUZZED);
  expect(taken).toBeGreaterThan(FUZZED / 2);
});

/** Rings whose slots are not what they say, and queues that do not fit them: read under the address sanitizer (fuzz-ring.c). */
import { expect, test } from 'vitest';
import { long } from '../long.js';
import { fuzz } from './sanitized.js';

const SOURCES = [
  ...['nic/ring-read.c', 'nic/inbox.c', 'nic/netdev-read.c', 'nic/netdev-lro.c', 'nic/netdev-tunnel.c'],
  ...['frames/headers.c', 'frames/checksum.c'],
];
const TURNS = long(100_000, 2000);

test('no slot and no message leads out of the memory; most frames are described', () => {
  const [described, filled] = fuzz('ring', SOURCES, TURNS);
  expect(filled).toBeGreaterThan(TURNS * 10);
  expect(described).toBeGreaterThan(filled / 2);
});

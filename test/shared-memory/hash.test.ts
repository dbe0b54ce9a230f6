/** The hash of addresses: even, and not to be predicted without the seed. */
import { describe, expect, it } from 'vitest';
import { hashAddress } from '../../src/shared-memory/hash.js';

type Address = [number, number, number, number];
const KEYS = 4096;
const SLOTS = 2 * KEYS;
const SEEDS = [0, 1, 2, 0x7fffffff, -1, 20261129, 0x55555555];

/** Most keys in one of as many slots as a table would have for them. */
function crowdOf(address: (i: number) => Address, seed: number): number {
  const counts = new Uint32Array(SLOTS);
  for (let i = 0; i < KEYS; i++) counts[hashAddress(1, ...address(i), seed) & (SLOTS - 1)]++;
  return counts.reduce((most, count) => Math.max(most, count), 0);
}

// 4096 balls in 8192 bins: with a random function more than eight in one bin is a matter of one in a million.
describe.each<[string, (i: number) => Address]>([
  ['consecutive IPv4 addresses', (i) => [0, 0, 0xffff, 0x0a000000 + i]],
  ['IPv4 networks', (i) => [0, 0, 0xffff, i << 20]],
  ['consecutive IPv6 hosts', (i) => [0x20010db8, 0, 0, i]],
  ['consecutive IPv6 networks', (i) => [0x20010db8, i, 0, 1]],
  ['first two words of one XOR', (i) => [0x5a5a5a5a ^ (i * 7919), i * 7919, 0, 1]],
  ['first two words of one sum', (i) => [1_000_000 - i, i, 0, 1]],
  ['last two words of one XOR', (i) => [0x20010db8, 0, 0x5a5a5a5a ^ (i * 7919), i * 7919]],
  ['first word made of the second by a multiplier', (i) => [Math.imul(i, 0x9e3779b1) ^ 77, i, 0, 1]],
  ['top bits of all words', (i) => [(i & 7) << 29, (i & 0x38) << 26, (i & 0x1c0) << 23, (i & 0xe00) << 20]],
  ['middle bits of all words', (i) => [(i & 7) << 14, (i & 0x38) << 11, (i & 0x1c0) << 8, (i & 0xe00) << 5]],
])('%s', (_name, address) => {
  it.each(SEEDS)('lie in many slots, with seed %i', (seed) => {
    expect(crowdOf(address, seed)).toBeLessThan(9);
  });
});

it('keys that collide under one seed do not under another', () => {
  const colliding: Address[] = [];
  for (let i = 0; colliding.length < 256; i++) {
    const address: Address = [0x20010db8, Math.imul(i, 0x2545f491), i >>> 3, i];
    if ((hashAddress(1, ...address, 12345) & (SLOTS - 1)) === 5) colliding.push(address);
  }
  for (const seed of SEEDS) {
    const slots = new Set(colliding.map((address) => hashAddress(1, ...address, seed) & (SLOTS - 1)));
    expect(slots.size).toBeGreaterThan(225);
  }
});

it('pairs that differ in top bits only do not collide for many seeds', () => {
  let collisions = 0;
  for (let seed = 0; seed < 2000; seed++) {
    for (const top of [0x80000000, 0xc0000000, 0x80008000, 0x80010000]) {
      const one = hashAddress(1, 0x20010db8, 5, 6, 7, seed);
      const other = hashAddress(1, 0x20010db8, 5 ^ top, 6 ^ top, 7, seed);
      if (((one ^ other) & (SLOTS - 1)) === 0) collisions++;
    }
  }
  expect(collisions).toBeLessThan(20); // chance: 1
});

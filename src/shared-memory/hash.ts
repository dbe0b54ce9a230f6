/**
 * The hash of the tables whose keys contain an IP address.
 *
 * Guests and remotes choose addresses, so the hash has to be unpredictable: an attacker who could compute keys that collide
 * would make every search long, or leave other keys no room. A seed that only enters one word is not enough: with `h ^ a1 ^ a0`
 * all addresses with the same `a1 ^ a0` collide under every seed. So each word is multiplied twice by secret odd numbers, other
 * ones for each word, with a shift between that keeps a difference in the top bits from passing through unchanged. It is no
 * cryptographic hash; it has to cost no more than 10 ns.
 */

/** Hash of a number and the four words of an address. @param seed any integer; a random one outside of tests */
export function hashAddress(number: number, a0: number, a1: number, a2: number, a3: number, seed: number): number {
  const key = Math.imul(seed ^ 0x2c1b3c6d, 0x9e3779b1);
  const odd = key | 1;
  let h = mix(a3 ^ key, odd, odd ^ 0x5bd1e994);
  h = (h + mix(a2 ^ key, odd, odd ^ 0x3c6ef372)) | 0;
  h = (h + mix(a1 ^ key, odd, odd ^ 0x1b873592)) | 0;
  h = (h + mix(a0 ^ key, odd, odd ^ 0x68e31da4)) | 0;
  h = (h + mix(number ^ key, odd, odd ^ 0x27d4eb2e)) | 0;
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return h ^ (h >>> 16);
}

function mix(word: number, one: number, other: number): number {
  const product = Math.imul(word, one);
  return Math.imul(product ^ (product >>> 16), other);
}

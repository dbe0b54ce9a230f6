/**
 * The lock of those who change the neighbour table. Whoever looks up or refreshes never takes it.
 *
 * It is held for the time of one change, so waiting begins by trying again; only a holder that the scheduler has stopped
 * is slept for. (The FDB and the remotes have ones of their own: none of these rooms imports another.)
 */

const FREE = 0;
const HELD = 1;
const TRIES = 200;
const NAP_MS = 1;

/** Takes the lock at `index` of a shared array. Any thread but a browser's main one may. */
export function lock(words: Int32Array, index: number): void {
  for (;;) {
    for (let tries = 0; tries < TRIES; tries++) {
      if (Atomics.compareExchange(words, index, FREE, HELD) === FREE) return;
    }
    Atomics.wait(words, index, HELD, NAP_MS);
  }
}

export function unlock(words: Int32Array, index: number): void {
  Atomics.store(words, index, FREE);
}

/**
 * The lock of those who change a table in shared memory. Whoever looks up or refreshes never takes it, so what is known costs
 * no lock however many threads learn.
 *
 * It is held for the time of one change, less than a microsecond, so waiting begins by trying again; only a holder that the
 * scheduler has stopped is slept for.
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

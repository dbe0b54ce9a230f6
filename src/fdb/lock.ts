/**
 * The lock of those who write: held while a row is claimed, moved or freed and the counts follow. Readers never take it,
 * nor does refreshing an entry, so a known MAC costs no lock however many threads learn.
 *
 * What is held is held for less than a microsecond, so waiting begins by trying again; only a holder that the scheduler
 * has stopped is slept for.
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

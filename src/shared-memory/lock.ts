/**
 * The lock of a table's writers. Looking up and refreshing never take it, so traffic between known addresses costs no lock,
 * however many threads learn.
 *
 * It is held for the time of one change, less than a microsecond, so a waiting thread first tries again. It sleeps only when
 * the scheduler has stopped the holder.
 */

const FREE = 0;
const HELD = 1;
const TRIES = 200;
const NAP_MS = 1;

/** Takes the lock at `index` of a shared array. For any thread that may wait: all but a browser's main thread. */
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

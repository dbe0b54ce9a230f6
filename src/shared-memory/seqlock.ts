/**
 * A sequence lock for one row of a table in shared memory: readers never wait for a writer and never see half a row.
 *
 * A row has a version word. The writer makes it odd (`open`), writes the row, and makes it even again, and different from
 * before (`close`). A reader loads the version, reads the row, and takes what it has read only if the version was even and is
 * still the same (`isStable`).
 *
 * **Writers** hold the table's lock (`lock.ts`), so no two of them open one row. They write the words of an open row by
 * Atomics, since only atomic accesses are ordered for other threads on every machine.
 *
 * **What needs no version.** A single word is never torn: freeing a row (`probing.ts`) and refreshing its stamp change one word.
 *
 * **On the path of frames** a search writes the two checks of `versionAt` and `isStable` out by hand: as calls they used up V8's
 * inlining budget, and a whole turn of the engine took a tenth longer.
 *
 * Owns the protocol of the version word only. It never knows what a row holds.
 */

/** Attempts of `readPatiently` without a pause. */
const ATTEMPTS = 10_000;
/** Further attempts, each after a pause of a millisecond. */
const PATIENT_ATTEMPTS = 100;

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Makes the version at index `at` odd. A row that is open already stays open. */
export function open(words: Int32Array, at: number): void {
  Atomics.store(words, at, words[at] | 1);
}

/** Makes the version of an open row even, and different from every recent one. */
export function close(words: Int32Array, at: number): void {
  Atomics.store(words, at, words[at] + 1);
}

/** The version of a row, to be loaded before the row is read. */
export function versionAt(words: Int32Array, at: number): number {
  return Atomics.load(words, at);
}

/** Whether what was read since `versionAt` gave `version` is one state of the row. */
export function isStable(words: Int32Array, at: number, version: number): boolean {
  return (version & 1) === 0 && Atomics.load(words, at) === version;
}

/**
 * Reads a row for a listing: again and again, until it is whole. Writing a row takes less than a microsecond, so this waits
 * only for a writer that has stopped in the middle of one: for some milliseconds by the scheduler, or for good by a crash.
 * @param tryRead returns the row, or null while it is being written
 * @returns null when it stayed so for a tenth of a second: its writer has died
 */
export function readPatiently<Row>(tryRead: (row: number) => Row | null, row: number): Row | null {
  for (let attempt = 0; attempt < ATTEMPTS + PATIENT_ATTEMPTS; attempt++) {
    if (attempt >= ATTEMPTS) Atomics.wait(pause, 0, 0, 1);
    const whole = tryRead(row);
    if (whole !== null) return whole;
  }
  return null;
}

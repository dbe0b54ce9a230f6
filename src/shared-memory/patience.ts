/**
 * Reading a row that another thread may be writing: again and again, until it is whole.
 *
 * Writing a row takes less than a microsecond, so only a writer that is stopped in the middle of one, for some milliseconds
 * by the scheduler or for good by a crash, is ever waited for.
 */

/** Attempts without a pause. */
const ATTEMPTS = 10_000;
/** Further attempts, each after a pause of a millisecond. */
const PATIENT_ATTEMPTS = 100;

const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * @param tryRead gives the row, or null while it is being written
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

/**
 * The two searches of RFC 2889: how many addresses a switch stores, and how fast it learns them. The trials are injected, so
 * the searches know neither switches nor frames.
 */

/** The search for a rate ends when the bounds differ by no more than this fraction of the lower one. */
const RESOLUTION = 0.05;
/** Maximum number of trials of a search for a rate in which no trial has passed yet. */
const MOST_TRIALS = 14;

/**
 * Address caching capacity (RFC 2889, 5.7): the largest number of addresses that are all stored. It first tries `most`, then
 * less in growing steps, since the capacity of a table is mostly its configured size; then it bisects.
 * @param holds makes a trial: whether this number of addresses is stored
 * @param range.most largest number to try
 * @param range.step precision of the answer
 * @throws when no trial passes
 */
export async function searchCapacity(
  holds: (addresses: number) => Promise<boolean>,
  { most, step }: { most: number; step: number },
): Promise<number> {
  if (await holds(most)) return most;
  let tooMany = most;
  let held = 0;
  for (let less = step; held === 0 && most - less >= step; less *= 2) {
    if (await holds(most - less)) held = most - less;
    else tooMany = most - less;
  }
  while (tooMany - held > step) {
    const middle = held + Math.floor((tooMany - held) / 2);
    if (await holds(middle)) held = middle;
    else tooMany = middle;
  }
  if (held === 0) throw new Error(`not even ${tooMany} addresses are stored`);
  return held;
}

/**
 * Address learning rate (RFC 2889, 5.8): the highest rate at which every address is learned. The first trial is as fast as the
 * sender can send; if it passes, the sender is the limit.
 * @param learns makes a trial at a rate in addresses per second, 0 for the maximum, and returns the rate that was reached
 * @param trials maximum number of trials; more as long as none has passed
 * @returns addresses per second: `learned`, and `offered`, the maximum of the sender
 * @throws when no trial passes
 */
export async function searchRate(
  learns: (rate: number) => Promise<{ rate: number; learned: boolean }>,
  trials: number,
): Promise<{ learned: number; offered: number }> {
  const flatOut = await learns(0);
  const offered = flatOut.rate;
  if (flatOut.learned) return { learned: offered, offered };
  let tooFast = offered;
  let learned = 0;
  for (let tried = 1; tried < (learned === 0 ? MOST_TRIALS : trials); tried++) {
    if (tooFast - learned <= RESOLUTION * learned) break;
    const trial = await learns((learned + tooFast) / 2);
    // The reached rate counts: a sender that shares its core may not reach the requested one.
    if (trial.learned) learned = Math.max(learned, trial.rate);
    else tooFast = Math.min(tooFast, trial.rate);
  }
  if (learned === 0) throw new Error(`addresses are missed even at ${tooFast.toFixed(0)} a second`);
  return { learned, offered };
}

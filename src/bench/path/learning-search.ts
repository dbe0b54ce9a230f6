/**
 * The two searches of RFC 2889, over trials that are given: how many addresses a switch holds, and how fast it learns.
 * They know neither switches nor frames.
 */

/** A rate is searched until what is too fast exceeds what is not by no more than this part. */
const RESOLUTION = 0.05;
/** Trials of a search for a rate, even if none has passed yet. */
const MOST_TRIALS = 14;

/**
 * Address caching capacity (RFC 2889, 5.7): the largest number of addresses that are all held. It first tries `most` and
 * a little less, with growing strides, since a table mostly holds what it was made for; then it halves.
 * @param holds makes a trial
 * @param range what is tried at most, and how exact the answer is to be
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
  if (held === 0) throw new Error(`not even ${tooMany} addresses are held`);
  return held;
}

/**
 * Address learning rate (5.8): the highest rate at which no address is missed. The first trial is as fast as the sender
 * can: when that passes, the sender is the limit.
 * @param learns makes a trial at a rate, 0 for as fast
 * as can be, and tells which rate it came to
 * @param trials how many, where they do not end before; more, as long as none has passed
 * @returns addresses a second: `learned`, and `offered`, the fastest that the sender came to
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
    // The rate that it came to counts: a sender that shares its core does not reach the one that it was to have.
    if (trial.learned) learned = Math.max(learned, trial.rate);
    else tooFast = Math.min(tooFast, trial.rate);
  }
  if (learned === 0) throw new Error(`addresses are missed even at ${tooFast.toFixed(0)} a second`);
  return { learned, offered };
}

/**
 * What the trials at one load say about a goal, after Multiple Loss Ratio Search (draft-ietf-bmwg-mlrsearch-15): whether the load is
 * a lower or an upper bound, and what throughput it stands for. Pure; it makes no trials.
 */

/** What a search is for. */
export interface Goal {
  readonly name: string;
  /** A trial that loses a larger share of its frames is bad. 0: no loss at all. */
  readonly lossRatio: number;
  /** Seconds of a trial at the beginning, when little is known. */
  readonly initialTrial: number;
  /** Seconds of a full-length trial. */
  readonly finalTrial: number;
  /** Seconds of full-length trials at a load that settle its class; trials go on until the rest cannot change it. */
  readonly durationSum: number;
  /** Share of the time in which trials may be bad at a lower bound. 0.5: the majority decides. */
  readonly exceedRatio: number;
  /** The search ends when the bounds differ by no more than this share of the upper one. */
  readonly width: number;
}

/** A trial: how long it was, and the share of its intended frames that did not arrive. */
export interface Trial {
  readonly seconds: number;
  readonly lossRatio: number;
}

export type Bound = 'lower' | 'upper' | 'undecided';
/** The part of a goal that classifies; `finalTrial` is the shortest trial that counts as full-length. */
export type Target = Pick<Goal, 'lossRatio' | 'finalTrial' | 'durationSum' | 'exceedRatio'>;

const total = (trials: readonly Trial[]): number => trials.reduce((sum, { seconds }) => sum + seconds, 0);

/**
 * Classifies a load. Time is what counts: a load is a lower bound when bad trials could not exceed their share even if all
 * time that is still missing were bad, and an upper bound when they exceed it even if all of it were good. Short
 * trials count against a load where their bad time is more than their good time balances; they never count for one.
 */
export function classify(trials: readonly Trial[], { lossRatio, finalTrial, durationSum, exceedRatio }: Target): Bound {
  const isFull = (trial: Trial): boolean => trial.seconds >= finalTrial;
  const isBad = (trial: Trial): boolean => trial.lossRatio > lossRatio;
  const time = (full: boolean, bad: boolean): number =>
    total(trials.filter((trial) => isFull(trial) === full && isBad(trial) === bad));
  const balance = (time(false, false) * exceedRatio) / (1 - exceedRatio);
  const bad = time(true, true) + Math.max(0, time(false, true) - balance);
  const seen = time(true, false) + bad;
  const whole = Math.max(seen, durationSum);
  const allowed = whole * exceedRatio;
  if (bad + whole - seen <= allowed) return 'lower';
  return bad > allowed ? 'upper' : 'undecided';
}

/**
 * Conditional throughput: the forwarding rate that trials at a lower bound reach in all the time but the share that may be bad.
 * @param load in frames a second
 */
export function conditionalThroughput(
  load: number,
  trials: readonly Trial[],
  { finalTrial, durationSum, exceedRatio }: Target,
): number {
  const full = trials.filter(({ seconds }) => seconds >= finalTrial).sort((a, b) => a.lossRatio - b.lossRatio);
  let rest = Math.max(total(full), durationSum) * (1 - exceedRatio);
  let quantile = 0;
  for (const { seconds, lossRatio } of full) {
    if (rest <= 0) break;
    quantile = lossRatio;
    rest -= seconds;
  }
  return load * (1 - quantile);
}

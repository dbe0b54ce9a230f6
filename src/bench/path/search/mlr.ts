/**
 * The loss-rate search, after Multiple Loss Ratio Search (draft-ietf-bmwg-mlrsearch-15): several goals, such as no loss (NDR) and half
 * a per cent (PDR), in one search that shares its trials. It begins with short trials and wide bounds, and ends with full-length trials
 * and the goal's width; what a coarse phase found is only where the next one looks first. The trials are injected.
 */
import { type Bound, classify, conditionalThroughput, type Goal, type Target, type Trial } from './classify.js';

/** Makes a trial. @returns the share of the intended frames that did not arrive, 0 to 1 */
export type MakeTrial = (load: number, seconds: number) => Promise<number>;

/** Loads in frames a second. */
export interface Found {
  /** The largest load that meets the goal below every load that does not; null: none was found, not even the smallest load. */
  readonly lower: number | null;
  /** The smallest load that does not meet the goal; null: the largest load meets it. */
  readonly upper: number | null;
  /** What the lower bound stands for; 0 without one. */
  readonly throughput: number;
}

export interface Limits {
  readonly least: number;
  readonly most: number;
  /** Phases before the last one; each doubles the width and shortens the trials of the next one. */
  readonly coarse?: number;
  /** An error instead of more trials: a device whose class of loads changes all the time. */
  readonly mostTrials?: number;
}

const COARSE = 2;
const MOST_TRIALS = 1000;
/** Trials at the start, each at the rate that the one before forwarded. */
const FIRST_TRIALS = 3;

/** Searches for all goals. @returns what was found, by the goals' names */
export async function searchLosses(
  makeTrial: MakeTrial,
  goals: readonly Goal[],
  limits: Limits,
): Promise<Record<string, Found>> {
  const search = new Search(makeTrial, limits);
  await search.begin(Math.min(...goals.map(({ initialTrial }) => initialTrial)));
  const found: Record<string, Found> = {};
  // Loads that meet a strict goal meet the others too, and those of a loose goal lie close above: so it comes first.
  for (const goal of [...goals].sort((a, b) => b.lossRatio - a.lossRatio)) found[goal.name] = await search.find(goal);
  return found;
}

/** Bounds at a moment: the relevant ones, as the draft calls them. */
interface Bounds {
  readonly lower: number | null;
  readonly upper: number | null;
}

class Search {
  readonly #trials = new Map<number, Trial[]>();
  #made = 0;
  #guess: number;

  constructor(
    private readonly makeTrial: MakeTrial,
    private readonly limits: Limits,
  ) {
    this.#guess = limits.most;
  }

  /** The first trials: at the largest load, then at what was forwarded. */
  async begin(seconds: number): Promise<void> {
    for (let i = 0; i < FIRST_TRIALS; i++) {
      const loss = await this.#trial(this.#guess, seconds);
      if (loss === 0) return;
      this.#guess = this.#within(this.#guess * (1 - loss));
    }
  }

  async find(goal: Goal): Promise<Found> {
    const { coarse = COARSE } = this.limits;
    let bounds: Bounds = { lower: this.#guess, upper: null };
    for (let left = coarse; left >= 0; left--) {
      const share = coarse === 0 ? 1 : (coarse - left) / coarse;
      const finalTrial = goal.initialTrial * (goal.finalTrial / goal.initialTrial) ** share;
      // A coarse phase is content with a few trials at a load.
      const durationSum = goal.durationSum * (finalTrial / goal.finalTrial);
      bounds = await this.#narrow({ ...goal, finalTrial, durationSum }, goal.width * 2 ** left, bounds);
    }
    const { lower, upper } = bounds;
    const throughput = lower === null ? 0 : conditionalThroughput(lower, this.#at(lower), goal);
    if (lower !== null) this.#guess = lower;
    return { lower, upper, throughput };
  }

  /** Makes trials until the bounds of a target are close enough. @param hint where to look first */
  async #narrow(target: Target, width: number, hint: Bounds): Promise<Bounds> {
    for (const load of [hint.lower, hint.upper]) if (load !== null) await this.#settle(load, target);
    for (let step = width; ; ) {
      const bounds = this.#bounds(target);
      const { lower, upper } = bounds;
      if (lower === this.limits.most || upper === this.limits.least) return bounds;
      if (lower !== null && upper !== null) {
        if ((upper - lower) / upper <= width) return bounds;
        await this.#settle(this.#between(lower, upper, width), target);
        continue;
      }
      // One side is missing: further and further away from the other one.
      await this.#settle(
        this.#within(lower === null ? (upper ?? this.#guess) * (1 - step) : lower / (1 - step)),
        target,
      );
      step = Math.min(0.5, step * 2);
    }
  }

  /** In the middle, or just a width away where that leaves no more than a width on the other side. */
  #between(lower: number, upper: number, width: number): number {
    const middle = Math.sqrt(lower * upper);
    const near = lower / (1 - width);
    return near < upper && (upper - near) / upper <= width ? near : middle;
  }

  /** Makes trials at a load until it is a bound. */
  async #settle(load: number, target: Target): Promise<Bound> {
    for (;;) {
      const bound = classify(this.#at(load), target);
      if (bound !== 'undecided') return bound;
      await this.#trial(load, target.finalTrial);
    }
  }

  /** The smallest upper bound, and the largest lower bound below it: a lower bound above an upper one is an accident. */
  #bounds(target: Target): Bounds {
    let [lower, upper]: [number | null, number | null] = [null, null];
    for (const load of [...this.#trials.keys()].sort((a, b) => a - b)) {
      const bound = classify(this.#at(load), target);
      if (bound === 'lower') lower = load;
      if (bound === 'upper') {
        upper = load;
        break;
      }
    }
    return { lower, upper };
  }

  async #trial(load: number, seconds: number): Promise<number> {
    const { mostTrials = MOST_TRIALS } = this.limits;
    if (this.#made++ >= mostTrials) throw new Error(`no end after ${mostTrials} trials: the losses change too much`);
    const lossRatio = await this.makeTrial(load, seconds);
    this.#trials.set(load, [...this.#at(load), { seconds, lossRatio }]);
    return lossRatio;
  }

  #at(load: number): readonly Trial[] {
    return this.#trials.get(load) ?? [];
  }

  #within(load: number): number {
    return Math.min(this.limits.most, Math.max(this.limits.least, load));
  }
}

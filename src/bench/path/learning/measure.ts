/**
 * Address caching capacity and address learning rate (RFC 2889, 5.7 and 5.8) of one switch. A trial is a run of
 * learning-tester.ts on a switch with an empty FDB.
 */
import { fileURLToPath } from 'node:url';
import type { LearningMeasure } from '../switches/variant.js';
import type { Values } from '../types.js';
import { searchCapacity, searchRate } from './search.js';
import type { LearningSite } from './site.js';

/** The bundled program; the relative path is the same from src/bench and from dist/bench. */
const TESTER = fileURLToPath(new URL('../../../../dist/bundle/learning-tester.js', import.meta.url));
/** A million addresses at the pace of a slow machine. */
const TRIAL_LIMIT_MS = 120_000;
/** Maximum number of addresses in a trial at a rate; never more than three quarters of the capacity. */
const MOST_AT_A_RATE = 262_144;
/** Maximum duration of learning in a trial at a rate: at low rates, fewer addresses keep the search short. */
const MOST_SECONDS = 1.5;
const RATE_TRIALS = 8;
/** A quick run divides the number of addresses by this, and its rate is rough. */
const QUICK_PART = 16;
const QUICK_TRIALS = 4;

/**
 * Measures capacity and learning rate.
 * @param site built, without a switch
 * @returns addresses, and thousands of addresses per second
 */
export async function measureLearning(
  site: LearningSite,
  { attach, addresses, step }: LearningMeasure,
  quick: boolean,
): Promise<Values> {
  const most = quick ? Math.ceil(addresses / QUICK_PART) : addresses;
  const forget = await attach(site, most);
  const trial = trials(site, forget);
  const holds = async (count: number): Promise<boolean> => (await trial(count, null)).learned;
  const capacity = await searchCapacity(holds, { most, step: quick ? Math.ceil(step / QUICK_PART) : step });
  const count = Math.min(MOST_AT_A_RATE, Math.floor((capacity * 3) / 4));
  const learns = (rate: number): Promise<Trial> =>
    trial(rate === 0 ? count : Math.min(count, Math.ceil(rate * MOST_SECONDS)), rate);
  const { learned, offered } = await searchRate(learns, quick ? QUICK_TRIALS : RATE_TRIALS);
  return {
    addresses: capacity,
    'addresses-tried': most,
    learning: learned / 1000,
    'learning-offered': offered / 1000,
  };
}

/** Outcome of a trial: addresses per second, and whether all were learned. */
interface Trial {
  readonly rate: number;
  readonly learned: boolean;
}

/** @returns a function that makes a trial; `rate` null: no faster than the frames arrive */
function trials(
  site: LearningSite,
  forget: () => Promise<unknown>,
): (addresses: number, rate: number | null) => Promise<Trial> {
  let series = 0;
  return async (addresses, rate) => {
    await forget();
    series++;
    const what = JSON.stringify({ ...site.places, series, addresses, rate });
    const answer = await site.run(site.host.netns, [process.execPath, TESTER, what], { limitMs: TRIAL_LIMIT_MS });
    const { lost, ...result } = JSON.parse(answer);
    // A lost frame offers no address to learn: that is not a full table.
    if (rate === null && lost > 0) throw new Error(`${lost} of ${addresses} learning frames were lost on the way`);
    return result;
  };
}

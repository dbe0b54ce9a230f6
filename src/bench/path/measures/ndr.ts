/**
 * The highest rates of 64-byte frames without loss (NDR), and with a loss of half a per cent (PDR), searched together (search/mlr.ts).
 * A trial is a run of the own sender; frames that could not be sent in time count as lost.
 */
import type { Measured } from '../proof/prove.js';
import type { Goal } from '../search/classify.js';
import { searchLosses } from '../search/mlr.js';
import type { Site } from '../site/site.js';
import { sendTraffic } from './frame-sender.js';
import { ETHERNET_BYTES } from './trafgen.js';

const SIZE = 64;
const LEAST_RATE = 1000;
/** The search begins above what arrives of frames sent as fast as possible: paced ones may do better. */
const HEADROOM = 1.5;
const NDR: Goal = {
  name: 'ndr',
  lossRatio: 0,
  initialTrial: 0.25,
  finalTrial: 1,
  durationSum: 3,
  exceedRatio: 0.5,
  width: 0.02,
};
const GOALS: readonly Goal[] = [NDR, { ...NDR, name: 'pdr', lossRatio: 0.005 }];
/** A quick search only shows that it works. */
const QUICK: Partial<Goal> = { initialTrial: 0.05, finalTrial: 0.1, durationSum: 0.1, width: 0.2 };

/** @returns thousands of frames a second: the conditional throughput of both goals */
export async function measureLossRates(
  site: Site,
  { senders, quick }: { senders: number; quick: boolean },
): Promise<Measured> {
  const traffic = { sizes: [SIZE], flows: 1, senders };
  let arrived = 0;
  const { received, ns } = await sendTraffic(site, { ...traffic, rate: 0, ms: quick ? 200 : 1000 });
  const most = Math.max(LEAST_RATE * 2, ((received * 1e9) / ns) * HEADROOM);
  const makeTrial = async (rate: number, seconds: number): Promise<number> => {
    const outcome = await sendTraffic(site, { ...traffic, rate, ms: seconds * 1000 });
    if (outcome.received > outcome.intended) throw new Error('more frames arrived than were sent');
    arrived += outcome.received;
    return 1 - outcome.received / outcome.intended;
  };
  const goals = quick ? GOALS.map((goal) => ({ ...goal, ...QUICK })) : GOALS;
  const found = await searchLosses(makeTrial, goals, { least: LEAST_RATE, most, coarse: quick ? 0 : 2 });
  const values = Object.fromEntries(goals.map(({ name }) => [name, found[name].throughput / 1000]));
  return { values, carried: { there: arrived * (SIZE - ETHERNET_BYTES), back: 0 } };
}

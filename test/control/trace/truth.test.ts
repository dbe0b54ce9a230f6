/**
 * Trace against truth: whatever the configuration, the tables and the frame, what a trace says is what then happens, byte for byte; with
 * two switches as well. `faulted.test.ts` holds that a faulty shadow is found.
 *
 * A run of the long form ends after some minutes, whatever the machine, and says how far it came: 100,000 cases are several runs with an
 * OVERTAP_SEED each.
 */
import { expect, it } from 'vitest';
import { LONG, long } from '../../long.js';
import { Tally } from './truth/compare.js';
import { check } from './truth/run.js';

/** Frames that come in, and of one pair of switches. Each is compared at every bridge that it comes to: 1.6 times. */
const FRAMES = long(60_000, 400);
const OF_RUN = long(400, 50);
/** Milliseconds after which no pair begins. */
const ENOUGH = long(240_000, 60_000);

/** Least shares of the verdicts, in a thousand cases. */
const SHARES = { forwarded: 60, flooded: 200, answered: 10, held: 2, dropped: 200 };
const REASONS = 20;
/** The shares of few cases are those of the seed. */
const MANY = 2000;

it('says what then happens, at this switch and at the next one', { timeout: LONG ? 3_600_000 : 120_000 }, async () => {
  const tally = new Tally();
  expect(await check(FRAMES / OF_RUN, OF_RUN, tally, { ms: ENOUGH })).toBeNull();
  if (LONG) console.log(tally.toString());
  if (process.env.OVERTAP_SEED !== undefined && tally.cases < MANY) return;
  for (const [verdict, share] of Object.entries(SHARES))
    expect.soft(((tally.verdicts.get(verdict) ?? 0) * 1000) / tally.cases, verdict).toBeGreaterThanOrEqual(share);
  expect(tally.reasons.size, tally.toString()).toBeGreaterThanOrEqual(REASONS);
});

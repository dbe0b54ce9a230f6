/** Random sequences of changes of a whole switch, compared with a simple model after each change. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { long } from '../../long.js';
import { type Sequence, sequence, textOf } from './live-changes.js';
import { runSequence } from './run-sequence.js';

/** Sequences; another number with OVERTAP_SEQUENCES. */
const SEQUENCES = Number(process.env.OVERTAP_SEQUENCES ?? long(10_000, 200));
/** The same ones each time; others with OVERTAP_SEED. */
const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_121);
const TIMEOUT = 60_000 + SEQUENCES * 90;

describe('live control against its model', () => {
  it(
    `is right through ${SEQUENCES} random sequences of changes`,
    async () => {
      const printed = sequence.map((one) => Object.assign(one, { [fc.toStringMethod]: () => `\n${textOf(one)}\n` }));
      const tally = { changes: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(printed, (one: Sequence) => runSequence(one, tally)),
        { numRuns: SEQUENCES, seed: SEED },
      );
      // Most of them are carried out: refusing is no way to be right.
      expect(tally.changes - tally.refused).toBeGreaterThan(tally.refused);
    },
    TIMEOUT,
  );
});

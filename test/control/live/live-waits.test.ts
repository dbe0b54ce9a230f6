/**
 * Random sequences of changes of a switch whose devices are missing at times: their ports wait, all others are unaffected, and
 * each gets its device once it is available. Compared with the model after each step.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { long } from '../../long.js';
import { checkAnswers, checkDevices, checkNothingLeft, checkNumbers } from './compare-model.js';
import { Prober } from './frame-prober.js';
import { aimed } from './likely-change.js';
import { changeText, sequence, step } from './live-changes.js';
import { EMPTY, TAPS, VXLANS } from './live-documents.js';
import type { Model } from './live-model.js';
import type { LiveSwitch } from './live-switch.js';
import { changeBoth, startBoth, storyOf } from './run-sequence.js';

const SEQUENCES = Number(process.env.OVERTAP_SEQUENCES ?? long(3000, 100));
const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_121);

const absence = fc.subarray([...TAPS, ...VXLANS]);
const journey = fc.record({
  start: sequence,
  absent: absence,
  steps: fc.array(
    fc.oneof(
      { weight: 5, arbitrary: step },
      { weight: 1, arbitrary: absence.map((names) => ({ kind: 'absent' as const, names })) },
      { weight: 2, arbitrary: fc.constant({ kind: 'renew' as const }) },
    ),
    { minLength: 1, maxLength: 10, size: 'max' },
  ),
});

/** What the watch of ports does: each that waits is tried. @returns those that have their devices now */
async function renewAll(live: LiveSwitch, model: Model): Promise<string[]> {
  const done: string[] = [];
  const { lost, ports } = live.model;
  for (const { name } of [...ports.values()].filter(({ index }) => lost.has(index))) {
    const reason = await live.controls.renew([name]);
    expect(reason === null, `${name}: ${reason}`).toBe(!live.devices.absent.has(name));
    if (reason !== null) continue;
    done.push(name);
    model.tables.renew(name, model.config);
  }
  return done;
}

describe('live control whose devices are not there yet', () => {
  it(
    `is right through ${SEQUENCES} random sequences of changes and of devices that come`,
    async () => {
      let came = 0;
      let waited = 0;
      await fc.assert(
        fc.asyncProperty(journey, async ({ start: { document, workers, seed }, absent, steps }) => {
          const pair = await startBoth(document, workers, new Set(absent));
          if (pair === null) return;
          const { live, model } = pair;
          const prober = new Prober(seed);
          const log = [`not there: ${absent.join(' ')}`];
          const check = (): void => {
            expect([...model.tables.waiting].sort()).toEqual(
              [...live.model.ports.values()]
                .filter(({ index }) => live.model.lost.has(index))
                .map(({ name }) => name)
                .sort(),
            );
            checkAnswers(live, model);
            checkDevices(live, model);
            checkNumbers(live, model);
            prober.probe(live, model);
          };
          try {
            check();
            for (const one of steps) {
              waited += model.tables.waiting.size;
              if (one.kind === 'absent') {
                log.push(`not there: ${one.names.join(' ')}`);
                live.devices.absent = new Set(one.names);
              } else if (one.kind === 'renew') {
                const done = await renewAll(live, model);
                log.push(`(came: ${done.join(' ')})`);
                came += done.length;
              } else if (one.kind === 'wait') {
                log.push(`(${one.seconds} s pass)`);
                live.wait(one.seconds);
                model.wait(one.seconds);
              } else {
                const change = aimed(one.change, one.aim, model);
                log.push(changeText(change));
                if (!(await changeBoth(live, model, { ...one, change }))) log.push(`${log.pop()}   (refused)`);
              }
              check();
            }
            await changeBoth(live, model, { change: { kind: 'apply', document: EMPTY } });
            check();
            checkNothingLeft(live);
            live.recycle();
          } catch (error) {
            if (error instanceof Error) error.message = `${storyOf(document, workers, log)}\n${error.message}`;
            throw error;
          } finally {
            live.stop();
          }
        }),
        { numRuns: SEQUENCES, seed: SEED },
      );
      // They did wait, and they came.
      expect(waited).toBeGreaterThan(SEQUENCES);
      expect(came).toBeGreaterThan(SEQUENCES / 10);
    },
    120_000 + SEQUENCES * 200,
  );
});

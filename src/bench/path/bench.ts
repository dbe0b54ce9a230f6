/**
 * Owns a run: its turns in order, their samples and failures, and the output of the result. A failed turn is reported and sets
 * the exit status; the other turns continue.
 */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { reasonOf } from '../../lab/testbed/errors.js';
import { interruptible } from '../../lab/testbed/wait.js';
import { sweep } from './ground.js';
import { jsonReport, keep } from './keep.js';
import { completePath, describeMachine, hasOvs, requireTools } from './machine.js';
import { textReport } from './report.js';
import { LEARNING, ROWS } from './rows.js';
import { summarise } from './statistics.js';
import { planTurns, takeTurn } from './turn.js';
import type { Failure, Options, Result, Sample, Turn, Values } from './types.js';

/** Load average of the last minute above which a warning is printed. */
const BUSY_LOAD = 0.5;

const say = (line: string): unknown => process.stderr.write(`${line}\n`);

interface Gathered {
  readonly samples: (Sample & { round: number })[];
  readonly failures: Failure[];
  /** The signal that interrupted the run. */
  signal: NodeJS.Signals | null;
}

/** Makes a run and publishes its result. @returns the exit status */
export async function bench(options: Options): Promise<number> {
  completePath();
  requireTools(options.only);
  const variants = options.variants.filter((name) => name !== 'ovs' || hasOvs());
  if (variants.length < options.variants.length)
    say('ovs: skipped, Open vSwitch is not installed (Debian: apt-get install openvswitch-switch)');
  const turns = planTurns({ ...options, variants });
  if (turns.length === 0)
    throw new Error('nothing to measure: none of these variants has these measures in these columns');

  const { quick, rounds, seconds, senders, only, columns } = options;
  const started = new Date().toISOString();
  const machine = describeMachine();
  if (machine.load > BUSY_LOAD && !quick)
    say(`load ${machine.load.toFixed(2)}: other programs are running and will distort the figures`);
  const gathered: Gathered = { samples: [], failures: [], signal: null };
  await sweep();
  await interruptible((signal) => takeTurns(turns, options, gathered, signal));

  const { samples, failures } = gathered;
  const settings = { quick, rounds, seconds, senders, only, columns, variants };
  const isComplete = gathered.signal === null;
  const summary = summarise(samples);
  const result = {
    started,
    ended: new Date().toISOString(),
    isComplete,
    settings,
    machine,
    summary,
    failures,
    samples,
  };
  publish(result, options);
  if (gathered.signal !== null) return 128 + os.constants.signals[gathered.signal];
  return failures.length > 0 ? 1 : 0;
}

async function takeTurns(
  turns: readonly Turn[],
  options: Options,
  gathered: Gathered,
  signal: AbortSignal,
): Promise<void> {
  const start = performance.now();
  for (const [index, turn] of turns.entries()) {
    const { round, column, variant } = turn;
    const place = `${index + 1}/${turns.length}`.padStart(7);
    const title = `${place}  round ${round}/${options.rounds}  ${column}  ${variant.padEnd(8)}`;
    let outcome: string;
    try {
      const values = await takeTurn(turn, options, signal);
      for (const [measure, value] of Object.entries(values))
        gathered.samples.push({ round, column, variant, measure, value });
      outcome = headlines(values);
    } catch (error) {
      if (!signal.aborted) gathered.failures.push({ round, column, variant, reason: reasonOf(error) });
      outcome = `FAILED: ${reasonOf(error)}`;
    }
    if (signal.aborted) {
      gathered.signal = signal.reason;
      say(`${title} interrupted by ${signal.reason}; everything is removed`);
      return;
    }
    say(`${((performance.now() - start) / 1000).toFixed(0).padStart(5)} s ${title} ${outcome}`);
  }
}

/** The values of a turn in one line. */
function headlines(values: Values): string {
  const texts = Object.entries(values).map(([measure, value]) => {
    const row = [...ROWS, ...LEARNING].find((one) => one.measure === measure);
    return `${measure} ${value.toFixed(row?.digits)}`;
  });
  return texts.join('  ');
}

function publish(result: Result, { json, isWhole }: Options): void {
  if (json !== '-' && result.samples.length > 0) process.stdout.write(textReport(result));
  if (json === '-') process.stdout.write(jsonReport(result));
  else if (json !== null) writeFileSync(json, jsonReport(result));
  if (isWhole && result.isComplete && result.failures.length === 0) say(`kept: ${keep(result)}`);
}

/**
 * Owns a run: its turns in order, their samples and failures, and the output of the result. A failed turn is reported and sets
 * the exit status; the other turns continue.
 */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { reasonOf } from '../../lab/testbed/errors.js';
import { interruptible } from '../../lab/testbed/wait.js';
import { completePath, describeMachine, missingFor, requireTools } from './machine/machine.js';
import {
  lookForOthers,
  measurePrices,
  type Prices,
  priceLine,
  readCpuTimes,
  stolenDuring,
  unstablePrices,
} from './machine/prices.js';
import { connectPeer, takePeerTurn } from './peer/near.js';
import { compiler, NO_COMPILER, removePrograms } from './programs/compile.js';
import { jsonReport, keep } from './report/keep.js';
import { textReport } from './report/report.js';
import { LEARNING, ROWS } from './report/rows.js';
import { summarise } from './report/statistics.js';
import { sweep } from './site/ground.js';
import { planTurns, type Taken, takeTurn } from './turn.js';
import type { Failure, MachinePrices, MeasureGroup, Options, Path, Result, Sample, Turn, Values } from './types.js';

/** Measures by the benchmark's own sender. */
const COMPILED: readonly MeasureGroup[] = ['flows', 'load', 'ndr'];

const say = (line: string): unknown => process.stderr.write(`${line}\n`);

interface Gathered {
  readonly samples: (Sample & { round: number })[];
  readonly failures: Failure[];
  readonly paths: Path[];
  /** The signal that interrupted the run. */
  signal: NodeJS.Signals | null;
}

/** Makes a run and publishes its result. @returns the exit status */
export async function bench(options: Options): Promise<number> {
  completePath();
  requireTools(options.only);
  const only = measurable(options.only);
  const variants = options.variants.filter((name) => {
    const missing = missingFor(name);
    if (missing !== null) say(`${name}: skipped, ${missing}`);
    return missing === null;
  });
  const turns = planTurns({ ...options, only, variants });
  if (turns.length === 0)
    throw new Error('nothing to measure: none of these variants has these measures in these columns');

  const { quick, rounds, seconds, senders, columns, underlay, goals } = options;
  const started = new Date().toISOString();
  const machine = describeMachine();
  const gathered: Gathered = { samples: [], failures: [], paths: [], signal: null };
  await sweep();
  const peer = options.peer === null ? null : await connectPeer(options.peer, options.peer.token);
  const take = (turn: Turn, signal: AbortSignal): Promise<Taken> =>
    peer === null ? takeTurn(turn, options, signal) : takePeerTurn(turn, options, peer, signal);
  const about = await interruptible((signal) =>
    priced(quick, signal, () => takeTurns(turns, take, options.rounds, gathered, signal)),
  ).finally(() => peer?.socket.destroy());

  const { samples, failures, paths } = gathered;
  const settings = { quick, rounds, seconds, senders, only, columns, variants, underlay, goals };
  const isComplete = gathered.signal === null;
  const summary = summarise(samples);
  const ended = new Date().toISOString();
  publish({ started, ended, isComplete, settings, machine, ...about, summary, failures, samples, paths }, options);
  if (gathered.signal !== null) return 128 + os.constants.signals[gathered.signal];
  return failures.length > 0 ? 1 : 0;
}

/** The measures that can be made here: some need a program that has to be compiled. */
function measurable(only: readonly MeasureGroup[]): readonly MeasureGroup[] {
  if (compiler() !== null) return only;
  const without = only.filter((group) => COMPILED.includes(group));
  if (without.length > 0) say(`${without.join(', ')}: skipped, there is no C compiler. ${NO_COMPILER}`);
  return only.filter((group) => !COMPILED.includes(group));
}

/** Does the work between two measurements of the machine's prices, and says at once what is wrong with the machine. */
async function priced(
  quick: boolean,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<{ prices: MachinePrices | null; warnings: string[] }> {
  const warnings: string[] = [];
  const warn = (found: readonly string[]): void => {
    for (const text of found) say(text);
    warnings.push(...found);
  };
  try {
    if (!quick) warn(await lookForOthers(signal));
    const before = await pricesNow(quick, signal);
    const start = readCpuTimes();
    await work();
    warn(stolenDuring(start, readCpuTimes()));
    const after = before === null || signal.aborted ? null : await pricesNow(quick, signal);
    if (before !== null && after !== null && !quick) warn(unstablePrices(before, after));
    return { prices: before === null ? null : { before, after }, warnings };
  } finally {
    removePrograms();
  }
}

/** Measures and prints the prices. @returns null when they cannot be measured, or when the run is interrupted */
async function pricesNow(quick: boolean, signal: AbortSignal): Promise<Prices | null> {
  if (compiler() === null) {
    say(`prices: not measured, there is no C compiler. ${NO_COMPILER}`);
    return null;
  }
  try {
    const prices = await measurePrices(signal, quick);
    say(priceLine(prices));
    return prices;
  } catch (error) {
    if (!signal.aborted) say(`prices: not measured: ${reasonOf(error)}`);
    return null;
  }
}

async function takeTurns(
  turns: readonly Turn[],
  take: (turn: Turn, signal: AbortSignal) => Promise<Taken>,
  rounds: number,
  gathered: Gathered,
  signal: AbortSignal,
): Promise<void> {
  const start = performance.now();
  for (const [index, turn] of turns.entries()) {
    const { round, column, variant } = turn;
    const place = `${index + 1}/${turns.length}`.padStart(7);
    const title = `${place}  round ${round}/${rounds}  ${column}  ${variant.padEnd(8)}`;
    let outcome: string;
    try {
      const { values, paths, failures } = await take(turn, signal);
      for (const [measure, value] of Object.entries(values))
        gathered.samples.push({ round, column, variant, measure, value });
      for (const shown of paths) gathered.paths.push({ round, column, variant, ...shown });
      for (const reason of failures) gathered.failures.push({ round, column, variant, reason });
      outcome = [headlines(values), ...failures.map((reason) => `FAILED: ${reason}`)].join('  ');
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

/**
 * Compares two results of the benchmark: which measures of overtap got better or worse, beyond what the spread of their samples
 * explains. `overtap bench --compare OLD.json NEW.json`.
 */
import { readFileSync } from 'node:fs';
import { reasonOf } from '../../../lab/testbed/errors.js';
import { PRICE_TEXT, unstablePrices } from '../machine/prices.js';
import { UsageError } from '../options.js';
import { align } from '../report/report.js';
import { ROWS } from '../report/rows.js';
import { median } from '../report/statistics.js';
import type { Result } from '../types.js';
import { mannWhitney, ratioInterval } from './significance.js';

/**
 * The probability below which a difference counts. Dozens of rows are compared at once: with 0.05, two of forty would be called
 * different by chance. Five rounds in each result, all on one side, have 0.008.
 */
const SIGNIFICANT = 0.01;
/** Fewer samples cannot be significant. */
const LEAST_SAMPLES = 5;
/** Smaller changes do not matter, however certain. */
const LEAST_CHANGE = 0.02;
/** These are yardsticks: when they change, the machine has. */
const YARDSTICKS: readonly string[] = ['kernel', 'floor', 'ovs', 'ovs-tso'];

export type Verdict = 'better' | 'worse' | 'same' | 'too few';

export interface Row {
  readonly column: string;
  readonly variant: string;
  readonly measure: string;
  readonly old: number;
  readonly now: number;
  /** Confidence interval of the ratio new to old. */
  readonly interval: readonly [number, number];
  readonly probability: number;
  readonly verdict: Verdict;
}

type Compared = Pick<Result, 'samples'>;

/** Compares what both results have. */
export function compareResults(old: Compared, now: Compared): Row[] {
  const oldSamples = grouped(old);
  return [...grouped(now)].flatMap(([key, values]) => {
    const before = oldSamples.get(key);
    if (before === undefined) return [];
    const [column, variant, measure] = key.split(' ');
    const interval = ratioInterval(before, values);
    const probability = mannWhitney(before, values);
    const few = Math.min(before.length, values.length) < LEAST_SAMPLES;
    const more = moreIsBetter(measure);
    const row = { column, variant, measure, old: median(before), now: median(values), interval, probability };
    return more === null ? [] : [{ ...row, verdict: few ? 'too few' : judge(row, more) }];
  });
}

function grouped({ samples }: Compared): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const { column, variant, measure, value } of samples) {
    const key = `${column} ${variant} ${measure}`;
    groups.set(key, [...(groups.get(key) ?? []), value]);
  }
  return groups;
}

/** Null: neither, such as a load that was chosen. */
function moreIsBetter(measure: string): boolean | null {
  if (measure === 'load-rate' || measure.endsWith('-tried') || measure.endsWith('-offered')) return null;
  return ROWS.find((row) => row.measure === measure)?.more ?? true;
}

function judge({ old, now, interval, probability }: Omit<Row, 'verdict'>, more: boolean): Verdict {
  const [low, high] = interval;
  const isCertain = probability < SIGNIFICANT && (low > 1 || high < 1);
  if (!isCertain || Math.abs(now / old - 1) < LEAST_CHANGE) return 'same';
  return now > old === more ? 'better' : 'worse';
}

/** The comparison as text. All rows of overtap are shown, and of the yardsticks those that changed. */
export function comparisonText(old: Result, now: Result, rows: readonly Row[]): string {
  const name = ({ started, machine }: Result): string => `${started.slice(0, 16)} ${machine.commit}`;
  const shown = rows.filter(({ variant, verdict }) => !YARDSTICKS.includes(variant) || verdict !== 'same');
  const table = shown.map(({ column, variant, measure, old: before, now: after, interval, probability, verdict }) => [
    `${column} ${variant} ${measure}`,
    number(before),
    number(after),
    `${after >= before ? '+' : ''}${((after / before - 1) * 100).toFixed(1)} %`,
    interval.map((ratio) => ratio.toFixed(2)).join('-'),
    probability.toFixed(3),
    verdict === 'same' ? '' : YARDSTICKS.includes(variant) ? `${verdict} (yardstick)` : verdict,
  ]);
  const head = ['', 'old', 'new', 'change', 'ratio, 95 %', 'p', ''];
  const counts = (['better', 'worse', 'same', 'too few'] as const).map(
    (verdict) => `${own(rows).filter((row) => row.verdict === verdict).length} ${verdict}`,
  );
  const notes = machineNotes(old, now);
  return [
    `old: ${name(old)}, new: ${name(now)}`,
    `medians; p: Mann-Whitney U test, ratio: bootstrap; significant below ${SIGNIFICANT}, with ${LEAST_SAMPLES} rounds at least`,
    ...notes,
    '',
    ...align([head, ...table]),
    '',
    `overtap: ${counts.join(', ')}`,
    '',
  ].join('\n');
}

const own = (rows: readonly Row[]): Row[] => rows.filter(({ variant }) => !YARDSTICKS.includes(variant));
const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** What makes the two results hard to compare: another machine, other prices, other settings. */
function machineNotes(old: Result, now: Result): string[] {
  const differ = (what: string, a: string, b: string): string[] => (a === b ? [] : [`NOTE: ${what}: ${a} and ${b}`]);
  const { machine: a, settings: x } = old;
  const { machine: b, settings: y } = now;
  const prices = old.prices && now.prices ? unstablePrices(old.prices.before, now.prices.before) : [];
  const changed = Object.values(PRICE_TEXT).filter((text) => prices.some((line) => line.includes(`: ${text} cost `)));
  return [
    ...differ('other processors', `${a.cpu}, ${a.cores} cores`, `${b.cpu}, ${b.cores} cores`),
    ...differ('other kernels', a.kernel, b.kernel),
    ...differ('other underlays', x.underlay ?? 'ipv4', y.underlay ?? 'ipv4'),
    ...differ('other durations', `${x.seconds} s`, `${y.seconds} s`),
    ...(changed.length > 0 ? [`NOTE: other prices of the machine: ${changed.join('; ')}`] : []),
  ];
}

/** Compares two files and prints the table. @returns 1 when a measure of overtap got worse, else 0 */
export function compareFiles([oldFile, newFile]: readonly [string, string]): number {
  const [old, now] = [readResult(oldFile), readResult(newFile)];
  const rows = compareResults(old, now);
  if (rows.length === 0) throw new UsageError(`${oldFile} and ${newFile} have no measure in common`);
  process.stdout.write(comparisonText(old, now, rows));
  return own(rows).some(({ verdict }) => verdict === 'worse') ? 1 : 0;
}

function readResult(file: string): Result {
  let result: Partial<Result>;
  try {
    result = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file}: ${reasonOf(error)}`);
  }
  const isSample = (one: Partial<Result['samples'][number]> | null): boolean =>
    typeof one?.column === 'string' &&
    typeof one.variant === 'string' &&
    typeof one.measure === 'string' &&
    Number.isFinite(one.value);
  if (!Array.isArray(result?.samples) || !result.samples.every(isSample) || !result.machine || !result.settings)
    throw new UsageError(`${file} is no result of overtap bench --json`);
  return { started: '', ...result } as Result;
}

/**
 * Owns the words of the benchmark's command line: what they mean, what is refused. It imports nothing of the switch,
 * so that a wrong word is told before anything is loaded or built.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { reasonOf } from '../../lab/testbed/errors.js';
import type { Column, MeasureGroup, Options, VariantName } from './types.js';

export const MEASURE_GROUPS: readonly MeasureGroup[] = ['tcp', 'frames', 'latency', 'learning'];
export const COLUMNS: readonly Column[] = ['A', 'B'];

/**
 * `mixed` is overtap with a kernel peer, `workers` overtap with two engines, `trains` overtap without tunnel GSO, `replicating`
 * overtap that floods to a thousand remotes meanwhile, `large` overtap with an FDB of a million entries; variants.ts says what they measure.
 */
export const VARIANTS: readonly VariantName[] = [
  'kernel',
  'overtap',
  'ovs',
  'mixed',
  'workers',
  'trains',
  'replicating',
  'large',
];

export const USAGE = `usage: npm run bench -- [options]        (or: overtap bench [options])

Measures the whole path, guest - switch - underlay - switch - guest, for overtap and for the kernel's bridge and vxlan,
and for Open vSwitch's userspace datapath where it is installed: in turn, interleaved, in one go. Needs root. Learning, of how
many addresses and how fast, is that of one bridge with three ports (RFC 2889).

  --rounds N        how often each of them has its turn (5)
  --seconds S       how long each measure takes (3); learning takes what it takes
  --senders N       programs that send frames (one a core)
  --only LIST       measures: ${MEASURE_GROUPS.join(',')}
  --columns LIST    A: offloads as they are; B: the underlay as a plain NIC (A,B)
  --variants LIST   ${VARIANTS.join(',')}
  --json FILE       writes everything as JSON, every sample included; "-": to stdout instead of the table
  --quick           one round of one second, small tables: shows that it works, the figures mean nothing
  --help            this text

A run with all measures, both columns and all variants is kept in bench/results. Progress goes to stderr.`;

/** The command line is wrong. */
export class UsageError extends Error {}

/**
 * @returns what to do; `isWhole` when nothing was left out, so that the result is worth keeping
 * @throws UsageError
 */
export function readOptions(words: readonly string[]): Options {
  const given = parseWords(words);
  const quick = given.quick === true;
  const only = list('--only', given.only, MEASURE_GROUPS);
  const columns = list('--columns', given.columns, COLUMNS);
  const variants = list('--variants', given.variants, VARIANTS);
  return {
    help: given.help === true,
    quick,
    rounds: whole('--rounds', given.rounds, quick ? 1 : 5, 1000),
    seconds: whole('--seconds', given.seconds, quick ? 1 : 3, 600),
    senders: whole('--senders', given.senders, Math.min(availableParallelism(), 64), 64),
    only,
    columns,
    variants,
    json: given.json ?? null,
    isWhole: !quick && [only, columns, variants].flat().length === [MEASURE_GROUPS, COLUMNS, VARIANTS].flat().length,
  };
}

function parseWords(words: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { rounds: text, seconds: text, senders: text, only: text, columns: text, variants: text, json: text };
  try {
    return parseArgs({ args: [...words], options: { ...options, quick: flag, help: { ...flag, short: 'h' } } }).values;
  } catch (error) {
    throw new UsageError(reasonOf(error).split('. ')[0]);
  }
}

function whole(option: string, text: string | undefined, fallback: number, most: number): number {
  if (text === undefined) return fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 1 && value <= most))
    throw new UsageError(`${option} takes a whole number from 1 to ${most}, not "${text}"`);
  return value;
}

function list<T extends string>(option: string, text: string | undefined, known: readonly T[]): readonly T[] {
  if (text === undefined) return known;
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !known.some((one) => one === name));
  if (unknown !== undefined)
    throw new UsageError(`${option} takes ${known.join(', ')}, joined by commas, not "${unknown}"`);
  return known.filter((name) => names.includes(name));
}

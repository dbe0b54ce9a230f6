/**
 * The benchmark's command line. It imports nothing of the switch, so that a wrong option is reported before anything is loaded
 * or built.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { reasonOf } from '../../lab/testbed/errors.js';
import type { Column, MeasureGroup, Options, VariantName } from './types.js';

const MEASURE_GROUPS: readonly MeasureGroup[] = ['tcp', 'frames', 'latency', 'learning'];
const COLUMNS: readonly Column[] = ['A', 'B'];
/** Of `--local`. */
const LOCAL_GROUPS: readonly MeasureGroup[] = ['tcp', 'frames', 'latency'];
const LOCAL_COLUMNS: readonly Column[] = ['L'];

/**
 * `mixed` is overtap with a kernel peer, `workers` overtap with two engines, `trains` overtap without tunnel GSO, `replicating`
 * overtap that also floods to a thousand remotes, `large` overtap with an FDB of a million entries (see variants.ts).
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

/** Of `--local`: ports of one switch. `overtap` has TAPs, `netdev` is overtap with attached interfaces. */
const LOCAL_VARIANTS: readonly VariantName[] = ['kernel', 'overtap', 'netdev', 'ovs'];

export const USAGE = `usage: npm run bench -- [options]        (or: overtap bench [options])

Measures the whole path, guest - switch - underlay - switch - guest, for overtap, for the kernel's bridge and vxlan, and for
Open vSwitch's userspace datapath if it is installed. The variants take turns in every round. Needs root. Learning (number of
addresses and rate, RFC 2889) is measured on one bridge with three ports. With --local both guests are on one switch: overtap
with TAPs and with attached interfaces (netdev), the kernel's bridge, Open vSwitch.

  --rounds N        turns of each variant (5)
  --seconds S       seconds of each measure (3), except learning
  --senders N       programs that send frames (one per core)
  --only LIST       measures: ${MEASURE_GROUPS.join(',')}
  --columns LIST    A: with all offloads; B: the underlay as a plain NIC (A,B)
  --variants LIST   ${VARIANTS.join(',')}
  --local           two guests on one switch; --only ${LOCAL_GROUPS.join(',')}; --variants ${LOCAL_VARIANTS.join(',')}
  --json FILE       also write the result with all samples as JSON; "-": to stdout instead of the table
  --quick           one round of one second, small tables: only shows that it works
  --help            this text

A run with all measures, columns and variants is kept in bench/results, also with --local. Progress goes to stderr.`;

/** An error of the command line. */
export class UsageError extends Error {}

/**
 * Parses the command line.
 * @throws UsageError
 */
export function readOptions(words: readonly string[]): Options {
  const given = parseWords(words);
  const quick = given.quick === true;
  const local = given.local === true;
  if (local && given.columns !== undefined) throw new UsageError('--local has no columns: leave --columns out');
  const known = local
    ? { only: LOCAL_GROUPS, columns: LOCAL_COLUMNS, variants: LOCAL_VARIANTS }
    : { only: MEASURE_GROUPS, columns: COLUMNS, variants: VARIANTS };
  const only = list('--only', given.only, known.only);
  const columns = list('--columns', given.columns, known.columns);
  const variants = list('--variants', given.variants, known.variants);
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
    isWhole: !quick && [only, columns, variants].flat().length === Object.values(known).flat().length,
  };
}

function parseWords(words: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { rounds: text, seconds: text, senders: text, only: text, columns: text, variants: text, json: text };
  try {
    return parseArgs({
      args: [...words],
      options: { ...options, local: flag, quick: flag, help: { ...flag, short: 'h' } },
    }).values;
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

/**
 * The benchmark's command line. It imports nothing of the switch, so that a wrong option is reported before anything is loaded
 * or built.
 */
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { reasonOf } from '../../lab/testbed/errors.js';
import type { Column, Endpoint, MeasureGroup, Options, Underlay, VariantName } from './types.js';

const MEASURE_GROUPS: readonly MeasureGroup[] = ['tcp', 'frames', 'flows', 'latency', 'load', 'ndr', 'learning'];
/** Measured without `--only`: a search for loss rates takes as long as all other measures of a turn. */
const USUAL_GROUPS = MEASURE_GROUPS.filter((group) => group !== 'ndr');
const UNDERLAYS: readonly Underlay[] = ['ipv4', 'ipv6'];
const COLUMNS: readonly Column[] = ['A', 'B'];
/** Of `--local`. */
const LOCAL_GROUPS: readonly MeasureGroup[] = ['tcp', 'frames', 'latency'];
const LOCAL_COLUMNS: readonly Column[] = ['L'];

/**
 * `floor` forwards between one TAP and one remote and decides nothing, `mixed` is overtap with a kernel peer, `workers` overtap with two engines, `trains` overtap without tunnel GSO, `replicating`
 * overtap that also floods to a thousand remotes, `large` overtap with an FDB of a million entries (see variants.ts).
 */
export const VARIANTS: readonly VariantName[] = [
  'kernel',
  'floor',
  'overtap',
  'ovs',
  'ovs-tso',
  'mixed',
  'workers',
  'trains',
  'replicating',
  'large',
];

/** Of `--local`: ports of one switch. `overtap` has TAPs, `netdev` is overtap with attached interfaces. */
const LOCAL_VARIANTS: readonly VariantName[] = ['kernel', 'overtap', 'netdev', 'ovs'];

/** Of `--attached`: guests at veth ends, with known flows carried by the engines (netdev) and by the kernel (carried). */
const ATTACHED_VARIANTS: readonly VariantName[] = ['kernel', 'floor', 'overtap', 'netdev', 'carried'];

/** Of `--routed`: guests in two subnets, beside the same guests in one. */
const ROUTED_VARIANTS: readonly VariantName[] = ['kernel', 'overtap', 'routed-kernel', 'routed'];

/** What there is to measure, in each kind of run. */
interface Known {
  readonly only: readonly MeasureGroup[];
  readonly columns: readonly Column[];
  readonly variants: readonly VariantName[];
}
const PATH: Known = { only: MEASURE_GROUPS, columns: COLUMNS, variants: VARIANTS };
const LOCAL: Known = { only: LOCAL_GROUPS, columns: LOCAL_COLUMNS, variants: LOCAL_VARIANTS };
const ATTACHED: Known = { only: LOCAL_GROUPS, columns: ['A', 'B', 'L'], variants: ATTACHED_VARIANTS };
const ROUTED: Known = { only: LOCAL_GROUPS, columns: ['L', 'A'], variants: ROUTED_VARIANTS };
/** Switches whose devices end with their process, so that nothing is left in a machine's own network. */
const PEER: Known = { only: LOCAL_GROUPS, columns: ['P'], variants: ['floor', 'overtap'] };

export const USAGE = `usage: npm run bench -- [options]        (or: overtap bench [options])

Measures the whole path, guest - switch - underlay - switch - guest, for overtap, for the kernel's bridge and vxlan, for a bare
C forwarder (floor; needs a C compiler), and for Open vSwitch's userspace datapath if it is installed. The variants take turns in every round. Needs root. Learning (number of
addresses and rate, RFC 2889) is measured on one bridge with three ports. With --local both guests are on one switch: overtap
with TAPs and with attached interfaces (netdev), the kernel's bridge, Open vSwitch.

  --rounds N        turns of each variant (5)
  --seconds S       seconds of each measure (3), except learning
  --senders N       programs that send frames (one per core)
  --only LIST       measures: ${MEASURE_GROUPS.join(',')} (all but ndr)
  --columns LIST    A: with all offloads; B: the underlay as a plain NIC (A,B)
  --variants LIST   ${VARIANTS.join(',')}
  --underlay FAMILY ${UNDERLAYS.join(' or ')} (ipv4)
  --local           two guests on one switch; --only ${LOCAL_GROUPS.join(',')}; --variants ${LOCAL_VARIANTS.join(',')}
  --attached        guests at veth ends that are attached as ports, with known flows in the engines (netdev) and in the kernel
                    (carried), beside TAPs; --only ${LOCAL_GROUPS.join(',')}; --columns A,B,L; --variants ${ATTACHED_VARIANTS.join(',')}
  --routed          two guests in two subnets, on one switch (L) and on two (A), between which overtap's gateways (routed) or the
                    kernel (routed-kernel) route; --only ${LOCAL_GROUPS.join(',')}; --variants ${ROUTED_VARIANTS.join(',')}
  --json FILE       also write the result with all samples as JSON; "-": to stdout instead of the table
  --goals           also compare with the goals of this project
  --peer ADDR:PORT  two machines: the far end's address, with --token TOKEN; it prints both when it is started there by
                    "overtap bench far-end --listen ADDR:PORT"; --only ${LOCAL_GROUPS.join(',')}; --variants floor,overtap
  --compare OLD NEW compare two files of --json instead; status 1: something of overtap got worse
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
  const { values: given, positionals } = parseWords(words);
  const isFarEnd = given.compare === undefined && positionals[0] === 'far-end';
  if (given.listen !== undefined && !isFarEnd)
    throw new UsageError('--listen is for a far end: bench far-end --listen ADDRESS:PORT');
  const compare = comparison(given.compare, isFarEnd ? positionals.slice(1) : positionals);
  const quick = given.quick === true;
  const local = given.local === true;
  const peer = peerOf(given.peer, given.token);
  const routed = given.routed === true;
  const attached = given.attached === true;
  if ([local, peer !== null, routed, attached].filter(Boolean).length > 1)
    throw new UsageError('--local, --peer, --routed and --attached are runs of their own: give one of them');
  for (const option of ['columns', 'underlay'] as const)
    if ((local || peer) && given[option] !== undefined)
      throw new UsageError(`--${local ? 'local' : 'peer'} has no ${option}: leave --${option} out`);
  const known = local ? LOCAL : peer ? PEER : routed ? ROUTED : attached ? ATTACHED : PATH;
  const usual = known === PATH ? USUAL_GROUPS : known.only;
  const only = given.only === undefined ? usual : list('--only', given.only, known.only);
  const columns = list('--columns', given.columns, known.columns);
  const variants = list('--variants', given.variants, known.variants);
  return {
    help: given.help === true,
    compare,
    peer,
    listen: isFarEnd ? endpoint('--listen', given.listen ?? '') : null,
    quick,
    rounds: whole('--rounds', given.rounds, quick ? 1 : 5, 1000),
    seconds: whole('--seconds', given.seconds, quick ? 1 : 3, 600),
    senders: whole('--senders', given.senders, Math.min(availableParallelism(), 64), 64),
    only,
    columns,
    variants,
    underlay: one('--underlay', given.underlay, UNDERLAYS),
    goals: given.goals === true,
    json: given.json ?? null,
    isWhole:
      !quick &&
      peer === null &&
      !routed &&
      !attached &&
      usual.every((group) => only.includes(group)) &&
      columns.length === known.columns.length &&
      variants.length === known.variants.length,
  };
}

function parseWords(words: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    rounds: text,
    seconds: text,
    senders: text,
    only: text,
    columns: text,
    variants: text,
    underlay: text,
    json: text,
    compare: text,
    peer: text,
    token: text,
    listen: text,
  };
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        ...options,
        local: flag,
        routed: flag,
        attached: flag,
        goals: flag,
        quick: flag,
        help: { ...flag, short: 'h' },
      },
    });
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

function peerOf(text: string | undefined, token: string | undefined): Options['peer'] {
  if (text === undefined && token === undefined) return null;
  if (text === undefined || token === undefined)
    throw new UsageError('--peer ADDRESS:PORT and --token TOKEN belong together: the far end prints both');
  return { ...endpoint('--peer', text), token };
}

/** An IPv4 address, or an IPv6 address in brackets, and a port. */
function endpoint(option: string, text: string): Endpoint {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? [];
  const host = v6 ?? v4 ?? '';
  if (isIP(host) === (v6 === undefined ? 4 : 6) && Number(port) <= 65535) return { host, port: Number(port) };
  throw new UsageError(`${option} takes ADDRESS:PORT, such as 192.0.2.1:7000 or [2001:db8::1]:7000, not "${text}"`);
}

/** The two files of `--compare`; only that option has a word after its value. */
function comparison(old: string | undefined, positionals: readonly string[]): readonly [string, string] | null {
  if (old !== undefined && positionals.length === 1) return [old, positionals[0]];
  if (old !== undefined) throw new UsageError('--compare takes two files: OLD.json NEW.json');
  if (positionals.length > 0) throw new UsageError(`unexpected: "${positionals[0]}"`);
  return null;
}

function one<T extends string>(option: string, text: string | undefined, known: readonly T[]): T {
  const found = text === undefined ? known[0] : known.find((word) => word === text);
  if (found === undefined) throw new UsageError(`${option} takes ${known.join(' or ')}, not "${text}"`);
  return found;
}

function list<T extends string>(option: string, text: string | undefined, known: readonly T[]): readonly T[] {
  if (text === undefined) return known;
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !known.some((one) => one === name));
  if (unknown !== undefined)
    throw new UsageError(`${option} takes ${known.join(', ')}, joined by commas, not "${unknown}"`);
  return known.filter((name) => names.includes(name));
}

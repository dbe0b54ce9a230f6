/**
 * A turn: one variant in one column is built, measured and removed. No other variant exists at the same time: ovs-vswitchd uses
 * processor time even without frames. Learning has its own turns and site.
 */
import { reasonOf } from '../../lab/testbed/errors.js';
import type { Program } from '../../lab/testbed/program.js';
import { measureLearning } from './learning/measure.js';
import { LearningSite } from './learning/site.js';
import { residentMib } from './measures/cpu.js';
import { MIXES, measureFlows } from './measures/flows.js';
import { measureFrames } from './measures/frames.js';
import { measureLatency } from './measures/latency.js';
import { measureLoad } from './measures/load.js';
import { measureLossRates } from './measures/ndr.js';
import { measureTcp, startTcpServer, warmUp } from './measures/tcp.js';
import type { Expectation, Shown } from './proof/path.js';
import { type Measured, type Proved, prove } from './proof/prove.js';
import { Site } from './site/site.js';
import type { LearningMeasure, RunningSwitch } from './switches/variant.js';
import { VARIANTS } from './switches/variants.js';
import type { Column, MeasureGroup, Options, Turn, Values, VariantName } from './types.js';

/** Lengths of the counted frames, in bytes without FCS. */
const FRAME_SIZES: Readonly<Record<Column, readonly number[]>> = {
  A: [64, 512, 1400],
  B: [64, 512, 1400],
  L: [64],
  P: [64],
};

/** Groups of measures on the whole path; learning has turns of its own. */
const PATH_GROUPS: readonly MeasureGroup[] = ['tcp', 'frames', 'flows', 'latency', 'load', 'ndr'];
/** Learning is measured in one column only: it does not involve the underlay. */
const LEARNING_COLUMN: Column = 'A';
/** Any way is right that the counters of the underlay and of the switches show. */
const ANY_PATH: Expectation = { superframes: null, tunnelGso: null };

type TurnOptions = Pick<Options, 'seconds' | 'senders' | 'quick' | 'underlay'>;

/** What came of a turn. A measure that fails does not end the turn: the others are made. */
export interface Taken {
  /** Values by measure (report/rows.ts). */
  readonly values: Values;
  /** What carried the measures. */
  readonly paths: (Shown & { readonly measures: string })[];
  readonly failures: string[];
}

/** Takes one turn. @throws when there is nothing to measure: no site, no switch, no path */
export async function takeTurn(turn: Omit<Turn, 'round'>, options: TurnOptions, signal: AbortSignal): Promise<Taken> {
  const { learning } = VARIANTS[turn.variant].measures;
  if (turn.groups.includes('learning') && learning !== undefined)
    return { values: await takeLearning(learning, options, signal), paths: [], failures: [] };
  return takePath(turn, options, signal);
}

/** The measures of the whole path. */
async function takePath(turn: Omit<Turn, 'round'>, options: TurnOptions, signal: AbortSignal): Promise<Taken> {
  const { isRouted, switches, path = ANY_PATH } = VARIANTS[turn.variant];
  const { column } = turn;
  const site = new Site(column, options.underlay, signal, isRouted);
  const taken: Taken = { values: {}, paths: [], failures: [] };
  try {
    await site.build();
    const running: RunningSwitch[] = [];
    for (const [index, host] of site.hosts.entries()) running.push(await switches[index](site, host));
    await site.checkGuests();
    await site.routeGuests();
    const server = await startTcpServer(site);
    await warmUp(site);
    for (const work of worksOf(turn, options, site, server, taken.values))
      await attempt(taken, signal, () => prove(site, running, { expected: path, plain: column === 'B' }, work));
    // Memory of one host. The kernel's switch has no process, and mixed hosts are not compared.
    if (running.every(({ processes }) => processes.length > 0)) taken.values.memory = residentMib(running[0].processes);
    return taken;
  } finally {
    await site.takeDown();
  }
}

async function attempt(taken: Taken, signal: AbortSignal, work: () => Promise<Proved>): Promise<void> {
  try {
    const { values, shown } = await work();
    Object.assign(taken.values, values);
    if (shown !== null) taken.paths.push({ measures: Object.keys(values).join(','), ...shown });
  } catch (error) {
    if (signal.aborted) throw error;
    taken.failures.push(reasonOf(error));
  }
}

/** The measures of a turn, in order. @param values what was measured before */
function* worksOf(
  { variant, column, groups }: Omit<Turn, 'round'>,
  { seconds, senders, quick }: TurnOptions,
  site: Site,
  server: Program,
  values: Values,
): Generator<() => Promise<Measured>> {
  const { measures } = VARIANTS[variant];
  for (const streams of groups.includes('tcp') ? (measures.tcp ?? []) : [])
    yield () => measureTcp(site, { seconds, streams });
  for (const size of groups.includes('frames') ? FRAME_SIZES[column] : [])
    yield () => measureFrames(site, { seconds, size, senders, counter: server });
  if (groups.includes('flows')) for (const mix of MIXES) yield () => measureFlows(site, mix, { seconds, senders });
  if (groups.includes('latency')) yield () => measureLatency(site, { seconds });
  if (groups.includes('load'))
    yield () =>
      measureLoad(site, { seconds, senders, most: values.frames64 === undefined ? null : values.frames64 * 1000 });
  if (groups.includes('ndr')) yield () => measureLossRates(site, { senders, quick });
}

async function takeLearning(what: LearningMeasure, { quick }: TurnOptions, signal: AbortSignal): Promise<Values> {
  const site = new LearningSite(signal);
  try {
    await site.build();
    return await measureLearning(site, what, quick);
  } finally {
    await site.takeDown();
  }
}

/** All turns of a run, in order. Each round begins with another variant, so that the order of variants rotates. */
export function planTurns({
  rounds,
  columns,
  variants,
  only,
}: Pick<Options, 'rounds' | 'columns' | 'variants' | 'only'>): Turn[] {
  const onPath = only.filter((group) => PATH_GROUPS.includes(group));
  const turns: Turn[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const column of columns) turns.push(...turnsOf(round, column, variants, onPath));
    if (only.includes('learning') && columns.includes(LEARNING_COLUMN))
      turns.push(...turnsOf(round, LEARNING_COLUMN, variants, ['learning']));
  }
  return turns;
}

function turnsOf(
  round: number,
  column: Column,
  variants: readonly VariantName[],
  wanted: readonly MeasureGroup[],
): Turn[] {
  const turns = variants
    .map((variant) => ({ round, column, variant, groups: groupsOf(variant, column, wanted) }))
    .filter(({ groups }) => groups.length > 0);
  return turns.map((_, i) => turns[(i + round - 1) % turns.length]);
}

/** The wanted groups that a variant has in a column. */
function groupsOf(variant: VariantName, column: Column, wanted: readonly MeasureGroup[]): readonly MeasureGroup[] {
  const { columns, measures } = VARIANTS[variant];
  return columns.includes(column) ? wanted.filter((group) => measures[group] !== undefined) : [];
}

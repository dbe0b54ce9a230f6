/**
 * A turn: one variant in one column is built, measured and removed. No other variant exists at the same time: ovs-vswitchd uses
 * processor time even without frames. Learning has its own turns and site.
 */
import type { Program } from '../../lab/testbed/program.js';
import { residentMib } from './cpu.js';
import { LearningSite } from './learning-site.js';
import { measureFrames } from './measure-frames.js';
import { measureLatency } from './measure-latency.js';
import { measureLearning } from './measure-learning.js';
import { measureTcp, startTcpServer, warmUp } from './measure-tcp.js';
import { Site } from './site.js';
import type { Column, MeasureGroup, Options, Turn, Values, VariantName } from './types.js';
import type { Attach, LearningMeasure, Measures } from './variant.js';
import { VARIANTS } from './variants.js';

/** Lengths of the counted frames, in bytes without FCS. */
const FRAME_SIZES: Readonly<Record<Column, readonly number[]>> = { A: [64, 512, 1400], B: [64, 512, 1400], L: [64] };

/** Groups of measures on the whole path; learning has turns of its own. */
const PATH_GROUPS: readonly MeasureGroup[] = ['tcp', 'frames', 'latency'];
/** Learning is measured in one column only: it does not involve the underlay. */
const LEARNING_COLUMN: Column = 'A';

type TurnOptions = Pick<Options, 'seconds' | 'senders' | 'quick'>;

/** Takes one turn. @returns values by measure (see rows.ts) */
export function takeTurn(
  { variant, column, groups }: Omit<Turn, 'round'>,
  options: TurnOptions,
  signal: AbortSignal,
): Promise<Values> {
  const { switches, measures } = VARIANTS[variant];
  if (groups.includes('learning') && measures.learning !== undefined)
    return takeLearning(measures.learning, options, signal);
  return takePath({ switches, measures, column, groups }, options, signal);
}

/** The measures of the whole path. */
async function takePath(
  what: { switches: readonly Attach[]; measures: Measures; column: Column; groups: readonly MeasureGroup[] },
  { seconds, senders }: TurnOptions,
  signal: AbortSignal,
): Promise<Values> {
  const { switches, measures, column, groups } = what;
  const site = new Site(column, signal);
  try {
    await site.build();
    const processes: Program[][] = [];
    for (const [index, host] of site.hosts.entries()) processes.push(await switches[index](site, host));
    await site.checkGuests();
    const server = await startTcpServer(site);
    await warmUp(site);

    const values: Values = {};
    for (const streams of groups.includes('tcp') ? (measures.tcp ?? []) : [])
      Object.assign(values, await measureTcp(site, { seconds, streams }));
    for (const size of groups.includes('frames') ? FRAME_SIZES[column] : [])
      Object.assign(values, await measureFrames(site, { seconds, size, senders, counter: server }));
    if (groups.includes('latency')) Object.assign(values, await measureLatency(site, { seconds }));
    // Memory of one host. The kernel's switch has no process, and mixed hosts are not compared.
    if (processes.every((programs) => programs.length > 0)) values.memory = residentMib(processes[0]);
    return values;
  } finally {
    await site.takeDown();
  }
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

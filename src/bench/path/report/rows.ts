/** The rows of the tables, with names and units of the measures, and the goals of overtap. */

import type { Column, Summary, VariantName } from '../types.js';
import { ratio } from './statistics.js';

/** A row of a table: one measure of one variant. */
export interface Row {
  readonly measure: string;
  readonly text: string;
  readonly unit: string;
  /** Whether a higher value is better. */
  readonly more: boolean;
  /** Decimals of the values. */
  readonly digits: number;
  /** The variant whose figure is shown in overtap's column. */
  readonly variant: VariantName;
}

type Unassigned = Omit<Row, 'variant'> & { variant?: VariantName };

const tcp = (measure: string, text: string): Unassigned => ({ measure, text, unit: 'Gb/s', more: true, digits: 2 });
const rate = (measure: string, text: string): Unassigned => ({ measure, text, unit: 'k/s', more: true, digits: 0 });
const frames = (size: number): Unassigned => rate(`frames${size}`, `frames of ${size} B`);
const cpu = (streams: number, text: string): Unassigned => ({
  measure: `cpu${streams}`,
  text: `CPU, ${text}`,
  unit: 's/Gb',
  more: false,
  digits: 3,
});
const latency = (name: string): Unassigned => ({
  measure: name,
  text: `round trip, ${name}`,
  unit: 'us',
  more: false,
  digits: 1,
});

const underLoad = (name: string): Unassigned => ({
  ...latency(name),
  measure: `load-${name}`,
  text: `round trip under load, ${name}`,
});

/**
 * The rows of a table; without `variant` a row is overtap's. The kernel's column always shows kernel to kernel.
 */
const UNASSIGNED: readonly Unassigned[] = [
  tcp('tcp1-there', 'TCP, 1 stream, there'),
  tcp('tcp1-back', 'TCP, 1 stream, back'),
  tcp('tcp4-there', 'TCP, 4 streams, there'),
  tcp('tcp4-back', 'TCP, 4 streams, back'),
  tcp('tcp16-there', 'TCP, 16 streams, there'),
  tcp('tcp16-back', 'TCP, 16 streams, back'),
  { ...tcp('tcp4-there', 'TCP, 4 streams, there, 2 workers'), variant: 'workers' },
  { ...tcp('tcp4-back', 'TCP, 4 streams, back, 2 workers'), variant: 'workers' },
  { ...tcp('tcp16-there', 'TCP, 16 streams, there, 2 workers'), variant: 'workers' },
  { ...tcp('tcp16-back', 'TCP, 16 streams, back, 2 workers'), variant: 'workers' },
  { ...tcp('tcp1-there', 'TCP, 1 stream, overtap to kernel'), variant: 'mixed' },
  { ...tcp('tcp1-back', 'TCP, 1 stream, kernel to overtap'), variant: 'mixed' },
  { ...tcp('tcp1-there', 'TCP, 1 stream, there, without tunnel GSO'), variant: 'trains' },
  { ...tcp('tcp1-back', 'TCP, 1 stream, back, without tunnel GSO'), variant: 'trains' },
  { ...tcp('tcp4-there', 'TCP, 4 streams, there, without tunnel GSO'), variant: 'trains' },
  { ...tcp('tcp4-back', 'TCP, 4 streams, back, without tunnel GSO'), variant: 'trains' },
  { ...tcp('tcp1-there', 'TCP, 1 stream, there, beside replication'), variant: 'replicating' },
  { ...tcp('tcp1-back', 'TCP, 1 stream, back, beside replication'), variant: 'replicating' },
  frames(64),
  frames(512),
  frames(1400),
  rate('flows64', 'frames of 64 B, 1,024 flows'),
  rate('imix', 'frames of a mix of lengths, 1,024 flows'),
  rate('ndr', '64 B without loss (NDR)'),
  rate('pdr', '64 B with a loss of 0.5 % (PDR)'),
  latency('p50'),
  latency('p99'),
  latency('p99.9'),
  rate('load-rate', 'load of the following, half of the most'),
  underLoad('p50'),
  underLoad('p99'),
  underLoad('p99.9'),
  cpu(1, '1 stream'),
  cpu(4, '4 streams'),
  cpu(16, '16 streams'),
  { ...cpu(4, '4 streams, 2 workers'), variant: 'workers' },
  { ...cpu(1, '1 stream, mixed'), variant: 'mixed' },
  { measure: 'memory', text: 'memory of a switch', unit: 'MiB', more: false, digits: 1 },
  { measure: 'memory', text: 'memory, 2 workers', unit: 'MiB', more: false, digits: 1, variant: 'workers' },
];

export const ROWS: readonly Row[] = UNASSIGNED.map((row) => ({ variant: 'overtap', ...row }));

/** The columns of the table of learning (RFC 2889); its rows are the switches. */
export const LEARNING = [
  { measure: 'addresses', text: 'addresses held', digits: 0 },
  { measure: 'addresses-tried', text: 'most tried', digits: 0 },
  { measure: 'learning', text: 'learned, k/s', digits: 1 },
  { measure: 'learning-offered', text: 'most offered, k/s', digits: 1 },
];

/** A goal: a ratio of two variants to reach. */
export interface Goal {
  readonly column: Column;
  readonly text: string;
  readonly measures: readonly string[];
  readonly atLeast: number;
  readonly aim: number;
  /** Whether a higher ratio is better. */
  readonly more: boolean;
  readonly variants: readonly VariantName[];
  /** The variant in the denominator. */
  readonly to: VariantName;
}

const bothWays = (streams: number): string[] => [`tcp${streams}-there`, `tcp${streams}-back`];
const goal = (
  column: Column,
  text: string,
  measures: readonly string[],
  marks: readonly [atLeast: number, aim: number],
  more: Partial<Goal> = {},
): Goal => ({
  column,
  text: `${column}: ${text}`,
  measures,
  atLeast: marks[0],
  aim: marks[1],
  more: true,
  variants: ['overtap'],
  to: 'kernel',
  ...more,
});

/** The goals. The worse direction counts and, with several variants, the best one. */
export const GOALS: readonly Goal[] = [
  goal('A', 'TCP, 1 stream, to the kernel', bothWays(1), [0.65, 0.9]),
  goal('A', 'frames of 64 B, to the kernel', ['frames64'], [1.2, 2]),
  goal('B', 'TCP, 1 stream, to the kernel', bothWays(1), [0.75, 1]),
  goal('B', 'frames of 64 B, to the kernel', ['frames64'], [0.8, 1.2]),
  goal('A', 'TCP, 4 streams, to the kernel', bothWays(4), [0.4, 1], { variants: ['overtap', 'workers'] }),
  goal('A', 'round trip p50, to the kernel', ['p50'], [1.4, 1.1], { more: false }),
  goal('A', 'round trip p99, to the kernel', ['p99'], [1.5, 1.2], { more: false }),
  goal('A', 'TCP, 1 stream, to OVS', bothWays(1), [6, 10], { to: 'ovs' }),
  goal('A', 'frames of 64 B, to OVS', ['frames64'], [6, 10], { to: 'ovs' }),
  goal('B', 'TCP, 1 stream, to OVS', bothWays(1), [6, 10], { to: 'ovs' }),
  goal('B', 'frames of 64 B, to OVS', ['frames64'], [6, 10], { to: 'ovs' }),
  goal('A', 'TCP, overtap to kernel peer', ['tcp1-there'], [0.5, 0.9], { variants: ['mixed'] }),
  goal('A', 'TCP, kernel peer to overtap', ['tcp1-back'], [0.5, 0.9], { variants: ['mixed'] }),
  goal('A', 'TCP beside replication to 1,000 remotes, to undisturbed', bothWays(1), [0.9, 0.9], {
    variants: ['replicating'],
    to: 'overtap',
  }),
];

/** The goal of a row of the plot, if it has one. */
export function goalOf(column: Column, row: Row): Goal | undefined {
  return GOALS.find(
    (one) =>
      one.to === 'kernel' &&
      one.column === column &&
      one.measures.includes(row.measure) &&
      one.variants.includes(row.variant),
  );
}

/** The reached ratio of a goal, or null when it was not measured. */
export function reached({ column, measures, variants, to, more }: Goal, summary: Summary): number | null {
  const worse = more ? Math.min : Math.max;
  const better = more ? Math.max : Math.min;
  const ofVariants = variants
    .map((variant) => measures.map((measure) => ratio(summary, column, measure, variant, to)))
    .filter((ratios): ratios is number[] => ratios.every((one) => one !== null))
    .map((ratios) => worse(...ratios));
  return ofVariants.length === 0 ? null : better(...ofVariants);
}

/** Compares a ratio with the marks of a goal. */
export function verdict({ atLeast, aim, more }: Goal, value: number): 'aim' | 'at least' | 'short' {
  const passes = (mark: number): boolean => (more ? value >= mark : value <= mark);
  if (passes(aim)) return 'aim';
  return passes(atLeast) ? 'at least' : 'short';
}

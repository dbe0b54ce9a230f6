/** The tables and header of a result, as plain text for the terminal and as Markdown, with the same cells. */

import { priceLine } from '../machine/prices.js';
import type { Column, Figure, Figures, Path, Result, Summary } from '../types.js';
import { GOALS, LEARNING, ROWS, type Row, reached, verdict } from './rows.js';
import { ratioOf } from './statistics.js';

const COLUMN_TEXT: Readonly<Record<Column, string>> = {
  A: 'A: offloads as they are',
  B: 'B: the underlay as a plain NIC (no segmentation, no checksums on send; GRO)',
  P: 'Two machines: a guest on each, the network between them',
  L: 'Local ports: two guests on one switch; overtap has TAPs, all others veth ends',
};
const LEARNING_COLUMN = 'A';
const LEARNING_TEXT = 'RFC 2889: how many addresses are held (5.7), how fast they are learned (5.8)';
/** Names of the variants in the table of learning. */
const LEARNING_NAMES: Readonly<Record<string, string>> = {
  kernel: 'kernel',
  overtap: 'overtap',
  large: 'overtap, large FDB',
};
const NAMES: Readonly<Record<string, string>> = {
  kernel: 'kernel',
  floor: 'floor',
  overtap: 'overtap',
  netdev: 'overtap, netdev',
  carried: 'overtap, carried',
  ovs: 'OVS userspace',
  'ovs-tso': 'OVS, userspace TSO',
  'routed-kernel': 'kernel, routed',
  routed: 'overtap, routed',
};
const RATIOS: readonly [name: string, to: string][] = [
  ['overtap', 'kernel'],
  ['overtap', 'floor'],
  ['floor', 'kernel'],
  ['ovs', 'kernel'],
  ['overtap', 'ovs'],
  ['netdev', 'kernel'],
  ['netdev', 'overtap'],
  ['netdev', 'ovs'],
  ['carried', 'kernel'],
  ['carried', 'floor'],
  ['carried', 'netdev'],
  ['routed', 'routed-kernel'],
  ['routed', 'overtap'],
  ['routed-kernel', 'kernel'],
];

/** A table's cells, as text. */
interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A result as text for the terminal. */
export function textReport(result: Result): string {
  const blocks = [headLines(result)];
  for (const { title, head, rows } of tables(result)) blocks.push([title, ...align([head, ...rows])]);
  blocks.push(failureLines(result));
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** A result as Markdown. @param plot name of the plot's file in the same folder; null: it has none */
export function markdownReport(result: Result, plot: string | null): string {
  const [title, ...head] = headLines(result);
  const parts = [`# ${title}`, head.map((line) => `- ${line}`).join('\n')];
  if (plot !== null) parts.push(`![ratios to the kernel](${plot})`);
  for (const table of tables(result)) {
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    const rule = table.head.map((_, index) => (index === 0 ? '---' : '---:'));
    parts.push(`## ${table.title}`, [table.head, rule, ...table.rows].map(line).join('\n'));
  }
  const failures = failureLines(result);
  if (failures.length > 0) parts.push(failures.join('\n\n'));
  return `${parts.join('\n\n')}\n`;
}

function headLines({ started, machine, prices, warnings = [], settings, isComplete, summary }: Result): string[] {
  const tools = [
    `Node ${machine.node.slice(1)}`,
    ...(['iperf3', 'trafgen', 'sockperf'] as const)
      .filter((name) => machine[name])
      .map((name) => `${name} ${machine[name]}`),
    machine.ovs ? `Open vSwitch ${machine.ovs}` : 'no Open vSwitch',
  ];
  const rounds = `${settings.rounds} ${settings.rounds === 1 ? 'round' : 'rounds'}`;
  return [
    `overtap bench, ${started.slice(0, 16).replace('T', ' ')} UTC, commit ${machine.commit}${machine.hasChanges ? ' with changes' : ''}`,
    `machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Linux ${machine.kernel}, load ${machine.load.toFixed(2)} before`,
    `versions: ${tools.join(', ')}`,
    ...(prices ? [priceLine(prices.before)] : []),
    ...warnings,
    `${rounds} of ${settings.seconds} s a measure, interleaved; median (lowest-highest); ratios are of medians`,
    `underlay: ${settings.underlay === 'ipv6' ? 'IPv6' : 'IPv4'}; frames: as many as ${settings.senders} senders can send, counted where they arrive`,
    'CPU: of the whole machine, the iperf3 processes included; round trip: UDP, 64 B; memory: resident, of one host',
    ...(hasLearning(summary)
      ? [
          'learning: one bridge, three ports; where all that was tried is held, or all that was offered learned, its limit lies above',
        ]
      : []),
    ...(settings.quick ? ['QUICK: one short round shows that it works; the figures mean nothing'] : []),
    ...(isComplete ? [] : ['INTERRUPTED: not all rounds are in']),
  ];
}

function* tables({ summary, settings, paths = [] }: Result): Generator<Table> {
  for (const column of Object.keys(COLUMN_TEXT) as Column[]) {
    const table = columnTable(column, summary);
    if (table.rows.length > 0) yield table;
  }
  if (paths.length > 0) yield pathTable(paths);
  if (hasLearning(summary)) yield learningTable(summary[LEARNING_COLUMN]);
  const goals = settings.goals ? goalRows(summary) : [];
  if (goals.length > 0)
    yield { title: 'What it is to show', head: ['ratio', 'at least', 'aim', 'reached', ''], rows: goals };
}

function columnTable(column: Column, summary: Summary): Table {
  const rows = ROWS.map((row) => ({ ...row, figures: figuresOf(row, summary[column]?.[row.measure] ?? {}) }));
  const variants = Object.keys(NAMES).filter((name) => rows.some((row) => row.figures[name]));
  const ratios = RATIOS.filter((pair) => pair.every((name) => variants.includes(name)));
  // A row of another variant needs a figure of that variant.
  const shown = rows.filter(({ variant, figures }) =>
    variant === 'overtap' ? Object.keys(figures).length > 0 : figures.overtap,
  );
  return {
    title: COLUMN_TEXT[column],
    head: ['', ...variants.map((name) => NAMES[name]), ...ratios.map((pair) => pair.join('/'))],
    rows: shown.map(({ text, unit, digits, figures }) => [
      `${text}, ${unit}`,
      ...variants.map((name) => figureText(figures[name], digits)),
      ...ratios.map(([name, to]) => ratioText(ratioOf(figures[name], figures[to]))),
    ]),
  };
}

/** What carried TCP with one stream, and the frames of 64 bytes: the last round of each. */
function pathTable(paths: readonly Path[]): Table {
  const last = new Map<string, Path>();
  for (const path of paths)
    for (const measure of ['tcp1-there', 'frames64', 'flows64'])
      if (path.measures.split(',').includes(measure)) last.set(`${path.column} ${path.variant} ${measure}`, path);
  const rows = [...last].map(([key, { packetBytes, there, tunnelBytes, superframes }]) => {
    const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
    return [key, mib(there), tunnelBytes === null ? '-' : mib(tunnelBytes), `${packetBytes}`, `${superframes ?? '-'}`];
  });
  return {
    title: 'What carried it, there: the last round',
    head: ['', 'underlay, MiB', 'tunnels, MiB', 'bytes a packet of the underlay', 'superframes by tunnel GSO'],
    rows,
  };
}

function hasLearning(summary: Summary): boolean {
  return summary[LEARNING_COLUMN]?.[LEARNING[0].measure] !== undefined;
}

function learningTable(figures: Record<string, Figures>): Table {
  const variants = Object.keys(LEARNING_NAMES).filter((name) => figures[LEARNING[0].measure][name]);
  return {
    title: LEARNING_TEXT,
    head: ['', ...LEARNING.map(({ text }) => text)],
    rows: variants.map((name) => [
      LEARNING_NAMES[name],
      ...LEARNING.map(({ measure, digits }) => figureText(figures[measure][name], digits)),
    ]),
  };
}

/** The figures of a row, by the columns of the table. Floor and OVS have no figure beside a mixed path. */
function figuresOf({ variant }: Row, figures: Figures): Figures {
  const { kernel, floor, netdev, carried, ovs, routed, 'ovs-tso': ovsTso, 'routed-kernel': routedKernel } = figures;
  const all: Record<string, Figure | undefined> = {
    kernel,
    overtap: figures[variant],
    ...(variant === 'overtap' ? { netdev, carried, routed, 'routed-kernel': routedKernel } : {}),
    ...(variant === 'mixed' ? {} : { floor, ovs, 'ovs-tso': ovsTso }),
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, Figure] => entry[1] !== undefined));
}

function goalRows(summary: Summary): string[][] {
  return GOALS.flatMap((goal) => {
    const value = reached(goal, summary);
    if (value === null) return [];
    return [[goal.text, `${goal.atLeast}`, `${goal.aim}`, ratioText(value), verdict(goal, value)]];
  });
}

function failureLines({ failures }: Result): string[] {
  return failures.map(
    ({ round, column, variant, reason }) => `FAILED: ${variant} in column ${column}, round ${round}: ${reason}`,
  );
}

function figureText(figure: Figure | undefined, digits: number): string {
  if (!figure) return '-';
  const [middle, low, high] = [figure.median, figure.low, figure.high].map((value) => value.toFixed(digits));
  return figure.count === 1 ? middle : `${middle} (${low}-${high})`;
}

function ratioText(value: number | null): string {
  return value === null ? '-' : value.toFixed(value < 0.1 ? 3 : 2);
}

/** Aligns cells in columns: the first to the left, the others to the right. */
export function align(lines: readonly (readonly string[])[]): string[] {
  const widths = lines[0].map((_, index) => Math.max(...lines.map((cells) => cells[index].length)));
  return lines.map((cells) =>
    cells
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[index]) : cell.padStart(widths[index])))
      .join('  ')
      .trimEnd(),
  );
}

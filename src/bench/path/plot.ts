/**
 * The plot of a result, as SVG: for each row a bar of overtap's ratio to the kernel, a thinner one of OVS's, and marks for the
 * goals. The rows and goals are those of rows.ts.
 */
import { type Goal, goalOf, ROWS, type Row } from './rows.js';
import { ratio } from './statistics.js';
import type { Column, Machine, Summary } from './types.js';

const WIDTH = 860;
const LEFT = 270;
const RIGHT = 76;
const ROW = 24;
const TOP = 64;
const COLOURS = {
  overtap: '#2563eb',
  ovs: '#9ca3af',
  atLeast: '#b45309',
  aim: '#15803d',
  ink: '#1f2937',
  line: '#d1d5db',
};
/** Longer bars are cut here; an arrow after the figure shows it. */
const LONGEST = 2.5;

/** A bar, and the thinner one of Open vSwitch below it. */
interface Bar {
  readonly row: Row;
  readonly column: Column;
  readonly overtap: number;
  readonly ovs: number | null;
  readonly goal: Goal | undefined;
}

/** The parts of a result that a plot shows. */
interface Plotted {
  readonly summary: Summary;
  readonly machine: Pick<Machine, 'cpu' | 'cores' | 'kernel' | 'commit'>;
  readonly started: string;
}

/** Draws a result. @returns an SVG document */
export function plot({ summary, machine, started }: Plotted): string {
  const panels = [true, false].map((more) => panelRows(summary, more)).filter((rows) => rows.length > 0);
  let y = TOP;
  const parts: string[] = [];
  for (const rows of panels) {
    const text = rows[0].row.more ? 'more is better' : 'less is better';
    parts.push(...panel(rows, `ratio to the kernel: ${text}`, y));
    y += (rows.length + 2.5) * ROW;
  }
  const title = `overtap beside the kernel, commit ${machine.commit}, ${started.slice(0, 10)}`;
  const about = `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="12" fill="${COLOURS.ink}">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${WIDTH}" height="${y}" fill="#ffffff"/>`,
    label(16, 22, title, { weight: 'bold', size: 14 }),
    label(16, 40, about, {}),
    ...legend(y - ROW * 0.6),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function panelRows(summary: Summary, more: boolean): Bar[] {
  const columns: readonly Column[] = ['A', 'B'];
  return columns.flatMap((column) =>
    ROWS.filter((row) => row.more === more).flatMap((row) => {
      const overtap = ratio(summary, column, row.measure, row.variant, 'kernel');
      if (overtap === null) return [];
      // OVS has no figures for other variants.
      const ovs = row.variant === 'overtap' ? ratio(summary, column, row.measure, 'ovs', 'kernel') : null;
      return [{ row, column, overtap, ovs, goal: goalOf(column, row) }];
    }),
  );
}

function panel(rows: readonly Bar[], title: string, top: number): string[] {
  const bottom = top + (rows.length + 0.5) * ROW;
  const parts = [label(16, top + 4, title, { weight: 'bold' })];
  for (const tick of [0, 0.5, 1, 1.5, 2, LONGEST]) {
    const x = at(tick);
    const stroke = tick === 1 ? COLOURS.ink : COLOURS.line;
    parts.push(`<line x1="${x}" y1="${top + 10}" x2="${x}" y2="${bottom}" stroke="${stroke}"/>`);
    parts.push(label(x, top + 4, `${tick}`, { anchor: 'middle' }));
  }
  for (const [index, one] of rows.entries()) parts.push(...bars(one, top + (index + 0.6) * ROW));
  return parts;
}

function bars({ row, column, overtap, ovs, goal }: Bar, y: number): string[] {
  const parts = [label(LEFT - 8, y + 13, `${column}: ${row.text}`, { anchor: 'end' })];
  parts.push(bar(y + 3, 10, overtap, COLOURS.overtap));
  if (ovs !== null) parts.push(bar(y + 14, 4, ovs, COLOURS.ovs));
  if (goal) for (const mark of ['atLeast', 'aim'] as const) parts.push(tickMark(at(goal[mark]), y, COLOURS[mark]));
  const figure = overtap > LONGEST ? `${overtap.toFixed(2)} →` : overtap.toFixed(2);
  parts.push(label(WIDTH - 8, y + 13, figure, { anchor: 'end', weight: 'bold' }));
  return parts;
}

function bar(y: number, height: number, value: number, colour: string): string {
  return `<rect x="${LEFT}" y="${y}" width="${(at(value) - LEFT).toFixed(1)}" height="${height}" fill="${colour}"/>`;
}

function tickMark(x: number, y: number, colour: string): string {
  return `<line x1="${x}" y1="${y}" x2="${x}" y2="${y + 20}" stroke="${colour}" stroke-width="3"/>`;
}

function legend(y: number): string[] {
  const entries: readonly [keyof typeof COLOURS, string][] = [
    ['overtap', 'overtap'],
    ['ovs', 'OVS, userspace datapath'],
    ['atLeast', 'to reach at least'],
    ['aim', 'aim'],
  ];
  return entries.flatMap(([name, text], index) => [
    `<rect x="${16 + index * 190}" y="${y - 9}" width="10" height="10" fill="${COLOURS[name]}"/>`,
    label(31 + index * 190, y, text, {}),
  ]);
}

/** X coordinate of a ratio. */
function at(value: number): number {
  return LEFT + (Math.min(value, LONGEST) / LONGEST) * (WIDTH - LEFT - RIGHT);
}

function label(
  x: number,
  y: number,
  text: string,
  { anchor = 'start', weight = 'normal', size = 12 }: { anchor?: string; weight?: string; size?: number },
): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-weight="${weight}" font-size="${size}">${escapeXml(text)}</text>`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

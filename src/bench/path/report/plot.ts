/**
 * The plot of a result, as SVG: for each row of a table the ratios to the kernel as bars, of overtap, the floor and Open vSwitch, with
 * their spread over the rounds and the absolute values beside. Marks of the goals only where the run had `--goals`.
 */
import type { Column, Figure, Figures, Machine, Result, Summary } from '../types.js';
import { type Goal, goalOf, ROWS, type Row } from './rows.js';

const MARGIN = 16;
const CHART = 420;
const ROW = 34;
const TOP = 84;
/** Mean width of a character of the font, generously: no label may be cut off whatever font a viewer has. */
const CHARACTER = 7;
const COLOURS = {
  overtap: '#2563eb',
  floor: '#d97706',
  ovs: '#9ca3af',
  atLeast: '#b91c1c',
  aim: '#15803d',
  ink: '#1f2937',
  line: '#d1d5db',
};
type Subject = 'overtap' | 'floor' | 'ovs';
const SUBJECTS: readonly { name: Subject; text: string; height: number }[] = [
  { name: 'overtap', text: 'overtap', height: 11 },
  { name: 'floor', text: 'floor: a bare C forwarder', height: 7 },
  { name: 'ovs', text: 'Open vSwitch, userspace', height: 7 },
];
/** Longer bars are cut here, with an arrow at their end. */
const LONGEST = 3;
const TICKS = [0, 0.5, 1, 1.5, 2, 2.5, LONGEST];

/** A bar: ratio of a median to the kernel's, and of the lowest and highest value to it. */
interface Bar {
  readonly subject: Subject;
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

interface Line {
  readonly label: string;
  readonly bars: readonly Bar[];
  /** The absolute values: of overtap and of the kernel. */
  readonly values: string;
  readonly goal: Goal | undefined;
}

/** The parts of a result that a plot shows. */
interface Plotted {
  readonly summary: Summary;
  readonly machine: Pick<Machine, 'cpu' | 'cores' | 'kernel' | 'commit'>;
  readonly started: string;
  readonly settings: Pick<Result['settings'], 'goals' | 'underlay'>;
}

/** Where things lie: the labels' right end, and the whole width. */
interface Frame {
  readonly left: number;
  readonly width: number;
}

/** Draws a result. @returns an SVG document */
export function plot(result: Plotted): string {
  const { machine, started, settings } = result;
  const panels = [true, false].map((more) => ({ more, lines: linesOf(result, more) }));
  const shown = panels.filter(({ lines }) => lines.length > 0);
  const all = shown.flatMap(({ lines }) => lines);
  const left = MARGIN + textWidth(all.map(({ label }) => label)) + 8;
  const frame = { left, width: left + CHART + 12 + textWidth(all.map(({ values }) => values)) + MARGIN };
  const parts: string[] = [];
  let y = TOP;
  for (const { more, lines } of shown) {
    parts.push(...panel(lines, more ? 'more is better' : 'less is better', y, frame));
    y += (lines.length + 1.6) * ROW;
  }
  const title = `overtap beside the kernel, commit ${machine.commit}, ${started.slice(0, 10)}`;
  const family = settings.underlay === 'ipv6' ? ', underlay IPv6' : '';
  const about = `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}${family}; ratios to the kernel: medians, with lowest and highest of all rounds`;
  const width = Math.max(frame.width, MARGIN * 2 + textWidth([about]));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" font-family="sans-serif" font-size="12" fill="${COLOURS.ink}">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${y}" fill="#ffffff"/>`,
    label(MARGIN, 22, title, { weight: 'bold', size: 14 }),
    label(MARGIN, 40, about, {}),
    ...legend(all, 58),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function textWidth(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => text.length)) * CHARACTER;
}

function linesOf({ summary, settings }: Plotted, more: boolean): Line[] {
  const columns: readonly Column[] = ['A', 'B'];
  return columns.flatMap((column) =>
    ROWS.filter((row) => row.more === more).flatMap((row) => {
      const figures = summary[column]?.[row.measure] ?? {};
      const { kernel } = figures;
      const own = figures[row.variant];
      if (kernel === undefined || own === undefined) return [];
      const values = `${own.median.toFixed(row.digits)}, kernel ${kernel.median.toFixed(row.digits)} ${row.unit}`;
      const goal = settings.goals ? goalOf(column, row) : undefined;
      return [{ label: `${column}: ${row.text}`, bars: barsOf(row, figures, kernel), values, goal }];
    }),
  );
}

/** Floor and Open vSwitch have no figures beside other variants than overtap. */
function barsOf(row: Row, figures: Figures, kernel: Figure): Bar[] {
  return SUBJECTS.flatMap(({ name }) => {
    const figure = name === 'overtap' ? figures[row.variant] : row.variant === 'overtap' ? figures[name] : undefined;
    if (figure === undefined) return [];
    const [ratio, low, high] = [figure.median, figure.low, figure.high].map((value) => value / kernel.median);
    return [{ subject: name, ratio, low, high }];
  });
}

function panel(lines: readonly Line[], title: string, top: number, frame: Frame): string[] {
  const bottom = top + 10 + lines.length * ROW;
  const parts = [label(MARGIN, top + 4, title, { weight: 'bold' })];
  for (const tick of TICKS) {
    const x = at(tick, frame);
    const stroke = tick === 1 ? COLOURS.ink : COLOURS.line;
    parts.push(`<line x1="${x}" y1="${top + 10}" x2="${x}" y2="${bottom}" stroke="${stroke}"/>`);
    parts.push(label(x, top + 4, `${tick}`, { anchor: 'middle' }));
  }
  for (const [index, line] of lines.entries()) parts.push(...drawLine(line, top + 12 + index * ROW, frame));
  return parts;
}

function drawLine({ label: text, bars, values, goal }: Line, y: number, frame: Frame): string[] {
  const parts = [label(frame.left - 8, y + 14, text, { anchor: 'end' })];
  let below = y + 2;
  for (const bar of bars) {
    const height = SUBJECTS.find(({ name }) => name === bar.subject)?.height ?? 0;
    parts.push(...drawBar(bar, below, height, frame));
    below += height + 1;
  }
  if (goal)
    for (const mark of ['atLeast', 'aim'] as const) {
      const x = at(goal[mark], frame);
      parts.push(`<line x1="${x}" y1="${y}" x2="${x}" y2="${y + 16}" stroke="${COLOURS[mark]}" stroke-width="3"/>`);
    }
  parts.push(label(frame.left + CHART + 12, y + 14, values, {}));
  return parts;
}

/** A bar with its ratio and a whisker from the lowest to the highest; one that is cut has an arrow in place of its end. */
function drawBar({ subject, ratio, low, high }: Bar, y: number, height: number, frame: Frame): string[] {
  const middle = y + height / 2;
  const end = at(ratio, frame);
  const isCut = ratio > LONGEST;
  const parts = [
    `<rect x="${frame.left}" y="${y}" width="${(end - frame.left).toFixed(1)}" height="${height}" fill="${COLOURS[subject]}"/>`,
  ];
  if (isCut) {
    const tip = `${end - 8},${y} ${end},${middle} ${end - 8},${y + height} ${end + 1},${y + height} ${end + 1},${y}`;
    parts.push(`<polygon class="cut" points="${tip}" fill="#ffffff"/>`);
  }
  if (low < high && low < LONGEST)
    parts.push(
      `<line class="spread" x1="${at(low, frame)}" y1="${middle}" x2="${at(high, frame)}" y2="${middle}" stroke="${COLOURS.ink}"/>`,
      ...[low, high]
        .filter((value) => value <= LONGEST)
        .map((value) => at(value, frame))
        .map((x) => `<line x1="${x}" y1="${middle - 2.5}" x2="${x}" y2="${middle + 2.5}" stroke="${COLOURS.ink}"/>`),
    );
  const outside = Math.max(end, low < high ? at(high, frame) : end) + 4;
  const size = height > 8 ? 11 : 8;
  const text = ratio.toFixed(2);
  // Inside the bar where there is no room behind it.
  const isTight = outside + text.length * size * 0.6 > frame.left + CHART + 8;
  const place = isTight ? { anchor: 'end', fill: '#ffffff', weight: 'bold' } : {};
  const x = isTight ? Math.min(end, at(low, frame)) - 10 : outside;
  parts.push(label(x, middle + size * 0.36, text, { size, ...place }));
  return parts;
}

function legend(lines: readonly Line[], y: number): string[] {
  const subjects = SUBJECTS.filter(({ name }) =>
    lines.some(({ bars }) => bars.some(({ subject }) => subject === name)),
  );
  const entries = [
    ...subjects.map(({ name, text }) => ({ colour: COLOURS[name], text })),
    ...(lines.some(({ goal }) => goal !== undefined)
      ? [
          { colour: COLOURS.atLeast, text: 'to reach at least' },
          { colour: COLOURS.aim, text: 'aim' },
        ]
      : []),
  ];
  let x = MARGIN;
  return entries.flatMap(({ colour, text }) => {
    const from = x;
    x += 15 + textWidth([text]) + 16;
    return [`<rect x="${from}" y="${y - 9}" width="10" height="10" fill="${colour}"/>`, label(from + 15, y, text, {})];
  });
}

/** X coordinate of a ratio. */
function at(value: number, { left }: Frame): number {
  return Number((left + (Math.min(value, LONGEST) / LONGEST) * CHART).toFixed(1));
}

function label(
  x: number,
  y: number,
  text: string,
  {
    anchor = 'start',
    weight = 'normal',
    size = 12,
    fill = COLOURS.ink,
  }: { anchor?: string; weight?: string; size?: number; fill?: string },
): string {
  return `<text x="${x}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-weight="${weight}" font-size="${size}" fill="${fill}">${escapeXml(text)}</text>`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

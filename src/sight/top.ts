/** Rates of ports, remotes, VNIs and drops, from two readings of the counters, as a page of text. Pure. */
import type { LinkCounters, StatsAnswer, TrafficCounters } from '../api/api.js';

/** What rows are sorted by, by the key that chooses it. */
export const SORTS = { r: 'rx', t: 'tx', d: 'drops', n: 'name' } as const;
export type Sort = (typeof SORTS)[keyof typeof SORTS];

/** Per second. */
interface Row {
  name: string;
  rx: number;
  rxBits: number;
  tx: number;
  txBits: number;
  drops: number;
}

export interface TopView {
  name: string;
  /** Seconds between the readings. */
  seconds: number;
  before: StatsAnswer;
  now: StatsAnswer;
}

const HEADER = ['rx/s', 'rx bit/s', 'tx/s', 'tx bit/s', 'drops/s'];
const NAME_WIDTH = 24;
const CELL_WIDTH = 11;

/**
 * The page.
 * @param height lines at most; 0: no limit, and nobody has keys for it. Of each section those rows are left out that come last
 */
export function topText({ name, seconds, before, now }: TopView, sort: Sort, width: number, height: number): string {
  const perSecond = (count: number): number => Math.max(0, count) / seconds;
  const rowsOf = (after: Readonly<Record<string, Counted>>, earlier: Readonly<Record<string, Counted>>): Row[] =>
    Object.entries(after).map(([key, counters]) => rowOf(key, counters, earlier[key], perSecond));
  const sections: [string, Row[]][] = [
    ['port', rowsOf(now.links, before.links)],
    ['remote', rowsOf(now.remotes, before.remotes)],
    ['vni', rowsOf(now.vnis, before.vnis)],
  ];
  const drops = dropRows(now, before, perSecond);
  const { entries, learned, moved } = now.fdb;
  const counts = `${entries} entries, ${rate(perSecond(learned - before.fdb.learned))} learned/s, ${rate(perSecond(moved - before.fdb.moved))} moved/s`;
  const keys = height === 0 ? '' : ' (keys r t d n, q quits)';
  const lines = [`overtap ${name}: ${counts}; sorted by ${sort}${keys}`, ''];
  const shown = sections.filter(([, rows]) => rows.length > 0);
  const room = height === 0 ? Number.POSITIVE_INFINITY : sharedRoom(height - lines.length, shown.length, drops.length);
  for (const [title, rows] of shown) lines.push(...table(title, sorted(rows, sort), room));
  if (drops.length > 0) lines.push(line('drop reason', ['drops/s', 'in all']), ...drops.slice(0, room), '');
  const kept = height === 0 ? lines : lines.slice(0, height);
  return kept.map((text) => text.slice(0, width).trimEnd()).join('\n');
}

type Counted = TrafficCounters & Partial<Pick<LinkCounters, 'rx_dropped' | 'tx_dropped'>>;

const NOTHING: Counted = { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0 };
const BITS = 8;

function rowOf(name: string, now: Counted, before: Counted = NOTHING, perSecond: (count: number) => number): Row {
  const dropped = ({ rx_dropped = 0, tx_dropped = 0 }: Counted): number => rx_dropped + tx_dropped;
  return {
    name,
    rx: perSecond(now.rx_packets - before.rx_packets),
    rxBits: perSecond((now.rx_bytes - before.rx_bytes) * BITS),
    tx: perSecond(now.tx_packets - before.tx_packets),
    txBits: perSecond((now.tx_bytes - before.tx_bytes) * BITS),
    drops: perSecond(dropped(now) - dropped(before)),
  };
}

/** Rows for each section, its title and the empty line behind it apart. */
function sharedRoom(lines: number, sections: number, drops: number): number {
  const parts = sections + (drops > 0 ? 1 : 0);
  return parts === 0 ? 0 : Math.max(1, Math.floor(lines / parts) - 2);
}

function sorted(rows: readonly Row[], sort: Sort): Row[] {
  const byName = (one: Row, other: Row): number => one.name.localeCompare(other.name, 'en', { numeric: true });
  if (sort === 'name') return [...rows].sort(byName);
  const key = sort === 'rx' ? 'rxBits' : sort === 'tx' ? 'txBits' : 'drops';
  return [...rows].sort((one, other) => other[key] - one[key] || byName(one, other));
}

function table(title: string, rows: readonly Row[], room: number): string[] {
  const shown = rows.slice(0, room);
  const more = rows.length > shown.length ? ` (${rows.length - shown.length} more)` : '';
  const cells = ({ rx, rxBits, tx, txBits, drops }: Row): string[] => [rx, rxBits, tx, txBits, drops].map(rate);
  return [line(title + more, HEADER), ...shown.map((row) => line(row.name, cells(row))), ''];
}

/** The most frequent reasons first. */
function dropRows(now: StatsAnswer, before: StatsAnswer, perSecond: (count: number) => number): string[] {
  const rows = Object.entries(now.drops).map(([reason, count]) => {
    return { reason, count, now: perSecond(count - (before.drops[reason] ?? 0)) };
  });
  rows.sort((one, other) => other.now - one.now || other.count - one.count);
  return rows.map((row) => line(row.reason, [rate(row.now), String(row.count)]));
}

function line(name: string, cells: readonly string[]): string {
  return name.padEnd(NAME_WIDTH) + cells.map((cell) => cell.padStart(CELL_WIDTH)).join('');
}

/** As `0`, `12.3`, `456`, `7.89k`, `1.20M`, `9.99G`. */
export function rate(value: number): string {
  if (value === 0) return '0';
  if (value < 99.95) return value.toFixed(1);
  if (value < 9999.5) return value.toFixed(0);
  for (const [unit, size] of [
    ['k', 1e3],
    ['M', 1e6],
    ['G', 1e9],
  ] as const) {
    const scaled = value / size;
    if (scaled < 999.5 || unit === 'G') return `${scaled.toFixed(scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0)}${unit}`;
  }
  return '';
}

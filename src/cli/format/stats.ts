/**
 * The switch's accounts as a table: traffic a link, its remotes and VNIs, drops by reason beneath, and at the end
 * whether the accounts balance. Pure.
 */
import type { DropCounters, LinkCounters, StatsAnswer, TrafficCounters } from '../../control/api.js';
import { alignColumns } from './columns.js';

const HEADER = ['link', 'rx packets', 'rx bytes', 'rx dropped', 'tx packets', 'tx bytes', 'tx dropped'];

/** Every link, and the sums of the switch. */
export function formatStats(stats: StatsAnswer): string {
  const { entries, learned, moved, aged, refused } = stats.fdb;
  return [
    formatLinkStats(stats.links),
    '\n',
    `drops: ${dropsText(stats.drops) ?? 'none'}\n`,
    `fdb: ${entries} entries, ${learned} learned, ${moved} moved, ${aged} aged, ${refused} refused\n`,
    `balance: ${balanceText(stats)}\n`,
  ].join('');
}

/** The table alone, for some of the links. */
export function formatLinkStats(links: Readonly<Record<string, LinkCounters>>): string {
  const rows: string[][] = [HEADER];
  const notes = new Map<number, string>();
  for (const [name, counters] of Object.entries(links)) {
    rows.push(trafficRow(name, counters, String(counters.rx_dropped), String(counters.tx_dropped)));
    for (const [address, traffic] of Object.entries(counters.remotes ?? {})) {
      rows.push(trafficRow(`  remote ${address}`, traffic, '', ''));
    }
    for (const [vni, traffic] of Object.entries(counters.vnis ?? {})) {
      rows.push(trafficRow(`  vni ${vni}`, traffic, '', ''));
    }
    const drops = dropsText(counters.drops);
    if (drops !== undefined) notes.set(rows.length - 1, `  drops: ${drops}\n`);
  }
  return alignColumns(rows, ['left'])
    .split(/(?<=\n)/)
    .map((line, index) => line + (notes.get(index) ?? ''))
    .join('');
}

function trafficRow(name: string, traffic: TrafficCounters, rxDropped: string, txDropped: string): string[] {
  const { rx_packets, rx_bytes, tx_packets, tx_bytes } = traffic;
  return [name, String(rx_packets), String(rx_bytes), rxDropped, String(tx_packets), String(tx_bytes), txDropped];
}

/** `no_destination 2, no_pvid 1`, the most frequent first; undefined when nothing was dropped. */
function dropsText(drops: DropCounters): string | undefined {
  const counted = Object.entries(drops).filter(([, count]) => count > 0);
  if (counted.length === 0) return undefined;
  counted.sort(([nameA, a], [nameB, b]) => b - a || nameA.localeCompare(nameB));
  return counted.map(([reason, count]) => `${reason} ${count}`).join(', ');
}

function balanceText(stats: StatsAnswer): string {
  let received = 0;
  let transmitted = 0;
  for (const counters of Object.values(stats.links)) {
    received += counters.rx_packets;
    transmitted += counters.tx_packets;
  }
  const dropped = Object.values(stats.drops).reduce((sum, count) => sum + count, 0);
  const incoming = `${received} received + ${stats.replicated} copied`;
  const outgoing = `${transmitted} transmitted + ${dropped} dropped`;
  const off = received + stats.replicated - transmitted - dropped;
  return off === 0 ? `${incoming} = ${outgoing}` : `${incoming}, but ${outgoing}: off by ${off}`;
}

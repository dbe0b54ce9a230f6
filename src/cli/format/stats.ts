/**
 * The switch's counters as a table: traffic of links with their remotes, VNIs and VLANs, drops by reason, and the balance of the
 * counters. Pure.
 */
import type {
  ControlCounters,
  DropCounters,
  FdbCounters,
  LinkCounters,
  StatsAnswer,
  TrafficCounters,
} from '../../api/api.js';
import { alignColumns } from './columns.js';

const HEADER = ['link', 'rx packets', 'rx bytes', 'rx dropped', 'tx packets', 'tx bytes', 'tx dropped'];

/** All links, and the totals of the switch. */
export function formatStats(stats: StatsAnswer): string {
  return [
    formatLinkStats(stats.links),
    '\n',
    `drops: ${dropsText(stats.drops) ?? 'none'}\n`,
    ...(stats.unknown_vteps ?? []).map(
      ({ address, port, vni, count, last }) =>
        `vtep_unknown: ${address} to ${port}, VNI ${vni}: ${count} datagrams, the last at ${last}\n`,
    ),
    `fdb: ${fdbText(stats.fdb)}\n`,
    controlText(stats.control),
    `balance: ${balanceText(stats)}\n`,
  ].join('');
}

/** The table of these links. */
export function formatLinkStats(links: Readonly<Record<string, LinkCounters>>): string {
  const rows: string[][] = [HEADER];
  const notes = new Map<number, string>();
  for (const [name, counters] of Object.entries(links)) {
    rows.push(trafficRow(name, counters, String(counters.rx_dropped), String(counters.tx_dropped)));
    if (counters.offloaded !== undefined) rows.push(trafficRow('  offloaded', counters.offloaded, '', ''));
    for (const [address, traffic] of Object.entries(counters.remotes ?? {})) {
      rows.push(trafficRow(`  remote ${address}`, traffic, '', ''));
    }
    for (const [vni, traffic] of Object.entries(counters.vnis ?? {})) {
      rows.push(trafficRow(`  vni ${vni}`, traffic, '', ''));
    }
    for (const [vid, traffic] of Object.entries(counters.vlans ?? {})) {
      rows.push(trafficRow(`  vlan ${vid}`, traffic, '', ''));
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

/** As `no_destination 2, no_pvid 1`, the most frequent reason first; undefined without drops. */
function dropsText(drops: DropCounters): string | undefined {
  const counted = Object.entries(drops).filter(([, count]) => count > 0);
  if (counted.length === 0) return undefined;
  counted.sort(([nameA, a], [nameB, b]) => b - a || nameA.localeCompare(nameB));
  return counted.map(([reason, count]) => `${reason} ${count}`).join(', ');
}

/** A switch may have no counter `evicted`. */
function fdbText(counters: FdbCounters & { readonly evicted?: number }): string {
  const { entries, learned, moved, aged, refused, evicted } = counters;
  const all = `${entries} entries, ${learned} learned, ${moved} moved, ${aged} aged, ${refused} refused`;
  return evicted === undefined ? all : `${all}, ${evicted} evicted`;
}

/** A line with the faults of the control thread; empty without faults. */
function controlText(counters: ControlCounters | undefined): string {
  if (counters === undefined) return '';
  const { log_lost, connections_refused, faults } = counters;
  const parts = [
    ...(log_lost > 0 ? [`${log_lost} log lines lost`] : []),
    ...(connections_refused > 0 ? [`${connections_refused} connections refused`] : []),
    ...Object.entries(faults).map(([place, count]) => `${count} faults in ${place}`),
  ];
  return parts.length === 0 ? '' : `control: ${parts.join(', ')}\n`;
}

/** The balance; `retired` are the counters of deleted links, on both sides. */
function balanceText({ links, drops, replicated, retired }: StatsAnswer): string {
  let received = 0;
  let transmitted = 0;
  for (const counters of Object.values(links)) {
    received += counters.rx_packets;
    transmitted += counters.tx_packets;
  }
  const dropped = sum(drops);
  const retiredIn = retired.rx_packets;
  const retiredOut = retired.tx_packets + sum(retired.drops);
  const [left, right] =
    retiredIn + retiredOut === 0 ? ['', ''] : [` + ${retiredIn} retired`, ` + ${retiredOut} retired`];
  const incoming = `${received} received + ${replicated} copied${left}`;
  const outgoing = `${transmitted} transmitted + ${dropped} dropped${right}`;
  const off = received + replicated + retiredIn - transmitted - dropped - retiredOut;
  return off === 0 ? `${incoming} = ${outgoing}` : `${incoming}, but ${outgoing}: off by ${off}`;
}

const sum = (counts: DropCounters): number => Object.values(counts).reduce((total, count) => total + count, 0);

/**
 * The VNIs of ports in the columns of `bridge vni`, and their counters under its names. Pure.
 */
import type { VniCounters, VniRange } from '../../api/api.js';
import { range } from './columns.js';

/** Column widths of iproute2. */
const NAME = 16;
const VNI = 15;

/** The counters of a VNI under the names of `bridge -s vni`. */
export interface VniStats {
  rx_bytes: number;
  rx_pkts: number;
  rx_drops: number;
  rx_errors: number;
  tx_bytes: number;
  tx_pkts: number;
  tx_drops: number;
  tx_errors: number;
}

export interface VniListing {
  ifname: string;
  vnis: (VniRange & { stats?: VniStats })[];
}

export function statsOf(counters: VniCounters): VniStats {
  const { rx_bytes, rx_packets, rx_drops = 0, rx_errors = 0 } = counters;
  const { tx_bytes, tx_packets, tx_drops = 0, tx_errors = 0 } = counters;
  const received = { rx_bytes, rx_pkts: rx_packets, rx_drops, rx_errors };
  return { ...received, tx_bytes, tx_pkts: tx_packets, tx_drops, tx_errors };
}

/** As `bridge vni show`, and with counters as `bridge -s vni show`. */
export function formatVnis(rows: readonly VniListing[]): string {
  let text = `${'dev'.padEnd(NAME)}  ${'vni'.padEnd(VNI)}  group/remote\n`;
  for (const { ifname, vnis } of rows) {
    vnis.forEach(({ vni, vniEnd, group, remote, stats }, index) => {
      const ends = [range(vni, vniEnd).padEnd(VNI), group ?? remote ?? ''];
      text += `${(index === 0 ? ifname : '').padEnd(NAME)}   ${ends.join(' ')}`.trimEnd();
      text += stats === undefined ? '\n' : `\n${lines(stats)}`;
    });
  }
  return text;
}

function lines(stats: VniStats): string {
  const line = (word: 'RX' | 'TX', bytes: number, pkts: number, drops: number, errors: number): string =>
    `${''.padEnd(NAME)}   ${word}: bytes ${bytes} pkts ${pkts} drops ${drops} errors ${errors}\n`;
  const { rx_bytes, rx_pkts, rx_drops, rx_errors, tx_bytes, tx_pkts, tx_drops, tx_errors } = stats;
  return line('RX', rx_bytes, rx_pkts, rx_drops, rx_errors) + line('TX', tx_bytes, tx_pkts, tx_drops, tx_errors);
}

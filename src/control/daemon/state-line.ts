/**
 * The state of the switch in one log line, for SIGUSR1: number of links, ports that are down, drops. Pure.
 */
import type { LinkRow, StatsAnswer } from '../../api/api.js';

/** Most links named in one line. */
const SHOWN = 50;

export function stateOf(stats: StatsAnswer, links: readonly LinkRow[]): Record<string, unknown> {
  const sum = (key: 'rx_packets' | 'tx_packets'): number =>
    Object.values(stats.links).reduce((total, link) => total + link[key], 0);
  const down = links.filter(({ operstate }) => operstate === 'DOWN').map(({ ifname }) => ifname);
  return {
    uptime_s: Math.floor(process.uptime()),
    rss_bytes: process.memoryUsage.rss(),
    links: links.length,
    down: down.length,
    down_links: down.slice(0, SHOWN),
    rx_packets: sum('rx_packets'),
    tx_packets: sum('tx_packets'),
    drops: Object.fromEntries(Object.entries(stats.drops).filter(([, count]) => count > 0)),
    fdb: stats.fdb,
    control: stats.control,
  };
}

/** The state in a few words, for the service manager. @param links of the switch, with their state */
export function statusText(links: readonly Pick<LinkRow, 'ifname' | 'type' | 'operstate'>[]): string {
  const ports = links.filter(({ type }) => type !== 'bridge');
  const down = ports.filter(({ operstate }) => operstate === 'DOWN').map(({ ifname }) => ifname);
  const number = `${ports.length} ${ports.length === 1 ? 'port' : 'ports'}`;
  return `Forwarding: ${number}${down.length === 0 ? '' : `, down: ${down.join(' ')}`}`;
}

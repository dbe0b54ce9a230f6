/**
 * `/metrics`: the counters of a switch in the Prometheus text format 0.0.4. Formatting only.
 */
import type { LinkCounters, LinkRow, StatsAnswer, TrafficCounters } from '../../api/api.js';
import type { Views } from '../listings.js';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Input of the metrics. */
export interface MetricSources {
  info: { name: string; version: string };
  stats: StatsAnswer;
  links: readonly LinkRow[];
  uptimeSeconds: number;
  residentBytes: number;
}

type Labels = Readonly<Record<string, string | undefined>>;
type Sample = readonly [labels: Labels, value: number];

/** The exposition of a switch. Nothing is counted or built before the first part is read, so that readers wait for their turn. */
export function* metricsOf(views: Views): Generator<string> {
  yield* metricParts({
    info: views.info,
    stats: views.stats(),
    links: views.links(),
    uptimeSeconds: process.uptime(),
    residentBytes: process.memoryUsage.rss(),
  });
}

/** The exposition in parts of one or two lines, since it is long with many remotes. */
export function* metricParts(sources: MetricSources): Generator<string> {
  yield* processMetrics(sources);
  yield* linkMetrics(sources);
  yield* treeMetrics(sources);
  yield* trafficMetrics('overtap_remote', 'remote', 'remote VTEP', sources.stats.remotes);
  yield* trafficMetrics('overtap_vni', 'vni', 'VNI', sources.stats.vnis);
  yield* fdbMetrics(sources.stats);
  yield* switchMetrics(sources.stats);
  yield* controlMetrics(sources.stats);
}

function* processMetrics({ info, uptimeSeconds, residentBytes }: MetricSources): Generator<string> {
  const labels = { name: info.name, version: info.version };
  yield* family('overtap_info', 'gauge', 'The switch: always 1.', [[labels, 1]]);
  yield* single('overtap_uptime_seconds', 'gauge', 'Seconds since the switch was started.', uptimeSeconds);
  yield* single('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', residentBytes);
}

function* linkMetrics({ stats, links }: MetricSources): Generator<string> {
  const up = links.map(({ ifname, type, master, operstate }): Sample => {
    return [{ link: ifname, type, master }, operstate === 'UP' ? 1 : 0];
  });
  yield* family('overtap_link_up', 'gauge', 'Whether the link is up: 1 or 0.', up);
  yield* remoteMetrics(links, stats);
  yield* trafficMetrics('overtap_link', 'link', 'link', stats.links);
  yield* family(
    'overtap_link_drops_total',
    'counter',
    'Frames dropped at the link, received or to be sent, by reason.',
    linkDrops(stats.links),
  );
}

/** As in the kernel (BR_STATE_DISABLED and so on, linux/if_bridge.h). */
const TREE_STATES = { disabled: 0, listening: 1, learning: 2, forwarding: 3, blocking: 4 } as const;

function* treeMetrics({ links }: MetricSources): Generator<string> {
  const states = links.flatMap(({ ifname, master, state }): Sample[] =>
    state === undefined ? [] : [[{ link: ifname, master }, TREE_STATES[state]]],
  );
  const changes = links.flatMap(({ ifname, topology_changes: count }): Sample[] =>
    count === undefined ? [] : [[{ link: ifname }, count]],
  );
  const help = 'State of a port in the spanning tree: 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking.';
  yield* family('overtap_stp_port_state', 'gauge', help, states);
  yield* family('overtap_stp_topology_changes_total', 'counter', 'Topology changes, by bridge.', changes);
}

/** Of ports with BFD. A remote whose state is unknown is used, and so is 1. */
function* remoteMetrics(links: readonly LinkRow[], { bfd_discarded: discarded }: StatsAnswer): Generator<string> {
  const alive = links.flatMap(({ ifname, bfd_remotes: remotes = [] }) =>
    remotes.map(({ address, state }): Sample => [{ link: ifname, remote: address }, state === 'down' ? 0 : 1]),
  );
  if (alive.length > 0)
    yield* family(
      'overtap_remote_alive',
      'gauge',
      'Whether BFD finds the remote alive, or cannot say: 1; dead: 0.',
      alive,
    );
  if (discarded === undefined) return;
  const reasons = Object.entries(discarded).map(([reason, count]): Sample => [{ reason }, count]);
  yield* family('overtap_bfd_discarded_total', 'counter', 'BFD packets that were discarded, by reason.', reasons);
}

function* linkDrops(links: Readonly<Record<string, LinkCounters>>): Generator<Sample> {
  for (const [link, { drops }] of Object.entries(links)) {
    for (const [reason, count] of Object.entries(drops)) yield [{ link, reason }, count];
  }
}

function* trafficMetrics(
  prefix: string,
  label: string,
  what: string,
  rows: Readonly<Record<string, TrafficCounters>>,
): Generator<string> {
  const of = function* (key: keyof TrafficCounters): Generator<Sample> {
    for (const [name, traffic] of Object.entries(rows)) yield [{ [label]: name }, traffic[key]];
  };
  yield* family(`${prefix}_receive_packets_total`, 'counter', `Frames received, by ${what}.`, of('rx_packets'));
  yield* family(`${prefix}_receive_bytes_total`, 'counter', `Bytes of frames received, by ${what}.`, of('rx_bytes'));
  yield* family(`${prefix}_transmit_packets_total`, 'counter', `Frames sent, by ${what}.`, of('tx_packets'));
  yield* family(`${prefix}_transmit_bytes_total`, 'counter', `Bytes of frames sent, by ${what}.`, of('tx_bytes'));
}

function* fdbMetrics({ fdb }: StatsAnswer): Generator<string> {
  yield* single('overtap_fdb_entries', 'gauge', 'Entries in the forwarding database.', fdb.entries);
  if (fdb.capacity !== undefined) {
    yield* single('overtap_fdb_capacity', 'gauge', 'Entries that the forwarding database can hold.', fdb.capacity);
  }
  yield* single('overtap_fdb_learned_total', 'counter', 'Entries learned.', fdb.learned);
  yield* single('overtap_fdb_moved_total', 'counter', 'Moves of an entry to another destination.', fdb.moved);
  yield* single('overtap_fdb_aged_total', 'counter', 'Entries that aged out.', fdb.aged);
  yield* single('overtap_fdb_refused_total', 'counter', 'MACs not learned for want of room.', fdb.refused);
  if (fdb.evicted !== undefined) {
    const help = 'Learned entries that gave way to others when the table was full.';
    yield* single('overtap_fdb_evicted_total', 'counter', help, fdb.evicted);
  }
}

/** The sums balance only with the retired counters, which include deleted ports. */
function* switchMetrics({ replicated, tunnel_gso: whole, retired }: StatsAnswer): Generator<string> {
  const copies = 'Copies that flooding made beyond the first of each frame.';
  yield* single('overtap_replicated_packets_total', 'counter', copies, replicated);
  if (whole !== undefined) {
    const help = 'TCP superframes that left whole, for the NIC to segment.';
    yield* single('overtap_tunnel_gso_superframes_total', 'counter', help, whole);
  }
  const gone = 'by links that are no more';
  yield* single('overtap_retired_receive_packets_total', 'counter', `Frames received ${gone}.`, retired.rx_packets);
  yield* single('overtap_retired_receive_bytes_total', 'counter', `Bytes received ${gone}.`, retired.rx_bytes);
  yield* single('overtap_retired_transmit_packets_total', 'counter', `Frames sent ${gone}.`, retired.tx_packets);
  yield* single('overtap_retired_transmit_bytes_total', 'counter', `Bytes sent ${gone}.`, retired.tx_bytes);
  const drops = Object.entries(retired.drops).map(([reason, count]): Sample => [{ reason }, count]);
  yield* family('overtap_retired_drops_total', 'counter', `Frames dropped ${gone}, by reason.`, drops);
}

function* controlMetrics({ control }: StatsAnswer): Generator<string> {
  if (control === undefined) return;
  const lost = 'Lines of the log that could not be written.';
  yield* single('overtap_log_lines_lost_total', 'counter', lost, control.log_lost);
  const refused = 'Connections to the control socket that were closed as they came.';
  yield* single('overtap_control_connections_refused_total', 'counter', refused, control.connections_refused);
  const faults = Object.entries(control.faults).map(([place, count]): Sample => [{ place }, count]);
  yield* family('overtap_control_faults_total', 'counter', 'Faults caught in the control thread, by place.', faults);
}

// ---- the text format ----

const single = (name: string, type: 'counter' | 'gauge', help: string, value: number): Generator<string> =>
  family(name, type, help, [[{}, value]]);

function* family(name: string, type: 'counter' | 'gauge', help: string, samples: Iterable<Sample>): Generator<string> {
  yield `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
  for (const [labels, value] of samples) yield `${name}${labelText(labels)} ${value}\n`;
}

function labelText(labels: Labels): string {
  const given = Object.entries(labels).filter(([, value]) => value !== undefined);
  if (given.length === 0) return '';
  return `{${given.map(([key, value]) => `${key}="${escapeLabel(value ?? '')}"`).join(',')}}`;
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');

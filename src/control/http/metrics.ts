/**
 * `/metrics`: the counters of a switch in the Prometheus text format 0.0.4. Formatting only.
 */
import type {
  EvpnNeighborRow,
  EvpnVniRow,
  LinkCounters,
  LinkRow,
  StatsAnswer,
  TrafficCounters,
} from '../../api/api.js';
import type { Views } from '../listings.js';
import type { EvpnFigures } from './evpn.js';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Input of the metrics. */
export interface MetricSources {
  info: { name: string; version: string };
  stats: StatsAnswer;
  links: readonly LinkRow[];
  uptimeSeconds: number;
  residentBytes: number;
  /** Null: the BGP speaker does not answer; absent: there is none. */
  evpn?: EvpnFigures | null;
  /** Of the moment, in milliseconds since 1970: for the age of what was heard. */
  now?: number;
}

type Labels = Readonly<Record<string, string | undefined>>;
type Sample = readonly [labels: Labels, value: number];

/** The exposition of a switch. What the BGP speaker says was asked for before. Nothing is counted or built before the first part is read, so that readers wait for their turn. */
export function* metricsOf(views: Views, evpn: EvpnFigures | null | undefined): Generator<string> {
  yield* metricParts({
    ...(evpn === undefined ? {} : { evpn }),
    now: Date.now(),
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
  yield* peerMetrics(sources);
  yield* evpnMetrics(sources.evpn);
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
  const offloaded = Object.entries(stats.links).flatMap(([name, link]) =>
    link.offloaded === undefined ? [] : [[name, link.offloaded] as const],
  );
  if (offloaded.length > 0)
    yield* trafficMetrics('overtap_offloaded', 'link', 'link by the kernel', Object.fromEntries(offloaded));
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
  yield* dampingMetrics(links);
  yield* probeMetrics(links);
  if (discarded === undefined) return;
  const reasons = Object.entries(discarded).map(([reason, count]): Sample => [{ reason }, count]);
  yield* family('overtap_bfd_discarded_total', 'counter', 'BFD packets that were discarded, by reason.', reasons);
}

function* dampingMetrics(links: readonly LinkRow[]): Generator<string> {
  const damped = links.flatMap(({ ifname, bfd_remotes: remotes = [] }) =>
    remotes.flatMap(({ address, flaps, damped = 0 }): Sample[] =>
      flaps === undefined ? [] : [[{ link: ifname, remote: address }, damped / 1000]],
    ),
  );
  if (damped.length === 0) return;
  const help =
    'How long a session that alternates has to stay up before its remote is used again; 0: it is not held back.';
  yield* family('overtap_remote_damped_seconds', 'gauge', help, damped);
}

/** Of ports with probes of the path MTU. */
function* probeMetrics(links: readonly LinkRow[]): Generator<string> {
  const probed = links.flatMap(({ ifname, bfd_remotes: remotes = [] }) =>
    remotes.filter(({ path_mtu_search: search }) => search !== undefined).map((remote) => ({ ifname, remote })),
  );
  if (probed.length === 0) return;
  type Count = 'path_mtu' | 'probes_sent' | 'probes_lost' | 'black_holes';
  const of = (key: Count): Sample[] =>
    probed.flatMap(({ ifname, remote }) => {
      const value = remote[key];
      return value === undefined ? [] : [[{ link: ifname, remote: remote.address }, value] as const];
    });
  const mtu = 'Longest outer IP packet that probes have found to reach the remote, in bytes; absent: not known.';
  yield* family('overtap_remote_path_mtu_bytes', 'gauge', mtu, of('path_mtu'));
  yield* family('overtap_remote_probes_sent_total', 'counter', 'Probes of the path MTU sent.', of('probes_sent'));
  yield* family('overtap_remote_probes_lost_total', 'counter', 'Probes without an answer.', of('probes_lost'));
  const holes = 'How often packets of a length that had passed were lost.';
  yield* family('overtap_remote_black_holes_total', 'counter', holes, of('black_holes'));
}

/** Of ports with sources of peers. */
function* peerMetrics({ links, now = Date.now() }: MetricSources): Generator<string> {
  const rows = links.flatMap(({ ifname, peer_sources: sources = [] }) =>
    sources.map((row) => ({ row, labels: { link: ifname, source: row.source } })),
  );
  if (rows.length === 0) return;
  const working = rows.map(({ row, labels }): Sample => [labels, row.state === 'ok' ? 1 : 0]);
  yield* family('overtap_peer_source_up', 'gauge', 'Whether the source of peers speaks: 1 or 0.', working);
  const ages = rows.flatMap(({ row: { spoke }, labels }): Sample[] =>
    spoke === undefined ? [] : [[labels, Math.max(0, now - Date.parse(spoke)) / 1000]],
  );
  const help = 'Seconds since the source of peers last said something that was understood.';
  yield* family('overtap_peer_source_age_seconds', 'gauge', help, ages);
  const counts = rows.flatMap(({ row, labels }): Sample[] =>
    (['remotes', 'macs', 'bindings'] as const).map((kind) => [{ ...labels, kind }, row[kind]]),
  );
  yield* family('overtap_peer_source_rows', 'gauge', 'Rows that the source of peers has put in, by kind.', counts);
}

function* evpnMetrics(evpn: EvpnFigures | null | undefined): Generator<string> {
  if (evpn === undefined) return;
  yield* single('overtap_evpn_up', 'gauge', 'Whether the BGP speaker answers: 1 or 0.', evpn === null ? 0 : 1);
  if (evpn === null) return;
  const { neighbors, vnis } = evpn;
  const of = (value: (row: EvpnNeighborRow) => number): Sample[] =>
    neighbors.map((row) => [{ neighbor: row.address }, value(row)]);
  const isUp = of(({ state }) => (state === 'established' ? 1 : 0));
  yield* family('overtap_evpn_neighbor_up', 'gauge', 'Whether there is a session with the neighbour: 1 or 0.', isUp);
  const since = 'Seconds since the state of the session changed.';
  yield* family(
    'overtap_evpn_neighbor_state_seconds',
    'gauge',
    since,
    of((row) => row.since),
  );
  const ups = of((row) => row.ups);
  yield* family('overtap_evpn_neighbor_established_total', 'counter', 'Sessions that have come up.', ups);
  const received = of((row) => row.received);
  yield* family('overtap_evpn_neighbor_routes_received', 'gauge', 'Routes that the neighbour has sent.', received);
  const accepted = of((row) => row.accepted);
  yield* family('overtap_evpn_neighbor_routes_accepted', 'gauge', 'Of those: routes that are kept.', accepted);
  const refused = of((row) => Math.max(0, row.received - row.accepted));
  yield* family(
    'overtap_evpn_neighbor_routes_refused',
    'gauge',
    'Of those: routes beyond max_routes, or without memory for their attributes.',
    refused,
  );
  const malformed = of((row) => row.malformed);
  yield* family('overtap_evpn_neighbor_malformed_total', 'counter', 'UPDATEs with wrong attributes.', malformed);
  yield* vniMetrics(vnis);
}

function* vniMetrics(vnis: readonly EvpnVniRow[]): Generator<string> {
  const of = (value: (row: EvpnVniRow) => number): Sample[] =>
    vnis.map((row) => [{ vni: String(row.vni), owner: row.owner }, value(row)]);
  const remotes = of((row) => row.remotes.length);
  yield* family('overtap_evpn_vni_remotes', 'gauge', 'VTEPs that have told of the VNI.', remotes);
  const local = of((row) => row.local_macs);
  yield* family('overtap_evpn_vni_local_macs', 'gauge', 'MACs of the VNI that are announced.', local);
  const remote = of((row) => row.remote_macs);
  yield* family('overtap_evpn_vni_remote_macs', 'gauge', 'MACs of the VNI that others announce.', remote);
  const duplicates = of((row) => row.duplicates.length);
  yield* family('overtap_evpn_vni_duplicate_macs', 'gauge', 'MACs that move too often.', duplicates);
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

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvpnNeighborRow, EvpnVniRow } from '../../../src/api/api.js';
import { type MetricSources, metricParts } from '../../../src/control/http/metrics.js';
import { ask, FakeViews, type Harness, harness, STATS } from './server-harness.js';

const sources: MetricSources = {
  info: { name: 'host1', version: '1.2.3' },
  stats: STATS,
  links: new FakeViews().links(),
  uptimeSeconds: 1.5,
  residentBytes: 1024,
};
const textOf = (change: Partial<MetricSources> = {}): string => [...metricParts({ ...sources, ...change })].join('');

describe('metrics', () => {
  it('show every counter under its labels', () => {
    const samples = textOf()
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(samples).toEqual([
      'overtap_info{name="host1",version="1.2.3"} 1',
      'overtap_uptime_seconds 1.5',
      'process_resident_memory_bytes 1024',
      'overtap_link_up{link="br0",type="bridge"} 1',
      'overtap_link_up{link="tap1",type="tap",master="br0"} 0',
      'overtap_link_receive_packets_total{link="tap1"} 1',
      'overtap_link_receive_bytes_total{link="tap1"} 60',
      'overtap_link_transmit_packets_total{link="tap1"} 2',
      'overtap_link_transmit_bytes_total{link="tap1"} 120',
      'overtap_link_drops_total{link="tap1",reason="no_pvid"} 3',
      'overtap_remote_receive_packets_total{remote="192.0.2.2"} 4',
      'overtap_remote_receive_bytes_total{remote="192.0.2.2"} 240',
      'overtap_remote_transmit_packets_total{remote="192.0.2.2"} 5',
      'overtap_remote_transmit_bytes_total{remote="192.0.2.2"} 300',
      'overtap_vni_receive_packets_total{vni="42"} 6',
      'overtap_vni_receive_bytes_total{vni="42"} 360',
      'overtap_vni_transmit_packets_total{vni="42"} 7',
      'overtap_vni_transmit_bytes_total{vni="42"} 420',
      'overtap_fdb_entries 12',
      'overtap_fdb_learned_total 13',
      'overtap_fdb_moved_total 14',
      'overtap_fdb_aged_total 15',
      'overtap_fdb_refused_total 16',
      'overtap_replicated_packets_total 8',
      'overtap_retired_receive_packets_total 9',
      'overtap_retired_receive_bytes_total 540',
      'overtap_retired_transmit_packets_total 10',
      'overtap_retired_transmit_bytes_total 600',
      'overtap_retired_drops_total{reason="port_down"} 11',
    ]);
  });

  it('show what only some switches count', () => {
    const text = textOf({ stats: { ...STATS, tunnel_gso: 18, fdb: { ...STATS.fdb, evicted: 17, capacity: 65_536 } } });
    expect(text).toContain('\novertap_fdb_evicted_total 17\n');
    expect(text).toContain('\novertap_fdb_capacity 65536\n');
    expect(text).toContain('\novertap_tunnel_gso_superframes_total 18\n');
  });

  it('show the spanning tree as the kernel numbers states', () => {
    const [bridge, port] = sources.links;
    const links = [
      { ...bridge, topology_changes: 4 },
      { ...port, state: 'blocking', role: 'alternate' },
    ] as MetricSources['links'];
    const text = textOf({ links });
    expect(text).toContain('\novertap_stp_port_state{link="tap1",master="br0"} 4\n');
    expect(text).toContain('\novertap_stp_topology_changes_total{link="br0"} 4\n');
  });

  it('show remotes with BFD, and what probes have found of their paths', () => {
    const remote = { address: '192.0.2.2', state: 'up', path_mtu: 1400, path_mtu_search: 'complete' };
    const counts = { probes_sent: 9, probes_lost: 3, black_holes: 1 };
    const other = { address: '192.0.2.3', state: 'down', flaps: 5, damped: 4000 };
    const links = [{ ...sources.links[1], ifname: 'vxlan0', bfd_remotes: [{ ...remote, ...counts }, other] }];
    const lines = textOf({ links: links as unknown as MetricSources['links'] }).split('\n');
    expect(lines.filter((line) => /^overtap_remote_(alive|damped|path|probes|black)/.test(line))).toEqual([
      'overtap_remote_alive{link="vxlan0",remote="192.0.2.2"} 1',
      'overtap_remote_alive{link="vxlan0",remote="192.0.2.3"} 0',
      'overtap_remote_damped_seconds{link="vxlan0",remote="192.0.2.3"} 4',
      'overtap_remote_path_mtu_bytes{link="vxlan0",remote="192.0.2.2"} 1400',
      'overtap_remote_probes_sent_total{link="vxlan0",remote="192.0.2.2"} 9',
      'overtap_remote_probes_lost_total{link="vxlan0",remote="192.0.2.2"} 3',
      'overtap_remote_black_holes_total{link="vxlan0",remote="192.0.2.2"} 1',
    ]);
  });

  it('show sources of peers: whether they speak, the age of what they said, and their rows', () => {
    const row = { source: 'dns vtep.example.net', remotes: 3, macs: 2, bindings: 1, spoke: '2026-01-02T03:04:05.000Z' };
    const link = { ...sources.links[1], ifname: 'vxlan0' };
    const peers = [
      { ...row, state: 'ok' },
      { ...row, source: 'file /etc/peers', state: 'failed', spoke: undefined },
    ];
    const links = [{ ...link, peer_sources: peers }] as unknown as MetricSources['links'];
    const lines = textOf({ links, now: Date.parse('2026-01-02T03:04:15.500Z') }).split('\n');
    expect(lines.filter((line) => line.startsWith('overtap_peer_source'))).toEqual([
      'overtap_peer_source_up{link="vxlan0",source="dns vtep.example.net"} 1',
      'overtap_peer_source_up{link="vxlan0",source="file /etc/peers"} 0',
      'overtap_peer_source_age_seconds{link="vxlan0",source="dns vtep.example.net"} 10.5',
      ...['remotes"} 3', 'macs"} 2', 'bindings"} 1'].map(
        (end) => `overtap_peer_source_rows{link="vxlan0",source="dns vtep.example.net",kind="${end}`,
      ),
      ...['remotes"} 3', 'macs"} 2', 'bindings"} 1'].map(
        (end) => `overtap_peer_source_rows{link="vxlan0",source="file /etc/peers",kind="${end}`,
      ),
    ]);
  });

  it('show the BGP speaker: each neighbour and VNI, or that it does not answer', () => {
    const neighbor: EvpnNeighborRow = {
      ...{ address: '192.0.2.9', asn: 65001, state: 'established', since: 61, ups: 4, received: 12, accepted: 10 },
      ...{ sent: 3, stale: 0, messages_in: 20, messages_out: 8, malformed: 2 },
    };
    const down: EvpnNeighborRow = {
      ...neighbor,
      address: '192.0.2.8',
      state: 'active',
      ups: 0,
      received: 0,
      accepted: 0,
    };
    const vni: EvpnVniRow = {
      ...{ vni: 100, type: 'l2', owner: 'vxlan0', local: '192.0.2.1', rd: '192.0.2.1:100', floods: true },
      ...{ imports: [], exports: [], remotes: ['192.0.2.2'], local_macs: 4, remote_macs: 10, duplicates: ['a'] },
    };
    const evpn = { neighbors: [neighbor, down], vnis: [vni] };
    const lines = textOf({ evpn }).split('\n');
    const of = (name: string, first: number, second: number): string[] => [
      `overtap_evpn_neighbor_${name}{neighbor="192.0.2.9"} ${first}`,
      `overtap_evpn_neighbor_${name}{neighbor="192.0.2.8"} ${second}`,
    ];
    expect(lines.filter((line) => line.startsWith('overtap_evpn'))).toEqual([
      'overtap_evpn_up 1',
      ...of('up', 1, 0),
      ...of('state_seconds', 61, 61),
      ...of('established_total', 4, 0),
      ...of('routes_received', 12, 0),
      ...of('routes_accepted', 10, 0),
      ...of('routes_refused', 2, 0),
      ...of('malformed_total', 2, 2),
      'overtap_evpn_vni_remotes{vni="100",owner="vxlan0"} 1',
      'overtap_evpn_vni_local_macs{vni="100",owner="vxlan0"} 4',
      'overtap_evpn_vni_remote_macs{vni="100",owner="vxlan0"} 10',
      'overtap_evpn_vni_duplicate_macs{vni="100",owner="vxlan0"} 1',
    ]);
    expect(textOf({ evpn: null })).toContain('\novertap_evpn_up 0\n');
  });

  it('stand in families, each once, with help and type before its samples', () => {
    const lines = textOf().trimEnd().split('\n');
    const seen = new Set<string>();
    let family = '';
    lines.forEach((line, i) => {
      const [, name] = /^# HELP ([a-z_]+) \S.*\.$/.exec(line) ?? [];
      if (name !== undefined) {
        expect(seen.has(name)).toBe(false);
        seen.add(name);
        family = name;
        expect(lines[i + 1]).toBe(`# TYPE ${name} ${name.endsWith('_total') ? 'counter' : 'gauge'}`);
      } else if (!line.startsWith('#')) {
        expect(line).toMatch(/^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.]+$/);
        expect(line.split(/[ {]/)[0]).toBe(family);
      }
    });
    expect(seen.size).toBeGreaterThan(20);
  });

  it('escape what a label may hold', () => {
    const name = 'a"b\\c\nd';
    expect(textOf({ info: { name, version: '1' } })).toContain('overtap_info{name="a\\"b\\\\c\\nd",version="1"} 1\n');
  });
});

describe('/metrics', () => {
  let server: Harness;
  beforeAll(async () => {
    server = await harness();
  });
  afterAll(() => server.close());

  it('answers in the text format', async () => {
    const { status, type, text } = await ask(server.path, 'GET', '/metrics');
    expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(text).toContain('overtap_info{name="host1",version="1.2.3"} 1\n');
    expect(text.endsWith('\n')).toBe(true);
    const [, resident] = /^process_resident_memory_bytes (\d+)$/m.exec(text) ?? [];
    expect(Number(resident)).toBeGreaterThan(10_000_000);
  });

  it('with 30,000 remotes comes whole', async () => {
    const { stats } = server.views;
    const remotes = Object.fromEntries(
      Array.from({ length: 30_000 }, (_, i) => [`10.0.${i >> 8}.${i & 255}`, STATS.remotes['192.0.2.2']]),
    ) as typeof STATS.remotes;
    server.views.stats = () => ({ ...STATS, remotes });
    const { text } = await ask(server.path, 'GET', '/metrics');
    server.views.stats = stats;
    expect(text.match(/^overtap_remote_/gm)).toHaveLength(120_000);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

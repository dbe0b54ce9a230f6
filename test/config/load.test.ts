/** Valid files and their resolved values. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, formatFaults, loadConfig, loadDocument, parseConfig } from '../../src/config/load.js';
import type { BridgeConfig, PortConfig, SwitchConfig, TapConfig, VxlanConfig } from '../../src/config/types.js';
import { EXAMPLE } from './example.js';

const deps = { hostname: () => 'thishost', netnsExists: () => true };
const parse = (text: string): SwitchConfig => parseConfig(text, 'file.yaml', deps);

/** The bridge br1 of a file. */
function bridge(text: string): BridgeConfig {
  const found = parse(text).bridges.find((candidate) => candidate.name === 'br1');
  if (found === undefined) throw new Error('the file has no br1');
  return found;
}

function port(text: string, name: string): PortConfig {
  const found = bridge(text).ports.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`br1 has no port ${name}`);
  return found;
}

describe('the example of the contract', () => {
  const config = parse(EXAMPLE);
  const [tap, vxlan] = bridge(EXAMPLE).ports as [TapConfig, VxlanConfig];

  it('resolves switch and bridge', () => {
    expect({ ...config, bridges: [] }).toEqual({
      sflow: [],
      sflow_sampling: 1000,
      dns_servers: [],
      etcd: { ttl: 15 },
      peers_grace: 600,
      sflow_polling: 20,
      ipfix: [],
      ipfix_sampling: 1000,
      ipfix_domain: 0,
      ipfix_active_timeout: 60,
      ipfix_inactive_timeout: 15,
      ipfix_template_interval: 60,
      ipfix_cache: 8192,
      fdb_size: 65_536,
      ports: [],
      name: 'host1',
      control: '/run/overtap/host1.sock',
      workers: 1,
      busy_poll: 'auto',
      offloads: {
        tso: true,
        udp_segment: true,
        tunnel_gso: 'auto',
        udp_gro: true,
        packet_ring: true,
        io_uring: 'auto',
        flow: 'off',
        vnet_header: true,
      },
      bridges: [],
    });
    expect(config.bridges.map(({ ports, ...rest }) => ({ ...rest, ports: ports.map((p) => p.name) }))).toEqual([
      {
        name: 'br1',
        up: true,
        vlan_filtering: true,
        vlan_protocol: '802.1Q',
        vlan_default_pvid: 1,
        fdb: [],
        ageing_time: 300,
        fdb_max_learned: 0,
        fdb_local_vlan_0: false,
        group_fwd_mask: 0,
        dhcp_guard: false,
        ra_guard: false,
        xconnect: false,
        mcast_snooping: true,
        mcast_querier: false,
        mcast_query_use_ifaddr: false,
        mcast_igmp_version: 2,
        mcast_mld_version: 1,
        mcast_query_interval: 12_500,
        mcast_query_response_interval: 1000,
        mcast_last_member_interval: 100,
        mcast_last_member_count: 2,
        mcast_membership_interval: 26_000,
        mcast_querier_interval: 25_500,
        mcast_startup_query_interval: 3125,
        mcast_startup_query_count: 2,
        mcast_vlan_snooping: false,
        mcast_hash_max: 4096,
        vlan_global: [],
        loop_guard: true,
        mac_move_limit: 10,
        stp_state: false,
        stp_version: 'rstp',
        mst_enabled: false,
        priority: 32_768,
        hello_time: 200,
        max_age: 2000,
        forward_delay: 1500,
        vlans: [],
        host_port: false,
        addresses: [],
        mtu: 'auto',
        persist: false,
        ports: ['tap1_0', 'vxlan0'],
        options: { vlan_filtering: true, vlan_default_pvid: 1, ageing_time: 300, fdb_max_learned: 0, host_port: false },
      },
    ]);
  });

  it('resolves the tap port', () => {
    expect(tap).toEqual({
      type: 'tap',
      name: 'tap1_0',
      netns: 'ns2',
      ifname: 'tap1_1',
      mac: '02:00:00:00:02:01',
      addresses: [{ address: '100.0.1.2', prefix: 24, family: 4 }],
      mtu: 'auto',
      persist: false,
      vlans: [{ vid: 2, pvid: true, untagged: true, remotes: [] }],
      learning: true,
      flood: true,
      mcast_flood: true,
      bcast_flood: true,
      isolated: false,
      locked: false,
      neigh_suppress: false,
      neigh_vlan_suppress: false,
      neigh_forward_grat: true,
      mab: false,
      hairpin: false,
      group_fwd_mask: 0,
      up: true,
      mss_clamp: 'off',
      mst: [],
      mirror: 'off',
      mirror_ports: [],
      mirror_vlans: [],
      cvlan_map: [],
      storm_limit: { broadcast: 0, unknown_unicast: 0, multicast: 0 },
      arp_guard: [],
      allowed_macs: [],
      trusted: false,
      stp: true,
      state: 'forwarding',
      priority: 32,
      bpdu_guard: false,
      root_block: false,
      edge: 'auto',
      point_to_point: 'auto',
      police_in: { rate: 0, burst: 0, pkts_rate: 0, pkts_burst: 0 },
      police_out: { rate: 0, burst: 0, pkts_rate: 0, pkts_burst: 0 },
      mcast_router: 1,
      mcast_fast_leave: false,
      mcast_to_unicast: false,
      mcast_max_groups: 0,
      fdb: [{ mac: '02:00:00:00:02:01', vlan: 2, state: 'static', sticky: false, extern_learn: false }],
      options: {
        netns: 'ns2',
        ifname: 'tap1_1',
        mac: '02:00:00:00:02:01',
        addresses: ['100.0.1.2/24'],
        mtu: 'auto',
        persist: false,
        learning: true,
      },
    });
  });

  it('resolves the vxlan port', () => {
    const { vlans, ...rest } = vxlan;
    expect(vlans).toHaveLength(102);
    expect(vlans.slice(0, 3)).toEqual([
      { vid: 2, pvid: false, untagged: false, vni: 2, remotes: [] },
      { vid: 3, pvid: false, untagged: false, vni: 3, remotes: ['192.0.2.3'] },
      { vid: 100, pvid: false, untagged: false, vni: 10100, remotes: [] },
    ]);
    expect(vlans.at(-1)).toEqual({ vid: 199, pvid: false, untagged: false, vni: 10199, remotes: [] });
    expect(rest).toEqual({
      type: 'vxlan',
      name: 'vxlan0',
      family: 4,
      local: '192.0.2.1',
      dev: 'eth0',
      dstport: 4789,
      vlan_tunnel: true,
      remotes: ['192.0.2.2'],
      peers: [],
      peers_etcd: [],
      peers_prefix: '/overtap',
      srcport: [32768, 61000],
      ttl: 0,
      tos: 0,
      flowlabel: 0,
      gbp: false,
      gbp_id: 0,
      df: 'unset',
      udpcsum: true,
      maxaddress: 0,
      proxy: false,
      rsc: false,
      l2miss: false,
      l3miss: false,
      host_port: false,
      accept_vteps: 'known',
      bfd: 'off',
      bfd_interval: 300,
      bfd_multiplier: 3,
      bfd_vni: 1,
      path_mtu_probes: false,
      reserved_bits: 'ignore',
      evpn: false,
      fragment: false,
      inner_vlan: 'drop',
      addresses: [],
      mtu: 'auto',
      persist: false,
      learning: true,
      flood: true,
      mcast_flood: true,
      bcast_flood: true,
      isolated: false,
      locked: false,
      neigh_suppress: false,
      neigh_vlan_suppress: false,
      neigh_forward_grat: true,
      mab: false,
      hairpin: false,
      group_fwd_mask: 0,
      up: true,
      mss_clamp: 'off',
      mst: [],
      mirror: 'off',
      mirror_ports: [],
      mirror_vlans: [],
      cvlan_map: [],
      storm_limit: { broadcast: 0, unknown_unicast: 0, multicast: 0 },
      arp_guard: [],
      allowed_macs: [],
      trusted: false,
      stp: true,
      state: 'forwarding',
      priority: 32,
      bpdu_guard: false,
      root_block: false,
      edge: 'auto',
      point_to_point: 'auto',
      police_in: { rate: 0, burst: 0, pkts_rate: 0, pkts_burst: 0 },
      police_out: { rate: 0, burst: 0, pkts_rate: 0, pkts_burst: 0 },
      mcast_router: 1,
      mcast_fast_leave: false,
      mcast_to_unicast: false,
      mcast_max_groups: 0,
      fdb: [
        {
          mac: '02:00:00:00:09:01',
          vlan: 2,
          vni: 2,
          dst: '192.0.2.2',
          state: 'static',
          sticky: false,
          extern_learn: false,
        },
      ],
      options: {
        local: '192.0.2.1',
        dev: 'eth0',
        dstport: 4789,
        vlan_tunnel: true,
        remotes: ['192.0.2.2'],
      },
    });
  });
});

describe('forms of a file', () => {
  it('takes JSON, tabs included', () => {
    const json = { name: 'j', bridges: { br1: { ports: { t: { type: 'tap', mac: '02:00:00:00:00:0A' } } } } };
    for (const text of [
      JSON.stringify(json),
      JSON.stringify(json, null, '\t'),
      `\uFEFF${JSON.stringify(json, null, 2)}\r\n`,
    ]) {
      const config = parse(text);
      expect(config.name).toBe('j');
      expect(config.bridges[0]?.ports[0]).toMatchObject({ type: 'tap', ifname: 't', mac: '02:00:00:00:00:0a' });
    }
  });

  it('takes a bridge and a ports key with nothing after them', () => {
    expect(parse('bridges:\n  a:\n  b:\n    ports:\n').bridges.map(({ name, ports }) => [name, ports])).toEqual([
      ['a', []],
      ['b', []],
    ]);
  });

  it('takes no bridge at all when the file says so', () => {
    expect(parse('bridges: {}')).toEqual({
      name: 'thishost',
      control: '/run/overtap/overtap.sock',
      workers: 1,
      busy_poll: 'auto',
      offloads: {
        tso: true,
        udp_segment: true,
        tunnel_gso: 'auto',
        udp_gro: true,
        packet_ring: true,
        io_uring: 'auto',
        flow: 'off',
        vnet_header: true,
      },
      sflow: [],
      sflow_sampling: 1000,
      dns_servers: [],
      etcd: { ttl: 15 },
      peers_grace: 600,
      sflow_polling: 20,
      ipfix: [],
      ipfix_sampling: 1000,
      ipfix_domain: 0,
      ipfix_active_timeout: 60,
      ipfix_inactive_timeout: 15,
      ipfix_template_interval: 60,
      ipfix_cache: 8192,
      fdb_size: 65_536,
      bridges: [],
      ports: [],
    });
  });

  it('takes who may reach the switch', () => {
    const text = 'control_group: netdev\ncontrol_mode: 0660\nmetrics: 127.0.0.1:9477\nbridges: {}';
    expect(parse(text)).toMatchObject({
      control_group: 'netdev',
      control_mode: '0660',
      metrics: { address: '127.0.0.1', port: 9477 },
    });
  });

  it('takes workers and offloads, and has none without a virtio header', () => {
    const config = parse('workers: 2\nbusy_poll: 0\noffloads: { vnet_header: false, udp_gro: false }\nbridges: {}');
    expect(config.workers).toBe(2);
    expect(config.busy_poll).toBe(0);
    expect(config.offloads).toEqual({
      ...{ tso: false, udp_segment: true, tunnel_gso: false },
      ...{ udp_gro: false, packet_ring: true, vnet_header: false, io_uring: 'auto', flow: 'off' },
    });
  });

  it.each([
    ['', 'auto'],
    ['tunnel_gso: auto', 'auto'],
    ['tunnel_gso: true', true],
    ['tunnel_gso: false', false],
    ['udp_segment: true', 'auto'],
    // No guest hands over a superframe.
    ['tso: false', false],
    ['vnet_header: false', false],
    // Who wants single datagrams on the wire gets no superframes there, unless they are asked for.
    ['udp_segment: false', false],
    ['udp_segment: false, tunnel_gso: auto', false],
    ['udp_segment: false, tunnel_gso: true', true],
    ['udp_segment: false, tunnel_gso: false', false],
  ])('takes { %s } as tunnel GSO: %s', (written, tunnel_gso) => {
    expect(parse(`offloads: { ${written} }\nbridges: {}`).offloads).toMatchObject({ tunnel_gso });
  });

  it('takes keys that look like numbers as the names they spell', () => {
    expect(parse('bridges: { 1: , 0x10: }').bridges.map((b) => b.name)).toEqual(['1', '0x10']);
  });

  it('expands aliases', () => {
    const text = 'bridges:\n  a: &a { ageing_time: 7 }\n  b: *a\n';
    expect(parse(text).bridges.map((b) => b.ageing_time)).toEqual([7, 7]);
  });

  it('keeps options as they were written', () => {
    const text =
      'bridges: { br1: { ports: { x: { type: vxlan, id: 7, local: 2001:DB8:0::1, mtu: 1400, host_port: true } } } }';
    const x = port(text, 'x') as VxlanConfig;
    expect(x.options).toEqual({ id: 7, local: '2001:DB8:0::1', mtu: 1400, host_port: true });
    expect(x).toMatchObject({ local: '2001:db8::1', family: 6, mtu: 1400, host_port: true });
  });
});

describe('memberships', () => {
  const withPort = (bridgeOptions: string, portOptions: string) =>
    port(`bridges: { br1: { ${bridgeOptions} ports: { p: { ${portOptions} } } } }`, 'p').vlans;
  const own = { pvid: true, untagged: true, remotes: [] };

  it.each([
    ['vlan_filtering: true,', 'type: tap', [{ vid: 1, ...own }]],
    ['vlan_filtering: true, vlan_default_pvid: 9,', 'type: tap', [{ vid: 9, ...own }]],
    ['vlan_filtering: true, vlan_default_pvid: 0,', 'type: tap', []],
    ['vlan_filtering: true,', 'type: tap, vlans: []', []],
    ['', 'type: tap', []],
    ['', 'type: tap, vlans: [{ vid: 4 }]', [{ vid: 4, pvid: false, untagged: false, remotes: [] }]],
    ['vlan_filtering: true,', 'type: vxlan, id: 5', [{ vid: 1, ...own }]],
    ['vlan_filtering: true,', 'type: vxlan, vlan_tunnel: true', [{ vid: 1, ...own }]],
  ])('of a bridge with {%s} and a port with {%s}', (bridgeOptions, portOptions, expected) => {
    expect(withPort(bridgeOptions, portOptions)).toEqual(expected);
  });

  it('are in ascending order, each with remotes of its own', () => {
    const vlans = withPort(
      'vlan_filtering: true,',
      'type: vxlan, vlan_tunnel: true, vlans: [{ vid: 9-10, tunnel_info: 19-20, remotes: [192.0.2.9, 192.0.2.9] }, { vid: 3 }]',
    );
    expect(vlans.map(({ vid, vni }) => [vid, vni])).toEqual([
      [3, undefined],
      [9, 19],
      [10, 20],
    ]);
    expect(vlans[1]?.remotes).toEqual(['192.0.2.9']);
    expect(vlans[1]?.remotes).not.toBe(vlans[2]?.remotes);
  });
});

describe('single options', () => {
  const vxlan = (options: string) =>
    port(`bridges: { br1: { ports: { x: { type: vxlan, id: 5, ${options} } } } }`, 'x') as VxlanConfig;

  it('give the family by local, then by the first remote', () => {
    expect(vxlan('').family).toBe(4);
    expect(vxlan('remotes: [2001:db8::2]').family).toBe(6);
    expect(vxlan('peers: [2001:db8::2]').family).toBe(6);
    expect(vxlan('local: ::ffff:192.0.2.1, remotes: [192.0.2.2]')).toMatchObject({ family: 4, local: '192.0.2.1' });
  });

  it('drop doubles of remotes, however written', () => {
    expect(vxlan('remotes: ["2001:db8::1", "2001:DB8:0:0::0001"]').remotes).toEqual(['2001:db8::1']);
  });

  it('take TTL 0 as unset', () => {
    expect(vxlan('ttl: 0')).toEqual({ ...vxlan(''), options: { id: 5, ttl: 0 } });
    expect(vxlan('').ttl).toBe(0);
    expect(vxlan('ttl: 9').ttl).toBe(9);
  });

  it('take every kind of value', () => {
    const options =
      'tos: inherit, df: set, udpcsum: false, ageing: 0, maxaddress: 10, accept_vteps: any, reserved_bits: drop';
    expect(vxlan(`${options}, inner_vlan: keep, srcport: [1, 1], l2miss: false, neigh_suppress: false`)).toMatchObject({
      tos: 'inherit',
      df: 'set',
      udpcsum: false,
      ageing: 0,
      maxaddress: 10,
      accept_vteps: 'any',
      reserved_bits: 'drop',
      inner_vlan: 'keep',
      srcport: [1, 1],
    });
  });

  it('put NIC options on a host port', () => {
    const nic = 'host_port: true, addresses: ["2001:DB8::1/64"], mac: 02:00:00:00:00:AA, mtu: 1400, persist: true';
    const resolved = {
      host_port: true,
      addresses: [{ address: '2001:db8::1', prefix: 64, family: 6 }],
      mac: '02:00:00:00:00:aa',
      mtu: 1400,
      persist: true,
    };
    expect(vxlan(nic)).toMatchObject(resolved);
    expect(bridge(`bridges: { br1: { ${nic} } }`)).toMatchObject(resolved);
  });

  it('complete an FDB entry with the VNI of the port, or the VLAN of the VNI', () => {
    const zero = 'fdb: [{ mac: 00:00:00:00:00:00, dst: 192.0.2.2, port: 8472, sticky: true, state: permanent }]';
    expect(vxlan(zero).fdb).toEqual([
      {
        mac: '00:00:00:00:00:00',
        vni: 5,
        dst: '192.0.2.2',
        port: 8472,
        state: 'permanent',
        sticky: true,
        extern_learn: false,
      },
    ]);
    const tunnel = `bridges: { br1: { vlan_filtering: true, ports: { x: { type: vxlan, vlan_tunnel: true, vlans: [
      { vid: 2, tunnel_info: 20 }, { vid: 3 } ], fdb: [
      { mac: 01:00:5e:00:00:01, vlan: 2, dst: 192.0.2.2 },
      { mac: 00:00:00:00:00:00, dst: 192.0.2.2 } ] } } } }`;
    expect(port(tunnel, 'x').fdb.map(({ vlan, vni }) => [vlan, vni])).toEqual([
      [2, 20],
      [undefined, undefined],
    ]);
  });
});

describe('loadConfig', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'overtap-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function failure(path: string): ConfigError {
    try {
      loadConfig(path);
    } catch (error) {
      if (error instanceof ConfigError) return error;
      throw error;
    }
    throw new Error('the file was accepted');
  }

  it('reads a file', () => {
    const path = join(folder, 'good.yaml');
    writeFileSync(path, EXAMPLE);
    expect(loadConfig(path, deps)).toEqual(parse(EXAMPLE));
  });

  it('says which file cannot be read, in one line', () => {
    const path = join(folder, 'none.yaml');
    const error = failure(path);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.format()).toMatch(/none\.yaml:1:1: \(file\): the file cannot be read: ENOENT.*; check its path/);
    expect(error.format()).not.toContain('\n');
    expect(failure(folder).format()).toContain('it is a directory, not a file');
  });

  it('refuses what is not UTF-8', () => {
    const path = join(folder, 'latin1.yaml');
    writeFileSync(path, Buffer.from([0x6e, 0x3a, 0x20, 0xe9]));
    expect(failure(path).format()).toMatch(/:1:1: \(file\): the file is not UTF-8 text/);
  });

  it('looks for namespaces by name and path by itself', () => {
    const path = join(folder, 'netns.yaml');
    const file = (netns: string) => `bridges: { b: { ports: { t: { type: tap, netns: "${netns}" } } } }`;
    writeFileSync(path, file('/proc/self/ns/net'));
    expect(loadConfig(path).bridges[0]?.ports[0]).toMatchObject({ netns: '/proc/self/ns/net' });
    writeFileSync(path, file('overtap-has-none'));
    expect(formatFaults(path, loadDocument(path).warnings)).toMatch(
      /1:49: bridges\.b\.ports\.t\.netns: warning: network namespace "overtap-has-none" does not exist/,
    );
  });
});

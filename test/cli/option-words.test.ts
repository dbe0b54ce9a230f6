import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linkAdd, linkSet } from '../../src/cli/requests/link.js';
import { LINK_TYPES, type LinkType, PORT_TYPES } from '../../src/config/options/kinds.js';
import { BRIDGE, PORTS, STORM_LIMIT } from '../../src/config/options/schema.js';
import { KEYS_WITHOUT_WORDS, OPTION_ROWS, type OptionRow, type OptionScope } from '../../src/config/options/table.js';
import {
  commandText,
  formatLinkAdd,
  formatLinkSet,
  formatOptions,
  type Options,
  parseOptions,
  usageWords,
  WordFault,
} from '../../src/config/options/words.js';

/** The same cases each time; others with OVERTAP_SEED. */
const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_121);

const split = (text: string): string[] => text.split(' ');

/** The message of the WordFault that `action` throws. */
function complaint(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof WordFault) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Every word of the table at least once: scope, words, and the options that they say. */
const READINGS: [OptionScope, string, Options][] = [
  ['link', 'up', { up: true }],
  ['link', 'down', { up: false }],
  ['link', 'mtu 1400', { mtu: 1400 }],
  ['link', 'mtu auto', { mtu: 'auto' }],
  ['link', 'address 02:00:00:00:00:01', { mac: '02:00:00:00:00:01' }],
  ['link', 'mac 02:00:00:00:00:01', { mac: '02:00:00:00:00:01' }],
  ['link', 'netns ns2', { netns: 'ns2' }],
  ['bridge', 'vlan_filtering 1', { vlan_filtering: true }],
  ['bridge', 'vlan_filtering 0', { vlan_filtering: false }],
  ['bridge', 'vlan_filtering true', { vlan_filtering: true }],
  ['bridge', 'vlan_default_pvid 0', { vlan_default_pvid: 0 }],
  ['bridge', 'vlan_protocol 802.1ad', { vlan_protocol: '802.1ad' }],
  ['bridge', 'ageing_time 60', { ageing_time: 60 }],
  ['bridge', 'fdb_max_learned 100', { fdb_max_learned: 100 }],
  ['bridge', 'group_fwd_mask 0x8', { group_fwd_mask: 8 }],
  ['bridge', 'group_fwd_mask 8', { group_fwd_mask: 8 }],
  ['bridge', 'fdb_local_vlan_0 1', { fdb_local_vlan_0: true }],
  ['bridge', 'mcast_snooping 0', { mcast_snooping: false }],
  ['bridge', 'mcast_querier 1 mcast_query_use_ifaddr 1', { mcast_querier: true, mcast_query_use_ifaddr: true }],
  ['bridge', 'mcast_igmp_version 3 mcast_mld_version 2', { mcast_igmp_version: 3, mcast_mld_version: 2 }],
  ['bridge', 'mcast_query_interval 12500', { mcast_query_interval: 12_500 }],
  ['bridge', 'mcast_query_response_interval 1000', { mcast_query_response_interval: 1000 }],
  ['bridge', 'mcast_last_member_interval 50', { mcast_last_member_interval: 50 }],
  ['bridge', 'mcast_last_member_count 3', { mcast_last_member_count: 3 }],
  ['bridge', 'mcast_membership_interval 26000', { mcast_membership_interval: 26_000 }],
  ['bridge', 'mcast_querier_interval 25500', { mcast_querier_interval: 25_500 }],
  ['bridge', 'mcast_startup_query_interval 3125', { mcast_startup_query_interval: 3125 }],
  ['bridge', 'mcast_startup_query_count 4', { mcast_startup_query_count: 4 }],
  ['bridge', 'mst_enabled 1', { mst_enabled: true }],
  ['bridge', 'mcast_vlan_snooping 1 mcast_hash_max 512', { mcast_vlan_snooping: true, mcast_hash_max: 512 }],
  ['bridge', 'mac_move_limit 5', { mac_move_limit: 5 }],
  ['bridge', 'loop_guard off', { loop_guard: false }],
  ['bridge', 'xconnect on', { xconnect: true }],
  ['bridge', 'stp_state 1 priority 4096 hello_time 200', { stp_state: true, priority: 4096, hello_time: 200 }],
  [
    'bridge',
    'stp_version stp forward_delay 1500 max_age 2000',
    { stp_version: 'stp', forward_delay: 1500, max_age: 2000 },
  ],
  [
    'bridge_slave',
    'cost 10 priority 5 guard on root_block on',
    { cost: 10, priority: 5, bpdu_guard: true, root_block: true },
  ],
  ['bridge_slave', 'bpdu_guard off', { bpdu_guard: false }],
  ['bridge_slave', 'state blocking', { state: 'blocking' }],
  ['bridge_slave', 'state 2', { state: 'learning' }],
  ['bridge_slave', 'edge on point_to_point off stp off', { edge: 'on', point_to_point: 'off', stp: false }],
  ['bridge', 'host_port on', { host_port: true }],
  ['bridge', 'addresses 192.0.2.1/24 persist off', { addresses: ['192.0.2.1/24'], persist: false }],
  ['bridge', 'mtu 9000 address 02:00:00:00:00:02 up', { mtu: 9000, mac: '02:00:00:00:00:02', up: true }],
  ['bridge_slave', 'learning on', { learning: true }],
  ['bridge_slave', 'learning 0', { learning: false }],
  ['bridge_slave', 'flood off', { flood: false }],
  ['bridge_slave', 'mcast_flood off', { mcast_flood: false }],
  ['bridge_slave', 'bcast_flood false', { bcast_flood: false }],
  ['bridge_slave', 'isolated on', { isolated: true }],
  ['bridge_slave', 'locked on', { locked: true }],
  ['bridge_slave', 'locked on mab on', { locked: true, mab: true }],
  ['bridge_slave', 'hairpin on', { hairpin: true }],
  ['bridge_slave', 'group_fwd_mask 0x4000', { group_fwd_mask: 0x4000 }],
  ['bridge_slave', 'neigh_suppress on', { neigh_suppress: true }],
  ['bridge_slave', 'neigh_forward_grat off', { neigh_forward_grat: false }],
  ['bridge_slave', 'neigh_vlan_suppress on', { neigh_vlan_suppress: true }],
  ['bridge_slave', 'mcast_router 2', { mcast_router: 2 }],
  ['bridge_slave', 'mcast_max_groups 16', { mcast_max_groups: 16 }],
  ['bridge_slave', 'mcast_to_unicast on', { mcast_to_unicast: true }],
  ['bridge_slave', 'fastleave on', { mcast_fast_leave: true }],
  ['bridge_slave', 'mcast_fast_leave on', { mcast_fast_leave: true }],
  ['bridge_slave', 'vlan_tunnel on', { vlan_tunnel: true }],
  ['bridge_slave', 'backup_port vx0 backup_nhid 10', { backup_port: 'vx0', backup_nhid: 10 }],
  ['bridge_slave', 'nobackup_port', { backup_port: null }],
  ['bridge', 'dhcp_guard on ra_guard on', { dhcp_guard: true, ra_guard: true }],
  ['bridge_slave', 'police_in rate 1000000 burst 20000', { police_in: { rate: 1_000_000, burst: 20_000 } }],
  ['bridge_slave', 'police_out rate 10mbit burst 200kbit', { police_out: { rate: 10_000_000, burst: 200_000 } }],
  ['bridge_slave', 'police_in rate 2Gbit pkts_rate 5', { police_in: { rate: 2_000_000_000, pkts_rate: 5 } }],
  ['bridge_slave', 'police_out pkts_rate 10 pkts_burst 2', { police_out: { pkts_rate: 10, pkts_burst: 2 } }],
  ['bridge_slave', 'police_out off', { police_out: {} }],
  ['bridge_slave', 'trusted on', { trusted: true }],
  ['bridge_slave', 'arp_guard 10.0.0.1,fe80::1', { arp_guard: ['10.0.0.1', 'fe80::1'] }],
  ['bridge_slave', 'arp_guard none allowed_macs none', { arp_guard: [], allowed_macs: [] }],
  ['bridge_slave', 'allowed_macs 02:00:00:00:00:01', { allowed_macs: ['02:00:00:00:00:01'] }],
  ['bridge_slave', 'storm_limit broadcast 100', { storm_limit: { broadcast: 100 } }],
  [
    'bridge_slave',
    'storm_limit multicast 3 broadcast 1 unknown_unicast 2 flood on',
    { storm_limit: { broadcast: 1, unknown_unicast: 2, multicast: 3 }, flood: true },
  ],
  ['bridge_slave', 'storm_limit off', { storm_limit: {} }],
  [
    'bridge_slave',
    'mirror both mirror_ports tap1,tap2 mirror_vlans 10,20-29',
    { mirror: 'both', mirror_ports: ['tap1', 'tap2'], mirror_vlans: ['10', '20-29'] },
  ],
  ['bridge_slave', 'mss_clamp auto', { mss_clamp: 'auto' }],
  ['bridge_slave', 'mss_clamp 1360', { mss_clamp: 1360 }],
  ['bridge_slave', 'mss_clamp off', { mss_clamp: 'off' }],
  ['bridge_slave', 'cvlan_map 10-19:100,20:200', { cvlan_map: ['10-19:100', '20:200'] }],
  ['bridge_slave', 'cvlan_map none', { cvlan_map: [] }],
  ['tap', 'netns ns2 ifname eth0', { netns: 'ns2', ifname: 'eth0' }],
  ['tap', 'persist on', { persist: true }],
  ['tap', 'addr 100.0.1.2/24 addr 2001:db8::1/64', { addresses: ['100.0.1.2/24', '2001:db8::1/64'] }],
  ['tap', 'addresses 100.0.1.2/24,2001:db8::1/64', { addresses: ['100.0.1.2/24', '2001:db8::1/64'] }],
  ['tap', 'addresses none', { addresses: [] }],
  ['tap', 'isolated on mtu 1400', { isolated: true, mtu: 1400 }],
  ['vxlan', 'id 42', { id: 42 }],
  ['vxlan', 'remote 192.0.2.2', { remotes: ['192.0.2.2'] }],
  ['vxlan', 'remote 192.0.2.2 remote 192.0.2.3', { remotes: ['192.0.2.2', '192.0.2.3'] }],
  ['vxlan', 'remotes 192.0.2.2,192.0.2.3', { remotes: ['192.0.2.2', '192.0.2.3'] }],
  ['vxlan', 'remote vtep.example.net', { remotes: ['vtep.example.net'] }],
  ['vxlan', 'peers 192.0.2.4', { peers: ['192.0.2.4'] }],
  ['vxlan', 'peers_file /etc/peers.yaml', { peers_file: '/etc/peers.yaml' }],
  ['vxlan', 'peers_etcd http://192.0.2.5:2379', { peers_etcd: ['http://192.0.2.5:2379'] }],
  ['vxlan', 'peers_etcd none peers_prefix /fabric1', { peers_etcd: [], peers_prefix: '/fabric1' }],
  ['vxlan', 'local 192.0.2.1 dev eth0', { local: '192.0.2.1', dev: 'eth0' }],
  ['vxlan', 'group 239.1.1.1', { group: '239.1.1.1' }],
  ['vxlan', 'dstport 8472', { dstport: 8472 }],
  ['vxlan', 'srcport 32768 61000', { srcport: [32768, 61000] }],
  ['vxlan', 'ttl 9', { ttl: 9 }],
  ['vxlan', 'ttl auto', { ttl: 0 }],
  ['vxlan', 'ttl inherit', { ttl: 'inherit' }],
  ['vxlan', 'tos 0x10', { tos: 16 }],
  ['vxlan', 'tos inherit', { tos: 'inherit' }],
  ['vxlan', 'flowlabel 0x12345', { flowlabel: 0x12345 }],
  ['vxlan', 'flowlabel inherit', { flowlabel: 'inherit' }],
  ['vxlan', 'df unset', { df: 'unset' }],
  ['vxlan', 'df set', { df: 'set' }],
  ['vxlan', 'df inherit', { df: 'inherit' }],
  ['vxlan', 'udpcsum', { udpcsum: true }],
  ['vxlan', 'noudpcsum', { udpcsum: false }],
  ['vxlan', 'learning', { learning: true }],
  ['vxlan', 'nolearning', { learning: false }],
  ['vxlan', 'learning off ttl 9', { learning: false, ttl: 9 }],
  ['vxlan', 'ageing 300', { ageing: 300 }],
  ['vxlan', 'maxaddress 100', { maxaddress: 100 }],
  ['vxlan', 'proxy rsc l2miss l3miss', { proxy: true, rsc: true, l2miss: true, l3miss: true }],
  ['vxlan', 'noproxy norsc nol2miss nol3miss', { proxy: false, rsc: false, l2miss: false, l3miss: false }],
  ['vxlan', 'external', { vlan_tunnel: true }],
  ['vxlan', 'noexternal', { vlan_tunnel: false }],
  ['vxlan', 'external vlan_tunnel on', { vlan_tunnel: true }],
  ['vxlan', 'accept_vteps any', { accept_vteps: 'any' }],
  ['vxlan', 'gbp', { gbp: true }],
  ['vxlan', 'nogbp', { gbp: false }],
  ['vxlan', 'gbp_id 291', { gbp_id: 291 }],
  ['vxlan', 'bfd single-hop bfd_interval 100', { bfd: 'single-hop', bfd_interval: 100 }],
  ['vxlan', 'bfd vxlan bfd_multiplier 5 bfd_vni 7', { bfd: 'vxlan', bfd_multiplier: 5, bfd_vni: 7 }],
  ['vxlan', 'bfd_backup 192.0.2.3', { bfd_backup: '192.0.2.3' }],
  ['vxlan', 'bfd single-hop path_mtu_probes on', { bfd: 'single-hop', path_mtu_probes: true }],
  ['vxlan', 'reserved_bits drop', { reserved_bits: 'drop' }],
  ['vxlan', 'reserved_bits 0xf7ffffff000000ff', { reserved_bits: '0xf7ffffff000000ff' }],
  ['tap', 'fd 5', { fd: '5' }],
  ['tun', 'netns ns2 gateway 10.0.0.9 gateway6 fe80::1', { netns: 'ns2', gateway: '10.0.0.9', gateway6: 'fe80::1' }],
  ['tap', 'fd web addresses 10.0.0.1/24', { fd: 'web', addresses: ['10.0.0.1/24'] }],
  ['vxlan', 'inner_vlan keep', { inner_vlan: 'keep' }],
  ['vxlan', 'host_port on addr 10.0.0.1/24', { host_port: true, addresses: ['10.0.0.1/24'] }],
  ['vxlan', 'fragment on', { fragment: true }],
  ['vxlan', 'evpn on', { evpn: true }],
  ['vxlan', 'flood off up', { flood: false, up: true }],
  ['patch', 'peer p2 learning off down', { peer: 'p2', learning: false, up: false }],
  ['qemu', 'connect /run/vm1.net mtu 9000 locked on', { connect: '/run/vm1.net', mtu: 9000, locked: true }],
  ['qemu', 'listen /run/vm1.net socket_group kvm', { listen: '/run/vm1.net', socket_group: 'kvm' }],
  ['qemu', 'socket_mode 0660 default mtu', { socket_mode: '0660', mtu: null }],
  [
    'netdev',
    'netns ns2 ifname eth1 host on force on isolated on up',
    { netns: 'ns2', ifname: 'eth1', host: true, force: true, isolated: true, up: true },
  ],
  [
    'udp',
    'local 127.0.0.1:10001 remote [::1]:10000 mtu 1400',
    { local: '127.0.0.1:10001', remote: '[::1]:10000', mtu: 1400 },
  ],
  [
    'udp',
    'local /run/a remote /run/b socket_group 0 socket_mode 0666',
    { local: '/run/a', remote: '/run/b', socket_group: '0', socket_mode: '0666' },
  ],
  [
    'gateway',
    'addresses 10.0.10.1/24,fd00::1/64 address 02:00:5e:00:00:07 vrf red routes default=10.0.10.254',
    {
      addresses: ['10.0.10.1/24', 'fd00::1/64'],
      mac: '02:00:5e:00:00:07',
      vrf: 'red',
      routes: ['default=10.0.10.254'],
    },
  ],
  ['vxlan', 'default local default learning', { local: null, learning: null }],
];

/** Every word that means this row. */
function spellings({ word, aliases = [], kind }: OptionRow): string[] {
  const no = kind.form === 'flag' ? [`no${word}`] : kind.form === 'state' ? [kind.no] : [];
  return [word, ...aliases, ...no];
}

describe('the words of options', () => {
  it.each(READINGS)('%s: %s', (scope, words, options) => {
    expect(parseOptions(scope, split(words))).toEqual(options);
  });

  it('are all read above', () => {
    const read = new Set(READINGS.flatMap(([, words]) => split(words)));
    const known = Object.values(OPTION_ROWS).flatMap((rows) => rows.flatMap(spellings));
    expect(known.filter((word) => !read.has(word))).toEqual([]);
  });

  it('are there for every key of the configuration, and for no other', () => {
    const keys = (scope: OptionScope): string[] => [...new Set(OPTION_ROWS[scope].map((row) => row.key))].sort();
    const schema = (shape: object): string[] =>
      Object.keys(shape)
        .filter((key) => !KEYS_WITHOUT_WORDS.includes(key))
        .sort();
    expect(keys('bridge')).toEqual(schema(BRIDGE.shape));
    for (const type of PORT_TYPES) expect(keys(type)).toEqual(schema(PORTS[type].shape));
    const storm = OPTION_ROWS.bridge_slave.find((row) => row.key === 'storm_limit');
    expect(storm?.kind).toMatchObject({ form: 'numbers', parts: Object.keys(STORM_LIMIT.shape) });
  });

  it('mean one thing in a scope', () => {
    for (const rows of Object.values(OPTION_ROWS)) {
      const keysOf = new Map<string, Set<string>>();
      for (const row of rows) {
        for (const word of spellings(row)) keysOf.set(word, (keysOf.get(word) ?? new Set()).add(row.key));
      }
      expect([...keysOf].filter(([, keys]) => keys.size > 1)).toEqual([]);
    }
  });

  it('say what is wrong', () => {
    const cases: [OptionScope, string, string][] = [
      ['bridge_slave', 'flod on', 'there is no "flod" after "type bridge_slave"; did you mean "flood"?'],
      ['vxlan', 'noproxi', 'there is no "noproxi" after "type vxlan"; did you mean "noproxy"?'],
      ['link', 'colour red', `there is no "colour"; it takes ${usageWords('link').join(' ')}`],
      ['tap', 'id 42', 'there is no "id" after "type tap"; it is an option of "type vxlan" or "type geneve"'],
      ['tap', 'colour red', `there is no "colour" after "type tap"; it takes ${usageWords('tap').join(' ')}`],
      [
        'bridge_slave',
        'dhcp_guard on',
        'there is no "dhcp_guard" after "type bridge_slave"; it is an option of "type bridge"',
      ],
      ['link', 'edge on', '"edge" is an option of a type; give it after "type bridge_slave"'],
      ['link', 'priority 5', '"priority" is an option of a type; give it after "type bridge" or "type bridge_slave"'],
      ['bridge_slave', 'police_in rate 10mb', '"police_in rate" takes bits, such as 10000000 or 10mbit, not "10mb"'],
      ['bridge_slave', 'police_in pkts_rate 10mbit', '"police_in pkts_rate" takes a number, not "10mbit"'],
      ['bridge_slave', 'flood', '"flood" needs a value: flood on|off'],
      ['bridge_slave', 'flood maybe', '"flood" takes on or off, not "maybe"'],
      ['bridge', 'ageing_time 1.5', '"ageing_time" takes SECONDS, not "1.5"'],
      ['bridge', 'ageing_time -1', '"ageing_time" takes SECONDS, not "-1"'],
      ['bridge', 'ageing_time 99999999999999999999', '"ageing_time" takes SECONDS, not "99999999999999999999"'],
      ['vxlan', 'ttl toString', '"ttl" takes N|auto|inherit, not "toString"'],
      ['vxlan', 'df maybe', '"df" takes unset|set|inherit, not "maybe"'],
      ['vxlan', 'srcport 1', '"srcport" needs a value: srcport LOW HIGH'],
      ['vxlan', 'srcport 1 x', '"srcport" takes LOW HIGH, not "x"'],
      ['vxlan', 'ttl 1 ttl 2', '"ttl" is one too many: the option has another value already'],
      ['vxlan', 'external vlan_tunnel off', '"vlan_tunnel" is one too many: the option has another value already'],
      ['vxlan', 'local 192.0.2.1 default local', '"local" is one too many: the option has another value already'],
      ['vxlan', 'default', '"default" needs a value: default OPTION'],
      ['vxlan', 'default locall', 'there is no "locall" after "type vxlan"; did you mean "local"?'],
      [
        'bridge_slave',
        'storm_limit',
        '"storm_limit" needs a value: storm_limit off|[broadcast N] [unknown_unicast N] [multicast N]',
      ],
      [
        'bridge_slave',
        'storm_limit 100',
        '"storm_limit" takes off|[broadcast N] [unknown_unicast N] [multicast N], not "100"',
      ],
      ['bridge_slave', 'storm_limit broadcast', '"storm_limit broadcast" needs a value: storm_limit broadcast N'],
      ['bridge_slave', 'storm_limit broadcast x', '"storm_limit broadcast" takes a number, not "x"'],
      ['bridge_slave', 'storm_limit broadcast 1 broadcast 2', '"storm_limit broadcast" is given twice'],
    ];
    for (const [scope, words, message] of cases) {
      expect(complaint(() => parseOptions(scope, split(words)))).toBe(message);
    }
    expect(complaint(() => parseOptions('tap', ['netns', '']))).toBe('"netns" takes NS, not an empty word');
  });
});

describe('options as words', () => {
  it('stand in the words of iproute2', () => {
    const words = (scope: OptionScope, options: Options): string => formatOptions(scope, options).join(' ');
    expect(words('bridge', { vlan_filtering: true, ageing_time: 60, group_fwd_mask: 8, host_port: false })).toBe(
      'vlan_filtering 1 ageing_time 60 group_fwd_mask 0x8 host_port off',
    );
    expect(words('bridge_slave', { mcast_fast_leave: true, storm_limit: { broadcast: 5 } })).toBe(
      'fastleave on storm_limit broadcast 5',
    );
    expect(
      words('tap', { netns: 'ns2', addresses: [], up: false, mac: '02:00:00:00:00:01', vlans: [{ vid: 2 }] }),
    ).toBe('netns ns2 addresses none down address 02:00:00:00:00:01');
    expect(words('vxlan', { id: 42, remotes: ['192.0.2.2', '192.0.2.3'], udpcsum: false, proxy: true, ttl: 0 })).toBe(
      'id 42 remotes 192.0.2.2,192.0.2.3 noudpcsum proxy ttl auto',
    );
    expect(words('vxlan', { local: null, vlan_tunnel: null, dev: undefined })).toBe(
      'default local default vlan_tunnel',
    );
  });

  it('are refused where there are none', () => {
    expect(() => formatOptions('tap', { id: 42 })).toThrow('"id" is no option of a tap link');
  });

  it('make whole commands', () => {
    const add = (...given: Parameters<typeof formatLinkAdd>): string => formatLinkAdd(...given).join(' ');
    const set = (...given: Parameters<typeof formatLinkSet>): string => formatLinkSet(...given).join(' ');
    expect(add('br0', 'bridge')).toBe('link add br0 type bridge');
    expect(add('tap1', 'tap', { master: 'br0', options: { netns: 'ns2', mtu: 1400, learning: false } })).toBe(
      'link add tap1 mtu 1400 master br0 type tap netns ns2 learning off',
    );
    expect(set('tap1', 'tap', { master: null })).toBe('link set tap1 nomaster');
    expect(set('tap1', 'tap', { options: { up: false, mtu: 'auto' } })).toBe('link set tap1 down mtu auto');
    expect(set('vxlan0', 'vxlan', { options: { learning: false, isolated: true } })).toBe(
      'link set vxlan0 type bridge_slave learning off isolated on',
    );
    expect(set('vxlan0', 'vxlan', { options: { learning: false, ttl: 9 } })).toBe(
      'link set vxlan0 type vxlan nolearning ttl 9',
    );
    expect(set('tap1', 'tap', { options: { mtu: null } })).toBe('link set tap1 type tap default mtu');
    expect(set('up', 'tap', { options: { up: true } })).toBe('link set dev up up');
  });

  it('make lines that a shell reads back', () => {
    expect(commandText(['link', 'set', 'tap1', 'address', '02:00:00:00:00:01'])).toBe(
      'link set tap1 address 02:00:00:00:00:01',
    );
    expect(commandText(['netns', "/run/o'neil ns", '$x', ''])).toBe(`netns '/run/o'\\''neil ns' '$x' ''`);
  });
});

describe('what is written reads back', () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9_.][a-zA-Z0-9_.-]{0,14}$/);
  /** Names that are also words of the grammar, among others. */
  const link = fc.oneof(
    name,
    fc.constantFrom('up', 'type', 'master', 'dev', 'default', 'mtu', 'nomaster', 'name', 'netns'),
  );
  const item = fc.constantFrom('192.0.2.1/24', '2001:db8::1', '10.0.0.1', '0.0.0.0/0');
  const count = fc.nat({ max: 2_147_483_647 });

  function arbitraryOf({ kind }: OptionRow): fc.Arbitrary<unknown> {
    switch (kind.form) {
      case 'text':
        return link;
      case 'number':
        return fc.oneof(count, ...Object.values(kind.names ?? {}).map((value) => fc.constant(value)));
      case 'choice':
        return fc.constantFrom(...kind.choices);
      case 'list':
        return fc.array(item, { maxLength: 4 });
      case 'pair':
        return fc.tuple(count, count);
      case 'numbers':
        return fc.record(Object.fromEntries(kind.parts.map((part) => [part, count])), { requiredKeys: [] });
      default:
        return fc.boolean();
    }
  }

  function optionsOf(type: LinkType): fc.Arbitrary<Options> {
    const rows = OPTION_ROWS[type];
    const shape = Object.fromEntries(rows.map((row) => [row.key, fc.option(arbitraryOf(row), { nil: null, freq: 8 })]));
    const all = fc.record(shape, { requiredKeys: [], noNullPrototype: true });
    // Few options at a time meet the short forms, such as `type bridge_slave`.
    const few = fc
      .tuple(all, fc.shuffledSubarray(Object.keys(shape), { maxLength: 2 }))
      .map(([options, keys]) => Object.fromEntries(Object.entries(options).filter(([key]) => keys.includes(key))));
    return fc.oneof(all, few) as fc.Arbitrary<Options>;
  }

  const change = fc
    .constantFrom<LinkType>(...LINK_TYPES)
    .chain((type) => fc.record({ type: fc.constant(type), name: link, options: optionsOf(type) }));
  const some = (options: Options): { options?: Options } => (Object.keys(options).length === 0 ? {} : { options });

  it('as the same link add', () => {
    fc.assert(
      fc.property(change, fc.option(link, { nil: undefined }), ({ type, name, options }, master) => {
        const belongs = master === undefined ? {} : { master };
        const [noun, verb, ...words] = formatLinkAdd(name, type, { options, ...belongs });
        expect([noun, verb]).toEqual(['link', 'add']);
        expect(linkAdd(words)).toEqual({ op: 'add', name, type, ...belongs, ...some(options) });
      }),
      { numRuns: 1000, seed: SEED },
    );
  });

  it('as the same link set', () => {
    fc.assert(
      fc.property(change, fc.option(fc.option(link), { nil: undefined }), ({ type, name, options }, master) => {
        const belongs = master === undefined ? {} : { master };
        fc.pre(master !== undefined || Object.keys(options).length > 0);
        const [noun, verb, ...words] = formatLinkSet(name, type, { options, ...belongs });
        expect([noun, verb]).toEqual(['link', 'set']);
        expect(linkSet(words)).toEqual({ op: 'set', name, ...belongs, ...some(options) });
      }),
      { numRuns: 1000, seed: SEED },
    );
  });
});

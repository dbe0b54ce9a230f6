/** Faults of further bridge options, of ports without a bridge, and of their entries. */
import { type Case, inBridge, inFilteredTap, inTap, inTunnel, T, V } from './fault-texts.js';

const top = (...lines: string[]): string => ['bridges: {}', ...lines].join('\n');

export const bridgeOptions: Case[] = [
  ['FDB of no entry', top('fdb_size: 0'), '2:11', 'fdb_size', /from 1 to 1048576, found 0/],
  ['FDB too large', top('fdb_size: 1048577'), '2:11', 'fdb_size', /from 1 to 1048576, found 1048577/],
  [
    'mask too wide',
    inBridge('group_fwd_mask: 65544'),
    '3:21',
    'bridges.br1.group_fwd_mask',
    /expected a mask from 0 to 65535/,
  ],
  [
    'cross-connect with filtering',
    inBridge('xconnect: true', 'vlan_filtering: true'),
    '4:21',
    'bridges.br1.vlan_filtering',
    /br1 is a cross-connect.*remove vlan_filtering or xconnect/,
  ],
  ['snooping as word', inBridge('mcast_snooping: 1'), '3:21', 'bridges.br1.mcast_snooping', /true or false, found 1/],
  ['move limit', inBridge('mac_move_limit: -1'), '3:21', 'bridges.br1.mac_move_limit', /from 0 to/],
  [
    'VLANs of no host port',
    inBridge('vlans: [{ vid: 2 }]'),
    '3:12',
    'bridges.br1.vlans',
    /br1 has none; set host_port: true or remove vlans/,
  ],
  [
    'tunnel_info on a host port',
    inBridge('host_port: true', 'vlans: [{ vid: 2, tunnel_info: 2 }]'),
    '4:36',
    'bridges.br1.vlans[0].tunnel_info',
    /only a vxlan port can do; remove it/,
  ],
  [
    'remotes on a host port',
    inBridge('host_port: true', 'vlans: [{ vid: 2, remotes: [192.0.2.2] }]'),
    '4:32',
    'bridges.br1.vlans[0].remotes',
    /only a vxlan port has; remove it/,
  ],
  [
    'two PVIDs on a host port',
    inBridge('host_port: true', 'vlans: [{ vid: 2, pvid: true }, { vid: 3, pvid: true }]'),
    '4:53',
    'bridges.br1.vlans[1].pvid',
    /its PVID in vlans\[0\] already/,
  ],
];

export const portOptions: Case[] = [
  ['up as word', inTap('up: yes'), '6:13', `${T}.up`, /true or false, found "yes"/],
  [
    'storm limit as number',
    inTap('storm_limit: 7'),
    '6:22',
    `${T}.storm_limit`,
    /limits such as \{ broadcast: 1000 \}/,
  ],
  [
    'storm limit of no kind',
    inTap('storm_limit: { unicast: 7 }'),
    '6:24',
    `${T}.storm_limit.unicast`,
    /unknown key "unicast"; remove it/,
  ],
  [
    'storm limit misspelt',
    inTap('storm_limit: { broadcasts: 7 }'),
    '6:24',
    `${T}.storm_limit.broadcasts`,
    /did you mean "broadcast"/,
  ],
  [
    'storm limit by halves',
    inTap('storm_limit: { multicast: 0.5 }'),
    '6:35',
    `${T}.storm_limit.multicast`,
    /expected 0 for no limit or frames a second/,
  ],
  ['router port', inTap('mcast_router: 3'), '6:23', `${T}.mcast_router`, /0 \(never\), 1 .* or 2 \(always\), found 3/],
  ['router port as flag', inTap('mcast_router: true'), '6:23', `${T}.mcast_router`, /found true/],
  ['fast leave', inTap('mcast_fast_leave: 2'), '6:27', `${T}.mcast_fast_leave`, /true or false/],
  [
    'extern_learn',
    inTap('fdb: [{ mac: 02:00:00:00:00:01, extern_learn: 1 }]'),
    '6:55',
    `${T}.fdb[0].extern_learn`,
    /true or false/,
  ],
  [
    'entry of an unmapped VLAN',
    inTunnel('vlans: [{ vid: 3 }]', 'fdb: [{ mac: 02:00:00:00:00:01, vlan: 3, dst: 192.0.2.2 }]'),
    '9:47',
    `${V}.fdb[0].vlan`,
    /VLAN 3 is mapped to no VNI on this port.*; add tunnel_info/,
  ],
  [
    'more entries than the FDB holds',
    `fdb_size: 5\n${inFilteredTap('vlans: [{ vid: 1-3 }]', 'fdb: [{ mac: 02:00:00:00:00:01 }, { mac: 02:00:00:00:00:02 }]')}`,
    '9:43',
    `${T}.fdb[1]`,
    /more than 5 entries, counted once for each VLAN; raise fdb_size/,
  ],
];

export const unattached: Case[] = [
  ['list of ports', top('ports: []'), '2:8', 'ports', /expected a mapping of port names to ports, found a list/],
  ['port of no type', top('ports: { a: {} }'), '2:10', 'ports.a.type', /is missing; give 'tap', 'vxlan', /],
  ['option of a port', top('ports: { a: { type: tap, mtu: 5 } }'), '2:31', 'ports.a.mtu', /an MTU from 68/],
  ['name', top('ports: { a/b: { type: tap } }'), '2:10', 'ports["a/b"]', /cannot name a link/],
  [
    'name of a bridge',
    'bridges: { a: {} }\nports: { a: { type: tap } }',
    '2:10',
    'ports.a',
    /"a" names bridges\.a already/,
  ],
  [
    'NIC of a port in a bridge',
    `${inBridge('ports: { a: { type: tap } }')}\nports: { b: { type: tap, ifname: a } }`,
    '4:34',
    'ports.b.ifname',
    /"a" is the NIC of bridges\.br1\.ports\.a/,
  ],
  [
    'VNI of a port in a bridge',
    `${inBridge('ports: { a: { type: vxlan, id: 7 } }')}\nports: { b: { type: vxlan, id: 7 } }`,
    '4:32',
    'ports.b.id',
    /VNI 7 is on port a too/,
  ],
  ['neither id nor vlan_tunnel', top('ports: { b: { type: vxlan } }'), '2:10', 'ports.b', /needs a VNI/],
  [
    'VLAN twice',
    top('ports: { b: { type: tap, vlans: [{ vid: 2 }, { vid: 2 }] } }'),
    '2:53',
    'ports.b.vlans[1].vid',
    /VLAN 2 is in vlans\[0\] already/,
  ],
  [
    'entry of a tap',
    top('ports: { b: { type: tap, fdb: [{ mac: 02:00:00:00:00:01 }] } }'),
    '2:39',
    'ports.b.fdb[0].mac',
    /port b belongs to no bridge; put the port into one first/,
  ],
  [
    'unicast entry of a vxlan port',
    top('ports: { b: { type: vxlan, id: 7, fdb: [{ mac: 02:00:00:00:00:01, dst: 192.0.2.2 }] } }'),
    '2:48',
    'ports.b.fdb[0].mac',
    /belongs to no bridge/,
  ],
  [
    'VLAN of a flood list',
    top('ports: { b: { type: vxlan, id: 7, fdb: [{ mac: 00:00:00:00:00:00, dst: 192.0.2.2, vlan: 2 }] } }'),
    '2:89',
    'ports.b.fdb[0].vlan',
    /name the VNI or remove vlan/,
  ],
];

/** The options of a bridge. NIC options of its host port are in `nic.ts`. */
import { mapping, value } from '../../values/value.js';
import { mdbOptions } from './entries.js';
import { snoopingOptions, vlanGlobalOptions } from './mcast.js';
import { choiceOption, option } from './option.js';
import { entryList, vlanList } from './port.js';
import { bit, generic, hex, number, onOff, state } from './word.js';

export const bridgeOptions = {
  up: option({
    value: value.flag,
    default: true,
    word: generic(state('up', 'down')),
    doc: 'False: none of its ports forwards.',
  }),
  vlan_filtering: option({
    value: value.flag,
    default: false,
    word: bit(),
    doc: 'Ports are members of VLANs. False: one flooding domain, and tags are carried untouched.',
  }),
  vlan_protocol: choiceOption(['802.1Q', '802.1ad'], {
    default: '802.1Q',
    doc: 'The tags that say the VLAN of a frame. `802.1ad`: service tags (0x88a8), pushed outside of the tags of customers, which are payload (Q-in-Q).',
  }),
  vlan_default_pvid: option({
    value: value.pvid,
    default: 1,
    word: number('VID'),
    doc: 'The VLAN of ports that give no `vlans`, as PVID and untagged. 0: they are members of none.',
  }),
  ageing_time: option({
    value: value.seconds,
    default: 300,
    word: number('SECONDS'),
    doc: 'Seconds without traffic after which a learned entry is removed. 0: nothing is learned.',
  }),
  fdb_max_learned: option({
    value: value.count,
    default: 0,
    word: number(),
    doc: 'Most entries that the bridge learns. 0: no limit beyond `fdb_size`.',
  }),
  fdb_local_vlan_0: option({
    value: value.flag,
    default: false,
    word: bit(),
    doc: 'With `vlan_filtering`, the MACs of the host have one entry, without a VLAN, in place of one in each VLAN of their ports: frames to them are looked up there when their VLAN has no entry.',
  }),
  group_fwd_mask: option({
    value: value.groupForwardMask,
    default: 0,
    word: hex('MASK'),
    doc: 'Bit n set: frames to 01:80:c2:00:00:0n are forwarded. Bits 0 to 2 (STP, pause, LACP), which Linux refuses, join the link protocols of both sides: for labs.',
  }),
  xconnect: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'The bridge joins two ports as a cable does: every frame passes, link protocols (STP, LACP, pause) too. Nothing is learned, filtered, snooped or answered.',
  }),
  dhcp_guard: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'Messages of DHCPv4 and DHCPv6 servers enter by `trusted` ports only (`dhcp_guard`).',
  }),
  ra_guard: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'Router advertisements and redirects of IPv6 enter by `trusted` ports only (`dhcp_guard`).',
  }),
  ...snoopingOptions,
  mcast_query_use_ifaddr: option({
    value: value.flag,
    default: false,
    word: bit(),
    doc: 'IGMP queries have the IPv4 address of the host port as their source, in place of 0.0.0.0.',
  }),
  mcast_vlan_snooping: option({
    value: value.flag,
    default: false,
    word: bit(),
    doc: 'Each VLAN snoops by options of its own (`vlan_global`), in place of those above, and the `mcast_router` of each port is that of its VLANs. Needs `vlan_filtering`, and goes with it.',
  }),
  mcast_hash_max: option({
    value: value.groupCount,
    default: 4096,
    word: number(),
    doc: 'Most multicast groups of the bridge. In a full one the port or VTEP with most groups loses its earliest one to others.',
  }),
  mac_move_limit: option({
    value: value.count,
    default: 10,
    word: number(),
    doc: 'Moves of one MAC between ports within a second above which an event (`mac_moves`) reports it. 0: never.',
  }),
  loop_guard: option({
    value: value.flag,
    default: true,
    word: onOff(),
    doc: 'A loop through the bridge is looked for when MACs move or floods are many, by probe frames of its own, and ended by blocking one of its local ports (`loop_blocked`).',
  }),
  stp_state: option({
    value: value.flag,
    default: false,
    word: bit(),
    doc: 'The bridge takes part in a spanning tree (IEEE 802.1D): of several ways to one place it closes all but one (`stp_blocked`).',
  }),
  stp_version: choiceOption(['rstp', 'stp'], {
    default: 'rstp',
    doc: 'The protocol of the spanning tree: RSTP of 802.1D-2004, which speaks STP to neighbours that know nothing else, or STP of 802.1D-1998 only.',
  }),
  mst_enabled: option({
    value: value.flag,
    default: false,
    word: bit(),
    doc: 'Spanning trees of groups of VLANs (MSTP), which a program of its own speaks: each VLAN belongs to an instance (`msti` in `vlan_global`), and the states of a port are those of instances (`mst`); that of the port, or of the tree of `stp_state`, is the state of instance 0. Takes effect with `vlan_filtering`.',
  }),
  priority: option({
    value: value.bridgePriority,
    default: 32_768,
    word: number(),
    doc: 'The bridge with the lowest priority is the root of the spanning tree; among equals, the one with the lowest MAC.',
  }),
  hello_time: option({
    value: value.helloTime,
    default: 200,
    word: number('CENTISECONDS'),
    doc: 'Between two BPDUs of a port, in hundredths of a second, as the next two.',
  }),
  max_age: option({
    value: value.maxAge,
    default: 2000,
    word: number('CENTISECONDS'),
    doc: 'Age of what is known of the root, after which it is void. Set at the root, for all bridges.',
  }),
  forward_delay: option({
    value: value.forwardDelay,
    default: 1500,
    word: number('CENTISECONDS'),
    doc: 'In which a port listens, and in which it learns, before it forwards where no neighbour agrees. Set at the root, for all bridges. At least 200 counts where `stp_state` is set.',
  }),
  host_port: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: "The host's own port: a TAP named as the bridge, in the switch's namespace. `vlans`, `mac`, `addresses`, `mtu` and `persist` are those of this port.",
  }),
};

export const bridgeLists = {
  vlans: { ...vlanList, doc: 'VLAN memberships of the host port; set with `vlan add` and `vlan del`.' },
  mdb: option({
    value: value.list('multicast groups such as { port: tap0, grp: 239.1.1.1 }'),
    items: mdbOptions,
    otherwise: 'none',
    doc: 'Permanent members of multicast groups; set with `mdb add` and `mdb del`.',
  }),
  vlan_global: option({
    value: value.list('options of VLANs such as { vid: 2, mcast_querier: true }'),
    items: vlanGlobalOptions,
    otherwise: 'none',
    doc: 'Options of VLANs, for `mcast_vlan_snooping` and `mst_enabled`; set with `vlan global set`.',
  }),
  fdb: { ...entryList, doc: "MACs that are the host's own; set with `fdb add MAC dev BRIDGE`." },
};

/** Separate from the lists: it comes last in the file, after the NIC options. */
export const bridgePorts = {
  ports: option({
    // "ports:" without a value is a bridge without ports.
    value: mapping('port names to ports').nullable(),
    otherwise: 'none',
    doc: 'Ports of the bridge by their names.',
  }),
};

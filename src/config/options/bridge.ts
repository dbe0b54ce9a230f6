/** The options of a bridge. NIC options of its host port are in `nic.ts`. */
import { mapping, value } from '../../values/value.js';
import { mdbOptions } from './entries.js';
import { option } from './option.js';
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
  mcast_snooping: option({
    value: value.flag,
    default: true,
    word: bit(),
    doc: 'IGMP and MLD snooping: multicast frames go to members and routers only, while a querier is heard.',
  }),
  mac_move_limit: option({
    value: value.count,
    default: 10,
    word: number(),
    doc: 'Moves of one MAC between ports within a second above which an event (`mac_moves`) reports it. 0: never.',
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

/**
 * The options of every port. Those in `portOptions` and `portLists` belong to the port of a bridge and are dropped when it
 * leaves the bridge, as the kernel does in del_nbp (net/bridge/br_if.c); `deviceOptions` stay.
 */
import { PORT_STATES } from '../../values/port-state.js';
import { mapping, value } from '../../values/value.js';
import { fdbOptions } from './entries.js';
import { choiceOption, defaultsOf, option, required } from './option.js';
import { vlanOptions } from './vlan.js';
import { generic, hex, list, number, numbered, numberOr, numbers, onOff, state, textOrNone } from './word.js';

export const stormLimitOptions = {
  broadcast: option({ value: value.framesPerSecond, default: 0, doc: 'Broadcast frames.' }),
  unknown_unicast: option({
    value: value.framesPerSecond,
    default: 0,
    doc: 'Unicast frames to a MAC without an entry.',
  }),
  multicast: option({ value: value.framesPerSecond, default: 0, doc: 'Multicast frames that are flooded.' }),
};

export const policeOptions = {
  rate: option({ value: value.bits, default: 0, doc: 'Bits a second. 0: no limit.' }),
  burst: option({
    value: value.bits,
    default: 0,
    otherwise: 'those of a tenth of a second, and at least of ten full frames',
    doc: 'Bits that may come at once.',
  }),
  pkts_rate: option({ value: value.framesPerSecond, default: 0, doc: 'Packets a second. 0: no limit.' }),
  pkts_burst: option({
    value: value.framesPerSecond,
    default: 0,
    otherwise: 'those of a tenth of a second',
    doc: 'Packets that may come at once.',
  }),
};

const POLICED =
  'A limit, as `police` of tc: in bits or packets a second, or both; what exceeds it is dropped as `policed`. A superframe pays for its packets, headers included.';

export const deviceOptions = {
  up: option({
    value: value.flag,
    default: true,
    word: generic(state('up', 'down')),
    doc: 'False: the port is shut down; its frames are dropped as `port_down`.',
  }),
};

export const portOptions = {
  learning: option({
    value: value.flag,
    default: true,
    word: onOff(),
    doc: 'Source MACs of frames that enter by the port are learned. A vxlan port keeps this when it leaves its bridge.',
  }),
  flood: option({ value: value.flag, default: true, word: onOff(), doc: 'Unknown unicast frames leave by the port.' }),
  mcast_flood: option({
    value: value.flag,
    default: true,
    word: onOff(),
    doc: 'Multicast frames leave by the port where no member of the group is known.',
  }),
  bcast_flood: option({ value: value.flag, default: true, word: onOff(), doc: 'Broadcast frames leave by the port.' }),
  isolated: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'No frame passes between this port and another isolated port (`isolated_port`).',
  }),
  locked: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'Frames enter only from MACs that have an entry on this port (`locked_port`); nothing is learned from others.',
  }),
  mab: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'MAC authentication bypass, on a port with `locked` and `learning`: a MAC without an entry gets one with the flag `locked`, which an event tells. Its frames are dropped (`locked_port`) until `fdb replace` makes it an entry without the flag. Turned off, the locked entries of the port are removed.',
  }),
  hairpin: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'Frames may leave by the port that they came in by, floods too: for a port with several hosts that hear each other by the switch only (VEPA). Not for tunnel ports (split horizon) or layer-3 ports.',
  }),
  group_fwd_mask: option({
    value: value.groupForwardMask,
    default: 0,
    word: hex('MASK'),
    doc: 'As `group_fwd_mask` of the bridge, for frames that come in by the port: a bit that is set in either holds.',
  }),
  neigh_suppress: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'ARP requests and neighbour solicitations for known bindings are answered here and do not leave by the port (`suppressed`).',
  }),
  neigh_vlan_suppress: option({
    value: value.flag,
    default: false,
    otherwise: '`true` where an item of `vlans` gives `neigh_suppress`, else `false`',
    word: onOff(),
    doc: 'The `neigh_suppress` of each VLAN decides, in place of that of the port.',
  }),
  neigh_forward_grat: option({
    value: value.flag,
    default: true,
    word: onOff(),
    doc: 'Gratuitous ARP and unsolicited neighbour advertisements leave by the port where it has `neigh_suppress`, so that roaming is heard behind it. Off, as in Linux: they do not (`suppressed`).',
  }),
  mcast_router: option({
    value: value.mcastRouter,
    default: 1,
    word: number('0|1|2'),
    doc: 'Whether there is a multicast router behind the port: it gets every group. 0, for guests that nobody trusts: never, and with `mcast_querier` their queries do not silence the switch.',
  }),
  mcast_fast_leave: option({
    value: value.flag,
    default: false,
    word: onOff('fastleave', 'mcast_fast_leave'),
    doc: 'A leave message ends the membership at once: for ports with a single host behind them.',
  }),
  mcast_to_unicast: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'Each member behind the port gets frames of its group as a unicast copy, to the MAC that it reported from. Ports of tunnels: no effect.',
  }),
  mcast_max_groups: option({
    value: value.count,
    default: 0,
    word: number(),
    doc: 'Most entries of the multicast database that the port has: groups, and sources in them (`mcast_n_groups` of `link show -d`). More are refused. 0: no limit.',
  }),
  stp: option({
    value: value.flag,
    default: true,
    word: onOff(),
    doc: 'The port takes part in the spanning tree of its bridge (`stp_state`). False: it is always open, sends no BPDUs and hears none. A port with `vlan_tunnel`, a host port and a tun port take no part.',
  }),
  state: choiceOption(PORT_STATES, {
    default: 'forwarding',
    word: numbered(PORT_STATES),
    doc: 'Whether frames pass the port, on a bridge without `stp_state`: for a spanning tree or another protocol that a program of its own speaks. `learning`: sources are learned, and no frame passes (`stp_blocked`). `disabled`, `listening` and `blocking`: not even that. Unlike in Linux the state stays when the port is set down and up.',
  }),
  cost: option({
    value: value.pathCost,
    otherwise: '2, and 100 on a tunnel port',
    word: number(),
    doc: 'Path cost of the port: the way to the root with the least sum is taken.',
  }),
  priority: option({
    value: value.portPriority,
    default: 32,
    word: number(),
    doc: 'Among ports with equal ways to the root, that with the lowest priority is taken; it is the one that the neighbour sees.',
  }),
  bpdu_guard: option({
    value: value.flag,
    default: false,
    word: onOff('guard', 'bpdu_guard'),
    doc: 'A BPDU from the port closes it until it is set down and up: for ports behind which there is no bridge.',
  }),
  root_block: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'The way to the root never leads by the port (root guard): while a better root is heard there, the port is closed.',
  }),
  edge: choiceOption(['auto', 'on', 'off'], {
    default: 'auto',
    doc: 'With RSTP a port without a bridge behind it forwards at once. `auto`: after 3 seconds without a BPDU. `on`: from the beginning, until a BPDU comes.',
  }),
  point_to_point: choiceOption(['auto', 'on', 'off'], {
    default: 'auto',
    doc: 'At most one other bridge is behind the port, so its agreement is enough to forward at once. `auto`: on a local port yes, on a tunnel port no.',
  }),
  backup_port: option({
    value: value.netdev,
    otherwise: 'none',
    word: textOrNone('PORT', 'nobackup_port'),
    doc: 'A port of the same bridge that gets the frames for MACs behind this one while this one is DOWN. On a vxlan port they go to its flood list, or to `backup_nhid`.',
  }),
  backup_nhid: option({
    value: value.nexthopOrNone,
    otherwise: '0',
    word: number('ID'),
    doc: 'The group of `nexthops` that frames for this port go to while they leave by `backup_port`; 0: none. Without such a group they are dropped.',
  }),
  mss_clamp: option({
    value: value.mssClamp,
    default: 'off' as const,
    word: numberOr({ auto: 'auto', off: 'off' }),
    doc: 'Lowers the maximum segment size in TCP SYN segments that pass the port, in either direction: to a number of bytes, or with `auto` to what the path to the remote carries (of a local port: its MTU). For guests whose MTU cannot be lowered.',
  }),
  mirror: choiceOption(['off', 'ingress', 'egress', 'both'], {
    default: 'off',
    doc: 'The port is the output of a mirror (SPAN): it gets a copy of each frame that enters or leaves by other ports of its bridge, and takes no part in forwarding; what it receives is dropped as `mirror_port`. A vxlan port carries the copies to its remotes, in its VNI.',
  }),
  mirror_ports: option({
    value: value.linkTexts,
    default: [],
    otherwise: 'all of the bridge',
    word: list('PORT[,PORT]'),
    doc: 'Ports whose frames are mirrored. One that is not there is passed over until it is.',
  }),
  mirror_vlans: option({
    value: value.vidList,
    default: [],
    otherwise: 'all',
    word: list('VID[,VID]'),
    doc: 'VLANs whose frames are mirrored, of those of the ports.',
  }),
  arp_guard: option({
    value: value.list('addresses such as [192.0.2.5, "fe80::5"]'),
    default: [],
    items: value.addressOrPrefix,
    word: list('A[/P][,A[/P]]'),
    doc: 'The only addresses that ARP and neighbour discovery messages from the port may claim or probe (`arp_guard`), link-local ones too; a prefix stands for all of its addresses. Empty: any.',
  }),
  allowed_macs: option({
    value: value.list('MAC addresses'),
    default: [],
    items: value.nicMac,
    word: list('MAC[,MAC]'),
    doc: 'The only source MACs of frames from the port (`mac_not_allowed`). Empty: any.',
  }),
  trusted: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: "DHCP servers and routers may be behind the port: `dhcp_guard` and `ra_guard` of the bridge leave it alone. The host's own port is trusted.",
  }),
  police_in: option({
    value: mapping('limits such as { rate: 100000000 }'),
    default: defaultsOf(policeOptions),
    fields: policeOptions,
    otherwise: 'none',
    word: numbers(Object.keys(policeOptions), ['rate', 'burst']),
    doc: `${POLICED} For frames that enter by the port.`,
  }),
  police_out: option({
    value: mapping('limits such as { rate: 100000000 }'),
    default: defaultsOf(policeOptions),
    fields: policeOptions,
    otherwise: 'none',
    word: numbers(Object.keys(policeOptions), ['rate', 'burst']),
    doc: `${POLICED} For frames that leave by the port; behind a tunnel port each copy counts.`,
  }),
  storm_limit: option({
    value: mapping('limits such as { broadcast: 1000 }'),
    default: defaultsOf(stormLimitOptions),
    fields: stormLimitOptions,
    otherwise: 'none',
    word: numbers(Object.keys(stormLimitOptions)),
    doc: 'Frames a second that are flooded from the port, by kind; more are dropped as `storm_limited`. A superframe counts as its segments.',
  }),
  cvlan_map: option({
    value: value.cvlanMap,
    default: [] as string[],
    otherwise: 'none',
    word: list('C[-C]:S[,...]'),
    doc: 'On a bridge with `vlan_protocol: 802.1ad`: frames without a service tag that have the tag of one of these customer VLANs are in the service VLAN behind the colon, in place of the PVID (selective Q-in-Q). `[10-19:100, 20:200]`.',
  }),
};

export const vlanList = option({
  value: value.list('VLAN memberships such as [{ vid: 2 }]'),
  items: vlanOptions,
  otherwise: "the bridge's `vlan_default_pvid`, as PVID and untagged",
  doc: 'VLAN memberships of the port; set with `vlan add`, `vlan del` and `vlan set`.',
});

export const entryList = option({
  value: value.list('FDB entries'),
  items: fdbOptions,
  otherwise: 'none',
  doc: 'Configured FDB entries; set with `fdb add` and `fdb del`.',
});

export const instanceOptions = {
  msti: required({ value: value.ownInstance, doc: 'The instance.' }),
  state: required({ value: value.portState, doc: 'State of its VLANs at the port, as `state` of the port.' }),
};

export const instanceList = option({
  value: value.list('states of instances such as [{ msti: 1, state: forwarding }]'),
  items: instanceOptions,
  otherwise: '`disabled` in every instance, as in Linux',
  doc: 'The states of the port in instances of the spanning tree, on a bridge with `mst_enabled`, with which they go; set with `mst set`. That of instance 0 is `state`.',
});

export const portLists = { vlans: vlanList, fdb: entryList };
/** Of ports that have a state, likewise. */
export const stateLists = { mst: instanceList };

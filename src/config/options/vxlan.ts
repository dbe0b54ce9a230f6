/** vxlan ports, and the options that only they have. */
import { value } from '../../values/value.js';
import { neighOptions, tunnelMdbOptions } from './entries.js';
import { kind } from './kind.js';
import { choiceOption, option } from './option.js';
import { remoteList } from './vlan.js';
import { flag, hex, list, number, numberOr, onOff, pair, text } from './word.js';

const etcdList = value.list('URLs such as ["http://192.0.2.5:2379"]');

export const vxlanOptions = {
  id: option({
    value: value.vni,
    otherwise: 'none; the port needs `vlan_tunnel`',
    word: number('VNI'),
    doc: 'The one VNI that the port carries.',
  }),
  vlan_tunnel: option({
    value: value.flag,
    default: false,
    // `external` is the vxlan device's half of it in iproute2, `vlan_tunnel on` the bridge port's.
    word: [onOff(), flag('external')],
    doc: 'VLANs are mapped to VNIs by `tunnel_info` in `vlans`, in place of one `id`.',
  }),
  local: option({
    value: value.vtepIp,
    otherwise: "the route's source address",
    change: 'new port',
    word: text('A'),
    doc: 'Outer source address. The port waits, DOWN, for one that no device has.',
  }),
  dev: option({
    value: value.netdev,
    otherwise: 'by the routes',
    change: 'new port',
    word: text('DEV'),
    doc: 'Device of the underlay. Needed with `group` and with link-local addresses. Where it is in a VRF, or is one, the port receives by that VRF, and is opened anew when it moves to another. The port waits, DOWN, for one that does not exist.',
  }),
  group: option({
    value: value.groupText,
    otherwise: 'none',
    change: 'new port',
    word: text('G'),
    doc: 'Multicast group of the underlay: joined on `dev`, and flooded to like a remote.',
  }),
  remotes: option({
    value: remoteList,
    default: [],
    items: value.vtepOrName,
    word: list('A[,A]', 'remote'),
    doc: "Flood list of every VNI of the port. This host's own addresses are left out, so that one list serves all hosts. A DNS name stands for all of its addresses, and is looked up again when its TTL is over ([peers.md](peers.md#names)).",
  }),
  peers: option({
    value: remoteList,
    default: [],
    items: value.vtepIp,
    word: list('A[,A]'),
    doc: 'VTEPs whose datagrams are accepted, and that get no flooded frames.',
  }),
  peers_file: option({
    value: value.filePath,
    otherwise: 'none',
    word: text('PATH'),
    doc: 'A file of remotes, MACs and bindings that is watched: what stands in it is in force at once, without `apply` ([peers.md](peers.md#a-file)).',
  }),
  peers_etcd: option({
    value: etcdList,
    default: [],
    otherwise: 'none',
    items: value.etcdEndpoint,
    word: list('URL[,URL]'),
    doc: 'Members of an etcd cluster by which hosts find each other: this one tells its `local` and its VNIs there, and floods to those that have a VNI in common ([peers.md](peers.md#etcd)). Needs `local`.',
  }),
  peers_prefix: option({
    value: value.etcdPrefix,
    default: '/overtap',
    word: text('PREFIX'),
    doc: 'What the keys of these hosts begin with, in etcd: a name for the fabric.',
  }),
  dstport: option({
    value: value.udpPort,
    // RFC 7348 section 8.1.
    default: 4789,
    change: 'new port',
    word: number('PORT'),
    doc: 'UDP port: received on, and sent to. The default is that of RFC 7348; the kernel has 8472.',
  }),
  srcport: option({
    value: value.portRange,
    // As in the kernel, the range of local ports.
    default: [32_768, 61_000] as [number, number],
    word: pair('LOW HIGH'),
    doc: 'Lowest and highest outer source port: a flow keeps one. `[4789, 4789]` sends by the receiving socket.',
  }),
  ttl: option({
    value: value.ttl,
    default: 0,
    word: numberOr({ auto: 0, inherit: 'inherit' }),
    doc: 'TTL, or hop limit, of the outer header. 0: the default of the host, and 1 for datagrams to `group`.',
  }),
  tos: option({
    value: value.tos,
    default: 0,
    word: numberOr({ inherit: 'inherit' }),
    doc: 'Type of service, or traffic class, of the outer header. `inherit`: that of the inner packet.',
  }),
  flowlabel: option({
    value: value.flowLabel,
    default: 0,
    word: hex('LABEL', { inherit: 'inherit' }),
    doc: 'Flow label of the outer IPv6 header, 0-0xfffff; 0: none. `inherit`: that of the inner IPv6 packet, none for other packets. Needs an IPv6 underlay.',
  }),
  df: choiceOption(['unset', 'set', 'inherit'], {
    default: 'unset',
    doc: "Don't Fragment bit of the outer IPv4 header. `inherit`: that of the inner packet.",
  }),
  fragment: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: "IPv4 packets without Don't Fragment that are too long for the path to the remote are sent as fragments, which the receiving host puts together. False: they are dropped as `mtu_exceeded`.",
  }),
  udpcsum: option({
    value: value.flag,
    default: true,
    word: flag(),
    doc: 'Datagrams are sent with a UDP checksum.',
  }),
  ageing: option({
    value: value.seconds,
    otherwise: "the bridge's `ageing_time`",
    word: number('SECONDS'),
    doc: 'Seconds until an entry that was learned from the tunnel ages; 0: never.',
  }),
  maxaddress: option({
    value: value.count,
    default: 0,
    word: number(),
    doc: 'Most MACs that are learned from the tunnel; 0: no limit beyond that of the FDB.',
  }),
  evpn: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'The VNIs of the port take part in EVPN: other hosts make its flood lists and its entries, and hear its MACs ([evpn.md](evpn.md)). Needs `local`, and turns `learning` off unless the file turns it on.',
  }),
  proxy: option({
    value: value.flag,
    default: false,
    word: flag(),
    doc: 'ARP requests and neighbour solicitations into the tunnel are answered from the bindings, and never sent.',
  }),
  rsc: option({
    value: value.flag,
    default: false,
    word: flag(),
    doc: 'Route short-circuit: a frame to the MAC of a router goes straight to the host that its packet is for, where a binding is known.',
  }),
  l2miss: option({
    value: value.flag,
    default: false,
    word: flag(),
    doc: 'An event reports each MAC without an entry that a frame into the tunnel is for, while the flood list is empty.',
  }),
  l3miss: option({
    value: value.flag,
    default: false,
    word: flag(),
    doc: 'An event reports each address without a binding that is asked for, or routed to, through the port.',
  }),
  accept_vteps: choiceOption(['known', 'any'], {
    default: 'known',
    otherwise: '`known`; `any` with a `group` of the port or of a VNI',
    doc: '`known`: datagrams from an address that is neither a remote, nor a peer, nor the `dst` of an entry are dropped as `vtep_unknown`. `any`: they are accepted and learned from.',
  }),
  bfd: choiceOption(['off', 'single-hop', 'multi-hop', 'vxlan'], {
    default: 'off',
    doc: 'Sessions of BFD with every known remote of the port, and what follows when one is dead (docs/liveness.md). `single-hop`: RFC 5881, for remotes on the link. `multi-hop`: RFC 5883. `vxlan`: inside VXLAN, RFC 8971, which needs `local`.',
  }),
  bfd_interval: option({
    value: value.bfdInterval,
    default: 300,
    word: number('MILLISECONDS'),
    doc: 'Milliseconds between two packets of such a session, sent and wanted. The longer one of both sides holds.',
  }),
  bfd_multiplier: option({
    value: value.bfdMultiplier,
    default: 3,
    word: number(),
    doc: 'A remote finds this switch dead after so many intervals without a packet, and this switch a remote after as many as that one says.',
  }),
  bfd_vni: option({
    value: value.vni,
    default: 1,
    word: number('VNI'),
    doc: 'The management VNI, with `bfd: vxlan`: no port may carry it.',
  }),
  bfd_backup: option({
    value: value.vtepIp,
    otherwise: 'the rest of the flood list',
    word: text('A'),
    doc: 'The remote that gets what is for a dead one, one of `remotes` or `peers`. Members of a nexthop group take over for each other without it.',
  }),
  path_mtu_probes: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'Probes of the path MTU to each remote by its BFD session (RFC 8899), for paths where ICMP is filtered (docs/liveness.md). Needs `bfd`.',
  }),
  reserved_bits: option({
    value: value.reservedBits,
    default: 'ignore',
    word: text('ignore|drop|0xMASK'),
    doc: 'Datagrams with reserved bits set in the VXLAN header. RFC 7348 ignores the bits; `drop` counts `vxlan_reserved_bits`. A mask of the 64 bits of the header, in quotes in a file, drops those in it: `"0xf7ffffff000000ff"` are all, as the kernel has them by default.',
  }),
  gbp: option({
    value: value.flag,
    default: false,
    change: 'new port',
    word: flag(),
    doc: "The Group Policy Option, as the kernel's device has it: its bits are none of `reserved_bits`. Policy IDs of datagrams are not looked at.",
  }),
  gbp_id: option({
    value: value.policyId,
    default: 0,
    change: 'new port',
    word: number(),
    doc: 'Policy ID in the header of every datagram that is sent, on a port with `gbp`; 0: none. The kernel sends the mark of a packet.',
  }),
  inner_vlan: choiceOption(['drop', 'keep'], {
    default: 'drop',
    doc: 'Tagged inner frames, on a port with `vlan_tunnel`. `drop` is that of RFC 7348 section 6.1 (`inner_vlan_tagged`); `keep` carries the tag as payload.',
  }),
  host_port: option({
    value: value.flag,
    default: false,
    change: 'new port',
    word: onOff(),
    doc: "The host's own port in the tunnel's network: a TAP named as the port, in the switch's namespace. `mac`, `addresses`, `mtu` and `persist` are its NIC's.",
  }),
};

export const vxlanLists = {
  neigh: option({
    value: value.list('bindings such as { dst: 198.18.0.3, lladdr: "02:00:00:00:00:01" }'),
    items: neighOptions,
    otherwise: 'none',
    doc: 'Bindings of addresses to MACs behind the tunnel; set with `neigh add` and `neigh del`.',
  }),
  mdb: option({
    value: value.list('entries such as { grp: 239.1.1.1, dst: 192.0.2.2 }'),
    items: tunnelMdbOptions,
    otherwise: 'none',
    doc: 'Remotes that get the frames to groups of IP, in place of the flood list; set with `mdb add` and `mdb del`.',
  }),
};

export const VXLAN = kind({
  options: vxlanOptions,
  lists: vxlanLists,
  nic: 'host port',
  tunnels: true,
  doc: '`type: vxlan`, a tunnel over UDP. It needs an `id`, or `vlan_tunnel: true`. Beside these keys it takes those of any port.',
  example: `
vxlan0:
  type: vxlan
  local: 192.0.2.1
  vlan_tunnel: true
  remotes: [192.0.2.2]
  vlans:
    - { vid: 2, tunnel_info: 2 }
    - { vid: 100-199, tunnel_info: 10100-10199 }`,
  command: 'link add vxlan0 master br0 type vxlan id 42 local 192.0.2.1 remote 192.0.2.2',
});

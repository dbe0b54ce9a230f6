/** The keys of table entries: items of `fdb`, `neigh` and `mdb`. */
import { value } from '../../values/value.js';
import { PROTOCOLS } from './nexthop.js';
import { choiceOption, option, required } from './option.js';

export const fdbOptions = {
  mac: required({
    value: value.mac,
    doc: 'On a vxlan port, `00:00:00:00:00:00` adds `dst` to the flood list, and a multicast MAC may have several entries.',
  }),
  vlan: option({
    value: value.vid,
    otherwise: 'every VLAN of the port',
    doc: 'The VLAN, on a bridge with `vlan_filtering`.',
  }),
  vni: option({
    value: value.vni,
    otherwise: 'every VNI of the port',
    doc: 'The VNI of the entry; beside `src_vni`, or on a port with an `id`, the VNI that frames to `dst` are sent with.',
  }),
  src_vni: option({
    value: value.vni,
    otherwise: 'as `vni`',
    doc: 'The VNI of the entry, where frames to `dst` are sent with another one.',
  }),
  dst: option({
    value: value.vtepIp,
    otherwise: 'the flood list of the port',
    doc: 'The VTEP that gets the frames. Vxlan ports only.',
  }),
  port: option({
    value: value.udpPort,
    otherwise: "the port's `dstport`",
    doc: 'UDP port of `dst`.',
  }),
  nhid: option({
    value: value.nexthopId,
    otherwise: 'none',
    doc: 'A group of `nexthops`, in place of `dst`: each flow goes to one of its VTEPs.',
  }),
  state: choiceOption(['static', 'permanent', 'dynamic'], {
    default: 'static',
    otherwise: '`static`; `permanent` for an entry of a bridge',
    word: [],
    doc: '`static` and `permanent` entries neither age nor move; `dynamic` entries do both.',
  }),
  sticky: option({ value: value.flag, default: false, doc: 'The entry never moves to another port.' }),
  extern_learn: option({
    value: value.flag,
    default: false,
    doc: 'The entry belongs to a control program: it does not age, and `apply` leaves it alone. It moves when its MAC does.',
  }),
  router: option({
    value: value.flag,
    otherwise: '`false`',
    doc: 'The MAC is that of a router; shown only. Vxlan ports only.',
  }),
  proto: choiceOption(PROTOCOLS, {
    otherwise: '`unspec`',
    word: [],
    doc: 'The routing protocol that put it in; shown only.',
  }),
  activity_notify: option({
    value: value.flag,
    otherwise: '`false`',
    doc: 'An event says when the MAC of a lasting entry has sent no frame for the ageing time, and when it sends again.',
  }),
  inactive: option({
    value: value.flag,
    otherwise: '`false`',
    doc: 'With `activity_notify`: the entry begins as inactive.',
  }),
};

export const neighOptions = {
  dst: required({ value: value.ip, doc: 'IPv4 or IPv6 address.' }),
  lladdr: required({ value: value.nicMac, doc: 'The MAC address that has it.' }),
  vlan: option({
    value: value.vid,
    otherwise: 'the PVID of the port',
    doc: 'The VLAN of the binding, on a bridge with `vlan_filtering`. A port with `vlan_tunnel` needs `vlan` or `vni`.',
  }),
  vni: option({ value: value.vni, otherwise: 'see `vlan`', doc: 'The VNI of the binding, in place of `vlan`.' }),
  router: option({
    value: value.flag,
    default: false,
    doc: 'The neighbour is a router: ND answers carry the router flag.',
  }),
};

export const mdbOptions = {
  port: required({ value: value.linkText, doc: 'The member: a port of the bridge, or a host port.' }),
  grp: required({
    value: value.groupText,
    doc: 'Multicast group: IPv4, IPv6, or a group MAC for frames that are not IP. Groups that are always flooded are refused.',
  }),
  src: option({
    value: value.ip,
    otherwise: 'every source',
    doc: 'The one source whose frames go to the member; obeyed with `mcast_igmp_version: 3` or `mcast_mld_version: 2`, as the filters below.',
  }),
  filter_mode: choiceOption(['include', 'exclude'], {
    otherwise: 'every source',
    word: [],
    doc: '`include`: frames of the sources of `source_list` go to the member; `exclude`: those of all others.',
  }),
  source_list: option({
    value: value.list('sources such as [192.0.2.1]'),
    items: value.ip,
    otherwise: 'none',
    doc: 'Sources that `filter_mode` is about, 31 at most.',
  }),
  proto: option({
    value: value.linkText,
    otherwise: '`static`',
    doc: 'Who has put the entry in: a routing protocol such as `bgp`, or a number from 4 to 255.',
  }),
  vid: option({
    value: value.vid,
    otherwise: 'every VLAN of the port',
    doc: 'The VLAN, on a bridge with `vlan_filtering`.',
  }),
  dst: option({
    value: value.ip,
    otherwise: 'every remote',
    doc: 'The remote that gets the frames, on a vxlan port.',
  }),
};

const { src, source_list, proto } = mdbOptions;

/** Of a vxlan port, an entry each remote. */
export const tunnelMdbOptions = {
  grp: required({
    value: value.groupText,
    doc: 'Group of IPv4 or IPv6; `0.0.0.0` and `::` are for the groups of the family without an entry, but link-local ones.',
  }),
  dst: required({ value: value.remoteIp, doc: 'The remote that gets the frames. A multicast address needs `dev`.' }),
  src_vni: option({
    value: value.vni,
    otherwise: 'the `id` of the port',
    doc: 'The VNI whose frames the entry is about; needed with `vlan_tunnel`.',
  }),
  src: { ...src, doc: 'The one source of the frames that the entry is about. It comes before the entry of the group.' },
  dst_port: option({ value: value.udpPort, otherwise: 'the `dstport` of the port', doc: 'UDP port of `dst`.' }),
  vni: option({ value: value.vni, otherwise: '`src_vni`', doc: 'The VNI that frames are sent with.' }),
  via: option({
    value: value.netdev,
    otherwise: 'the `dev` of the port, or the route',
    doc: 'Device that frames leave by: the `dev` of the port, no other.',
  }),
  filter_mode: choiceOption(['include', 'exclude'], {
    otherwise: '`exclude`',
    word: [],
    doc: '`include`: frames of the sources of `source_list` go to the remote; `exclude`: those of all others.',
  }),
  source_list: { ...source_list, doc: 'Sources that `filter_mode` is about, 64 at most.' },
  proto,
};

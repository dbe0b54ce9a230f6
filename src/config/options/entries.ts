/** The keys of table entries: items of `fdb`, `neigh` and `mdb`. */
import { value } from '../../values/value.js';
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
    doc: 'Multicast group, IPv4 or IPv6. Groups that are always flooded are refused.',
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

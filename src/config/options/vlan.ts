/** The keys of a VLAN membership: an item of `vlans`. */
import { value } from '../../values/value.js';
import { option, required } from './option.js';

/** A list of VTEPs, used by several mappings. */
export const remoteList = value.list('addresses such as [192.0.2.2]');

export const vlanOptions = {
  vid: required({ value: value.vids, doc: 'The VLAN, or a range of them.' }),
  pvid: option({
    value: value.flag,
    default: false,
    doc: 'Untagged frames that enter by the port belong to this VLAN. One VLAN of a port has it.',
  }),
  untagged: option({ value: value.flag, default: false, doc: 'Frames of this VLAN leave the port without a tag.' }),
  neigh_suppress: option({
    value: value.flag,
    otherwise: 'the `neigh_suppress` of the port',
    doc: 'ARP and ND suppression in this VLAN. Only on ports, not for a host port; see `neigh_vlan_suppress`.',
  }),
  isolated: option({
    value: value.flag,
    otherwise: 'the `isolated` of the port',
    doc: 'In this VLAN no frame passes between the port and other isolated ports (`isolated_port`), as in a private VLAN. Only on ports, not for a host port.',
  }),
  state: option({
    value: value.portState,
    otherwise: '`forwarding`',
    doc: 'State of the VLAN at the port, for a spanning tree for each VLAN that another program runs: as `state` of the port, which holds too. Not with `stp_state` or `mst_enabled` of the bridge. Only on ports, not for a host port.',
  }),
  mcast_router: option({
    value: value.mcastRouter,
    otherwise: '1',
    doc: 'As `mcast_router` of the port, in this VLAN, on a bridge with `mcast_vlan_snooping`. Only on ports, as the next.',
  }),
  mcast_max_groups: option({
    value: value.count,
    otherwise: '0',
    doc: 'As `mcast_max_groups` of the port, in this VLAN, on a bridge with `mcast_vlan_snooping`.',
  }),
  tunnel_info: option({
    value: value.vnis,
    otherwise: 'not carried',
    doc: 'The VNI that carries the VLAN, on a vxlan port with `vlan_tunnel`. A range is as long as that of `vid`.',
  }),
  group: option({
    value: value.groupText,
    otherwise: 'the `group` of the port, if there is one',
    doc: "Multicast group of this VNI, in place of the port's `group`: joined on the port's `dev`. Set by `vni add`.",
  }),
  remotes: option({
    value: remoteList,
    default: [],
    items: value.vtepIp,
    doc: "Flood list of this VNI, in addition to the port's `remotes`. A VTEP in both gets one copy.",
  }),
};

/** geneve ports: tunnels as those of vxlan ports, in another encapsulation. Their options are a part of those of a vxlan port. */
import { kind } from './kind.js';
import { vxlanLists, vxlanOptions } from './vxlan.js';

const {
  id,
  vlan_tunnel,
  local,
  dev,
  remotes,
  peers,
  peers_file,
  peers_etcd,
  peers_prefix,
  dstport,
  srcport,
  ttl,
  tos,
  flowlabel,
  df,
  fragment,
  udpcsum,
  ageing,
  maxaddress,
  accept_vteps,
  inner_vlan,
  host_port,
} = vxlanOptions;

export const geneveOptions = {
  id,
  vlan_tunnel,
  local,
  dev: {
    ...dev,
    doc: 'Device of the underlay. Needed with link-local addresses. The port waits, DOWN, for one that does not exist.',
  },
  remotes,
  peers,
  peers_file,
  peers_etcd,
  peers_prefix,
  dstport: {
    ...dstport,
    // RFC 8926 section 3.3.
    default: 6081,
    doc: 'UDP port: received on, and sent to. A UDP port of an address has either Geneve or VXLAN.',
  },
  srcport,
  ttl: { ...ttl, doc: 'TTL, or hop limit, of the outer header. 0: the default of the host.' },
  tos,
  flowlabel,
  df,
  fragment,
  udpcsum,
  ageing,
  maxaddress,
  accept_vteps: {
    ...accept_vteps,
    otherwise: undefined,
  },
  inner_vlan,
  host_port,
};

export const GENEVE = kind({
  options: geneveOptions,
  lists: vxlanLists,
  nic: 'host port',
  tunnels: true,
  doc:
    '`type: geneve`, a tunnel over UDP in the encapsulation of RFC 8926, as Open vSwitch, OVN and the kernel speak it. It needs an `id`, or ' +
    '`vlan_tunnel: true`, and is used as a vxlan port is: entries, flood lists, `vlan add ... tunnel_info`, suppression. ' +
    'Datagrams are sent without options. Options of received ones are skipped; a datagram with a critical option (the C bit) is dropped ' +
    'as `geneve_critical`, a control message (O) as `geneve_control`, another payload than Ethernet as `geneve_protocol`. The ' +
    "kernel's device has no `local` and takes one `remote`; it sends without a UDP checksum unless told otherwise.",
  example: `
gnv0:
  type: geneve
  id: 100
  local: 192.0.2.1
  remotes: [192.0.2.2]`,
  command: 'link add gnv0 master br0 type geneve id 100 remote 192.0.2.2 dstport 6081',
});

/** `/v1/vlans`: memberships of ports in VLANs, their VNIs, and changes of both. */
import { z } from 'zod';
import { value } from '../values/value.js';
import { bridgeVlanOptions } from '../config/options/mcast.js';
import { shapeOf } from '../config/options/option.js';
import { lastVid, linkName, said } from './fields.js';

const range = { vid: value.vid, vidEnd: lastVid.exactOptional() };

const change = z.strictObject({
  op: z.enum(['add', 'del']),
  dev: said(linkName, 'A port, or a bridge for its host port.'),
  ...range,
  pvid: value.flag.exactOptional(),
  untagged: value.flag.exactOptional(),
  tunid: said(value.vni, 'The VNI of `vid`. With `del` only the mapping goes.').exactOptional(),
  tunidEnd: said(value.vni, 'The VNI of `vidEnd`.').exactOptional(),
});

const set = z.strictObject({
  op: z.literal('set'),
  dev: said(linkName, 'A port.'),
  ...range,
  neigh_suppress: said(
    value.flag,
    "Whether the VLAN suppresses: with `neigh_vlan_suppress` on that port. Where that was never given it is on from now on, and the other VLANs are as the port's `neigh_suppress` says.",
  ).exactOptional(),
  isolated: said(value.flag, 'Whether the port is isolated in the VLAN, where it is not as a whole.').exactOptional(),
  state: said(
    value.portState,
    'The state of the VLAN at the port, for a spanning tree of another program.',
  ).exactOptional(),
  mcast_router: said(value.mcastRouter, 'With `mcast_vlan_snooping` of the bridge, as the next.').exactOptional(),
  mcast_max_groups: value.count.exactOptional(),
});

const OF_VLAN = shapeOf(bridgeVlanOptions);

const global = z.strictObject({
  op: z.literal('global'),
  dev: said(linkName, 'A bridge.'),
  ...range,
  options: said(
    z.strictObject(OF_VLAN),
    'Options of the VLAN itself, for `mcast_vlan_snooping` and `mst_enabled`; others stay.',
  ),
});

export type VlanGlobalRequest = z.output<typeof global>;

/** Every option of a VLAN, as a number. */
function optionNumbers(): Record<keyof typeof bridgeVlanOptions, z.ZodInt> {
  const numbers = Object.keys(bridgeVlanOptions).map((key) => [key, z.int()]);
  return Object.fromEntries(numbers) as Record<keyof typeof bridgeVlanOptions, z.ZodInt>;
}
const vnis = { vni: value.vni, vniEnd: said(value.vni, 'Last VNI of a range, inclusive.').exactOptional() };

const addVni = z.strictObject({
  op: z.literal('vni_add'),
  dev: said(linkName, 'A vxlan port with `vlan_tunnel`.'),
  ...vnis,
  group: said(
    value.groupText,
    'The multicast group of the VNI. Without it the VNI has that of the port.',
  ).exactOptional(),
  remote: said(value.vtepIp, 'The one address of the flood list of the VNI.').exactOptional(),
});

const delVni = z.strictObject({
  op: z.literal('vni_del'),
  dev: said(linkName, 'A vxlan port with `vlan_tunnel`.'),
  ...vnis,
});

const mst = z.strictObject({
  op: z.literal('mst'),
  dev: said(linkName, 'A port of a bridge with `mst_enabled`.'),
  msti: said(value.instance, 'The instance; 0: that of the port, so this sets its `state`.'),
  state: value.portState,
});

export const VLANS_REQUEST = z.discriminatedUnion('op', [change, set, global, mst, addVni, delVni]);

/**
 * `add` and `del` of memberships, `set` for options of present ones, `global` for those of VLANs of a bridge, `mst` for the state of a
 * port in an instance of the spanning tree, `vni_add` and `vni_del` for the VNIs that VLANs are mapped to.
 */
export type VlansRequest = z.output<typeof VLANS_REQUEST>;
export type VlanRequest = z.output<typeof change>;
export type VlanSetRequest = z.output<typeof set>;
export type MstRequest = z.output<typeof mst>;
export type VniAddRequest = z.output<typeof addVni>;
export type VniDelRequest = z.output<typeof delVni>;

const VLAN_RANGE = z.object({
  vlan: z.int(),
  vlanEnd: said(z.int(), 'Last VLAN ID of a range, inclusive.').exactOptional(),
  flags: z.array(z.enum(['PVID', 'Egress Untagged'])),
  neigh_suppress: said(z.boolean(), 'Of a port with `neigh_vlan_suppress`.').exactOptional(),
  isolated: said(z.boolean(), 'Of a port that is isolated in some VLAN.').exactOptional(),
  state: said(
    value.portState,
    'Of a port with a VLAN that is not forwarding, and of one on a bridge with `mst_enabled`.',
  ).exactOptional(),
  mcast_router: said(z.int(), 'Of a bridge with `mcast_vlan_snooping`, as the next two.').exactOptional(),
  mcast_max_groups: z.int().exactOptional(),
  mcast_n_groups: said(z.int(), 'Entries of the multicast database.').exactOptional(),
});

const TUNNEL_RANGE = z.object({
  vlan: z.int(),
  vlanEnd: z.int().exactOptional(),
  tunid: said(z.int(), 'The VNI that `vlan` maps to.'),
  tunidEnd: z.int().exactOptional(),
});

const GLOBAL_RANGE = z.object({ vlan: z.int(), vlanEnd: z.int().exactOptional(), ...optionNumbers() });

const GLOBAL_ROW = z.object({ ifname: z.string(), vlans: z.array(GLOBAL_RANGE) });

const VLAN_ROW = z.object({ ifname: z.string(), vlans: z.array(VLAN_RANGE) });
const TUNNEL_ROW = z.object({ ifname: z.string(), tunnels: z.array(TUNNEL_RANGE) });

const MST_ROW = z.object({
  ifname: z.string(),
  mst: z.array(z.object({ msti: z.int(), state: value.portState })),
});

const VNI_RANGE = z.object({
  vni: z.int(),
  vniEnd: z.int().exactOptional(),
  group: said(z.string(), 'Its multicast group, where it has one of its own.').exactOptional(),
  remote: said(z.string(), 'The first address of its own flood list.').exactOptional(),
});
const VNI_ROW = z.object({ ifname: z.string(), vnis: z.array(VNI_RANGE) });

export const VLANS_ANSWER = z
  .object({
    vlans: z.array(VLAN_ROW),
    tunnels: z.array(TUNNEL_ROW),
    globals: said(
      z.array(GLOBAL_ROW),
      'Options of VLANs, of bridges with `vlan_filtering`; flags are 0 or 1, as `bridge -j vlan global show` prints them.',
    ).exactOptional(),
    mst: said(
      z.array(MST_ROW),
      'The states of ports in the instances of their VLANs, on bridges with `mst_enabled`, as `bridge -j mst show` prints them.',
    ).exactOptional(),
    vnis: said(z.array(VNI_ROW), 'The VNIs of vxlan and geneve ports.').exactOptional(),
  })
  .meta({ id: 'VlansAnswer' });

export type GlobalRow = z.output<typeof GLOBAL_ROW>;
export type GlobalRange = z.output<typeof GLOBAL_RANGE>;
export type VlanRange = z.output<typeof VLAN_RANGE>;
export type VlanFlag = VlanRange['flags'][number];
export type TunnelRange = z.output<typeof TUNNEL_RANGE>;
export type MstRow = z.output<typeof MST_ROW>;
export type VlanRow = z.output<typeof VLAN_ROW>;
export type VniRange = z.output<typeof VNI_RANGE>;
export type VniRow = z.output<typeof VNI_ROW>;
export type TunnelRow = z.output<typeof TUNNEL_ROW>;
export type VlansAnswer = z.output<typeof VLANS_ANSWER>;

/** `/v1/vlans`: memberships of ports in VLANs, their VNIs, and changes of both. */
import { z } from 'zod';
import { value } from '../values/value.js';
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
  ),
});

export const VLANS_REQUEST = z.discriminatedUnion('op', [change, set]);

/** `add` and `del` of memberships, or `set` for options of present ones. */
export type VlansRequest = z.output<typeof VLANS_REQUEST>;
export type VlanRequest = z.output<typeof change>;
export type VlanSetRequest = z.output<typeof set>;

const VLAN_RANGE = z.object({
  vlan: z.int(),
  vlanEnd: said(z.int(), 'Last VLAN ID of a range, inclusive.').exactOptional(),
  flags: z.array(z.enum(['PVID', 'Egress Untagged'])),
  neigh_suppress: said(z.boolean(), 'Of a port with `neigh_vlan_suppress`.').exactOptional(),
});

const TUNNEL_RANGE = z.object({
  vlan: z.int(),
  vlanEnd: z.int().exactOptional(),
  tunid: said(z.int(), 'The VNI that `vlan` maps to.'),
  tunidEnd: z.int().exactOptional(),
});

const VLAN_ROW = z.object({ ifname: z.string(), vlans: z.array(VLAN_RANGE) });
const TUNNEL_ROW = z.object({ ifname: z.string(), tunnels: z.array(TUNNEL_RANGE) });

export const VLANS_ANSWER = z
  .object({ vlans: z.array(VLAN_ROW), tunnels: z.array(TUNNEL_ROW) })
  .meta({ id: 'VlansAnswer' });

export type VlanRange = z.output<typeof VLAN_RANGE>;
export type VlanFlag = VlanRange['flags'][number];
export type TunnelRange = z.output<typeof TUNNEL_RANGE>;
export type VlanRow = z.output<typeof VLAN_ROW>;
export type TunnelRow = z.output<typeof TUNNEL_ROW>;
export type VlansAnswer = z.output<typeof VLANS_ANSWER>;

/** VLANs and tunnels of ports, as attributes of messages of family AF_BRIDGE (linux/if_bridge.h). */
import type { LinkRow, VlansAnswer } from '../api/api.js';
import {
  type Attribute,
  bytesAttribute,
  nestAttribute,
  u16Attribute,
  u32Attribute,
  u8Attribute,
} from '../netlink/attributes.js';
import { PORT_STATES } from '../values/port-state.js';

/** RTEXT_FILTER_*: VLANs, the same with ranges, no counters, states in instances of the spanning tree. */
export const EXT_MASK = { VLANS: 2, VLANS_COMPRESSED: 4, SKIP_STATS: 8, MST: 0x80 } as const;

/** Within IFLA_AF_SPEC. */
export const BRIDGE_SPEC = { FLAGS: 0, MODE: 1, VLAN_INFO: 2, TUNNEL_INFO: 3, MST: 6 } as const;

export const VLAN_FLAG = { MASTER: 1, PVID: 2, UNTAGGED: 4, RANGE_BEGIN: 8, RANGE_END: 16, BRENTRY: 32 } as const;

export const TUNNEL = { ID: 1, VID: 2, FLAGS: 3 } as const;

/** Within BRIDGE_SPEC.MST, and in an entry. */
export const MST_ENTRY = 1;
export const MST = { MSTI: 1, STATE: 2 } as const;

export function isInAfBridge(row: LinkRow, withBridges: boolean): boolean {
  return row.type === 'bridge' ? withBridges : row.master !== undefined;
}

/** `struct bridge_vlan_info`. */
export function vlanInfo(flags: number, vid: number): Attribute {
  const value = Buffer.alloc(4);
  value.writeUInt16LE(flags, 0);
  value.writeUInt16LE(vid, 2);
  return bytesAttribute(BRIDGE_SPEC.VLAN_INFO, value);
}

function tunnelInfo(vid: number, tunid: number, flags: number): Attribute {
  return nestAttribute(BRIDGE_SPEC.TUNNEL_INFO, [
    u32Attribute(TUNNEL.ID, tunid),
    u16Attribute(TUNNEL.VID, vid),
    u16Attribute(TUNNEL.FLAGS, flags),
  ]);
}

/** BRIDGE_VLAN_INFO_* of a listing's words. */
export const vlanFlags = (flags: readonly string[]): number =>
  (flags.includes('PVID') ? VLAN_FLAG.PVID : 0) | (flags.includes('Egress Untagged') ? VLAN_FLAG.UNTAGGED : 0);

/** The attributes of IFLA_AF_SPEC of a port or bridge. @param compressed ranges as their two ends */
export function bridgeSpec(row: LinkRow, { vlans, tunnels }: VlansAnswer, compressed: boolean): Attribute[] {
  const ofRow = vlans.find(({ ifname }) => ifname === row.ifname)?.vlans ?? [];
  const out = ofRow.flatMap(({ vlan, vlanEnd = vlan, flags }) =>
    range(vlan, vlanEnd, compressed).map(({ at, end }) => vlanInfo(vlanFlags(flags) | end, vlan + at)),
  );
  const mapped = tunnels.find(({ ifname }) => ifname === row.ifname)?.tunnels ?? [];
  for (const { vlan, vlanEnd = vlan, tunid } of mapped) {
    // The kernel gives tunnels as ranges whatever is asked for (br_fill_vlan_tunnel_info).
    out.push(...range(vlan, vlanEnd, true).map(({ at, end }) => tunnelInfo(vlan + at, tunid + at, end)));
  }
  return out;
}

/** The states of a port in instances of the spanning tree, as attributes of IFLA_AF_SPEC; of another link none. */
export function instanceSpec(row: LinkRow, { mst = [] }: VlansAnswer): Attribute[] {
  const states = mst.find(({ ifname }) => ifname === row.ifname)?.mst ?? [];
  if (states.length === 0) return [];
  const entries = states.map(({ msti, state }) =>
    nestAttribute(MST_ENTRY, [u16Attribute(MST.MSTI, msti), u8Attribute(MST.STATE, PORT_STATES.indexOf(state))]),
  );
  return [nestAttribute(BRIDGE_SPEC.MST, entries)];
}

/** Each number of a range, or its ends, with the flags that say so. */
function range(first: number, last: number, compressed: boolean): { at: number; end: number }[] {
  if (first === last) return [{ at: 0, end: 0 }];
  if (!compressed) return Array.from({ length: last - first + 1 }, (_none, at) => ({ at, end: 0 }));
  return [
    { at: 0, end: VLAN_FLAG.RANGE_BEGIN },
    { at: last - first, end: VLAN_FLAG.RANGE_END },
  ];
}

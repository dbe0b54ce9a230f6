/**
 * The multicast database of a tunnel port (Linux `vxlan_mdb_entry_skb_get`): a frame to a group of IP that it knows goes to the
 * remotes of its entry, in place of the flood list and of a pinned MAC.
 *
 * An entry of the source and the group comes before that of the group, and this one before the all-zeros entry of the family,
 * which has every group without an entry but link-local ones. An entry without remotes drops the frame.
 */
import { destinationHigh, destinationLow, ETHERNET_HEADER, isBroadcast, isMulticastHigh } from '../../wire/ethernet.js';
import { isLocalControlGroup } from '../../wire/igmp.js';
import { L3_KIND, L3_OFFSET, parseInner } from '../../wire/inner.js';
import { IPV4_MAPPED } from '../../wire/ip-address.js';
import { ipv4Destination, ipv4Source } from '../../wire/ipv4.js';
import { ipv6Destination, ipv6Source } from '../../wire/ipv6.js';
import { isLinkLocalDestination } from '../../wire/mld.js';
import { VLAN_TAG } from '../../wire/vlan.js';
import type { Context } from '../state/context.js';
import { tunnelGroupFid } from '../state/fid.js';
import { VLAN_TUNNEL } from '../state/forwarding.js';
import type { Groups } from '../state/groups.js';

/** Scratch of this file: the headers of the frame at hand. */
const layout = new Int32Array(8);

/** The remotes that the database of a tunnel port has for a frame; null: none of its entries fits. */
export function tunnelGroupRemotes(sw: Context, frame: number, port: number): Int32Array | null {
  const { batch, forwarding, view } = sw;
  const groups = forwarding.tunnelGroups[port];
  if (groups === undefined) return null;
  const offset = batch.offset[frame];
  const high = destinationHigh(view, offset);
  if (!isMulticastHigh(high) || isBroadcast(high, destinationLow(view, offset))) return null;
  parseInner(view, offset, batch.length[frame], layout);
  if (layout[L3_KIND] === 0 || isTagged(sw, frame, port)) return null;
  const fid = tunnelGroupFid(forwarding.tunnels[port].vniOfVlan[batch.vid[frame]]);
  const row = layout[L3_KIND] === 4 ? find4(sw, groups, fid) : find6(sw, groups, fid);
  return row < 0 ? null : groups.destinationsAt(row);
}

/** Whether the frame has a tag on the wire, so that it is no IP packet there. */
function isTagged({ batch, forwarding }: Context, frame: number, port: number): boolean {
  const tagBytes = batch.tci[frame] >= 0 ? VLAN_TAG : 0;
  if (layout[L3_OFFSET] - batch.offset[frame] !== ETHERNET_HEADER + tagBytes) return true;
  if (forwarding.bridgeTpid[forwarding.portBridge[port]] === 0) return false;
  return (forwarding.portFlags[port] & VLAN_TUNNEL) === 0 && !forwarding.isUntagged(port, batch.vid[frame]);
}

function find4({ view }: Context, groups: Groups, fid: number): number {
  const l3 = layout[L3_OFFSET];
  const group = ipv4Destination(view, l3);
  const row = groups.find(fid, 0, 0, IPV4_MAPPED, group);
  if (groups.hasSources(row)) {
    const own = groups.rowFor(row, 0, 0, IPV4_MAPPED, ipv4Source(view, l3));
    if (own !== row) return own;
  }
  if (groups.isPermanent(row)) return row;
  return isLocalControlGroup(group) ? -1 : groups.find(fid, 0, 0, IPV4_MAPPED, 0);
}

function find6({ view }: Context, groups: Groups, fid: number): number {
  const l3 = layout[L3_OFFSET];
  const a0 = ipv6Destination(view, l3, 0);
  const a1 = ipv6Destination(view, l3, 1);
  const row = groups.find(fid, a0, a1, ipv6Destination(view, l3, 2), ipv6Destination(view, l3, 3));
  if (groups.hasSources(row)) {
    const s0 = ipv6Source(view, l3, 0);
    const s1 = ipv6Source(view, l3, 1);
    const own = groups.rowFor(row, s0, s1, ipv6Source(view, l3, 2), ipv6Source(view, l3, 3));
    if (own !== row) return own;
  }
  if (groups.isPermanent(row)) return row;
  return isLinkLocalDestination(a0) ? -1 : groups.find(fid, 0, 0, 0, 0);
}

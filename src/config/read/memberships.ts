/**
 * Expands VLAN ranges of the file to one membership for each VID.
 *
 * Also provides the default membership. Input has passed the rules; nothing is reported here.
 */

import { canonicalIp } from '../../values/address.js';
import { rangeLength } from '../../values/id-range.js';
import { bridgeOptions } from '../options/bridge.js';
import type { VlanMembership } from '../types.js';
import type { DecodedBridge, DecodedPort, DecodedVlan } from './decoded.js';

/**
 * The memberships of a port or of a bridge's host port, ascending. `vlans` replaces the default: on a filtering bridge its
 * vlan_default_pvid, untagged; none for a port without a bridge. If two entries contain a VID the later one wins; the rules
 * refuse that.
 * @param suppresses value for VLANs without one of their own, as with `neigh_suppress`
 */
export function membershipsOf(
  port: { vlanList: DecodedVlan[] | undefined },
  bridge: DecodedBridge | undefined,
  suppresses = false,
): VlanMembership[] {
  if (port.vlanList === undefined) {
    if (bridge === undefined) return [];
    const pvid = bridge.given.vlan_default_pvid ?? bridgeOptions.vlan_default_pvid.default;
    const none = bridge.given.vlan_filtering !== true || pvid === 0;
    return none ? [] : [{ vid: pvid, pvid: true, untagged: true, remotes: [] }];
  }
  const byVid = new Map<number, VlanMembership>();
  for (const vlan of port.vlanList) {
    for (const membership of expand(vlan, suppresses)) byVid.set(membership.vid, membership);
  }
  return [...byVid.values()].sort((a, b) => a.vid - b.vid);
}

/**
 * Whether ARP/ND suppression is set by VLAN. As in the kernel `neigh_vlan_suppress` decides; if not given, it is on when any
 * VLAN sets it.
 */
export function suppressesByVlan(port: DecodedPort): boolean {
  const some = (port.vlanList ?? []).some(({ given }) => given.neigh_suppress !== undefined);
  return port.given.neigh_vlan_suppress ?? some;
}

/** Defaults are left out. */
function multicastOf({ mcast_router = 1, mcast_max_groups = 0 }: DecodedVlan['given']): Partial<VlanMembership> {
  return {
    ...(mcast_router === 1 ? {} : { mcast_router }),
    ...(mcast_max_groups === 0 ? {} : { mcast_max_groups }),
  };
}

function* expand(vlan: DecodedVlan, suppresses: boolean): Generator<VlanMembership> {
  const { vid, given } = vlan;
  const vnis = given.tunnel_info;
  const mapped = vnis !== undefined && rangeLength(vnis) === rangeLength(vid);
  const group = given.group === undefined ? undefined : canonicalIp(given.group)?.text;
  const remotes = [...new Set(vlan.remoteList.map((item) => item.value))];
  for (let i = 0; i < rangeLength(vid); i++) {
    yield {
      vid: vid.first + i,
      pvid: given.pvid ?? false,
      untagged: given.untagged ?? false,
      ...((given.neigh_suppress ?? suppresses) ? { neigh_suppress: true as const } : {}),
      ...(given.isolated === true ? { isolated: true as const } : {}),
      ...(given.state === undefined || given.state === 'forwarding' ? {} : { state: given.state }),
      ...multicastOf(given),
      ...(mapped ? { vni: vnis.first + i } : {}),
      ...(group === undefined ? {} : { group }),
      remotes: [...remotes],
    };
  }
}

/**
 * VLAN memberships: the file's ranges, expanded to one membership for each VID.
 *
 * Owns the expansion and the default membership. It takes what the rules have found sound, and reports nothing.
 */

import { rangeLength } from '../../values/id-range.js';
import { bridgeOptions } from '../options/bridge.js';
import type { VlanMembership } from '../types.js';
import type { DecodedBridge, DecodedPort, DecodedVlan } from './decoded.js';

/**
 * The memberships of a port, or of a bridge's host port, ascending. `vlans` replaces the default, which is the bridge's
 * vlan_default_pvid, untagged, on a filtering bridge; a port that belongs to no bridge has none. Where two entries hold one VID the later one counts; the rules refuse that.
 * @param suppresses whether VLANs that do not say it are as with `neigh_suppress`
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
 * Whether the VLANs of a port say which of them suppress. As in the kernel `neigh_vlan_suppress` decides; where it is not
 * given, some VLAN that says so itself.
 */
export function suppressesByVlan(port: DecodedPort): boolean {
  const some = (port.vlanList ?? []).some(({ given }) => given.neigh_suppress !== undefined);
  return port.given.neigh_vlan_suppress ?? some;
}

function* expand(vlan: DecodedVlan, suppresses: boolean): Generator<VlanMembership> {
  const { vid, given } = vlan;
  const vnis = given.tunnel_info;
  const mapped = vnis !== undefined && rangeLength(vnis) === rangeLength(vid);
  const remotes = [...new Set(vlan.remoteList.map((item) => item.value))];
  for (let i = 0; i < rangeLength(vid); i++) {
    yield {
      vid: vid.first + i,
      pvid: given.pvid ?? false,
      untagged: given.untagged ?? false,
      ...((given.neigh_suppress ?? suppresses) ? { neigh_suppress: true as const } : {}),
      ...(mapped ? { vni: vnis.first + i } : {}),
      remotes: [...remotes],
    };
  }
}

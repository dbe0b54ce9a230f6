/**
 * Configured bindings and multicast groups: `neigh` of a vxlan port and `mdb` of a bridge. Keys are named as the words of
 * `neigh add` and `mdb add`.
 *
 * Parses and checks both.
 */

import { canonicalIp, isMulticastIp } from '../../values/address.js';
import { quote } from '../../values/show.js';
import { isTunnelPort } from '../options/kinds.js';
import type { DecodedBridge, DecodedSwitch, DecodedVxlan, Item } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';
import { membershipsOf } from '../read/memberships.js';
import type { GroupConfig, NeighConfig, TableConfig, VlanMembership } from '../types.js';
import { addressFault, familyOfPort } from './vxlan.js';

/** Maximum number of configured bindings of a switch. */
export const MAX_BINDINGS = 8192;

export type DecodedBinding = Item<{ dst: string; lladdr: string; vlan?: number; vni?: number; router?: boolean }>;
export type DecodedGroup = Item<{ port: string; grp: string; vid?: number; dst?: string }>;

/** Parses and checks all of a file's. Invalid ones are reported and omitted. */
export function readTables(config: DecodedSwitch, faults: FaultList): TableConfig {
  const neigh: NeighConfig[] = [];
  const mdb: GroupConfig[] = [];
  for (const bridge of config.bridgeList) {
    for (const port of bridge.portList) {
      if (isTunnelPort(port)) neigh.push(...readBindings(port, bridge, faults));
    }
    mdb.push(...readGroups(bridge, faults));
  }
  for (const port of config.portList) {
    if (!isTunnelPort(port) || port.bindingList.length === 0) continue;
    const remedy = 'put the port into one, or remove neigh';
    faults.at([...port.path, 'neigh'], `bindings are a bridge's, and port ${port.name} belongs to none; ${remedy}`);
  }
  if (neigh.length > MAX_BINDINGS)
    faults.at(['bridges'], `there are ${neigh.length} bindings, and a switch holds ${MAX_BINDINGS}; remove some`);
  return { neigh, mdb };
}

// ---- neigh ----

function readBindings(port: DecodedVxlan, bridge: DecodedBridge, faults: FaultList): NeighConfig[] {
  const members = membershipsOf(port, bridge);
  const seen = new Set<string>();
  return port.bindingList.flatMap(({ path, value: { vlan, vni, dst, lladdr, router } }) => {
    const vid = vidOf(port, bridge, members, { vlan, vni });
    const fault =
      typeof vid === 'string' ? vid : seen.has(`${vid} ${dst}`) ? `${dst} has a binding already; remove one` : null;
    if (fault !== null || typeof vid === 'string') {
      faults.at(path, fault ?? '');
      return [];
    }
    seen.add(`${vid} ${dst}`);
    return [{ dev: port.name, vid, dst, lladdr, router: router === true }];
  });
}

/** The VLAN of a binding, 0 on a bridge without VLAN filtering; or the reason why there is none. Same rules as `neigh add`. */
function vidOf(
  port: DecodedVxlan,
  bridge: DecodedBridge,
  members: readonly VlanMembership[],
  { vlan, vni }: { vlan: number | undefined; vni: number | undefined },
): number | string {
  if (port.given.vlan_tunnel === true) {
    if (vlan === undefined && vni === undefined) return 'say with vlan or vni which network the binding is in';
    const member = members.find((one) => (vlan ?? one.vid) === one.vid && (vni ?? one.vni) === one.vni);
    return member?.vni === undefined ? 'no VLAN of the port is mapped so; mend vlan or vni' : member.vid;
  }
  if (vni !== undefined && vni !== port.given.id) return `the port carries VNI ${port.given.id} only; remove vni`;
  if (bridge.given.vlan_filtering !== true)
    return vlan === undefined ? 0 : `bridge ${bridge.name} does not look at VLANs; remove vlan`;
  const member = members.find(({ vid, pvid }) => (vlan === undefined ? pvid : vid === vlan));
  if (member !== undefined) return member.vid;
  return vlan === undefined
    ? 'the port has no PVID; say with vlan which VLAN'
    : `the port is no member of VLAN ${vlan}`;
}

// ---- mdb ----

function readGroups(bridge: DecodedBridge, faults: FaultList): GroupConfig[] {
  const filters = bridge.given.vlan_filtering === true;
  return bridge.groupList.flatMap(({ path, value: { port: name, grp, vid, dst } }) => {
    const refuse = (key: string, message: string): [] => {
      faults.at([...path, key], message);
      return [];
    };
    const port = bridge.portList.find((one) => one.name === name);
    const isHost = hostPortsOf(bridge).includes(name);
    if (port === undefined && !isHost) return refuse('port', `bridge ${bridge.name} has no port ${quote(name)}`);
    const group = canonicalIp(grp)?.text;
    if (group === undefined || !isMulticastIp(group))
      return refuse('grp', `${quote(grp)} is no multicast address; give a group such as 239.1.1.1`);
    if (isAlwaysFlooded(group)) return refuse('grp', `${group} is always flooded, to members and others; remove it`);
    if (dst !== undefined) {
      if (!isTunnelPort(port)) return refuse('dst', 'is for vxlan ports; remove it');
      const fault = addressFault(dst, familyOfPort(port), port.given.local, 'the port');
      if (fault !== undefined) return refuse('dst', fault);
    }
    const to = { dev: bridge.name, port: name, grp: group, ...(dst === undefined ? {} : { dst }) };
    if (!filters)
      return vid === undefined ? [to] : refuse('vid', `bridge ${bridge.name} does not look at VLANs; remove vid`);
    const vids = membershipsOf(port ?? bridge, bridge).map((member) => member.vid);
    if (vid === undefined && vids.length > 0) return vids.map((one) => ({ ...to, vid: one }));
    if (vid !== undefined && (vids.includes(vid) || isHost)) return [{ ...to, vid }];
    return refuse(
      'vid',
      `port ${name} is no member of ${vid === undefined ? 'any VLAN' : `VLAN ${vid}`}; mend vid or vlans`,
    );
  });
}

/** RFC 4541 sections 2.1.2 and 3: 224.0.0.0/24 and the all-nodes address. */
function isAlwaysFlooded(group: string): boolean {
  return group.startsWith('224.0.0.') || group === 'ff02::1';
}

function hostPortsOf(bridge: DecodedBridge): string[] {
  const vxlans = bridge.portList.filter((port) => isTunnelPort(port) && port.given.host_port === true);
  return [...(bridge.given.host_port === true ? [bridge.name] : []), ...vxlans.map(({ name }) => `${name}@host`)];
}

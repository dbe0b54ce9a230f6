/**
 * Configured bindings and multicast groups: `neigh` of a vxlan port or a gateway, and `mdb` of a bridge. Keys are named as the words of
 * `neigh add` and `mdb add`.
 *
 * Parses and checks both.
 */

import { quote } from '../../values/show.js';
import { value } from '../../values/value.js';
import { isTunnelPort } from '../options/kinds.js';
import type { DecodedBridge, DecodedPort, DecodedSwitch, DecodedVxlan, Item } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';
import { membershipsOf } from '../read/memberships.js';
import type { GroupConfig, NeighConfig, TableConfig, VlanMembership } from '../types.js';
import { canonicalGroup, groupEntryFault } from './group-entry.js';
import { tunnelGroupFault } from './tunnel-group.js';
import { addressFault, familyOfPort } from './vxlan.js';

/** Maximum number of configured bindings of a switch. */
export const MAX_BINDINGS = 8192;

export type DecodedBinding = Item<{ dst: string; lladdr: string; vlan?: number; vni?: number; router?: boolean }>;
type TunnelGroupValues = Omit<DecodedVxlan['groupList'][number]['value'], 'source_list'> & { source_list?: string[] };

export type DecodedGroup = Item<{ port: string; grp: string; vid?: number; dst?: string }>;

/** Parses and checks all of a file's. Invalid ones are reported and omitted. */
export function readTables(config: DecodedSwitch, faults: FaultList): TableConfig {
  const neigh: NeighConfig[] = [];
  const mdb: GroupConfig[] = [];
  for (const bridge of config.bridgeList) {
    const bound = new Map<string, string>();
    for (const port of bridge.portList) {
      neigh.push(...readBindings(port, bridge, bound, faults));
      if (!isTunnelPort(port)) continue;
      mdb.push(...readTunnelGroups(port, faults));
    }
    mdb.push(...readGroups(bridge, faults));
  }
  for (const port of config.portList) {
    if (!isTunnelPort(port)) continue;
    for (const [key, list] of [
      ['neigh', port.bindingList],
      ['mdb', port.groupList],
    ] as const) {
      if (list.length === 0) continue;
      const what = key === 'neigh' ? 'bindings are' : 'groups are';
      const remedy = `put the port into one, or remove ${key}`;
      faults.at([...port.path, key], `${what} a bridge's, and port ${port.name} belongs to none; ${remedy}`);
    }
  }
  if (neigh.length > MAX_BINDINGS)
    faults.at(['bridges'], `there are ${neigh.length} bindings, and a switch holds ${MAX_BINDINGS}; remove some`);
  return { neigh, mdb };
}

// ---- neigh ----

/** @param bound the port of each binding of the bridge so far, by VLAN and address: the table of the bridge has one row for it */
function readBindings(
  port: DecodedPort,
  bridge: DecodedBridge,
  bound: Map<string, string>,
  faults: FaultList,
): NeighConfig[] {
  const members = membershipsOf(port, bridge);
  return port.bindingList.flatMap(({ path, value: { vlan, vni, dst, lladdr, router } }) => {
    const vid = vidOf(port, bridge, members, { vlan, vni });
    const other = bound.get(`${vid} ${dst}`);
    const where = other === port.name ? '' : ` at ${other}`;
    const taken = other === undefined ? null : `${dst} has a binding already${where}; remove one`;
    const fault = typeof vid === 'string' ? vid : taken;
    if (fault !== null || typeof vid === 'string') {
      faults.at(path, fault ?? '');
      return [];
    }
    bound.set(`${vid} ${dst}`, port.name);
    return [{ dev: port.name, vid, dst, lladdr, router: router === true }];
  });
}

/** The VLAN of a binding, 0 on a bridge without VLAN filtering; or the reason why there is none. Same rules as `neigh add`. */
function vidOf(
  port: DecodedPort,
  bridge: DecodedBridge,
  members: readonly VlanMembership[],
  { vlan, vni }: { vlan: number | undefined; vni: number | undefined },
): number | string {
  if (isTunnelPort(port) && port.given.vlan_tunnel === true) {
    if (vlan === undefined && vni === undefined) return 'say with vlan or vni which network the binding is in';
    const member = members.find((one) => (vlan ?? one.vid) === one.vid && (vni ?? one.vni) === one.vni);
    return member?.vni === undefined ? 'no VLAN of the port is mapped so; mend vlan or vni' : member.vid;
  }
  if (vni !== undefined && !isTunnelPort(port)) return 'a gateway is in a VLAN and no VNI; remove vni';
  if (isTunnelPort(port) && vni !== undefined && vni !== port.given.id)
    return `the port carries VNI ${port.given.id} only; remove vni`;
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
  return bridge.groupList.flatMap(({ path, value: { port: name, grp, vid, dst, ...rest } }) => {
    const refuse = (key: string, message: string): [] => {
      faults.at([...path, key], message);
      return [];
    };
    const port = bridge.portList.find((one) => one.name === name);
    const isHost = hostPortsOf(bridge).includes(name);
    if (port === undefined && !isHost) return refuse('port', `bridge ${bridge.name} has no port ${quote(name)}`);
    const sources = readSources(rest.source_list);
    if (sources === null) return refuse('source_list', 'expected addresses such as [192.0.2.1]');
    const group = canonicalGroup(grp) ?? grp;
    const entry = {
      ...(rest.src === undefined ? {} : { src: rest.src }),
      ...(rest.filter_mode === undefined ? {} : { filter_mode: rest.filter_mode }),
      ...(sources === undefined ? {} : { source_list: sources }),
      ...(rest.proto === undefined ? {} : { proto: rest.proto }),
    };
    const wrong = groupEntryFault({ ...entry, grp: group });
    if (wrong !== undefined) return refuse(wrong.key, wrong.message);
    if (dst !== undefined) {
      if (!isTunnelPort(port)) return refuse('dst', 'is for vxlan ports; remove it');
      const fault = addressFault(dst, familyOfPort(port), port.given.local, 'the port');
      if (fault !== undefined) return refuse('dst', fault);
    }
    const to = { dev: bridge.name, port: name, grp: group, ...(dst === undefined ? {} : { dst }), ...entry };
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

/** @returns null when one is no address */
function readSources(given: readonly unknown[] | undefined): string[] | null | undefined {
  if (given === undefined) return undefined;
  const sources = given.map((one) => value.ip.safeParse(one));
  return sources.every(({ success }) => success) ? sources.map(({ data }) => data as string) : null;
}

function hostPortsOf(bridge: DecodedBridge): string[] {
  const vxlans = bridge.portList.filter((port) => isTunnelPort(port) && port.given.host_port === true);
  return [...(bridge.given.host_port === true ? [bridge.name] : []), ...vxlans.map(({ name }) => `${name}@host`)];
}

// ---- mdb of a vxlan port ----

function readTunnelGroups(port: DecodedVxlan, faults: FaultList): GroupConfig[] {
  const { id, dev } = port.given;
  const seen = new Set<string>();
  return port.groupList.flatMap(({ path, value: { source_list, ...given } }) => {
    const refuse = (key: string, message: string): [] => {
      faults.at([...path, key], message);
      return [];
    };
    const sources = readSources(source_list);
    if (sources === null) return refuse('source_list', 'expected addresses such as [192.0.2.1]');
    const grp = canonicalGroup(given.grp) ?? given.grp;
    const entry = { ...given, grp, ...(sources === undefined ? {} : { source_list: sources }) };
    const wrong = tunnelGroupFault(entry, { name: port.name, id, dev });
    if (wrong !== undefined) return refuse(wrong.key, wrong.message);
    const fault = addressFault(entry.dst, familyOfPort(port), port.given.local, 'the port');
    if (fault !== undefined) return refuse('dst', fault);
    // The sources of a group's entry are pairs too.
    const places = [entry.src ?? '', ...(sources ?? [])].map(
      (src) => `${entry.src_vni ?? id} ${grp} ${src} ${entry.dst}`,
    );
    if (places.some((place) => seen.has(place)))
      return refuse('dst', `${entry.dst} is a remote of ${entry.src ?? ''} ${grp} already; remove one`);
    for (const place of places) seen.add(place);
    return [groupOf(port, entry)];
  });
}

/** `src_vni` and `vni` of a port with one VNI say nothing new. */
function groupOf({ name, given: { id } }: DecodedVxlan, entry: TunnelGroupValues): GroupConfig {
  const { src_vni, vni, ...rest } = entry;
  const own = Object.fromEntries(Object.entries(rest).filter(([, one]) => one !== undefined)) as typeof rest;
  return {
    ...{ dev: name, port: name },
    ...(own as Omit<GroupConfig, 'dev' | 'port'>),
    ...(vni === undefined || vni === id ? {} : { vni }),
    ...(src_vni === undefined || id !== undefined ? {} : { src_vni }),
  };
}

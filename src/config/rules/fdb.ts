/**
 * Rules of the configured FDB entries of a file.
 *
 * A unicast MAC has one location in each VLAN of the bridge; multicast and all-zeros MACs may have several distinct
 * destinations on a vxlan port. Rules for a single entry on its port are in `../entries/rules.ts`.
 */

import { ZERO_MAC } from '../../values/address.js';
import { type EntryPort, entryFaults, isForMany, vnisOfEntry } from '../entries/rules.js';
import { isTunnelPort } from '../options/kinds.js';
import { switchOptions } from '../options/switch.js';
import {
  allPorts,
  type DecodedBridge,
  type DecodedEntry,
  type DecodedPort,
  type DecodedSwitch,
} from '../read/decoded.js';
import { type FaultList, formatPath, type Path } from '../read/faults.js';
import { membershipsOf } from '../read/memberships.js';
import type { VlanMembership } from '../types.js';
import type { NexthopFacts } from '../entries/nexthops.js';
import { dstportOf, familyOfPort } from './vxlan.js';

/** Checks the entries of all ports of one bridge, or of the ports without a bridge. */
export function checkFdb(
  ports: readonly DecodedPort[],
  bridge: DecodedBridge | undefined,
  nexthops: ReadonlyMap<number, NexthopFacts>,
  faults: FaultList,
): void {
  const seen: Seen = new Map();
  if (bridge !== undefined) checkOwn(bridge, seen, faults);
  for (const port of ports) {
    if (port.entryList.length === 0) continue;
    const members = membershipsOf(port, bridge);
    const facts = { ...entryPort(port, bridge, members), nexthops };
    for (const entry of port.entryList) {
      checkEntry(entry, facts, faults);
      checkTwice(entry, port, members, seen, faults);
    }
  }
}

/** Entries of the bridge itself. Without a host port any VLAN is accepted. */
function checkOwn(bridge: DecodedBridge, seen: Seen, faults: FaultList): void {
  const members = membershipsOf(bridge, bridge);
  const isMember = bridge.given.host_port === true && !bridge.rejected.has('vlans');
  const { name } = bridge;
  const facts: EntryPort = {
    ...{ name, type: 'bridge', id: undefined, members: isMember ? members : undefined },
    hasHost: bridge.given.host_port === true || bridge.rejected.has('host_port'),
    bridge: {
      name,
      filtering: bridge.rejected.has('vlan_filtering') ? undefined : bridge.given.vlan_filtering === true,
    },
  };
  for (const entry of bridge.entryList) {
    checkEntry(entry, facts, faults);
    checkTwice(entry, undefined, members, seen, faults);
  }
}

/** An entry without a VLAN counts in each VLAN of its port. */
export function checkFdbSize(config: DecodedSwitch, faults: FaultList): void {
  const size = config.given.fdb_size ?? switchOptions.fdb_size.default;
  const bridgeOf = new Map(config.bridgeList.flatMap((bridge) => bridge.portList.map((port) => [port, bridge])));
  let count = 0;
  for (const port of [...config.bridgeList, ...allPorts(config)]) {
    if (port.entryList.length === 0) continue;
    const isBridge = 'portList' in port;
    const bridge = isBridge ? port : bridgeOf.get(port);
    const everywhere = bridge?.given.vlan_filtering === true ? membershipsOf(port, bridge).length : 1;
    for (const { mac, given, path } of port.entryList) {
      if (mac === ZERO_MAC) continue;
      const isOfVni = !isBridge && isTunnelPort(port) && port.given.id === undefined && hasVni(given);
      const isOfOne = given.vlan !== undefined || isOfVni;
      count += isOfOne ? 1 : everywhere;
      if (count <= size) continue;
      const what = `up to here there are more than ${size} entries, counted once for each VLAN`;
      faults.at(path, `${what}; raise fdb_size, or give fewer`);
      return;
    }
  }
}

function hasVni({ vni, src_vni }: DecodedEntry['given']): boolean {
  return vni !== undefined || src_vni !== undefined;
}

function entryPort(port: DecodedPort, bridge: DecodedBridge | undefined, members: VlanMembership[]): EntryPort {
  const unknown =
    port.rejected.has('vlans') || port.rejected.has('id') || bridge?.rejected.has('vlan_default_pvid') === true;
  const filtering = bridge?.rejected.has('vlan_filtering') ? undefined : bridge?.given.vlan_filtering === true;
  return {
    name: port.name,
    type: port.type,
    family: isTunnelPort(port) && !port.rejected.has('local') ? familyOfPort(port) : undefined,
    bridge: bridge === undefined ? null : { name: bridge.name, filtering },
    id: !isTunnelPort(port) || port.rejected.has('vlan_tunnel') ? undefined : (port.given.id ?? null),
    members: unknown ? undefined : members,
  };
}

function checkEntry(entry: DecodedEntry, port: EntryPort, faults: FaultList): void {
  for (const { key, message } of entryFaults({ ...entry.given, mac: entry.mac }, port)) {
    // A rejected value is not a missing one.
    if (!entry.rejected.has(key)) faults.at([...entry.path, key], message);
  }
}

/** By MAC (and destination, where several are allowed), then by VLAN or VNI; 'all' means every one. */
type Seen = Map<string, Map<number | 'all', Path>>;

function checkTwice(
  entry: DecodedEntry,
  port: DecodedPort | undefined,
  members: VlanMembership[],
  seen: Seen,
  faults: FaultList,
): void {
  const { vlan, dst } = entry.given;
  const { vni, sentVni } = vnisOfEntry(entry.given, isTunnelPort(port) ? port.given.id : null);
  if (['vlan', 'vni', 'src_vni', 'dst', 'port'].some((key) => entry.rejected.has(key))) return;
  const scope = vlan ?? members.find((member) => vni !== undefined && member.vni === vni)?.vid ?? 'all';
  let key = entry.mac;
  if (isTunnelPort(port) && isForMany(entry.mac)) {
    key = [entry.mac, port.name, dst, entry.given.port ?? dstportOf(port), sentVni].join(' ');
  }
  const scopes = seen.get(key) ?? new Map<number | 'all', Path>();
  seen.set(key, scopes);
  const other = scopes.get(scope) ?? scopes.get('all') ?? (scope === 'all' ? [...scopes.values()][0] : undefined);
  if (other !== undefined) {
    faults.at(
      [...entry.path, 'mac'],
      `${entry.mac} has an entry for the same VLAN in ${formatPath(other)} already; keep one of the two`,
    );
    return;
  }
  scopes.set(scope, entry.path);
}

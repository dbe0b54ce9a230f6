/**
 * Rules of the configured FDB entries of a bridge.
 *
 * A unicast MAC stands in one place for each VLAN of the bridge; multicast and all-zeros MACs may have many
 * destinations on a vxlan port, each once.
 */
import { isMulticastMac, ZERO_MAC } from './address.js';
import type { DecodedBridge, DecodedEntry, DecodedPort, DecodedVxlan } from './decode.js';
import { type FaultList, formatPath, type Path } from './faults.js';
import { membershipsOf } from './memberships.js';
import { DEFAULT_DSTPORT } from './rules-vxlan.js';
import type { VlanMembership } from './types.js';

/** Checks the entries of all ports of one bridge. */
export function checkFdb(bridge: DecodedBridge, faults: FaultList): void {
  const seen: Seen = new Map();
  for (const port of bridge.portList) {
    if (port.entryList.length === 0) continue;
    const members = membershipsOf(port, bridge);
    for (const entry of port.entryList) {
      if (port.type === 'tap') checkTapEntry(entry, faults);
      else checkVxlanEntry(entry, port, members, faults);
      checkVlan(entry, port, bridge, members, faults);
      checkTwice(entry, port, members, seen, faults);
    }
  }
}

function checkTapEntry(entry: DecodedEntry, faults: FaultList): void {
  for (const key of ['dst', 'vni', 'port'] as const) {
    if (entry.given[key] === undefined) continue;
    faults.at([...entry.path, key], 'is for entries of a vxlan port, and this is a tap port; remove it');
  }
  if (isForMany(entry.mac)) {
    faults.at([...entry.path, 'mac'], `${entry.mac} is no unicast MAC address; an entry of a tap port needs one`);
  }
}

function checkVxlanEntry(entry: DecodedEntry, port: DecodedVxlan, members: VlanMembership[], faults: FaultList): void {
  const { dst, vni, vlan } = entry.given;
  if (dst === undefined && !entry.rejected.has('dst')) {
    faults.atKey(
      [...entry.path, 'dst'],
      'is missing; an entry of a vxlan port needs the address of the VTEP that has the MAC',
    );
  }
  if (vni === undefined) return;
  const at = [...entry.path, 'vni'];
  if (port.given.id !== undefined) {
    if (vni !== port.given.id) faults.at(at, `the port carries VNI ${port.given.id} only; write that or remove vni`);
    return;
  }
  if (port.rejected.has('vlans') || port.rejected.has('id')) return;
  const mapped = members.find((member) => member.vni === vni);
  if (mapped === undefined) {
    faults.at(at, `no VLAN of port ${port.name} is mapped to VNI ${vni}; add it to vlans or give another`);
  } else if (vlan !== undefined && vlan !== mapped.vid) {
    faults.at(
      at,
      `VNI ${vni} belongs to VLAN ${mapped.vid} on this port, and the entry says VLAN ${vlan}; remove one of the two`,
    );
  }
}

function checkVlan(
  entry: DecodedEntry,
  port: DecodedPort,
  bridge: DecodedBridge,
  members: VlanMembership[],
  faults: FaultList,
): void {
  const { vlan } = entry.given;
  if (vlan === undefined || bridge.rejected.has('vlan_filtering')) return;
  const at = [...entry.path, 'vlan'];
  if (bridge.given.vlan_filtering !== true) {
    faults.at(at, `bridge ${bridge.name} does not look at VLANs; set vlan_filtering: true there or remove vlan`);
    return;
  }
  if (port.rejected.has('vlans') || bridge.rejected.has('vlan_default_pvid')) return;
  if (!members.some((member) => member.vid === vlan)) {
    faults.at(at, `port ${port.name} is not a member of VLAN ${vlan}; add it to vlans or give another`);
  }
}

/** By MAC (and, for many destinations, where to), then by VLAN or VNI; 'all' stands for every one. */
type Seen = Map<string, Map<number | 'all', Path>>;

function checkTwice(
  entry: DecodedEntry,
  port: DecodedPort,
  members: VlanMembership[],
  seen: Seen,
  faults: FaultList,
): void {
  const { vlan, vni, dst } = entry.given;
  if (['vlan', 'vni', 'dst', 'port'].some((key) => entry.rejected.has(key))) return;
  const scope = vlan ?? members.find((member) => vni !== undefined && member.vni === vni)?.vid ?? 'all';
  let key = entry.mac;
  if (port.type === 'vxlan' && isForMany(entry.mac)) {
    key = [entry.mac, port.name, dst, entry.given.port ?? port.given.dstport ?? DEFAULT_DSTPORT].join(' ');
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

/** True for MACs that can have several destinations. */
function isForMany(mac: string): boolean {
  return mac === ZERO_MAC || isMulticastMac(mac);
}

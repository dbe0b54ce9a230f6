/**
 * Rules of a port's `vlans`: VIDs, PVID and the VLAN to VNI table.
 *
 * Checks the list of one port; VNIs shared between ports are checked in `file.ts`.
 */

import { formatRange, type IdRange, rangeLength } from '../../values/id-range.js';
import { isTunnelPort } from '../options/kinds.js';
import type { DecodedBridge, DecodedPort, DecodedVlan, DecodedVxlan } from '../read/decoded.js';
import type { FaultList, Path } from '../read/faults.js';

/** Checks one port's memberships; `bridge` is undefined for a port without one. */
export function checkVlans(port: DecodedPort, bridge: DecodedBridge | undefined, faults: FaultList): void {
  // A port without a bridge may later join a filtering one.
  if (bridge !== undefined) checkFiltering(port, bridge, faults);
  checkList(port, faults);
}

/** Checks the memberships of a bridge's host port. */
export function checkHostVlans(bridge: DecodedBridge, faults: FaultList): void {
  if (bridge.vlanList === undefined) return;
  if (bridge.given.host_port !== true && !bridge.rejected.has('host_port')) {
    faults.at(
      [...bridge.path, 'vlans'],
      `are those of the host port, and ${bridge.name} has none; set host_port: true or remove vlans`,
    );
    return;
  }
  checkList(bridge, faults);
}

/** Checks the options of a bridge's VLANs. */
export function checkVlanGlobals(bridge: DecodedBridge, faults: FaultList): void {
  const seen = new Map<number, Path>();
  for (const { path, value } of bridge.globalList) {
    const taken = claim(seen, value.vid, path);
    if (taken === undefined) continue;
    const by = `vlan_global[${taken.by.at(-1)}]`;
    faults.at([...path, 'vid'], `VLAN ${taken.id} is in ${by} already; give the options of a VLAN once`);
  }
  if (bridge.given.mcast_vlan_snooping !== true || bridge.given.vlan_filtering === true) return;
  if (bridge.rejected.has('vlan_filtering')) return;
  faults.at(
    [...bridge.path, 'mcast_vlan_snooping'],
    `snoops by VLAN, and bridge ${bridge.name} does not look at VLANs; set vlan_filtering: true, or remove it`,
  );
}

/** A link with memberships. A bridge stands for its host port, which has no VNI mapping. */
type Member = DecodedPort | DecodedBridge;

function checkList(port: Member, faults: FaultList): void {
  const vids = new Map<number, Path>();
  const vnis = new Map<number, Path>();
  let pvidAt: Path | undefined;
  for (const vlan of port.vlanList ?? []) {
    checkVid(vlan, vids, faults);
    checkTunnel(vlan, port, vnis, faults);
    checkRemotes(vlan, port, faults);
    checkGroup(vlan, port, faults);
    if (!('type' in port)) checkHostVlan(vlan, faults);
    if (vlan.given.pvid !== true) continue;
    const at = [...vlan.path, 'pvid'];
    if (rangeLength(vlan.vid) > 1) {
      faults.at(
        at,
        `a port has one PVID, and this is the range ${formatRange(vlan.vid)}; give the PVID an entry of its own`,
      );
    } else if (pvidAt !== undefined) {
      faults.at(at, `the port has its PVID in ${item(pvidAt)} already; keep one of the two`);
    } else {
      pvidAt = vlan.path;
    }
  }
}

function checkHostVlan({ path, given }: DecodedVlan, faults: FaultList): void {
  for (const key of ['neigh_suppress', 'isolated', 'state', 'mcast_router', 'mcast_max_groups'] as const) {
    if (given[key] !== undefined) faults.at([...path, key], 'is for ports, and this is a host port; remove it');
  }
}

/** Without filtering there are no mappings; plain memberships are stored until it is switched on. */
function checkFiltering(port: DecodedPort, bridge: DecodedBridge, faults: FaultList): void {
  if (!isTunnelPort(port) || port.given.vlan_tunnel !== true) return;
  if (bridge.given.vlan_filtering === true || bridge.rejected.has('vlan_filtering')) return;
  faults.at(
    [...port.path, 'vlan_tunnel'],
    `maps VLANs to VNIs, and bridge ${bridge.name} does not look at VLANs; set vlan_filtering: true there, or give the port an id`,
  );
}

function checkVid(vlan: DecodedVlan, seen: Map<number, Path>, faults: FaultList): void {
  const taken = claim(seen, vlan.vid, vlan.path);
  if (taken === undefined) return;
  faults.at([...vlan.path, 'vid'], `VLAN ${taken.id} is in ${item(taken.by)} already; give each VLAN of a port once`);
}

function checkTunnel(vlan: DecodedVlan, port: Member, seen: Map<number, Path>, faults: FaultList): void {
  const vnis = vlan.given.tunnel_info;
  if (vnis === undefined) return;
  const at = [...vlan.path, 'tunnel_info'];
  if (!isVxlan(port)) {
    faults.at(at, 'maps a VLAN to a VNI, which only a vxlan port can do; remove it');
    return;
  }
  if (port.given.vlan_tunnel !== true && !port.rejected.has('vlan_tunnel')) {
    faults.at(at, 'needs vlan_tunnel: true on the port; set it in place of id, or remove tunnel_info');
  }
  if (rangeLength(vnis) !== rangeLength(vlan.vid)) {
    const counts = `vid ${formatRange(vlan.vid)} has ${rangeLength(vlan.vid)} and tunnel_info ${formatRange(vnis)} has ${rangeLength(vnis)}`;
    faults.at(at, `${counts}; give ranges of equal length`);
    return;
  }
  const taken = claim(seen, vnis, vlan.path);
  if (taken === undefined) return;
  faults.at(at, `VNI ${taken.id} is mapped to a VLAN in ${item(taken.by)} already; give each VLAN a VNI of its own`);
}

function checkRemotes(vlan: DecodedVlan, port: Member, faults: FaultList): void {
  if (vlan.given.remotes === undefined) return;
  const at = [...vlan.path, 'remotes'];
  if (!isVxlan(port)) {
    faults.at(at, 'is a flood list, which only a vxlan port has; remove it');
  } else if (vlan.given.tunnel_info === undefined && !vlan.rejected.has('tunnel_info')) {
    faults.at(
      at,
      'is the flood list of a VNI, and the entry has none; add tunnel_info, or move the addresses to the remotes of the port',
    );
  }
}

function checkGroup(vlan: DecodedVlan, port: Member, faults: FaultList): void {
  if (vlan.given.group === undefined) return;
  const at = [...vlan.path, 'group'];
  if (!isVxlan(port) || port.type !== 'vxlan') {
    faults.at(at, 'is the multicast group of a VNI, which only a vxlan port has; remove it');
  } else if (vlan.given.tunnel_info === undefined && !vlan.rejected.has('tunnel_info')) {
    faults.at(at, 'is the multicast group of a VNI, and the entry has none; add tunnel_info');
  }
}

function isVxlan(port: Member): port is DecodedVxlan {
  return 'type' in port && isTunnelPort(port);
}

/** Records the holder of each ID of a range. @returns the first ID already in use, with its holder */
function claim(seen: Map<number, Path>, range: IdRange, by: Path): { id: number; by: Path } | undefined {
  for (let id = range.first; id <= range.last; id++) {
    const holder = seen.get(id);
    if (holder !== undefined) return { id, by: holder };
    seen.set(id, by);
  }
  return undefined;
}

function item(path: Path): string {
  return `vlans[${path.at(-1)}]`;
}

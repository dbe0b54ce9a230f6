/**
 * Rules for one FDB entry on its port, with the same messages for a file and a request.
 *
 * Input values are valid individually. Rules across entries are in `../rules/fdb.ts`.
 */

import { isMulticastMac, ZERO_MAC } from '../../values/address.js';
import { isTunnelType, type LinkType } from '../options/kinds.js';
import { type NexthopFacts, nhidFault } from './nexthops.js';
import type { VlanMembership } from '../types.js';

export interface EntryValues {
  mac: string;
  vlan?: number | undefined;
  vni?: number | undefined;
  src_vni?: number | undefined;
  dst?: string | undefined;
  port?: number | undefined;
  nhid?: number | undefined;
  state?: string | undefined;
  router?: boolean | undefined;
  activity_notify?: boolean | undefined;
  inactive?: boolean | undefined;
}

/** The facts about the port that the rules need. Undefined: unknown, because the file's value is invalid. */
export interface EntryPort {
  name: string;
  /** `bridge`: the bridge itself, that is, the host. */
  type: LinkType;
  /** Null: the port has no bridge. */
  bridge: { name: string; filtering: boolean | undefined } | null;
  /** The VNI of a single-VNI vxlan port; null: the port has a VLAN to VNI table. */
  id: number | null | undefined;
  members: readonly VlanMembership[] | undefined;
  /** Of a vxlan port: the outer address family. */
  family?: 4 | 6 | undefined;
  /** By their IDs. */
  nexthops?: ReadonlyMap<number, NexthopFacts>;
  /** Of a bridge: it has a host port, which holds its entries. */
  hasHost?: boolean;
}

export interface EntryFault {
  key: keyof EntryValues;
  message: string;
}

/** All faults of an entry. */
export function* entryFaults(entry: EntryValues, port: EntryPort): Generator<EntryFault> {
  if (isTunnelType(port.type)) yield* vxlanFaults(entry, port);
  else yield* localFaults(entry, port.type);
  yield* activityFaults(entry);
  if (port.type === 'bridge' && port.hasHost !== true && (entry.state ?? 'permanent') !== 'permanent') {
    // As in the kernel's fdb_add_entry. A host port is an ordinary port here: its entries may move and age.
    const message = "an entry of a bridge without host_port is the host's own MAC, and permanent; remove the state";
    yield { key: 'state', message };
  }
  if (port.bridge === null) yield* unattachedFaults(entry, port);
  else yield* vlanFaults(entry, port, port.bridge);
}

/**
 * The VNI of an entry (its lookup key), and the VNI its frames are sent with if that differs. On a single-VNI port a lone `vni`
 * may be either: as with `bridge fdb`, where `src_vni` is the lookup key.
 * @param id the VNI of a single-VNI port; null or
 * undefined: the port has a table
 */
export function vnisOfEntry(
  { vni, src_vni }: Pick<EntryValues, 'vni' | 'src_vni'>,
  id: number | null | undefined,
): { vni: number | undefined; sentVni: number | undefined } {
  const own = src_vni ?? (typeof id === 'number' ? id : vni);
  return { vni: own, sentVni: vni === own ? undefined : vni };
}

/** True for MACs that may have several destinations. */
export function isForMany(mac: string): boolean {
  return mac === ZERO_MAC || isMulticastMac(mac);
}

function* localFaults(entry: EntryValues, type: LinkType): Generator<EntryFault> {
  const what = type === 'bridge' ? 'a bridge' : `a ${type} port`;
  for (const key of ['dst', 'vni', 'src_vni', 'port', 'nhid', 'router'] as const) {
    if (entry[key] === undefined || entry[key] === false) continue;
    yield { key, message: `is for entries of a vxlan port, and this is ${what}; remove it` };
  }
  if (isForMany(entry.mac)) {
    yield { key: 'mac', message: `${entry.mac} is no unicast MAC address; an entry of ${what} needs one` };
  }
}

function* vxlanFaults(entry: EntryValues, port: EntryPort): Generator<EntryFault> {
  const { vlan } = entry;
  const { vni, sentVni } = vnisOfEntry(entry, port.id);
  if (entry.nhid !== undefined) yield* nhidFaults(entry, entry.nhid, sentVni, port);
  else if (entry.dst === undefined) yield* listFaults(entry, sentVni);
  if (typeof port.id === 'number') {
    if (vni !== port.id)
      yield { key: 'src_vni', message: `the port carries VNI ${port.id} only; write that or remove src_vni` };
    return;
  }
  if (port.members === undefined || port.id === undefined) return;
  const key = entry.src_vni === undefined ? 'vni' : 'src_vni';
  if (vni === undefined) {
    const member = port.members.find(({ vid }) => vid === vlan);
    if (member === undefined || member.vni !== undefined) return;
    const what = `VLAN ${vlan} is mapped to no VNI on this port, so nothing can be sent there`;
    yield { key: 'vlan', message: `${what}; add tunnel_info to the VLAN or give another` };
    return;
  }
  const mapped = port.members.find((member) => member.vni === vni);
  if (mapped === undefined) {
    const other = key === 'vni' ? ', or say with src_vni which VNI it is sent for' : '';
    const message = `no VLAN of port ${port.name} is mapped to VNI ${vni}; add it to vlans or give another${other}`;
    yield { key, message };
  } else if (vlan !== undefined && vlan !== mapped.vid) {
    const message = `VNI ${vni} belongs to VLAN ${mapped.vid} on this port, and the entry says VLAN ${vlan}; remove one of the two`;
    yield { key, message };
  }
}

/** As vxlan_fdb_parse: a nexthop group says where the frames go, and nothing else does. */
function* nhidFaults(
  entry: EntryValues,
  nhid: number,
  sentVni: number | undefined,
  port: EntryPort,
): Generator<EntryFault> {
  if (isForMany(entry.mac)) {
    yield { key: 'nhid', message: `an entry of ${entry.mac} has destinations of its own; give dst instead` };
  }
  for (const key of ['dst', 'port', 'vni'] as const) {
    if (key === 'vni' ? sentVni === undefined : entry[key] === undefined) continue;
    yield { key, message: 'beside nhid, frames have no other destination; remove one of the two' };
  }
  const fault = port.nexthops === undefined ? undefined : nhidFault(nhid, port.nexthops, port.family);
  if (fault !== undefined) yield { key: 'nhid', message: fault };
}

/** The entry says whether it is in use; only one that never ages lives long enough for that. */
function* activityFaults({ activity_notify, inactive, state }: EntryValues): Generator<EntryFault> {
  if (inactive === true && activity_notify !== true)
    yield { key: 'inactive', message: 'is for an entry with activity_notify; give that too, or remove it' };
  if (activity_notify === true && state === 'dynamic') {
    const message = 'is for an entry that does not age; remove it, or give state static';
    yield { key: 'activity_notify', message };
  }
}

/** A unicast MAC without `dst` is behind the port: its frames are sent to the flood list. */
function* listFaults({ mac, port }: EntryValues, sentVni: number | undefined): Generator<EntryFault> {
  if (isForMany(mac)) {
    yield { key: 'dst', message: `is missing; an entry of ${mac} needs the address of a VTEP that gets its frames` };
  }
  if (port !== undefined)
    yield { key: 'port', message: 'is the UDP port of dst, and there is none; give dst or remove it' };
  if (sentVni !== undefined) {
    yield { key: 'vni', message: 'is what frames to dst are sent with, and there is none; give dst or remove it' };
  }
}

function* vlanFaults(
  { vlan }: EntryValues,
  port: EntryPort,
  bridge: NonNullable<EntryPort['bridge']>,
): Generator<EntryFault> {
  if (vlan === undefined || bridge.filtering === undefined) return;
  if (!bridge.filtering) {
    const message = `bridge ${bridge.name} does not look at VLANs; set vlan_filtering: true there or remove vlan`;
    yield { key: 'vlan', message };
  } else if (port.members !== undefined && !port.members.some(({ vid }) => vid === vlan)) {
    const message = `port ${port.name} is not a member of VLAN ${vlan}; add it to vlans or give another`;
    yield { key: 'vlan', message };
  }
}

/** Outside of a bridge there is no FDB; a vxlan port still has its flood list. */
function* unattachedFaults({ mac, vlan }: EntryValues, port: EntryPort): Generator<EntryFault> {
  if (mac !== ZERO_MAC || !isTunnelType(port.type)) {
    const message = `an entry is one of a bridge's table, and port ${port.name} belongs to no bridge; put the port into one first, or remove the entry`;
    yield { key: 'mac', message };
  } else if (vlan !== undefined) {
    yield {
      key: 'vlan',
      message: `port ${port.name} belongs to no bridge that would look at VLANs; name the VNI or remove vlan`,
    };
  }
}

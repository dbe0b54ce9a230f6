/**
 * Entries of the multicast database that are put in by command (Linux `br_mdb_add`, `br_mdb_replace`): members of a group, with or
 * without a filter, and members of a pair of source and group.
 */
import { destinationPort } from '../../dataplane/state/destination.js';
import type { GroupAddress } from '../../wire/group-message.js';
import { formatAddress } from '../../wire/ip-address.js';
import { isMacGroup, isSnooped } from './group-address.js';
import {
  type Group,
  MAX_SOURCES_OF_MEMBER,
  type Member,
  NEVER,
  PROTO_KERNEL,
  PROTO_STATIC,
  STOPPED,
  type Vlan,
} from './mdb-state.js';
import { isMemberAt, placesAt } from './mdb-hosts.js';
import { hasEntry } from './mdb-sources.js';
import type { MdbTable } from './mdb-table.js';

export interface MdbEntry {
  /** Of a pair of source and group. */
  source?: GroupAddress | undefined;
  isInclude?: boolean | undefined;
  sources?: readonly GroupAddress[] | undefined;
  isTemp?: boolean | undefined;
  proto?: number | undefined;
  /** A present entry is changed. */
  replaces?: boolean | undefined;
}

/** `max_groups`: the port has as many as it may. */
export type MdbOutcome = 'added' | 'exists' | 'full' | 'max_groups' | 'invalid';

/** When temporary entries of a VLAN end. */
interface Ends {
  member: number;
  source: number;
}

/** @param endsOf what is put in now without being permanent ends then */
export function putEntry(
  table: MdbTable,
  vlans: readonly Vlan[],
  address: GroupAddress,
  place: number,
  entry: MdbEntry,
  endsOf: (vlan: Vlan) => Ends,
): MdbOutcome {
  if (!isSnooped(address) || (isMacGroup(address) && entry.isTemp === true)) return 'invalid';
  const missing =
    entry.replaces === true ? vlans : vlans.filter((vlan) => !isThere(table, vlan, address, place, entry));
  if (missing.length === 0) return 'exists';
  const [first] = missing;
  const vids = missing.map(({ vid }) => vid);
  const sources = entry.sources?.length ?? Number(entry.source !== undefined);
  const more = missing.map((vlan) => [vlan.vid, entriesMore(table, vlan, address, place, entry)] as const);
  if (!table.counts.mayHold(destinationPort(place), more)) {
    table.refused++;
    return 'max_groups';
  }
  const hasRoom = (entry.sources?.length ?? 0) <= MAX_SOURCES_OF_MEMBER;
  if (!hasRoom || !table.reserve(first.bridge, vids, address, place, sources)) {
    table.refused++;
    return 'full';
  }
  for (const vlan of missing) {
    const put = entry.source === undefined ? putMember : putPair;
    put(table, vlan, address, place, entry, endsOf(vlan));
  }
  return 'added';
}

/** A learned member counts as missing where a permanent one is to be added. */
function isThere(table: MdbTable, vlan: Vlan, address: GroupAddress, place: number, entry: MdbEntry): boolean {
  if (isSourceTaken(table, vlan, address, place, entry)) return true;
  const group = table.find(vlan.bridge, vlan.vid, address);
  const found =
    entry.source === undefined ? group?.members.get(place) : table.sources.findPair(group, entry.source, place);
  if (found === undefined) return false;
  return entry.isTemp === true || found.until === NEVER || found.proto !== PROTO_KERNEL;
}

/** How many more entries the port has in a VLAN afterwards (`mdb-counts.ts`). */
function entriesMore(table: MdbTable, vlan: Vlan, address: GroupAddress, place: number, entry: MdbEntry): number {
  const group = table.find(vlan.bridge, vlan.vid, address);
  if (entry.source !== undefined) {
    return group !== undefined && hasEntry(group, place, formatAddress(...entry.source)) ? 0 : 1;
  }
  const present = group?.members.get(place);
  const had = present === undefined ? 0 : 1 + present.sources.size;
  return 1 + (entry.sources?.length ?? 0) - had;
}

/** A member names a source once: in its filter, or as a pair. */
function isSourceTaken(
  table: MdbTable,
  vlan: Vlan,
  address: GroupAddress,
  place: number,
  { source, sources = [] }: MdbEntry,
): boolean {
  const group = table.find(vlan.bridge, vlan.vid, address);
  if (source !== undefined) return group?.members.get(place)?.sources.has(formatAddress(...source)) === true;
  return sources.some((one) => table.sources.findPair(group, one, place) !== undefined);
}

function putPair(table: MdbTable, vlan: Vlan, address: GroupAddress, place: number, entry: MdbEntry, ends: Ends): void {
  if (entry.source === undefined) return;
  const group = table.find(vlan.bridge, vlan.vid, address) ?? table.newGroup(vlan, address);
  const until = entry.isTemp === true ? ends.member : NEVER;
  table.sources.setPair(group, entry.source, place, { until, proto: entry.proto ?? PROTO_STATIC });
  table.dropIfEmpty(group);
}

function putMember(
  table: MdbTable,
  vlan: Vlan,
  address: GroupAddress,
  place: number,
  entry: MdbEntry,
  ends: Ends,
): void {
  const isTemp = entry.isTemp === true;
  const member = table.claim(vlan, address, place, true);
  const group = table.find(vlan.bridge, vlan.vid, address);
  if (member === undefined || group === undefined) return;
  member.proto = entry.proto ?? PROTO_STATIC;
  member.asks = 0;
  member.nextAsk = NEVER;
  table.setMode(group, member, entry.isInclude !== true);
  table.setEnd(group, place, member, !isTemp ? NEVER : member.isExclude ? ends.member : STOPPED);
  setSources(table, group, member, entry.sources ?? [], member.isExclude ? STOPPED : isTemp ? ends.source : NEVER);
}

function setSources(
  table: MdbTable,
  group: Group,
  member: Member,
  sources: readonly GroupAddress[],
  until: number,
): void {
  table.sources.forget(group, member);
  for (const source of sources) table.sources.set(group, member, source, until);
}

/** @returns false when there was none in any of the VLANs */
export function removeEntry(
  table: MdbTable,
  bridge: number,
  vids: readonly number[],
  address: GroupAddress,
  place: number,
  source?: GroupAddress,
): boolean {
  const groups = vids.flatMap((vid) => table.find(bridge, vid, address) ?? []);
  if (source !== undefined) return groups.filter((group) => removeSource(table, group, place, source)).length > 0;
  const holding = groups.filter((group) => isMemberAt(group, place));
  for (const group of holding) for (const one of heldAt(group, place)) table.dropMember(group, one);
  return holding.length > 0;
}

/** The membership of a port; those of hosts behind it where it has none of its own. */
function heldAt(group: Group, place: number): number[] {
  return group.members.has(place) ? [place] : placesAt(group, place);
}

/** Of a pair, or of the filter of a member. */
function removeSource(table: MdbTable, group: Group, place: number, address: GroupAddress): boolean {
  if (table.sources.dropPair(group, address, place)) return true;
  return heldAt(group, place).filter((one) => removeFromFilter(table, group, one, address)).length > 0;
}

function removeFromFilter(table: MdbTable, group: Group, place: number, address: GroupAddress): boolean {
  const member = group.members.get(place);
  const source = member?.sources.get(formatAddress(...address));
  if (member === undefined || source === undefined) return false;
  table.sources.delete(group, member, source);
  if (!member.isExclude && member.sources.size === 0) table.dropMember(group, place);
  return true;
}

/** Rules of the nexthops of a file: what a group may contain (Linux nh_check_attr_fdb_group). */
import { familyOf } from '../../values/address.js';
import { type NexthopFacts, nexthopsById } from '../entries/nexthops.js';
import type { DecodedSwitch } from '../read/decoded.js';
import { type FaultList, formatPath, type Path } from '../read/faults.js';

/** Nexthops of one file. */
export const MAX_NEXTHOPS = 16_384;

/** Checks all nexthops of a file. */
export function checkNexthops({ nexthopList }: DecodedSwitch, faults: FaultList): void {
  const over = nexthopList[MAX_NEXTHOPS];
  if (over !== undefined) faults.at(over.path, `there are more than ${MAX_NEXTHOPS} nexthops; give fewer`);
  const seen = new Map<number, Path>();
  const known = nexthopsById(nexthopList.map(({ value }) => value));
  for (const { path, value } of nexthopList) {
    const other = seen.get(value.id);
    if (other !== undefined)
      faults.at([...path, 'id'], `${value.id} is the nexthop of ${formatPath(other)} already; give another`);
    seen.set(value.id, path);
    const fault = nexthopFault(value, known);
    if (fault !== undefined) faults.at([...path, fault.key], fault.message);
  }
}

function nexthopFault(
  { via, group }: NexthopFacts,
  known: ReadonlyMap<number, NexthopFacts>,
): { key: string; message: string } | undefined {
  if ((via === undefined) === (group === undefined))
    return { key: 'via', message: 'a nexthop has either via, the address of a VTEP, or group; give one of them' };
  if (group === undefined) return undefined;
  const message = groupFault(group, known);
  return message === undefined ? undefined : { key: 'group', message };
}

function groupFault(group: readonly { id: number }[], known: ReadonlyMap<number, NexthopFacts>): string | undefined {
  const seen = new Set<number>();
  const families = new Set<number>();
  for (const { id } of group) {
    const member = known.get(id);
    if (seen.has(id)) return `names nexthop ${id} twice; give it a weight instead`;
    seen.add(id);
    if (member === undefined) return `there is no nexthop ${id}; add it first, or remove it from the group`;
    if (member.via === undefined) return `nexthop ${id} is a group itself; a group has nexthops with via only`;
    families.add(familyOf(member.via));
  }
  return families.size > 1 ? 'has IPv4 and IPv6 addresses; use a group for each family' : undefined;
}

/** Which nexthop an FDB entry may name (Linux vxlan_fdb_nh_update). */
import { familyOf } from '../../values/address.js';

/** The part of a nexthop that the rules read. */
export interface NexthopFacts {
  id: number;
  via?: string | undefined;
  group?: readonly { id: number }[] | undefined;
}

export function nexthopsById<T extends NexthopFacts>(nexthops: readonly T[]): Map<number, T> {
  return new Map(nexthops.map((one) => [one.id, one]));
}

/** Why an entry of a port of this address family cannot name a nexthop; undefined: it can. */
export function nhidFault(
  id: number,
  known: ReadonlyMap<number, NexthopFacts>,
  family: 4 | 6 | undefined,
): string | undefined {
  const found = known.get(id);
  if (found === undefined) return `there is no nexthop ${id}; add it first with "nexthop add"`;
  if (found.group === undefined)
    return `nexthop ${id} is no group; add a group of it with "nexthop add id N group ${id} fdb", and name that`;
  const via = known.get(found.group[0]?.id ?? 0)?.via;
  if (via === undefined || family === undefined || familyOf(via) === family) return undefined;
  return `the addresses of nexthop ${id} are IPv${familyOf(via)}, and those of the port are IPv${family}; give another group`;
}

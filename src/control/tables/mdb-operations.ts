/** What engines are told of groups, sources, routers and queriers. Pure. */
import type { Operation } from '../../dataplane/operations/operations.js';
import { parseAddress } from '../../wire/ip-address.js';
import { familyOf, isMacGroup } from './group-address.js';
import { baseOf, isHost } from './mdb-hosts.js';
import { type Group, isWanted, NEVER, type Vlan } from './mdb-state.js';

type GroupOperation = Extract<Operation, { op: 'group' | 'group-del' }>;
type RoutersOperation = Extract<Operation, { op: 'routers' }>;
type SourceRow = NonNullable<Extract<Operation, { op: 'group' }>['sources']>[number];

/** The MAC of a host's place, 48 bits; undefined: its port sends multicast as it is. */
type MacOf = (place: number) => number | undefined;

/** Destinations of a group, and of each source that a member of it names; all members without forwarding by source. */
export function groupOperation(group: Group, macOf: MacOf): GroupOperation {
  const { vlan, address, members } = group;
  const { bridge, vid } = vlan;
  const filters = vlan.filters[familyOf(address)] && !isMacGroup(address);
  const sources = filters ? sourceRows(group, macOf) : [];
  if (vlan.isOff || (members.size === 0 && sources.length === 0))
    return { op: 'group-del', bridge, vid, address: [...address] };
  const wanted = [...members].filter(([, member]) => !filters || member.isExclude);
  return {
    op: 'group',
    ...{ bridge, vid, address: [...address] },
    ...destinationsOf(
      wanted.map(([place]) => place),
      macOf,
    ),
    ...(hasPermanentMember(group) ? { permanent: true } : {}),
    ...(sources.length > 0 ? { sources } : {}),
  };
}

function hasPermanentMember({ members, permanent }: Group): boolean {
  if (permanent === 0) return false;
  for (const { until } of members.values()) if (until === NEVER) return true;
  return false;
}

/** A port with a membership of its own beside those of hosts gets one copy as it is: it reaches all of them. */
function destinationsOf(places: readonly number[], macOf: MacOf): Pick<SourceRow, 'destinations' | 'hosts'> {
  const bases = new Set(places.filter((place) => !isHost(place)));
  const hosts = places.flatMap((place): [number, number, number][] => {
    const mac = isHost(place) && !bases.has(baseOf(place)) ? macOf(place) : undefined;
    return mac === undefined ? [] : [[baseOf(place), Math.floor(mac / 2 ** 32), mac >>> 0]];
  });
  return { destinations: [...new Set(places.map(baseOf))], ...(hosts.length === 0 ? {} : { hosts }) };
}

function sourceRows(group: Group, macOf: MacOf): SourceRow[] {
  const permanent = hasPermanentMember(group);
  return [...group.named.keys()].map((key): SourceRow => {
    const pair = group.pairs.get(key)?.members ?? new Map();
    const destinations = new Set<number>(pair.keys());
    for (const [place, member] of group.members) {
      if (isWanted(member, member.sources.get(key))) destinations.add(place);
    }
    const isPermanent = permanent || [...pair.values()].some(({ until }) => until === NEVER);
    const address = [...(parseAddress(key)?.words ?? [])];
    return { address, ...destinationsOf([...destinations], macOf), ...(isPermanent ? { permanent: true } : {}) };
  });
}

/** Without restricted groups all multicast is flooded, and engines do not need the routers. */
export function routersOperation(vlan: Vlan, routersOf: (vlan: Vlan) => number[]): RoutersOperation {
  const { bridge, vid, heard, isOff } = vlan;
  const [querier4, querier6] = [heard[4] && !isOff, heard[6] && !isOff];
  const destinations = querier4 || querier6 || (vlan.permanent > 0 && !isOff) ? routersOf(vlan) : [];
  return { op: 'routers', bridge, vid, destinations, querier4, querier6 };
}

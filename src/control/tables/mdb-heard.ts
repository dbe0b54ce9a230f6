/** What a multicast database has learned, for another process, with the time that is left in place of moments. */
import type { GroupAddress } from '../../wire/group-message.js';
import { isSnooped } from './group-address.js';
import { baseOf } from './mdb-hosts.js';
import { type Group, type Member, NEVER, STOPPED, type Vlan } from './mdb-state.js';
import type { MdbTable } from './mdb-table.js';

export interface HeardMember {
  place: number;
  /** 0: the timer does not run. */
  left: number;
  isExclude: boolean;
  sources: { address: GroupAddress; left: number }[];
}

/** What was learned in one VLAN of a bridge. Times are milliseconds from now; places are FDB destinations. */
export interface HeardVlan {
  bridge: number;
  vid: number;
  /** Members that want every source, and the filters of the others: versions that know no sources read the former alone. */
  groups: { address: GroupAddress; members: [place: number, left: number][]; filters?: HeardMember[] }[];
  routers: [place: number, left: number][];
  queriers: { family: 4 | 6; source: GroupAddress; left: number; settled: number }[];
  /** Time until the answers to the switch's own first query are complete. */
  own?: { family: 4 | 6; settled: number }[];
}

export function heardVlans(vlans: Iterable<Vlan>, now: number): HeardVlan[] {
  return [...vlans].map(({ bridge, vid, groups, routers, queriers, own }) => ({
    bridge,
    vid,
    groups: [...groups.values()].flatMap((group) => heardGroup(group, now)),
    routers: [...routers].map(([place, until]) => [place, until - now]),
    queriers: ([4, 6] as const).flatMap((family) => {
      const querier = queriers[family];
      if (querier === null) return [];
      const { source, until, settled } = querier;
      return [{ family, source, left: until - now, settled: settled - now }];
    }),
    own: ([4, 6] as const).flatMap((family) => {
      const querier = own[family];
      return querier === null ? [] : [{ family, settled: querier.settled - now }];
    }),
  }));
}

function heardGroup({ address, members, hosts }: Group, now: number): HeardVlan['groups'] {
  const all = [...members].filter(([, { until }]) => until !== NEVER);
  if (all.length === 0) return [];
  const learned = all.filter(([place]) => !hosts.has(baseOf(place)));
  const filters = learned.filter(([, { isExclude, sources }]) => !isExclude || sources.size > 0);
  const shared = all.filter(([place]) => hosts.has(baseOf(place)) && members.get(baseOf(place))?.until !== NEVER);
  return [
    {
      address,
      members: [
        ...learned.map(([place, member]): [number, number] => [place, leftOf(endOf(member), now)]),
        ...portsOf(shared, now),
      ],
      ...(filters.length === 0 ? {} : { filters: filters.map(([place, member]) => heardMember(place, member, now)) }),
    },
  ];
}

/** In INCLUDE as long as the last source. */
function endOf({ until, sources }: Member): number {
  return Math.max(until, ...[...sources.values()].map((source) => source.until));
}

/** Ports of hosts with copies of their own: until the hosts report anew, multicast goes there as it is. */
function portsOf(shared: readonly (readonly [number, Member])[], now: number): [place: number, left: number][] {
  const left = new Map<number, number>();
  for (const [place, member] of shared) {
    left.set(baseOf(place), Math.max(left.get(baseOf(place)) ?? 0, leftOf(endOf(member), now)));
  }
  return [...left];
}

function heardMember(place: number, { until, isExclude, sources }: Member, now: number): HeardMember {
  const named = [...sources.values()].map((source) => ({ address: source.address, left: leftOf(source.until, now) }));
  return { place, left: leftOf(until, now), isExclude, sources: named };
}

function leftOf(until: number, now: number): number {
  return until === STOPPED ? 0 : until - now;
}

/** Adds it to a VLAN, beside what was added by command. The caller settles the VLAN. */
export function restoreVlan(table: MdbTable, vlan: Vlan, heard: HeardVlan, now: number): void {
  for (const { family, source, left, settled } of heard.queriers) {
    vlan.queriers[family] = { source, until: now + left, settled: now + settled };
    table.wake(settled > 0 ? now + settled : now + left);
  }
  for (const { family, settled } of heard.own ?? []) {
    const own = vlan.own[family];
    if (own === null) continue;
    own.settled = now + Math.max(0, settled);
    table.wake(own.settled);
  }
  for (const [place, left] of heard.routers) table.setRouter(vlan, place, now + left);
  for (const { address, members, filters = [] } of heard.groups) {
    if (!isSnooped(address)) continue;
    for (const [place, left] of members) {
      const filter = filters.find((one) => one.place === place);
      restoreMember(table, vlan, address, filter ?? { place, left, isExclude: true, sources: [] }, now);
    }
  }
}

function restoreMember(table: MdbTable, vlan: Vlan, address: GroupAddress, heard: HeardMember, now: number): void {
  const { place, left, isExclude, sources } = heard;
  if (table.find(vlan.bridge, vlan.vid, address)?.members.get(place)?.until === NEVER) return;
  const member = table.claim(vlan, address, place);
  const group = table.find(vlan.bridge, vlan.vid, address);
  if (member === undefined || group === undefined) return;
  table.setMode(group, member, isExclude);
  table.setEnd(group, place, member, left === 0 ? STOPPED : now + left);
  for (const source of sources) {
    table.sources.set(group, member, source.address, source.left === 0 ? STOPPED : now + source.left);
  }
  if (!member.isExclude && member.sources.size === 0) table.dropMember(group, place);
}

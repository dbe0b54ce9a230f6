/** The contents of the multicast database in the shape of `bridge -d -s -j mdb show`. Pure. */
import type { MdbAnswer, MdbRow } from '../../api/api.js';
import type { GroupConfig } from '../../config/types.js';
import { destinationPort, destinationRemote } from '../../dataplane/state/destination.js';
import { protocolName } from '../../values/routing-protocol.js';
import { familyOf, formatGroup, isMacGroup } from './group-address.js';
import { type Group, isWanted, type Member, NEVER, PROTO_STATIC, STOPPED, type Vlan } from './mdb-state.js';

/** Names of links and remotes, read while they still exist. */
export interface MdbNames {
  bridge(bridge: number): string;
  port(port: number): string;
  /** Address of a remote. */
  remote(remote: number): string;
}

export function placeOf(
  names: MdbNames,
  { bridge, vid }: Vlan,
  place: number,
): { dev: string; port: string; vid?: number; dst?: string } {
  const remote = destinationRemote(place);
  return {
    dev: names.bridge(bridge),
    port: names.port(destinationPort(place)),
    ...(vid === 0 ? {} : { vid }),
    ...(remote === 0 ? {} : { dst: names.remote(remote) }),
  };
}

/** What was added by command in a VLAN, in the shape of the configuration. */
export function configuredGroups(vlan: Vlan, names: MdbNames): GroupConfig[] {
  return [...vlan.groups.values()].flatMap((group) => {
    const grp = formatGroup(group.address);
    const members = [...group.members].filter(([, { until }]) => until === NEVER);
    const pairs = [...group.pairs].flatMap(([src, pair]) => {
      const permanent = [...pair.members].filter(([, { until }]) => until === NEVER);
      return permanent.map(([place, { proto }]) => ({ ...placeOf(names, vlan, place), grp, src, ...protoOf(proto) }));
    });
    return [
      ...members.map(([place, member]) => ({ ...placeOf(names, vlan, place), grp, ...filterOf(member) })),
      ...pairs,
    ];
  });
}

function filterOf(member: Member): Partial<GroupConfig> {
  const sources = [...member.sources.keys()];
  const isPlain = member.isExclude && sources.length === 0;
  return {
    ...(isPlain ? {} : { filter_mode: modeOf(member) }),
    ...(sources.length === 0 ? {} : { source_list: sources }),
    ...protoOf(member.proto),
  };
}

function protoOf(proto: number): { proto?: string } {
  return proto === PROTO_STATIC ? {} : { proto: protocolName(proto) };
}

/** Adds the groups and routers of a VLAN to a listing. */
export function showVlan(vlan: Vlan, names: MdbNames, now: number, { mdb, router }: MdbAnswer): void {
  for (const group of vlan.groups.values()) {
    for (const [place, member] of group.members) mdb.push(rowOf(group, place, member, names, now));
    for (const key of group.named.keys()) mdb.push(...pairRows(group, key, names, now));
  }
  for (const [place, until] of vlan.routers) {
    router.push({ ...placeOf(names, vlan, place), type: 'temp', timer: secondsTo(until, now) });
  }
}

function rowOf(group: Group, place: number, member: Member, names: MdbNames, now: number): MdbRow {
  const sources = [...member.sources].map(([address, { until }]) => ({ address, timer: timer(until, now) ?? 0 }));
  return {
    ...placeOf(names, group.vlan, place),
    grp: formatGroup(group.address),
    ...stateOf(member.until, now),
    ...(hasFilters(group) ? { filter_mode: modeOf(member) } : {}),
    ...(hasFilters(group) && sources.length > 0 ? { source_list: sources } : {}),
    protocol: protocolName(member.proto),
    flags: [],
  };
}

/** As in the kernel, filters are shown where they act. */
function hasFilters({ vlan, address }: Group): boolean {
  return vlan.filters[familyOf(address)] && !isMacGroup(address);
}

function modeOf({ isExclude }: Member): 'include' | 'exclude' {
  return isExclude ? 'exclude' : 'include';
}

/** The rows of one source: of those who name it, and of those who want all but some (Linux MDB_PG_FLAGS_STAR_EXCL). */
function pairRows(group: Group, key: string, names: MdbNames, now: number): MdbRow[] {
  const pair = group.pairs.get(key)?.members ?? new Map();
  const row = (place: number, until: number, proto: number, flags: MdbRow['flags']): MdbRow => ({
    ...placeOf(names, group.vlan, place),
    grp: formatGroup(group.address),
    src: key,
    ...stateOf(until, now),
    filter_mode: 'include',
    protocol: protocolName(proto),
    flags,
  });
  const own = [...pair].map(([place, { until, proto }]) => row(place, until, proto, []));
  const derived = [...group.members].flatMap(([place, member]) => {
    const source = member.sources.get(key);
    if (pair.has(place) || (source === undefined && !member.isExclude)) return [];
    const until = member.until === NEVER ? NEVER : STOPPED;
    if (source === undefined) return [row(place, until, member.proto, ['added_by_star_ex'])];
    return [row(place, until, member.proto, isWanted(member, source) ? [] : ['blocked'])];
  });
  return [...own, ...derived];
}

function stateOf(until: number, now: number): Pick<MdbRow, 'state' | 'timer'> {
  if (until === NEVER) return { state: 'permanent' };
  return { state: 'temp', timer: timer(until, now) ?? 0 };
}

function timer(until: number, now: number): number | undefined {
  return until === NEVER || until === STOPPED ? undefined : secondsTo(until, now);
}

function secondsTo(until: number, now: number): number {
  return Math.max(0, Math.round((until - now) / 10) / 100);
}

/**
 * Shapes and limits of the multicast database. Times are milliseconds of one monotonic clock; a place is an FDB destination.
 *
 * A member is a place that has asked for a group: for all sources but some (EXCLUDE), or for some sources only (INCLUDE), as in RFC 3376
 * section 6.2.1 and RFC 3810 section 7.2.
 */
import type { GroupAddress } from '../../wire/group-message.js';
import type { Ranking } from './ranking.js';
import type { PortLimits } from './mdb-counts.js';

/** Groups of a bridge, unless `mcast_hash_max` says otherwise. */
export const MAX_GROUPS_OF_BRIDGE = 4096;
/** Memberships of a bridge, and learned routers of a VLAN: learned remotes can be many. */
export const MAX_MEMBERS_OF_BRIDGE = 65_536;
export const MAX_ROUTERS_OF_VLAN = 1024;
/** Sources that one member names in a group (the kernel's `PG_SRC_ENT_LIMIT`). */
export const MAX_SOURCES_OF_MEMBER = 32;
/** Pairs of source and group of a bridge, and sources that its members name. */
export const MAX_PAIRS_OF_BRIDGE = 4096;
export const MAX_SOURCES_OF_BRIDGE = 32_768;
/**
 * Sources that are named in a group, times its members: so many destinations its rows in the engines have at most. A report that changes
 * any of them has all of them built anew.
 */
export const MAX_DESTINATIONS_OF_GROUP = 65_536;
/** Groups and pairs of all bridges: the engines' table has room for them, and for as many VLANs as are below. */
export const MAX_ROWS = 65_536;
export const MAX_VLANS = 32_768;

/** Expiry time of what was added by command. */
export const NEVER = Number.POSITIVE_INFINITY;
/** Expiry time of a timer that does not run. */
export const STOPPED = 0;

/** Who has put an entry in (linux/rtnetlink.h, RTPROT_*). */
export const PROTO_KERNEL = 2;
export const PROTO_STATIC = 4;

export interface Source {
  address: GroupAddress;
  /** End of its timer. In EXCLUDE a source whose timer is STOPPED is blocked. */
  until: number;
  /** Questions about it that are still to be sent. */
  asks: number;
}

export interface Member {
  place: number;
  /** End of the group timer; STOPPED in INCLUDE, where sources have timers of their own. */
  until: number;
  isExclude: boolean;
  /** By the text of their addresses. */
  sources: Map<string, Source>;
  /** Questions about the group that are still to be sent, and when the next one is, also about sources. */
  asks: number;
  nextAsk: number;
  proto: number;
}

/** A pair of source and group that has members of its own, added by command. */
export interface Pair {
  address: GroupAddress;
  members: Map<number, PairMember>;
}

export interface PairMember {
  until: number;
  proto: number;
}

export interface Group {
  vlan: Vlan;
  address: GroupAddress;
  members: Map<number, Member>;
  /** By the place of a port with `mcast_to_unicast`: how many members are hosts behind it (`mdb-hosts.ts`). */
  hosts: Map<number, number>;
  /** By the text of the source's address. */
  pairs: Map<string, Pair>;
  /** By the text of the address: how many members and pairs name a source. */
  named: Map<string, number>;
  /** Members added by command. A group with one is restricted to its members even without a querier. */
  permanent: number;
}

/** A querier of others. */
export interface Querier {
  source: GroupAddress;
  /** Where its last general query came from; absent: not known. */
  place?: number;
  until: number;
  /** When the answers to its first query are complete: the response time has passed. */
  settled: number;
}

/** The switch's own querier of one family. */
export interface OwnQuerier {
  /** When its next general query is due; NEVER: another one is the querier. */
  next: number;
  /** When its last one was sent. */
  last: number;
  /** Queries sent at the interval of the start. */
  sent: number;
  /** When the answers to its first query are complete. */
  settled: number;
}

export type Families<T> = { 4: T; 6: T };

export interface Bridge {
  index: number;
  vlans: Map<number, Vlan>;
  groups: number;
  members: number;
  /** Groups that it may have (`mcast_hash_max`). */
  maxGroups: number;
  /** Groups with a member added by command, and such members. They give way to none. */
  permanentGroups: number;
  permanentMembers: number;
  /** Learned groups of each place, the earliest first. */
  joined: Map<number, Set<Group>>;
  /** How many they are. */
  ranking: Ranking;
}

export interface Vlan {
  bridge: number;
  vid: number;
  /** By the text of their addresses. */
  groups: Map<string, Group>;
  /** Expiry times of learned routers. */
  routers: Map<number, number>;
  queriers: Families<Querier | null>;
  own: Families<OwnQuerier | null>;
  /** Whether a querier is present, so that groups are restricted. */
  heard: Families<boolean>;
  /** Whether frames are forwarded by source: IGMPv3, MLDv2. */
  filters: Families<boolean>;
  /** `mcast_snooping 0` of the VLAN: its multicast is flooded, whatever is here. */
  isOff: boolean;
  /** Members added by command. */
  permanent: number;
}

export interface MdbPortSettings {
  bridge: number;
  /** `mcast_router`: 0 never, 1 learned, 2 always. */
  router: 0 | 1 | 2;
  /** In place of that, by VID: with `mcast_vlan_snooping`; a VLAN that is not there has 1. */
  routers?: ReadonlyMap<number, 0 | 1 | 2> | undefined;
  /** `mcast_fast_leave`. */
  fastLeave: boolean;
  /** `mcast_to_unicast`: each host behind the port is a member of its own. */
  toUnicast?: boolean;
  /** `mcast_max_groups`; absent: none. */
  limits?: PortLimits;
}

/** `mcast_router` of a port in a VLAN. */
export function routerIn({ router, routers }: MdbPortSettings, vid: number): 0 | 1 | 2 {
  return routers === undefined ? router : (routers.get(vid) ?? 1);
}

/** Ingress of a frame. */
export interface MdbPlace {
  port: number;
  /** 0: from a local port. */
  remote: number;
  /** 0 in a bridge without VLAN filtering. */
  vid: number;
  /** Source MAC, 48 bits; absent: none that a frame may be sent to. */
  host?: number;
}

/** Whether a source of a member gets through to it. */
export function isWanted({ isExclude }: Member, source: Source | undefined): boolean {
  if (source === undefined) return isExclude;
  return source.until !== STOPPED;
}

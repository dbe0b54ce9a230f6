/**
 * Contents of the multicast database: for each bridge and VLAN the groups with their members, and the routers. Bounded; records
 * changes not sent to the engines yet.
 *
 * Knows no protocol and no names: `mdb.ts` decides what is added and when it expires.
 */

import type { Operation } from '../../dataplane/operations/operations.js';
import { destinationOf, destinationPort, destinationRemote } from '../../dataplane/state/destination.js';
import type { GroupAddress } from '../../wire/group-message.js';
import { formatAddress } from '../../wire/ip-address.js';

/** Groups of a bridge (the kernel's `mcast_hash_max`). */
export const MAX_GROUPS_OF_BRIDGE = 4096;
/** Memberships of a bridge, and learned routers of a VLAN: learned remotes can be many. */
export const MAX_MEMBERS_OF_BRIDGE = 65_536;
export const MAX_ROUTERS_OF_VLAN = 1024;

/** Members that give way to a new one, at most. */
const MOST_TRIES = 64;

/** Expiry time of a permanent membership. */
export const NEVER = Number.POSITIVE_INFINITY;

export interface Querier {
  source: GroupAddress;
  until: number;
  /** When the answers to its first query are complete: the response time has passed. */
  settled: number;
}

export interface Group {
  vlan: Vlan;
  address: GroupAddress;
  /** Expiry time by place. A place is an FDB destination. */
  members: Map<number, number>;
  /** Members added by command. A group with one is restricted to its members even without a querier. */
  permanent: number;
}

export interface Vlan {
  bridge: number;
  vid: number;
  /** By the text of their addresses. */
  groups: Map<string, Group>;
  /** Expiry times of learned routers. */
  routers: Map<number, number>;
  queriers: { 4: Querier | null; 6: Querier | null };
  /** Whether a querier is present, so that groups are restricted. */
  heard: { 4: boolean; 6: boolean };
  /** Members added by command. */
  permanent: number;
}

interface Bridge {
  vlans: Map<number, Vlan>;
  groups: number;
  members: number;
  /** Groups with a member added by command, and such members. They give way to none. */
  permanentGroups: number;
  permanentMembers: number;
  /** Learned groups of each place, the earliest first. */
  joined: Map<number, Set<Group>>;
}

export class MdbTable {
  /** Members, groups and routers rejected for lack of room. */
  refused = 0;
  /** Lower bound of the next expiry. */
  due = NEVER;
  private readonly bridges = new Map<number, Bridge>();
  private readonly changedGroups = new Set<Group>();
  private readonly changedVlans = new Set<Vlan>();

  /** @param tell called for each added or removed member */
  constructor(private readonly tell: (group: Group, place: number, change: 'added' | 'deleted') => void) {}

  // ---- Finding ----

  *vlans(): Generator<Vlan> {
    for (const { vlans } of this.bridges.values()) yield* vlans.values();
  }

  vlansOf(bridge: number): Iterable<Vlan> {
    return this.bridges.get(bridge)?.vlans.values() ?? [];
  }

  /** The VLAN, created if missing. */
  vlan(index: number, vid: number): Vlan {
    const { vlans } = this.bridge(index);
    const known = vlans.get(vid);
    if (known !== undefined) return known;
    const vlan: Vlan = {
      bridge: index,
      vid,
      groups: new Map(),
      routers: new Map(),
      queriers: { 4: null, 6: null },
      heard: { 4: false, 6: false },
      permanent: 0,
    };
    vlans.set(vid, vlan);
    return vlan;
  }

  find(bridge: number, vid: number, address: GroupAddress): Group | undefined {
    return this.bridges
      .get(bridge)
      ?.vlans.get(vid)
      ?.groups.get(formatAddress(...address));
  }

  private bridge(index: number): Bridge {
    const known = this.bridges.get(index);
    if (known !== undefined) return known;
    const bridge: Bridge = {
      vlans: new Map(),
      groups: 0,
      members: 0,
      permanentGroups: 0,
      permanentMembers: 0,
      joined: new Map(),
    };
    this.bridges.set(index, bridge);
    return bridge;
  }

  // ---- Members ----

  /**
   * Adds a member until a time, or extends it. In a full bridge the place with the most learned groups loses its earliest one: so
   * no guest keeps others out, however many groups it joins.
   * @returns false when there is no room
   */
  setMember(index: number, vid: number, address: GroupAddress, place: number, until: number): boolean {
    const known = this.find(index, vid, address);
    if (known?.members.has(place) !== true) {
      if (!this.makeRoom(this.bridge(index), known, place, until === NEVER)) {
        this.refused++;
        return false;
      }
      // Making room may have ended the group.
      this.enter(this.find(index, vid, address) ?? this.newGroup(index, vid, address), place);
    }
    const group = this.find(index, vid, address) as Group;
    this.setEnd(group, place, until);
    this.wake(until);
    return true;
  }

  private setEnd(group: Group, place: number, until: number): void {
    this.countPermanent(group, Number(until === NEVER) - Number(group.members.get(place) === NEVER));
    group.members.set(place, until);
    const { joined } = this.bridge(group.vlan.bridge);
    const groups = joined.get(place) ?? new Set();
    if (until === NEVER) groups.delete(group);
    else groups.add(group);
    if (groups.size > 0) joined.set(place, groups);
    else joined.delete(place);
  }

  /** @param group the one that is to have the member; undefined: a new one. @param byHand a member added by command displaces learned ones */
  private makeRoom(bridge: Bridge, group: Group | undefined, place: number, byHand: boolean): boolean {
    const isFull = (): boolean =>
      bridge.members >= MAX_MEMBERS_OF_BRIDGE || (group === undefined && bridge.groups >= MAX_GROUPS_OF_BRIDGE);
    // A group that others have joined too stays when one member gives way: then the next is tried.
    for (let tries = 0; isFull(); tries++) {
      const [greediest, groups] = greediestOf(bridge.joined);
      if (groups === undefined || tries === MOST_TRIES) return false;
      if (!byHand && (bridge.joined.get(place)?.size ?? 0) + 1 >= groups.size) return false;
      for (const earliest of groups) {
        this.dropMember(earliest, greediest);
        break;
      }
    }
    return true;
  }

  /** Engines know restricted groups only, and the routers of VLANs with such a group. */
  private countPermanent(group: Group, more: number): void {
    if (more === 0) return;
    const { vlan } = group;
    const [had, vlanHad] = [group.permanent > 0, vlan.permanent > 0];
    const bridge = this.bridge(vlan.bridge);
    group.permanent += more;
    vlan.permanent += more;
    bridge.permanentMembers += more;
    bridge.permanentGroups += Number(group.permanent > 0) - Number(had);
    if (had !== group.permanent > 0) this.changedGroups.add(group);
    if (vlanHad !== vlan.permanent > 0) this.changedVlans.add(vlan);
  }

  /** Whether a permanent member finds room in the group in each of these VLANs; learned members give way to it. */
  hasRoom(index: number, vids: readonly number[], address: GroupAddress, place: number): boolean {
    const { permanentGroups, permanentMembers } = this.bridge(index);
    const found = vids.map((vid) => this.find(index, vid, address));
    const newMembers = found.filter((group) => group?.members.get(place) !== NEVER).length;
    const newGroups = found.filter((group) => group === undefined || group.permanent === 0).length;
    return (
      permanentMembers + newMembers <= MAX_MEMBERS_OF_BRIDGE && permanentGroups + newGroups <= MAX_GROUPS_OF_BRIDGE
    );
  }

  private newGroup(index: number, vid: number, address: GroupAddress): Group {
    const vlan = this.vlan(index, vid);
    const group: Group = { vlan, address, members: new Map(), permanent: 0 };
    vlan.groups.set(formatAddress(...address), group);
    this.bridge(index).groups++;
    return group;
  }

  private enter(group: Group, place: number): void {
    group.members.set(place, 0);
    this.bridge(group.vlan.bridge).members++;
    this.changedGroups.add(group);
    this.tell(group, place, 'added');
  }

  /** Shortens a membership; never a permanent one. */
  lower({ members }: Group, place: number, end: number): void {
    const until = members.get(place);
    if (until === undefined || until === NEVER || until <= end) return;
    members.set(place, end);
    this.wake(end);
  }

  /** Removes a member, and a group without members. */
  dropMember(group: Group, place: number): void {
    const { vlan, address, members } = group;
    const bridge = this.bridge(vlan.bridge);
    if (members.get(place) === NEVER) this.countPermanent(group, -1);
    members.delete(place);
    const joined = bridge.joined.get(place);
    joined?.delete(group);
    if (joined?.size === 0) bridge.joined.delete(place);
    bridge.members--;
    this.changedGroups.add(group);
    this.tell(group, place, 'deleted');
    if (members.size > 0) return;
    vlan.groups.delete(formatAddress(...address));
    bridge.groups--;
  }

  // ---- Routers ----

  setRouter(vlan: Vlan, place: number, until: number): void {
    if (!vlan.routers.has(place)) {
      if (vlan.routers.size >= MAX_ROUTERS_OF_VLAN) {
        this.refused++;
        return;
      }
      this.changedVlans.add(vlan);
    }
    vlan.routers.set(place, until);
    this.wake(until);
  }

  dropRouters(vlan: Vlan, isDoomed: (place: number, until: number) => boolean): void {
    for (const [place, until] of vlan.routers) {
      if (!isDoomed(place, until)) continue;
      vlan.routers.delete(place);
      this.changedVlans.add(vlan);
    }
  }

  // ---- Expiry ----

  /** Moves memberships and router state to another index of the same VTEP, keeping the later expiry. */
  rename(remote: number, heir: number): void {
    const later = (one: number, other: number | undefined): number => Math.max(one, other ?? 0);
    for (const vlan of this.vlans()) {
      for (const group of [...vlan.groups.values()]) {
        for (const [place, until] of [...group.members]) {
          if (destinationRemote(place) !== remote) continue;
          const other = destinationOf(destinationPort(place), heir);
          const { members, address } = group;
          const found = members.get(other);
          this.dropMember(group, place);
          this.setMember(vlan.bridge, vlan.vid, address, other, later(until, found));
        }
      }
      for (const [place, until] of [...vlan.routers]) {
        if (destinationRemote(place) !== remote) continue;
        const other = destinationOf(destinationPort(place), heir);
        const found = vlan.routers.get(other);
        this.dropRouters(vlan, (one) => one === place);
        this.setRouter(vlan, other, later(until, found));
      }
    }
  }

  /** Removes every member and router that matches. */
  drop(isDoomed: (place: number, until: number, vlan: Vlan) => boolean): void {
    for (const vlan of this.vlans()) {
      for (const group of vlan.groups.values()) {
        for (const [place, until] of group.members) {
          if (isDoomed(place, until, vlan)) this.dropMember(group, place);
        }
      }
      this.dropRouters(vlan, (place, until) => isDoomed(place, until, vlan));
    }
  }

  /** Removes an empty VLAN. */
  prune({ bridge, vid, groups, routers, queriers }: Vlan): void {
    if (groups.size > 0 || routers.size > 0 || queriers[4] !== null || queriers[6] !== null) return;
    this.bridges.get(bridge)?.vlans.delete(vid);
  }

  /** Lowers the time of the next expiry. */
  wake(at: number): void {
    this.due = Math.min(this.due, at);
  }

  // ---- Changes for the engines ----

  /** Routers or queriers of a VLAN have changed since they were sent. */
  touch(vlan: Vlan): void {
    this.changedVlans.add(vlan);
  }

  /** Operations for all changes since the last call. @param routersOf places of a VLAN's routers */
  operations(routersOf: (vlan: Vlan) => number[]): Operation[] {
    const groups = [...this.changedGroups].map((group) => groupOperation(group));
    const routers = [...this.changedVlans].map((vlan): Operation => {
      const { bridge, vid, heard } = vlan;
      const [querier4, querier6] = [heard[4], heard[6]];
      // Without restricted groups all multicast is flooded, and engines do not need the routers.
      const destinations = querier4 || querier6 || vlan.permanent > 0 ? routersOf(vlan) : [];
      return { op: 'routers', bridge, vid, destinations, querier4, querier6 };
    });
    this.changedGroups.clear();
    this.changedVlans.clear();
    return [...groups, ...routers];
  }
}

/** The place that has joined most groups. */
function greediestOf(joined: ReadonlyMap<number, Set<Group>>): [number, Set<Group> | undefined] {
  let greediest: [number, Set<Group> | undefined] = [0, undefined];
  for (const one of joined) if (one[1].size > (greediest[1]?.size ?? 0)) greediest = one;
  return greediest;
}

function groupOperation({ vlan: { bridge, vid }, address, members, permanent }: Group): Operation {
  if (members.size === 0) return { op: 'group-del', bridge, vid, address: [...address] };
  const group = { bridge, vid, address: [...address], destinations: [...members.keys()] };
  return { op: 'group', ...group, ...(permanent > 0 ? { permanent: true } : {}) };
}

/**
 * Contents of the multicast database: for each bridge and VLAN the groups with their members, and the routers. Bounded; notes what
 * engines do not know yet.
 *
 * Knows no protocol and no names: `mdb.ts` decides what is added and when it expires. The sources of members are in `mdb-sources.ts`.
 */

import type { Operation } from '../../dataplane/operations/operations.js';
import { destinationOf, destinationPort, destinationRemote } from '../../dataplane/state/destination.js';
import type { GroupAddress } from '../../wire/group-message.js';
import { formatAddress } from '../../wire/ip-address.js';
import { MdbCounts } from './mdb-counts.js';
import { baseOf, isHost, isMemberAt, MdbHosts, placesAt } from './mdb-hosts.js';
import { groupOperation, routersOperation } from './mdb-operations.js';
import { MdbRoom } from './mdb-room.js';
import { makeRoomForRouter } from './mdb-routers.js';
import { MdbSources } from './mdb-sources.js';
import { Ranking } from './ranking.js';
import {
  type Bridge,
  type Group,
  MAX_GROUPS_OF_BRIDGE,
  MAX_MEMBERS_OF_BRIDGE,
  MAX_ROWS,
  MAX_VLANS,
  type Member,
  NEVER,
  PROTO_KERNEL,
  STOPPED,
  type Vlan,
} from './mdb-state.js';

type Doomed = (place: number, until: number, vlan: Vlan, proto: number) => boolean;

export class MdbTable {
  /** Members, groups, sources and routers rejected for lack of room. */
  refused = 0;
  /** Lower bound of the next expiry. */
  due = NEVER;
  readonly counts = new MdbCounts();
  readonly hosts = new MdbHosts();
  /** Ports with `mcast_to_unicast`. */
  private readonly unicastPorts = new Set<number>();
  readonly sources = new MdbSources(this);
  private readonly room = new MdbRoom(this);
  private readonly all = new Map<number, Bridge>();
  private readonly changedGroups = new Set<Group>();
  /** Groups that engines know. */
  private readonly toldGroups = new Set<Group>();
  private readonly changedVlans = new Set<Vlan>();
  /** VLANs whose routers and queriers engines know. */
  private readonly toldVlans = new Set<Vlan>();
  private groups = 0;
  /** Groups of all bridges with a member added by command. */
  private permanentGroups = 0;

  /** @param tell called for each added or removed member */
  constructor(private readonly tell: (group: Group, place: number, change: 'added' | 'deleted') => void) {}

  // ---- Finding ----

  bridges(): Iterable<Bridge> {
    return this.all.values();
  }

  *vlans(): Generator<Vlan> {
    for (const { vlans } of this.all.values()) yield* vlans.values();
  }

  vlansOf(bridge: number): Iterable<Vlan> {
    return this.all.get(bridge)?.vlans.values() ?? [];
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
      own: { 4: null, 6: null },
      heard: { 4: false, 6: false },
      filters: { 4: false, 6: false },
      isOff: false,
      permanent: 0,
    };
    vlans.set(vid, vlan);
    return vlan;
  }

  find(bridge: number, vid: number, address: GroupAddress): Group | undefined {
    return this.all
      .get(bridge)
      ?.vlans.get(vid)
      ?.groups.get(formatAddress(...address));
  }

  private bridge(index: number): Bridge {
    const known = this.all.get(index);
    if (known !== undefined) return known;
    const bridge: Bridge = {
      index,
      maxGroups: MAX_GROUPS_OF_BRIDGE,
      vlans: new Map(),
      groups: 0,
      members: 0,
      permanentGroups: 0,
      permanentMembers: 0,
      joined: new Map(),
      ranking: new Ranking(),
    };
    this.all.set(index, bridge);
    return bridge;
  }

  bridgeOf({ vlan }: Group): Bridge {
    return this.bridge(vlan.bridge);
  }

  /** Room for one more row of the bridge of a group: other bridges may have to give way. */
  hasRowFor(group: Group): boolean {
    return this.room.forRow(this.bridgeOf(group));
  }

  /** Groups that a bridge may have. Present ones stay. */
  setMaxGroups(index: number, maxGroups: number): void {
    this.bridge(index).maxGroups = maxGroups;
  }

  // ---- Members ----

  /**
   * The membership of a place, made if missing: then it has no timers yet and asks for no source. In a full bridge the place with the
   * most learned groups loses its earliest one: so no guest keeps others out, however many groups it joins.
   * @param byHand added by command, for which `reserve` has made room
   * @returns undefined when there is no room
   */
  claim(vlan: Vlan, address: GroupAddress, place: number, byHand = false): Member | undefined {
    const { bridge: index, vid } = vlan;
    const known = this.find(index, vid, address);
    const present = known?.members.get(place);
    if (present !== undefined) return present;
    // A command has made room already.
    const mayJoin = byHand || this.counts.hasRoom(destinationPort(place), vid);
    const base = baseOf(place);
    const isFurther = known !== undefined && isMemberAt(known, base);
    const hasRoom = byHand || isFurther || this.room.forLearned(this.bridge(index), base, known === undefined);
    if (!mayJoin || !hasRoom) {
      this.refused++;
      return undefined;
    }
    // Making room may have ended the group.
    const group = this.find(index, vid, address) ?? this.newGroup(vlan, address);
    const member: Member = {
      place,
      until: STOPPED,
      isExclude: false,
      sources: new Map(),
      asks: 0,
      nextAsk: NEVER,
      proto: PROTO_KERNEL,
    };
    group.members.set(place, member);
    this.sources.makeRoomFor(group);
    if (!isFurther) this.bridge(index).members++;
    if (isHost(place)) this.hosts.count(group, place, 1);
    this.counts.add(destinationPort(place), vid, 1);
    this.joinedBy(index, base, group);
    this.changedGroups.add(group);
    this.tell(group, place, 'added');
    return member;
  }

  /** Sets the end of the group timer; NEVER makes the member permanent. */
  setEnd(group: Group, place: number, member: Member, until: number): void {
    this.countPermanent(group, Number(until === NEVER) - Number(member.until === NEVER));
    this.sources.setLearned(group, member, until !== NEVER);
    member.until = until;
    if (until === NEVER) this.leftBy(group.vlan.bridge, place, group);
    else {
      this.joinedBy(group.vlan.bridge, baseOf(place), group);
      if (until !== STOPPED) this.wake(until);
    }
  }

  /** Shortens a membership; never a permanent one. */
  lower(member: Member, end: number): void {
    if (member.until === NEVER || member.until <= end) return;
    member.until = end;
    this.wake(end);
  }

  setMode(group: Group, member: Member, isExclude: boolean): void {
    if (member.isExclude === isExclude) return;
    member.isExclude = isExclude;
    this.changedGroups.add(group);
  }

  private joinedBy(index: number, base: number, group: Group): void {
    const { joined, ranking } = this.bridge(index);
    const groups = joined.get(base) ?? new Set();
    joined.set(base, groups);
    if (!groups.has(group)) ranking.add(base, 1);
    groups.add(group);
  }

  /** A learned membership is over, unless another one of the same port is there. */
  private leftBy(index: number, place: number, group: Group): void {
    const base = baseOf(place);
    const left = group.members.get(base);
    if (group.hosts.has(base) || (left !== undefined && left.until !== NEVER)) return;
    const { joined, ranking } = this.bridge(index);
    const groups = joined.get(base);
    if (groups?.delete(group) === true) ranking.add(base, -1);
    if (groups?.size === 0) joined.delete(base);
  }

  /** Groups, and pairs of source and group, of all bridges: what engines have rows for. */
  get rows(): number {
    return this.groups + this.sources.pairs;
  }

  /** Engines know restricted groups only, and the routers of VLANs with such a group. */
  countPermanent(group: Group, more: number): void {
    if (more === 0) return;
    const { vlan } = group;
    const [had, vlanHad] = [group.permanent > 0, vlan.permanent > 0];
    const bridge = this.bridge(vlan.bridge);
    group.permanent += more;
    vlan.permanent += more;
    bridge.permanentMembers += more;
    const groups = Number(group.permanent > 0) - Number(had);
    bridge.permanentGroups += groups;
    this.permanentGroups += groups;
    if (had !== group.permanent > 0) this.changedGroups.add(group);
    if (vlanHad !== vlan.permanent > 0) this.changedVlans.add(vlan);
  }

  /**
   * Makes room for an entry by command in each of these VLANs: what was learned gives way.
   * @param sources that the entry names in each VLAN
   * @returns false when there is none; nothing is to be added then
   */
  reserve(index: number, vids: readonly number[], address: GroupAddress, place: number, sources: number): boolean {
    const bridge = this.bridge(index);
    const found = vids.map((vid) => this.find(index, vid, address));
    const newMembers = found.filter((group) => group?.members.get(place)?.until !== NEVER).length;
    const newGroups = found.filter((group) => group === undefined || group.permanent === 0).length;
    const more = sources * vids.length;
    const fits =
      bridge.permanentMembers + newMembers <= MAX_MEMBERS_OF_BRIDGE &&
      bridge.permanentGroups + newGroups <= bridge.maxGroups &&
      this.permanentGroups + newGroups + more <= MAX_ROWS &&
      this.sources.couldHold(index, more);
    if (!fits) return false;
    // Learned groups among those found may have to give way too.
    const room = { groups: newGroups, members: newMembers, rows: newGroups + more };
    return this.room.forCommand(bridge, room) && this.sources.reserve(bridge, more);
  }

  /** A group without members. The caller gives it one, or a pair. */
  newGroup(vlan: Vlan, address: GroupAddress): Group {
    const group: Group = {
      vlan,
      address,
      members: new Map(),
      hosts: new Map(),
      pairs: new Map(),
      named: new Map(),
      permanent: 0,
    };
    vlan.groups.set(formatAddress(...address), group);
    this.bridge(vlan.bridge).groups++;
    this.groups++;
    return group;
  }

  /** Removes a member, and a group without members. */
  dropMember(group: Group, place: number): void {
    const { vlan, members } = group;
    const member = members.get(place);
    if (member === undefined) return;
    this.sources.forget(group, member);
    if (member.until === NEVER) this.countPermanent(group, -1);
    members.delete(place);
    if (isHost(place)) this.hosts.count(group, place, -1);
    this.leftBy(vlan.bridge, place, group);
    if (!isMemberAt(group, baseOf(place))) this.bridge(vlan.bridge).members--;
    this.counts.add(destinationPort(place), vlan.vid, -1);
    this.changedGroups.add(group);
    this.tell(group, place, 'deleted');
    this.dropIfEmpty(group);
  }

  /** Removes the learned members at a port or remote. */
  dropLearnedAt(group: Group, base: number): void {
    for (const place of placesAt(group, base)) {
      if (group.members.get(place)?.until !== NEVER) this.dropMember(group, place);
    }
  }

  dropIfEmpty(group: Group): void {
    const { vlan, address, members, pairs } = group;
    if (members.size > 0 || pairs.size > 0) return;
    if (!vlan.groups.delete(formatAddress(...address))) return;
    this.bridge(vlan.bridge).groups--;
    this.groups--;
    // While engines cannot be told, a guest may join and leave as often as it likes: they hear of what they know only.
    if (!this.toldGroups.has(group)) this.changedGroups.delete(group);
  }

  // ---- Routers ----

  setRouter(vlan: Vlan, place: number, until: number): void {
    if (!vlan.routers.has(place)) {
      if (!makeRoomForRouter(vlan.routers, place)) {
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
    const heirOf = (place: number): number => destinationOf(destinationPort(place), heir);
    for (const vlan of this.vlans()) {
      for (const group of [...vlan.groups.values()]) {
        this.sources.renamePairs(group, remote, heirOf);
        for (const [place, member] of [...group.members]) {
          if (destinationRemote(place) === remote) this.inherit(group, place, heirOf(place), member);
        }
      }
      for (const [place, until] of [...vlan.routers]) {
        if (destinationRemote(place) !== remote) continue;
        const found = vlan.routers.get(heirOf(place)) ?? STOPPED;
        this.dropRouters(vlan, (one) => one === place);
        this.setRouter(vlan, heirOf(place), Math.max(until, found));
      }
    }
  }

  private inherit(group: Group, place: number, other: number, member: Member): void {
    const { vlan, address } = group;
    const { until, isExclude, proto, sources } = { ...member, sources: [...member.sources.values()] };
    this.dropMember(group, place);
    const heir = this.claim(vlan, address, other, until === NEVER);
    const found = this.find(vlan.bridge, vlan.vid, address);
    if (heir === undefined || found === undefined) return;
    if (until > heir.until) this.setEnd(found, other, heir, until);
    heir.proto = proto;
    this.setMode(found, heir, heir.isExclude || isExclude);
    for (const source of sources) this.sources.set(found, heir, source.address, source.until);
    if (heir.isExclude || heir.sources.size > 0) return;
    this.setMode(found, heir, true);
    this.setEnd(found, other, heir, Math.max(until, ...sources.map((source) => source.until)));
  }

  /** Removes every member and router that matches. */
  drop(isDoomed: Doomed, routersToo = true): void {
    for (const vlan of this.vlans()) this.dropIn(vlan, isDoomed, routersToo);
  }

  /** The same in one VLAN. */
  dropIn(vlan: Vlan, isDoomed: Doomed, routersToo = true): void {
    for (const group of vlan.groups.values()) {
      this.sources.dropPairs(group, (place, { until, proto }) => isDoomed(place, until, vlan, proto));
      for (const [place, { until, proto }] of group.members) {
        if (isDoomed(place, until, vlan, proto)) this.dropMember(group, place);
      }
    }
    if (routersToo) this.dropRouters(vlan, (place, until) => isDoomed(place, until, vlan, PROTO_KERNEL));
  }

  /** Removes an empty VLAN. */
  prune({ bridge, vid, groups, routers, queriers, own }: Vlan): void {
    if (groups.size > 0 || routers.size > 0 || queriers[4] !== null || queriers[6] !== null) return;
    if (own[4] === null && own[6] === null) this.all.get(bridge)?.vlans.delete(vid);
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

  /** `mcast_to_unicast` of a port. */
  setUnicast(port: number, isUnicast: boolean): void {
    if (this.unicastPorts.has(port) === isUnicast) return;
    if (isUnicast) this.unicastPorts.add(port);
    else this.unicastPorts.delete(port);
    for (const { groups } of this.vlans()) {
      for (const group of groups.values()) if (group.hosts.has(destinationOf(port, 0))) this.changedGroups.add(group);
    }
  }

  touchGroup(group: Group): void {
    this.changedGroups.add(group);
  }

  /**
   * Operations for the changes since the last call.
   * @param routersOf places of a VLAN's routers @param most destinations, of groups and sources, after which the others wait for the next call
   */
  operations(routersOf: (vlan: Vlan) => number[], most: number): Operation[] {
    const macOf = (place: number): number | undefined =>
      this.unicastPorts.has(destinationPort(place)) ? this.hosts.macOf(place) : undefined;
    const groups: Operation[] = [];
    let left = most;
    for (const group of this.changedGroups) {
      if (left <= 0) break;
      left -= 1 + group.members.size * (1 + group.named.size);
      this.changedGroups.delete(group);
      groups.push(this.tellGroup(group, macOf));
    }
    const routers = [...this.changedVlans].flatMap((vlan) => this.tellRouters(vlan, routersOf));
    this.changedVlans.clear();
    return [...groups, ...routers];
  }

  /** Whether groups wait for the next call of `operations`. */
  get isBehind(): boolean {
    return this.changedGroups.size > 0;
  }

  private tellGroup(group: Group, macOf: (place: number) => number | undefined): Operation {
    const operation = groupOperation(group, macOf);
    if (operation.op === 'group') this.toldGroups.add(group);
    else this.toldGroups.delete(group);
    return operation;
  }

  private tellRouters(vlan: Vlan, routersOf: (vlan: Vlan) => number[]): Operation[] {
    const operation = routersOperation(vlan, routersOf);
    const isNothing = operation.destinations.length === 0 && !operation.querier4 && !operation.querier6;
    if (isNothing) this.toldVlans.delete(vlan);
    else if (!this.toldVlans.has(vlan) && this.toldVlans.size >= MAX_VLANS) {
      // Its groups are flooded.
      this.refused++;
      return [];
    } else this.toldVlans.add(vlan);
    return [operation];
  }
}

/**
 * The sources of the members of groups, and pairs of source and group with members of their own. Bounded: where there is no room for a
 * source that a member asks for, the caller gives it the whole group, so it gets more than it asked for, never less.
 */
import { destinationPort, destinationRemote } from '../../dataplane/state/destination.js';
import type { GroupAddress } from '../../wire/group-message.js';
import { formatAddress } from '../../wire/ip-address.js';
import type { MdbCounts } from './mdb-counts.js';
import {
  type Bridge,
  type Group,
  MAX_DESTINATIONS_OF_GROUP,
  MAX_PAIRS_OF_BRIDGE,
  MAX_SOURCES_OF_BRIDGE,
  MAX_SOURCES_OF_MEMBER,
  type Member,
  NEVER,
  type PairMember,
  type Source,
  STOPPED,
} from './mdb-state.js';
import { baseOf, placesAt } from './mdb-hosts.js';
import { Ranking } from './ranking.js';

/** What it needs of the table. */
interface Table {
  refused: number;
  readonly rows: number;
  readonly counts: MdbCounts;
  bridgeOf(group: Group): Bridge;
  hasRowFor(group: Group): boolean;
  setMode(group: Group, member: Member, isExclude: boolean): void;
  setEnd(group: Group, place: number, member: Member, until: number): void;
  touchGroup(group: Group): void;
  dropIfEmpty(group: Group): void;
  countPermanent(group: Group, more: number): void;
  wake(at: number): void;
}

/** Members that give way to a learned source, at most. */
const MOST_TRIES = 64;
/** No place of a member. */
const NO_PLACE = -1;

interface Counts {
  /** Sources that members name, and pairs of source and group. */
  sources: number;
  pairs: number;
  /** The sources that members at a place have named in reports: these give way. */
  learned: Ranking;
}

export class MdbSources {
  /** Pairs of source and group of all bridges. */
  pairs = 0;
  private readonly bridges = new Map<number, Counts>();

  constructor(private readonly table: Table) {}

  /**
   * The source of a member, added if missing, with the end of its timer. STOPPED: it is blocked, in EXCLUDE.
   * @returns undefined when there is no room
   */
  set(group: Group, member: Member, address: GroupAddress, until: number): Source | undefined {
    const key = formatAddress(...address);
    const known = member.sources.get(key);
    if (known !== undefined) {
      this.setEnd(group, known, until);
      return known;
    }
    const isLearned = member.until !== NEVER;
    if (member.sources.size >= MAX_SOURCES_OF_MEMBER || (isLearned && !this.hasRoomFor(group, member, key))) {
      this.table.refused++;
      return undefined;
    }
    this.name(group, key);
    const source: Source = { address, until, asks: 0 };
    this.count(group, member.place, key, 1);
    member.sources.set(key, source);
    if (isLearned) this.countLearned(group, member.place, 1);
    if (until !== STOPPED) this.table.wake(until);
    this.table.touchGroup(group);
    return source;
  }

  /** Sets the end of a source's timer. */
  setEnd(group: Group, source: Source, until: number): void {
    if ((source.until === STOPPED) !== (until === STOPPED)) this.table.touchGroup(group);
    source.until = until;
    if (until !== STOPPED) this.table.wake(until);
  }

  delete(group: Group, member: Member, source: Source): void {
    const key = formatAddress(...source.address);
    if (!member.sources.delete(key)) return;
    this.count(group, member.place, key, -1);
    if (member.until !== NEVER) this.countLearned(group, member.place, -1);
    this.unname(group, key);
    this.table.touchGroup(group);
  }

  /** A member ends, or asks for sources no more. */
  forget(group: Group, member: Member): void {
    for (const source of [...member.sources.values()]) this.delete(group, member, source);
  }

  // ---- Pairs with members of their own ----

  findPair(group: Group | undefined, source: GroupAddress, place: number): PairMember | undefined {
    return group?.pairs.get(formatAddress(...source))?.members.get(place);
  }

  /** Adds a member to a pair, or changes it. Room is there: see `reserve`. */
  setPair(group: Group, source: GroupAddress, place: number, member: PairMember): void {
    const key = formatAddress(...source);
    const pair = group.pairs.get(key) ?? { address: source, members: new Map<number, PairMember>() };
    const before = pair.members.get(place);
    if (before === undefined) {
      if (pair.members.size === 0) this.name(group, key);
      this.count(group, place, key, 1);
    }
    group.pairs.set(key, pair);
    pair.members.set(place, member);
    this.table.countPermanent(group, Number(member.until === NEVER) - Number(before?.until === NEVER));
    if (member.until !== NEVER) this.table.wake(member.until);
    this.table.touchGroup(group);
  }

  dropPair(group: Group, source: GroupAddress, place: number): boolean {
    const key = formatAddress(...source);
    const pair = group.pairs.get(key);
    const member = pair?.members.get(place);
    if (pair === undefined || member === undefined) return false;
    pair.members.delete(place);
    this.count(group, place, key, -1);
    if (member.until === NEVER) this.table.countPermanent(group, -1);
    if (pair.members.size === 0) {
      group.pairs.delete(key);
      this.unname(group, key);
    }
    this.table.touchGroup(group);
    this.table.dropIfEmpty(group);
    return true;
  }

  dropPairs(group: Group, isDoomed: (place: number, member: PairMember) => boolean): void {
    for (const { address, members } of [...group.pairs.values()]) {
      for (const [place, member] of [...members]) {
        if (isDoomed(place, member)) this.dropPair(group, address, place);
      }
    }
  }

  /** A VTEP has another index. */
  renamePairs(group: Group, remote: number, heirOf: (place: number) => number): void {
    for (const { address, members } of [...group.pairs.values()]) {
      for (const [place, member] of [...members]) {
        if (destinationRemote(place) !== remote) continue;
        this.setPair(group, address, heirOf(place), member);
        this.dropPair(group, address, place);
      }
    }
  }

  // ---- Room ----

  /** Room for a source that a member names in a report. The place that has named most gives way, if it has more. */
  private hasRoomFor(group: Group, member: Member, key: string): boolean {
    const isEntry = hasEntry(group, member.place, key);
    if (!isEntry && !this.table.counts.hasRoom(destinationPort(member.place), group.vlan.vid)) return false;
    const counts = this.countsOf(group);
    const isNew = !group.named.has(key);
    if (isNew && !this.hasRoomIn(group, member)) return false;
    const isFull = (): boolean =>
      counts.sources >= MAX_SOURCES_OF_BRIDGE || (isNew && counts.pairs >= MAX_PAIRS_OF_BRIDGE);
    for (let tries = 0; isFull(); tries++) {
      const [place, most] = greediestOf(counts);
      const base = baseOf(member.place);
      const own = counts.learned.of(base);
      if (tries === MOST_TRIES || place === base || own + 1 >= most) return false;
      if (!this.giveUp(this.table.bridgeOf(group), place)) return false;
    }
    return !isNew || this.table.hasRowFor(group);
  }

  /** Room for one more source of a group of so many members. The member that has named most gives way, if it has more. */
  private hasRoomIn(group: Group, member: Member): boolean {
    for (let tries = 0; (group.named.size + 1) * group.members.size > MAX_DESTINATIONS_OF_GROUP; tries++) {
      const greediest = greediestIn(group);
      const isMore = greediest !== undefined && greediest.sources.size > member.sources.size + 1;
      if (tries === MOST_TRIES || !isMore) return false;
      this.giveAll(group, greediest, endOf(greediest));
    }
    return true;
  }

  /** A group has one more member: those that have named most give way. */
  makeRoomFor(group: Group): void {
    while (group.named.size * group.members.size > MAX_DESTINATIONS_OF_GROUP) {
      const greediest = greediestIn(group);
      if (greediest === undefined) return;
      this.giveAll(group, greediest, endOf(greediest));
    }
  }

  /** Whether a bridge has room for so many more sources by command, each of a group of its own, once learned ones give way. */
  couldHold(bridge: number, more: number): boolean {
    const { sources, learned } = this.countsAt(bridge);
    const lasting = sources - learned.total;
    return more <= MAX_PAIRS_OF_BRIDGE && lasting + more <= MAX_SOURCES_OF_BRIDGE;
  }

  /** Makes this room. @returns false when there is none after all */
  reserve(bridge: Bridge, more: number): boolean {
    const counts = this.countsAt(bridge.index);
    while (counts.sources + more > MAX_SOURCES_OF_BRIDGE || counts.pairs + more > MAX_PAIRS_OF_BRIDGE) {
      const [place] = greediestOf(counts);
      if (place === NO_PLACE || !this.giveUp(bridge, place)) return false;
    }
    return true;
  }

  /** The first member at a place that names sources gets every one instead. @returns false when there is none */
  private giveUp({ joined }: Bridge, place: number): boolean {
    for (const group of joined.get(place) ?? []) {
      const members = placesAt(group, place).flatMap((one) => group.members.get(one) ?? []);
      const member = members.find(({ sources, until }) => sources.size > 0 && until !== NEVER);
      if (member === undefined) continue;
      this.giveAll(group, member, endOf(member));
      return true;
    }
    return false;
  }

  /** A member gets every source, since there is no room for those that it names. */
  giveAll(group: Group, member: Member, end: number): void {
    this.forget(group, member);
    this.table.setMode(group, member, true);
    this.table.setEnd(group, member.place, member, end);
  }

  // ---- Counting ----

  /** Pairs of source and group of a bridge. */
  pairsOf(bridge: number): number {
    return this.bridges.get(bridge)?.pairs ?? 0;
  }

  /** A member becomes permanent, or is so no more: sources that a command names do not give way. */
  setLearned(group: Group, member: Member, isLearned: boolean): void {
    if ((member.until !== NEVER) === isLearned || member.sources.size === 0) return;
    this.countLearned(group, member.place, isLearned ? member.sources.size : -member.sources.size);
  }

  private countsOf({ vlan }: Group): Counts {
    return this.countsAt(vlan.bridge);
  }

  private countsAt(bridge: number): Counts {
    const known = this.bridges.get(bridge);
    if (known !== undefined) return known;
    const counts = { sources: 0, pairs: 0, learned: new Ranking() };
    this.bridges.set(bridge, counts);
    return counts;
  }

  /** A member that names a source is one entry of its port beside a pair of the same source. Called while it is in none, or one, of both. */
  private count(group: Group, place: number, key: string, more: number): void {
    this.countsOf(group).sources += more;
    if (!hasEntry(group, place, key)) this.table.counts.add(destinationPort(place), group.vlan.vid, more);
  }

  private countLearned(group: Group, place: number, more: number): void {
    this.countsOf(group).learned.add(baseOf(place), more);
  }

  private name(group: Group, key: string): void {
    const named = group.named.get(key) ?? 0;
    group.named.set(key, named + 1);
    if (named > 0) return;
    this.countsOf(group).pairs++;
    this.pairs++;
  }

  private unname(group: Group, key: string): void {
    const named = group.named.get(key) ?? 0;
    if (named > 1) {
      group.named.set(key, named - 1);
      return;
    }
    group.named.delete(key);
    this.countsOf(group).pairs--;
    this.pairs--;
  }
}

/** Whether a place is in a pair, or a member there names its source. */
export function hasEntry({ members, pairs }: Group, place: number, key: string): boolean {
  return members.get(place)?.sources.has(key) === true || pairs.get(key)?.members.has(place) === true;
}

/** When the last timer of a member ends. */
function endOf({ until, sources }: Member): number {
  return Math.max(until, ...[...sources.values()].map((source) => source.until));
}

/** The member of a group that has named most sources in reports; undefined: none has named any. */
function greediestIn({ members }: Group): Member | undefined {
  let greediest: Member | undefined;
  for (const member of members.values()) {
    if (member.until === NEVER || member.sources.size <= (greediest?.sources.size ?? 0)) continue;
    greediest = member;
  }
  return greediest;
}

/** The place that has named most sources in reports, and how many. */
function greediestOf({ learned }: Counts): readonly [number, number] {
  const { greediest } = learned;
  return greediest === null ? [NO_PLACE, 0] : [greediest.place, greediest.count];
}

/**
 * Who gives way to whom where the multicast database is full: no guest, and no bridge, keeps others out, and what was learned gives
 * way to what is added by command.
 *
 * Three things are shared: groups and members of a bridge among its places; rows of the engines' table among the bridges; learned
 * routers of a VLAN among its ports (`mdb-routers.ts`). In each the one with most gives up its earliest, as long as it has more than the
 * one who asks.
 */
import { type Bridge, type Group, MAX_MEMBERS_OF_BRIDGE, MAX_ROWS, NEVER } from './mdb-state.js';

/** Members that give way to a learned one, at most. */
const MOST_TRIES = 64;

/** What it needs of the table. */
interface Table {
  /** Rows of engines in use. */
  readonly rows: number;
  readonly sources: { pairsOf(bridge: number): number };
  bridges(): Iterable<Bridge>;
  dropMember(group: Group, place: number): void;
  dropLearnedAt(group: Group, base: number): void;
}

export class MdbRoom {
  constructor(private readonly table: Table) {}

  /** Room for a learned member. @param isNew its group is a new one */
  forLearned(bridge: Bridge, place: number, isNew: boolean): boolean {
    const isFull = (): boolean =>
      bridge.members >= MAX_MEMBERS_OF_BRIDGE || (isNew && bridge.groups >= bridge.maxGroups);
    // A group that others have joined too stays when one member gives way: then the next is tried.
    for (let tries = 0; isFull(); tries++) if (tries === MOST_TRIES || !this.giveUpFor(bridge, place)) return false;
    if (!isNew || this.forRow(bridge)) return true;
    // No bridge has more: the places of this one settle it among themselves.
    for (let tries = 0; this.table.rows >= MAX_ROWS; tries++)
      if (tries === MOST_TRIES || !this.giveUpFor(bridge, place)) return false;
    return true;
  }

  /** The place with most groups loses its earliest one, if it has more than this one would have. */
  private giveUpFor(bridge: Bridge, place: number): boolean {
    const [greediest, groups] = greediestOf(bridge);
    if (groups === undefined || (bridge.joined.get(place)?.size ?? 0) + 1 >= groups.size) return false;
    this.giveUp(greediest, groups);
    return true;
  }

  private giveUp(place: number, groups: ReadonlySet<Group>): void {
    for (const earliest of groups) {
      this.table.dropLearnedAt(earliest, place);
      return;
    }
  }

  /** Room for one more row of a bridge: the bridge with the most learned ones gives way, if it has more. */
  forRow(bridge: Bridge): boolean {
    for (let tries = 0; this.table.rows >= MAX_ROWS; tries++) {
      const most = this.bridgeWithMost();
      if (most === undefined || most === bridge || tries === MOST_TRIES) return false;
      if (this.learnedRows(most) <= this.learnedRows(bridge) + 1) return false;
      const [place, groups] = greediestOf(most);
      if (groups !== undefined) this.giveUp(place, groups);
    }
    return true;
  }

  /** Room for what is added by command, of which there may be so much: learned groups give way until it fits. */
  forCommand(bridge: Bridge, more: { groups: number; members: number; rows: number }): boolean {
    const isFull = (): boolean =>
      bridge.members + more.members > MAX_MEMBERS_OF_BRIDGE || bridge.groups + more.groups > bridge.maxGroups;
    while (isFull()) if (!this.giveUpGroup(bridge)) return false;
    while (this.table.rows + more.rows > MAX_ROWS) {
      const most = this.bridgeWithMost();
      if (most === undefined || !this.giveUpGroup(most)) return false;
    }
    return true;
  }

  /** All learned members of a group, so that its row is free. @returns false when nothing was learned */
  private giveUpGroup(bridge: Bridge): boolean {
    const [, groups] = greediestOf(bridge);
    for (const earliest of groups ?? []) {
      for (const [place, { until }] of [...earliest.members])
        if (until !== NEVER) this.table.dropMember(earliest, place);
      return true;
    }
    return false;
  }

  /** Undefined: nothing was learned anywhere. */
  private bridgeWithMost(): Bridge | undefined {
    let most: Bridge | undefined;
    for (const bridge of this.table.bridges()) {
      if (bridge.joined.size === 0) continue;
      if (most === undefined || this.learnedRows(bridge) > this.learnedRows(most)) most = bridge;
    }
    return most;
  }

  private learnedRows({ index, groups, permanentGroups }: Bridge): number {
    return groups - permanentGroups + this.table.sources.pairsOf(index);
  }
}

/** The place that has joined most groups. */
function greediestOf({ joined, ranking }: Bridge): [number, ReadonlySet<Group> | undefined] {
  const { greediest } = ranking;
  return greediest === null ? [0, undefined] : [greediest.place, joined.get(greediest.place)];
}

/** What the FDB's rules say in the plainest way: a Map of entries, and the events that each change makes. */
import {
  AGEING_NEVER,
  CAUSE_EVICTED,
  CAUSE_FLUSHED,
  CAUSE_LIMIT,
  CAUSE_NONE,
  CAUSE_REMOVED,
  EVENT_ADDED,
  EVENT_AGED,
  EVENT_CHANGED,
  EVENT_DELETED,
  EVENT_LEARNED,
  EVENT_MOVED,
  type FdbEvent,
  FLAG_ADDED,
  FLAG_EXTERN_LEARN,
  FLAG_INACTIVE,
  FLAG_LOCKED,
  FLAG_NOTIFY,
  FLAG_PERMANENT,
  FLAG_PINNED,
  FLAG_STATIC,
  FLAG_STICKY,
  FULL,
  LEARNED,
  MOVED,
  REFRESHED,
  STATIC_OTHER,
  STATIC_SAME,
} from '../../src/fdb/table.js';

export const OWNERS = 6;
export const GROUPS = 3;
/** Owner 5 ages by its own limit, 4 never; the others as their group. */
export const AGEING_OF_OWNER = [0, 0, 0, 0, AGEING_NEVER, 40];
export const AGEING_OF_GROUP = [100, 300, AGEING_NEVER];

export interface Entry {
  destination: number;
  owner: number;
  flags: number;
  stamp: number;
  moves: number;
}

/** An event without its sequence number, which the order tells. */
export type Told = Omit<FdbEvent, 'sequence'>;

/** Which of several entries, any of which may give way, the table has chosen. */
export type Chosen = (among: number[]) => number;

/** Forty keys in two FIDs, some of which differ in the first half of the MAC only. */
export const keyOf = (key: number): [high: number, low: number, fid: number] => [
  0x0200 + (key & 1),
  (key >> 2) * 0x1000193,
  1 + ((key >> 1) & 1),
];

export class Model {
  readonly entries = new Map<number, Entry>();
  readonly groupOf = [0, 0, 1, 1, 2, 0];
  readonly ownerLimit = new Array<number>(OWNERS).fill(0);
  readonly groupLimit = new Array<number>(GROUPS).fill(0);
  readonly counters = { learned: 0, moved: 0, aged: 0, refused: 0, evicted: 0 };
  /** What was told since they were last taken away. */
  told: Told[] = [];
  /** The time that changes without one of their own are dated by. */
  lastTold = 0;

  constructor(readonly capacity: number) {}

  private tell(kind: number, cause: number, key: number, entry: Entry, oldDestination: number, tick: number): void {
    const [high, low, fid] = keyOf(key);
    const { destination, flags } = entry;
    this.told.push({ kind, cause, high, low, fid, destination, oldDestination, flags, tick });
  }

  private drop(key: number, kind: number, cause: number, tick: number): void {
    const entry = this.entries.get(key);
    if (entry === undefined) throw new Error(`there is no entry ${key}`);
    this.entries.delete(key);
    this.tell(kind, cause, key, entry, entry.destination, tick);
  }

  learnedOf(owner: number): number {
    return [...this.entries.values()].filter((e) => isLearned(e) && e.owner === owner).length;
  }

  learnedIn(group: number): number {
    return [...this.entries.values()].filter((e) => isLearned(e) && this.groupOf[e.owner] === group).length;
  }

  setOf(owner: number): number {
    return [...this.entries.values()].filter((e) => !isLearned(e) && e.owner === owner).length;
  }

  /** Whether the limits hold if the entries were these. */
  private allows(owner: number): boolean {
    const group = this.groupOf[owner] as number;
    const most = this.ownerLimit[owner] as number;
    const mostOfGroup = this.groupLimit[group] as number;
    return (most === 0 || this.learnedOf(owner) < most) && (mostOfGroup === 0 || this.learnedIn(group) < mostOfGroup);
  }

  /** In a full table, the oldest of the owner that has most gives way. @returns whether there is room now */
  private makeRoom(owner: number, now: number, chosen: Chosen): boolean {
    if (this.entries.size < this.capacity) return true;
    const counts = Array.from({ length: OWNERS }, (_, each) => this.learnedOf(each));
    const most = Math.max(...counts);
    if (most === 0) return false;
    const owners = counts[owner] === most ? [owner] : counts.flatMap((count, each) => (count === most ? [each] : []));
    const oldest = owners.flatMap((each) => this.oldestOf(each, now));
    this.drop(chosen(oldest), EVENT_DELETED, CAUSE_EVICTED, now);
    this.counters.evicted++;
    return true;
  }

  private oldestOf(owner: number, now: number): number[] {
    const learned = [...this.entries].filter(([, e]) => isLearned(e) && e.owner === owner);
    const most = Math.max(...learned.map(([, { stamp }]) => age(stamp, now)));
    return learned.filter(([, { stamp }]) => age(stamp, now) === most).map(([key]) => key);
  }

  learn(key: number, destination: number, owner: number, now: number, chosen: Chosen): number {
    const entry = this.entries.get(key);
    // Neither a refresh nor a refusal takes the lock, and so they move no clock.
    const isSettled = entry !== undefined && (entry.flags & (FLAG_PERMANENT | FLAG_STICKY | FLAG_PINNED)) !== 0;
    if (entry?.destination !== destination && !isSettled) this.lastTold = now;
    if (entry === undefined) {
      if (!this.allows(owner) || !this.makeRoom(owner, now, chosen)) {
        this.counters.refused++;
        return FULL;
      }
      const fresh = { destination, owner, flags: 0, stamp: now, moves: 0 };
      this.entries.set(key, fresh);
      this.counters.learned++;
      this.tell(EVENT_LEARNED, CAUSE_NONE, key, fresh, destination, now);
      return LEARNED;
    }
    if (entry.destination === destination) {
      // A frame in the tick of the last one changes nothing.
      if (entry.stamp !== now && entry.flags & FLAG_INACTIVE) {
        entry.flags &= ~FLAG_INACTIVE;
        this.tell(EVENT_CHANGED, CAUSE_NONE, key, entry, destination, now);
      }
      entry.stamp = now;
      const ages = !(entry.flags & (FLAG_STATIC | FLAG_PERMANENT | FLAG_EXTERN_LEARN | FLAG_PINNED));
      return ages ? REFRESHED : STATIC_SAME;
    }
    if (isSettled) return STATIC_OTHER;
    if (isLearned(entry) && entry.owner !== owner && !this.allowsMove(entry.owner, owner)) {
      this.drop(key, EVENT_DELETED, CAUSE_LIMIT, now);
      this.counters.refused++;
      return FULL;
    }
    const active = entry.flags & ~(FLAG_INACTIVE | FLAG_LOCKED);
    const flags = active & FLAG_EXTERN_LEARN ? (active ^ FLAG_EXTERN_LEARN) | FLAG_ADDED : active;
    const moved = { destination, owner, flags, stamp: now, moves: entry.moves + 1 };
    this.entries.set(key, moved);
    this.counters.moved++;
    this.tell(EVENT_MOVED, CAUSE_NONE, key, moved, entry.destination, now);
    return MOVED;
  }

  /** Learns for a locked port: only what nobody knows. */
  learnLocked(key: number, destination: number, owner: number, now: number, chosen: Chosen): number {
    const entry = this.entries.get(key);
    if (entry !== undefined && entry.destination !== destination) return STATIC_OTHER;
    const told = this.told.length;
    const outcome = this.learn(key, destination, owner, now, chosen);
    const made = this.entries.get(key);
    if (outcome !== LEARNED || made === undefined) return outcome;
    made.flags = FLAG_LOCKED;
    for (const event of this.told.slice(told)) if (event.kind === EVENT_LEARNED) event.flags = FLAG_LOCKED;
    return outcome;
  }

  private allowsMove(from: number, to: number): boolean {
    const most = this.ownerLimit[to] as number;
    if (most !== 0 && this.learnedOf(to) >= most) return false;
    if (this.groupOf[from] === this.groupOf[to]) return true;
    const mostOfGroup = this.groupLimit[this.groupOf[to] as number] as number;
    return mostOfGroup === 0 || this.learnedIn(this.groupOf[to] as number) < mostOfGroup;
  }

  set(
    key: number,
    destination: number,
    owner: number,
    flags: number,
    now: number,
    chosen: Chosen,
    refreshes = true,
  ): boolean {
    this.lastTold = now;
    const entry = this.entries.get(key);
    if (entry === undefined && !this.makeRoom(owner, now, chosen)) {
      this.counters.refused++;
      return false;
    }
    // The next frame makes an inactive entry active, also in this tick.
    const fresh = flags & FLAG_INACTIVE ? (now - 1) & 0x7fffffff : now;
    const stamp = refreshes ? fresh : (entry?.stamp ?? fresh);
    const given = { destination, owner, flags: flags || FLAG_ADDED, stamp, moves: entry?.moves ?? 0 };
    this.entries.set(key, given);
    if (entry === undefined) this.tell(EVENT_ADDED, CAUSE_NONE, key, given, destination, now);
    else if (entry.destination !== destination || entry.owner !== owner || entry.flags !== given.flags)
      this.tell(EVENT_CHANGED, CAUSE_NONE, key, given, entry.destination, now);
    return true;
  }

  remove(key: number): boolean {
    if (!this.entries.has(key)) return false;
    this.drop(key, EVENT_DELETED, CAUSE_REMOVED, this.lastTold);
    return true;
  }

  flush(isMatch: (key: number, entry: Entry) => boolean): number {
    const keys = [...this.entries].filter(([key, entry]) => isMatch(key, entry)).map(([key]) => key);
    for (const key of keys) this.drop(key, EVENT_DELETED, CAUSE_FLUSHED, this.lastTold);
    return keys.length;
  }

  age(key: number, now: number): void {
    this.drop(key, EVENT_AGED, CAUSE_NONE, now);
    this.counters.aged++;
  }

  /** Whether an entry that tells so is out of use, and has not told yet. */
  isUnused(entry: Entry, now: number): boolean {
    const tells = (entry.flags & (FLAG_NOTIFY | FLAG_INACTIVE)) === FLAG_NOTIFY;
    return tells && this.stays(entry) && this.isOld(entry, now);
  }

  rest(key: number, now: number): void {
    const entry = this.entries.get(key) as Entry;
    entry.flags |= FLAG_INACTIVE;
    this.tell(EVENT_CHANGED, CAUSE_NONE, key, entry, entry.destination, now);
  }

  isExpired(entry: Entry, now: number): boolean {
    return this.stays(entry) ? false : this.isOld(entry, now);
  }

  private stays({ flags }: Entry): boolean {
    return (flags & (FLAG_STATIC | FLAG_PERMANENT | FLAG_EXTERN_LEARN | FLAG_PINNED)) !== 0;
  }

  private isOld(entry: Entry, now: number): boolean {
    const limit = AGEING_OF_OWNER[entry.owner] || (AGEING_OF_GROUP[this.groupOf[entry.owner] as number] as number);
    return limit !== AGEING_NEVER && age(entry.stamp, now) >= limit;
  }
}

/** Entries that control has not set; a locked one is learned too. */
export function isLearned({ flags }: Pick<Entry, 'flags'>): boolean {
  return flags === 0 || flags === FLAG_LOCKED;
}

function age(stamp: number, now: number): number {
  return now >= stamp ? now - stamp : now - stamp + 2 ** 31;
}

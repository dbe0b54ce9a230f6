/** The table against a Map that follows the rules in the plainest way, over random sequences of calls. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  AGEING_NEVER,
  COUNTER_AGED,
  COUNTER_ENTRIES,
  COUNTER_LEARNED,
  COUNTER_MOVED,
  COUNTER_REFUSED,
  createFdb,
  type Fdb,
  FLAG_ADDED,
  FLAG_EXTERN_LEARN,
  FLAG_PERMANENT,
  FLAG_PINNED,
  FLAG_STATIC,
  FLAG_STICKY,
  FLAGS_ALL,
  FULL,
  LEARNED,
  MOVED,
  REFRESHED,
  STATIC_OTHER,
  STATIC_SAME,
} from '../../src/fdb/table.js';

const OWNERS = 6;
const GROUPS = 3;
/** Owner 5 ages by its own limit, 4 never; the others as their group. */
const AGEING_OF_OWNER = [0, 0, 0, 0, AGEING_NEVER, 40];
const AGEING_OF_GROUP = [100, 300, AGEING_NEVER];

interface Entry {
  destination: number;
  owner: number;
  flags: number;
  stamp: number;
  moves: number;
}

type Command =
  | { do: 'learn'; key: number; owner: number; variant: number }
  | { do: 'set'; key: number; owner: number; variant: number; flags: number }
  | { do: 'remove'; key: number }
  | { do: 'wait'; ticks: number }
  | { do: 'sweep'; rows: number }
  | { do: 'flush'; owner: number | undefined; segment: number | undefined; flagsMask: number | undefined }
  | { do: 'regroup'; owner: number; group: number }
  | { do: 'limit'; owner: number; group: number; most: number };

/** Forty keys in two segments, some of which differ in the first half of the MAC only. */
const keyOf = (key: number): [high: number, low: number, segment: number] => [
  0x0200 + (key & 1),
  (key >> 2) * 0x1000193,
  1 + ((key >> 1) & 1),
];
const destinationFor = (owner: number, variant: number): number => owner * 10 + variant;

class Model {
  readonly entries = new Map<number, Entry>();
  readonly groupOf = [0, 0, 1, 1, 2, 0];
  readonly ownerLimit = new Array<number>(OWNERS).fill(0);
  readonly groupLimit = new Array<number>(GROUPS).fill(0);
  readonly counters = { learned: 0, moved: 0, aged: 0, refused: 0 };

  constructor(readonly capacity: number) {}

  learnedOf(owner: number): number {
    return [...this.entries.values()].filter((e) => e.flags === 0 && e.owner === owner).length;
  }

  learnedIn(group: number): number {
    return [...this.entries.values()].filter((e) => e.flags === 0 && this.groupOf[e.owner] === group).length;
  }

  /** Whether the limits hold if the entries were these. */
  private allows(owner: number): boolean {
    const group = this.groupOf[owner] as number;
    const most = this.ownerLimit[owner] as number;
    const mostOfGroup = this.groupLimit[group] as number;
    return (most === 0 || this.learnedOf(owner) < most) && (mostOfGroup === 0 || this.learnedIn(group) < mostOfGroup);
  }

  learn(key: number, destination: number, owner: number, now: number): number {
    const entry = this.entries.get(key);
    if (entry === undefined) {
      if (this.entries.size >= this.capacity || !this.allows(owner)) {
        this.counters.refused++;
        return FULL;
      }
      this.entries.set(key, { destination, owner, flags: 0, stamp: now, moves: 0 });
      this.counters.learned++;
      return LEARNED;
    }
    if (entry.destination === destination) {
      entry.stamp = now;
      const ages = !(entry.flags & (FLAG_STATIC | FLAG_PERMANENT | FLAG_EXTERN_LEARN | FLAG_PINNED));
      return ages ? REFRESHED : STATIC_SAME;
    }
    if (entry.flags & (FLAG_PERMANENT | FLAG_STICKY | FLAG_PINNED)) return STATIC_OTHER;
    if (entry.flags === 0 && entry.owner !== owner && !this.allowsMove(entry.owner, owner)) {
      this.entries.delete(key);
      this.counters.refused++;
      return FULL;
    }
    const flags = entry.flags & FLAG_EXTERN_LEARN ? (entry.flags ^ FLAG_EXTERN_LEARN) | FLAG_ADDED : entry.flags;
    this.entries.set(key, { destination, owner, flags, stamp: now, moves: entry.moves + 1 });
    this.counters.moved++;
    return MOVED;
  }

  private allowsMove(from: number, to: number): boolean {
    const most = this.ownerLimit[to] as number;
    if (most !== 0 && this.learnedOf(to) >= most) return false;
    if (this.groupOf[from] === this.groupOf[to]) return true;
    const mostOfGroup = this.groupLimit[this.groupOf[to] as number] as number;
    return mostOfGroup === 0 || this.learnedIn(this.groupOf[to] as number) < mostOfGroup;
  }

  set(key: number, destination: number, owner: number, flags: number, now: number): boolean {
    const entry = this.entries.get(key);
    if (entry === undefined && this.entries.size >= this.capacity) {
      this.counters.refused++;
      return false;
    }
    this.entries.set(key, { destination, owner, flags: flags || FLAG_ADDED, stamp: now, moves: entry?.moves ?? 0 });
    return true;
  }

  isExpired(entry: Entry, now: number): boolean {
    if (entry.flags & (FLAG_STATIC | FLAG_PERMANENT | FLAG_EXTERN_LEARN | FLAG_PINNED)) return false;
    const limit = AGEING_OF_OWNER[entry.owner] || (AGEING_OF_GROUP[this.groupOf[entry.owner] as number] as number);
    const age = now >= entry.stamp ? now - entry.stamp : now - entry.stamp + 2 ** 31;
    return limit !== AGEING_NEVER && age >= limit;
  }
}

class Pair {
  readonly model: Model;
  readonly fdb: Fdb;
  private readonly rowOf = new Map<number, number>();

  constructor(
    capacity: number,
    seed: number,
    private now: number,
  ) {
    this.model = new Model(capacity);
    this.fdb = createFdb({ capacity, owners: OWNERS, groups: GROUPS, seed });
    this.fdb.ageingOfOwner.set(AGEING_OF_OWNER);
    this.fdb.ageingOfGroup.set(AGEING_OF_GROUP);
    this.model.groupOf.forEach((group, owner) => {
      this.fdb.assignGroup(owner, group);
    });
  }

  run(command: Command): void {
    const { model, fdb, now } = this;
    switch (command.do) {
      case 'learn': {
        const destination = destinationFor(command.owner, command.variant);
        const outcome = model.learn(command.key, destination, command.owner, now);
        expect(fdb.learn(...keyOf(command.key), destination, command.owner, now)).toBe(outcome);
        break;
      }
      case 'set': {
        const destination = destinationFor(command.owner, command.variant);
        const outcome = model.set(command.key, destination, command.owner, command.flags, now);
        expect(fdb.set(...keyOf(command.key), destination, command.owner, command.flags, now)).toBe(outcome);
        break;
      }
      case 'remove':
        expect(fdb.remove(...keyOf(command.key))).toBe(model.entries.delete(command.key));
        break;
      case 'wait':
        this.now = (now + command.ticks) & 0x7fffffff;
        break;
      case 'sweep':
        this.sweep(command.rows);
        break;
      case 'flush':
        this.flush(command);
        break;
      case 'regroup':
        model.groupOf[command.owner] = command.group;
        fdb.assignGroup(command.owner, command.group);
        break;
      case 'limit':
        model.ownerLimit[command.owner] = command.most;
        model.groupLimit[command.group] = command.most * 2;
        fdb.ownerLimit.set(model.ownerLimit);
        fdb.groupLimit.set(model.groupLimit);
        break;
    }
    this.check();
  }

  /** A part of a round may leave expired entries, but removes no other; a whole round leaves none. */
  private sweep(rows: number): void {
    const { model, fdb, now } = this;
    const removed = fdb.sweep(now, rows);
    const expired = [...model.entries].filter(([, entry]) => model.isExpired(entry, now)).map(([key]) => key);
    const gone = expired.filter((key) => fdb.lookup(...keyOf(key)) < 0);
    expect(gone.length).toBe(removed);
    if (rows >= fdb.slots) expect(gone).toEqual(expired);
    for (const key of gone) model.entries.delete(key);
    model.counters.aged += removed;
  }

  private flush(match: {
    owner: number | undefined;
    segment: number | undefined;
    flagsMask: number | undefined;
  }): void {
    let count = 0;
    for (const [key, entry] of this.model.entries) {
      const isMatch =
        (match.owner === undefined || match.owner === entry.owner) &&
        (match.segment === undefined || match.segment === keyOf(key)[2]) &&
        (match.flagsMask === undefined || (entry.flags & match.flagsMask) === 0);
      if (isMatch) {
        this.model.entries.delete(key);
        count++;
      }
    }
    expect(this.fdb.flush({ owner: match.owner, segment: match.segment, flagsMask: match.flagsMask })).toBe(count);
  }

  private check(): void {
    const { model, fdb } = this;
    for (let key = 0; key < 40; key++) {
      const row = fdb.lookup(...keyOf(key));
      const entry = model.entries.get(key);
      expect(row >= 0).toBe(entry !== undefined);
      if (entry === undefined) {
        this.rowOf.delete(key);
        continue;
      }
      expect(this.rowOf.get(key) ?? row).toBe(row);
      this.rowOf.set(key, row);
      expect({
        destination: fdb.destinationOf(row),
        owner: fdb.ownerOf(row),
        flags: fdb.flagsOf(row),
        stamp: fdb.stampOf(row),
        moves: fdb.movesOf(row),
      }).toEqual(entry);
    }
    this.checkCounts();
    this.checkTombstones();
  }

  private checkCounts(): void {
    const { model, fdb } = this;
    for (let owner = 0; owner < OWNERS; owner++) expect(fdb.learnedByOwner[owner]).toBe(model.learnedOf(owner));
    for (let group = 0; group < GROUPS; group++) expect(fdb.learnedByGroup[group]).toBe(model.learnedIn(group));
    expect(fdb.counters[COUNTER_ENTRIES]).toBe(model.entries.size);
    expect(fdb.counters[COUNTER_LEARNED]).toBe(model.counters.learned);
    expect(fdb.counters[COUNTER_MOVED]).toBe(model.counters.moved);
    expect(fdb.counters[COUNTER_AGED]).toBe(model.counters.aged);
    expect(fdb.counters[COUNTER_REFUSED]).toBe(model.counters.refused);
  }

  /** There are as many as counted, and none without an entry that needs it. */
  private checkTombstones(): void {
    const { fdb } = this;
    const crossed = new Set<number>();
    const tombstones: number[] = [];
    for (let row = 0; row < fdb.slots; row++) {
      const segment = fdb.segmentOf(row);
      if (segment === -1) tombstones.push(row);
      if (segment <= 0) continue;
      const home = fdb.homeOf(fdb.macHighOf(row), fdb.macLowOf(row), segment);
      for (let at = home; at !== row; at = (at + 1) % fdb.slots) crossed.add(at);
    }
    expect(fdb.tombstones).toBe(tombstones.length);
    expect(tombstones.filter((row) => !crossed.has(row))).toEqual([]);
  }
}

const key = fc.nat(39);
const owner = fc.nat(OWNERS - 1);
const variant = fc.nat(1);
const flags = fc.constantFrom(
  0,
  FLAG_STATIC,
  FLAG_PERMANENT,
  FLAG_STICKY,
  FLAG_STATIC | FLAG_STICKY,
  FLAG_EXTERN_LEARN,
  FLAG_PINNED,
  FLAG_EXTERN_LEARN | FLAG_STATIC,
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('learn' as const), key, owner, variant }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('set' as const), key, owner, variant, flags }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('remove' as const), key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ticks: fc.nat(90) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sweep' as const), rows: fc.constantFrom(1, 5, 64) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('flush' as const),
      owner: fc.option(owner, { nil: undefined }),
      segment: fc.option(fc.constantFrom(1, 2), { nil: undefined }),
      flagsMask: fc.option(fc.constantFrom(FLAGS_ALL, FLAG_STATIC), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('regroup' as const), owner, group: fc.nat(GROUPS - 1) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('limit' as const), owner, group: fc.nat(GROUPS - 1), most: fc.nat(4) }),
  },
);

it('does what a plain map would do', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(8, 13, 32),
      fc.integer(),
      fc.constantFrom(0, 12_345, 2 ** 31 - 60),
      fc.array(command, { minLength: 1, maxLength: 120, size: 'max' }),
      (capacity, seed, start, commands) => {
        const pair = new Pair(capacity, seed, start);
        for (const each of commands) pair.run(each);
      },
    ),
    { numRuns: 150 },
  );
}, 60_000);

/** The table against a Map that follows the rules in the plainest way, over random sequences of calls. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { viewsOf } from '../../src/fdb/layout.js';
import {
  COUNTER_AGED,
  COUNTER_ENTRIES,
  COUNTER_EVICTED,
  COUNTER_LEARNED,
  COUNTER_MOVED,
  COUNTER_REFUSED,
  createFdb,
  type Fdb,
  FdbEvents,
  FdbReader,
  FLAG_EXTERN_LEARN,
  FLAG_INACTIVE,
  FLAG_LOCKED,
  FLAG_NOTIFY,
  FLAG_PERMANENT,
  FLAG_PINNED,
  FLAG_ROUTER,
  FLAG_STATIC,
  FLAG_STICKY,
  FLAGS_ALL,
  FLAGS_SET,
} from '../../src/fdb/table.js';
import { AGEING_OF_GROUP, AGEING_OF_OWNER, GROUPS, isLearned, keyOf, Model, OWNERS, type Told } from './reference.js';
import { ringOf } from './table-inspection.js';

/** The same cases each time; others with OVERTAP_SEED. */
const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_121);

type Command =
  | { do: 'learn'; key: number; owner: number; variant: number }
  | { do: 'learn locked'; key: number; owner: number; variant: number }
  | { do: 'set'; key: number; owner: number; variant: number; flags: number; refreshes: boolean }
  | { do: 'remove'; key: number }
  | { do: 'wait'; ticks: number }
  | { do: 'sweep'; rows: number }
  | { do: 'flush'; owner: number | undefined; fid: number | undefined; flagsMask: number | undefined }
  | { do: 'regroup'; owner: number; group: number }
  | { do: 'limit'; owner: number; group: number; most: number };

const destinationFor = (owner: number, variant: number): number => owner * 10 + variant;

/** As `expect(is).toBe(wanted)`, which takes too long for a comparison that is made half a million times. */
function same(is: unknown, wanted: unknown): void {
  if (!Object.is(is, wanted)) expect(is).toBe(wanted);
}

class Pair {
  readonly model: Model;
  readonly fdb: Fdb;
  private readonly events: FdbEvents;
  private readonly reader: FdbReader;
  private readonly rowOf = new Map<number, number>();

  constructor(
    capacity: number,
    seed: number,
    private now: number,
  ) {
    this.model = new Model(capacity);
    this.fdb = createFdb({ capacity, owners: OWNERS, groups: GROUPS, seed });
    this.events = FdbEvents.attach(this.fdb.memory);
    this.reader = new FdbReader(this.fdb.memory);
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
        const outcome = fdb.learn(...keyOf(command.key), destination, command.owner, now);
        expect(outcome).toBe(model.learn(command.key, destination, command.owner, now, this.chosen));
        break;
      }
      case 'learn locked': {
        const destination = destinationFor(command.owner, command.variant);
        const outcome = fdb.learnLocked(...keyOf(command.key), destination, command.owner, now);
        expect(outcome).toBe(model.learnLocked(command.key, destination, command.owner, now, this.chosen));
        break;
      }
      case 'set': {
        const destination = destinationFor(command.owner, command.variant);
        const { key: at, owner: to, flags: how, refreshes } = command;
        const done = fdb.set(...keyOf(at), destination, to, how, now, refreshes);
        expect(done).toBe(model.set(at, destination, to, how, now, this.chosen, refreshes));
        break;
      }
      case 'remove':
        expect(fdb.remove(...keyOf(command.key))).toBe(model.remove(command.key));
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

  /** The one that the table has let go of several entries that may all give way. */
  private readonly chosen = (among: number[]): number => {
    const gone = among.filter((key) => this.fdb.lookup(...keyOf(key)) < 0);
    expect(gone).toHaveLength(1);
    return gone[0] as number;
  };

  /** A part of a round may leave expired entries, but removes no other; a whole round leaves none. */
  private sweep(rows: number): void {
    const { model, fdb, now } = this;
    const removed = fdb.sweep(now, rows);
    const expired = [...model.entries].filter(([, entry]) => model.isExpired(entry, now)).map(([key]) => key);
    const gone = expired.filter((key) => fdb.lookup(...keyOf(key)) < 0);
    expect(gone.length).toBe(removed);
    if (rows >= fdb.slots) expect(gone).toEqual(expired);
    model.lastTold = now;
    for (const key of gone) model.age(key, now);
    const unused = [...model.entries].filter(([, entry]) => model.isUnused(entry, now)).map(([key]) => key);
    const told = unused.filter((key) => (fdb.flagsOf(fdb.lookup(...keyOf(key))) & FLAG_INACTIVE) !== 0);
    if (rows >= fdb.slots) expect(told).toEqual(unused);
    for (const key of told) model.rest(key, now);
  }

  private flush(match: { owner: number | undefined; fid: number | undefined; flagsMask: number | undefined }): void {
    const count = this.model.flush(
      (key, entry) =>
        (match.owner === undefined || match.owner === entry.owner) &&
        (match.fid === undefined || match.fid === keyOf(key)[2]) &&
        (match.flagsMask === undefined || (entry.flags & match.flagsMask) === 0),
    );
    expect(this.fdb.flush({ owner: match.owner, fid: match.fid, flagsMask: match.flagsMask })).toBe(count);
  }

  private check(): void {
    const { model, fdb } = this;
    for (let key = 0; key < 40; key++) {
      const row = fdb.lookup(...keyOf(key));
      const entry = model.entries.get(key);
      same(row >= 0, entry !== undefined);
      const read = this.reader.find(...keyOf(key));
      if (entry === undefined) {
        same(read, null);
        this.rowOf.delete(key);
        continue;
      }
      const [high, low, fid] = keyOf(key);
      if (!isDeepStrictEqual(read, { row, high, low, fid, ...entry }))
        expect(read).toEqual({ row, high, low, fid, ...entry });
      same(this.rowOf.get(key) ?? row, row);
      this.rowOf.set(key, row);
    }
    this.checkCounts();
    this.checkTombstones();
    this.checkRings();
    this.checkEvents();
  }

  /** Each ring holds the learned entries of its owner, each once; the owner with most is on top. */
  private checkRings(): void {
    for (let owner = 0; owner < OWNERS; owner++) {
      const learned = [...this.model.entries].filter(([, entry]) => isLearned(entry) && entry.owner === owner);
      const rows = learned.map(([key]) => this.fdb.lookup(...keyOf(key)));
      expect(ringOf(this.fdb.memory, owner)).toEqual(rows.sort((a, b) => a - b));
    }
    const { ranking } = viewsOf(this.fdb.memory);
    const counts = [...this.fdb.learnedByOwner];
    expect(counts[ranking[0] as number]).toBe(Math.max(...counts));
  }

  /** Every change has been told, once; the order is that of the changes, but for those of one sweep or flush. */
  private checkEvents(): void {
    const told: Told[] = [];
    expect(this.events.read(({ sequence, ...event }) => void told.push(event))).toBe(0);
    const inOrder = (events: Told[]): string[] =>
      events.map((event) => JSON.stringify(event, Object.keys(event).sort()));
    expect(inOrder(told).sort()).toEqual(inOrder(this.model.told).sort());
    this.model.told = [];
  }

  private checkCounts(): void {
    const { model, fdb } = this;
    for (let owner = 0; owner < OWNERS; owner++) same(fdb.learnedByOwner[owner], model.learnedOf(owner));
    for (let owner = 0; owner < OWNERS; owner++) same(this.reader.setByOwner[owner], model.setOf(owner));
    for (let group = 0; group < GROUPS; group++) same(fdb.learnedByGroup[group], model.learnedIn(group));
    same(fdb.counters[COUNTER_ENTRIES], model.entries.size);
    same(fdb.counters[COUNTER_LEARNED], model.counters.learned);
    same(fdb.counters[COUNTER_MOVED], model.counters.moved);
    same(fdb.counters[COUNTER_AGED], model.counters.aged);
    same(fdb.counters[COUNTER_REFUSED], model.counters.refused);
    same(fdb.counters[COUNTER_EVICTED], model.counters.evicted);
  }

  /** There are as many as counted, and none without an entry that needs it. */
  private checkTombstones(): void {
    const { fdb } = this;
    const crossed = new Set<number>();
    const tombstones: number[] = [];
    for (let row = 0; row < fdb.slots; row++) {
      const fid = fdb.fidAt(row);
      if (fid === -1) tombstones.push(row);
      if (fid <= 0) continue;
      const home = fdb.homeOf(fdb.macHighOf(row), fdb.macLowOf(row), fid);
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
  FLAG_STATIC | FLAG_NOTIFY,
  FLAG_STATIC | FLAG_NOTIFY | FLAG_INACTIVE,
  FLAG_PERMANENT | FLAG_NOTIFY | FLAG_ROUTER,
  FLAG_EXTERN_LEARN | FLAG_NOTIFY,
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('learn' as const), key, owner, variant }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('learn locked' as const), key, owner, variant }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('set' as const), key, owner, variant, flags, refreshes: fc.boolean() }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('remove' as const), key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ticks: fc.nat(90) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sweep' as const), rows: fc.constantFrom(1, 5, 64) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('flush' as const),
      owner: fc.option(owner, { nil: undefined }),
      fid: fc.option(fc.constantFrom(1, 2), { nil: undefined }),
      flagsMask: fc.option(fc.constantFrom(FLAGS_ALL, FLAGS_SET, FLAG_LOCKED, FLAG_STATIC), { nil: undefined }),
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
    { numRuns: 80, seed: SEED },
  );
}, 60_000);

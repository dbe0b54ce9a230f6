/**
 * The FDB's memory: one SharedArrayBuffer with header, counters, limits, rows, the order of eviction (`eviction.ts`) and events
 * (`events.ts`).
 *
 *   byte 0      64         128                                       rows
 *        +------+----------+---------------------------+-------------+-----------------+-----------------+------------+
 *        |header| counters | by owner: 9 arrays        | by group: 3 | slots x 8 words | slots x 4 words | events     |
 *        +------+----------+---------------------------+-------------+-----------------+-----------------+------------+
 *
 *   word of a row   0        1                         2        3            4      5      6        7
 *                   +--------+------------+------------+--------+------------+------+------+--------+------+
 *                   | MAC,   | flags,     | MAC, first | FID| destination| stamp| moves| version| owner|
 *                   | last 4 | high 16 b. | 2 bytes    |        |            |      |      |        |      |
 *                   +--------+------------+------------+--------+------------+------+------+--------+------+
 *
 * Defines places and values only; `store.ts` reads and changes rows.
 */
import { allocate, checkRange, HEAD_OWN, HEAD_SLOTS, headerOf, Layout, powerOfTwo } from '../shared-memory/memory.js';

export { HEAD_LOCK, HEAD_SEED, HEAD_SLOTS } from '../shared-memory/memory.js';
export { EMPTY as FID_EMPTY } from '../shared-memory/probing.js';

/** Words of a row; 32 bytes, so that two rows fill a cache line and none straddles two. */
export const ROW_WORDS = 8;
/** Shift from a row's index to its first word. */
export const ROW_SHIFT = 3;
export const ROW_MAC_LOW = 0;
/** First two bytes of the MAC in bits 0-15, FLAG_* in bits 16-31. */
export const ROW_MAC_HIGH = 1;
/** EMPTY, TOMBSTONE (`probing.ts`), or a FID (at least 1). */
export const ROW_FID = 2;
export const ROW_DESTINATION = 3;
/** Tick of the last refresh. */
export const ROW_STAMP = 4;
/** Number of moves by learning. */
export const ROW_MOVES = 5;
/** Even: stable. Odd: being written. */
export const ROW_VERSION = 6;
export const ROW_OWNER = 7;

/** Words beside a row, for the ring of its owner's learned entries; 16 bytes. */
export const RING_WORDS = 4;
/** Shift from a row's index to its first word beside. */
export const RING_SHIFT = 2;
export const RING_NEXT = 0;
export const RING_PREVIOUS = 1;
/** The entry's stamp when the hand last passed it, or when it was added to the ring. */
export const RING_NOTED = 2;

/** Words of an event; see `events.ts`. */
export const EVENT_WORDS = 8;
export const EVENT_SHIFT = 3;

/** Never aged. A frame from a local port moves it, and it stays static (Linux `br_fdb_update`); a frame from a remote does not. */
export const FLAG_STATIC = 1;
/** Never aged, never moves: a local address. */
export const FLAG_PERMANENT = 2;
/** Never moves by learning. */
export const FLAG_STICKY = 4;
/** Added by a control program: never aged. A move by learning replaces the flag by FLAG_ADDED, so that it ages. */
export const FLAG_EXTERN_LEARN = 8;
/** A static entry with a remote: never aged, never moves by learning. */
export const FLAG_PINNED = 16;
/** Set by control without another flag: ages like a learned entry, but no limit counts it. */
export const FLAG_ADDED = 32;
/** Kept for listings only (NTF_ROUTER). */
export const FLAG_ROUTER = 64;
/** Never-ageing entries with it become FLAG_INACTIVE, with an event, where others would age, and active with the next frame. */
export const FLAG_NOTIFY = 128;
export const FLAG_INACTIVE = 256;
/**
 * Learned on a locked port with MAC authentication bypass (MAB): frames from the MAC are not let in there (Linux BR_FDB_LOCKED). It ages
 * and counts as a learned entry; a move to another port clears the flag, and so does control.
 */
export const FLAG_LOCKED = 512;

/** An entry with any of these never ages. */
export const FLAGS_NEVER_AGED = FLAG_STATIC | FLAG_PERMANENT | FLAG_EXTERN_LEARN | FLAG_PINNED;
/** An entry with any of these is never moved by learning. */
export const FLAGS_NEVER_MOVED = FLAG_PERMANENT | FLAG_STICKY | FLAG_PINNED;
/** An entry without any of these is a learned one: only control gives them. */
export const FLAGS_SET = FLAGS_NEVER_AGED | FLAGS_NEVER_MOVED | FLAG_ADDED | FLAG_ROUTER | FLAG_NOTIFY | FLAG_INACTIVE;
/** All flags. */
export const FLAGS_ALL = FLAGS_SET | FLAG_LOCKED;

/** Whether the word ROW_MAC_HIGH of an entry is that of a learned one. */
export function isLearnedWord(word: number): boolean {
  return (word & (FLAGS_SET << 16)) === 0;
}

/** An ageing limit that no entry reaches. */
export const AGEING_NEVER = 0x7fffffff;
/** Initial ageing limit of a group: 300 s in ticks of 100 ms, as in Linux. */
export const AGEING_DEFAULT = 3000;

/** Indices into the counters. */
export const COUNTER_ENTRIES = 0;
export const COUNTER_LEARNED = 1;
export const COUNTER_MOVED = 2;
export const COUNTER_AGED = 3;
export const COUNTER_REFUSED = 4;
/** Learned entries evicted from a full table. */
export const COUNTER_EVICTED = 5;
const COUNTERS = 8;

/** Words of the header, after the common ones. */
export const HEAD_CAPACITY = HEAD_OWN;
export const HEAD_OWNERS = HEAD_OWN + 1;
export const HEAD_GROUPS = HEAD_OWN + 2;
/** The row at which the next sweep starts. */
export const HEAD_CURSOR = HEAD_OWN + 3;
export const HEAD_TOMBSTONES = HEAD_OWN + 4;
/** The last tick that a caller has passed in; events of changes without a tick (removals) have it. */
export const HEAD_TICK = HEAD_OWN + 5;
/** Number of events so far, modulo 2^32: the sequence number of the next one. */
export const HEAD_EVENTS = HEAD_OWN + 6;
/** Events that are kept, a power of two. */
export const HEAD_EVENT_ROOM = HEAD_OWN + 7;
/** The row at which the next sample of `eviction.ts` starts. */
export const HEAD_SAMPLE = HEAD_OWN + 8;

/** "FDB" and the version of this layout. */
const MAGIC = 0x46444203;
const NOT_AN_FDB = 'This memory is not an FDB: pass what createFdb(...).memory holds';

export const CAPACITY_MAX = 1_048_576;
const EVENTS_MIN = 4;
const EVENTS_MAX = 1_048_576;
const SLOTS_MIN = 8;

export interface FdbOptions {
  /** Most entries, 1 to 1,048,576. Default 65,536. */
  capacity?: number | undefined;
  /** Owners are 0 to one less than this. Default 1024. */
  owners?: number | undefined;
  /** Groups are 0 to one less than this. Default 256. */
  groups?: number | undefined;
  /** Places for events, rounded up to a power of two of at least 4; 1 to 1,048,576. Default 16,384. */
  events?: number | undefined;
  /**
   * Any integer; makes the hash unpredictable, so that a guest cannot choose colliding MACs. Random outside of tests.
   * Default 0.
   */
  seed?: number | undefined;
}

/** The views on an FDB's memory. */
export interface FdbViews {
  readonly header: Int32Array;
  readonly counters: Float64Array;
  readonly ownerLimit: Int32Array;
  readonly groupOfOwner: Int32Array;
  readonly ageingOfOwner: Int32Array;
  readonly learnedByOwner: Int32Array;
  /** Number of entries with a flag of FLAGS_SET, which were set by control. */
  readonly setByOwner: Int32Array;
  /** Owners by number of learned entries, most first, as a binary heap; and the place of each owner in it. See `ranking.ts`. */
  readonly ranking: Int32Array;
  readonly rankOfOwner: Int32Array;
  /** One more than the row that the hand of an owner's ring points at; 0: the ring is empty. */
  readonly handOfOwner: Int32Array;
  /** No learned entry of the owner has an older stamp. */
  readonly oldestOfOwner: Int32Array;
  readonly groupLimit: Int32Array;
  readonly ageingOfGroup: Int32Array;
  readonly learnedByGroup: Int32Array;
  readonly rows: Int32Array;
  readonly rings: Int32Array;
  readonly events: Int32Array;
}

/**
 * Allocates and fills an empty FDB's memory.
 * @throws RangeError when an option is out of range
 */
export function createMemory(options: FdbOptions): SharedArrayBuffer {
  const capacity = checkRange('FDB capacity', options.capacity ?? 65_536, 1, CAPACITY_MAX);
  const owners = checkRange('FDB owners', options.owners ?? 1024, 1, 1 << 20);
  const groups = checkRange('FDB groups', options.groups ?? 256, 1, 1 << 20);
  const slots = powerOfTwo(Math.max(SLOTS_MIN, capacity * 2));
  const kept = checkRange('FDB events', options.events ?? 16_384, 1, EVENTS_MAX);
  const events = powerOfTwo(Math.max(EVENTS_MIN, kept));
  const lay = (layout: Layout): unknown => arraysOf(layout, slots, owners, groups, events);
  const memory = allocate(lay, MAGIC, slots, options.seed ?? 0);
  const header = headerOf(memory, MAGIC, NOT_AN_FDB);
  header[HEAD_CAPACITY] = capacity;
  header[HEAD_OWNERS] = owners;
  header[HEAD_GROUPS] = groups;
  header[HEAD_EVENT_ROOM] = events;
  const views = viewsOf(memory);
  views.ageingOfGroup.fill(AGEING_DEFAULT);
  for (let owner = 0; owner < owners; owner++) {
    views.ranking[owner] = owner;
    views.rankOfOwner[owner] = owner;
  }
  return memory;
}

/** @throws TypeError when the memory is not an FDB's */
export function viewsOf(memory: SharedArrayBuffer): FdbViews {
  const header = headerOf(memory, MAGIC, NOT_AN_FDB);
  const [slots, owners, groups] = [header[HEAD_SLOTS], header[HEAD_OWNERS], header[HEAD_GROUPS]];
  return { header, ...arraysOf(new Layout(memory), slots, owners, groups, header[HEAD_EVENT_ROOM]) };
}

function arraysOf(
  layout: Layout,
  slots: number,
  owners: number,
  groups: number,
  events: number,
): Omit<FdbViews, 'header'> {
  const limits = {
    counters: layout.float64(COUNTERS),
    ownerLimit: layout.int32(owners),
    groupOfOwner: layout.int32(owners),
    ageingOfOwner: layout.int32(owners),
    learnedByOwner: layout.int32(owners),
    setByOwner: layout.int32(owners),
    ranking: layout.int32(owners),
    rankOfOwner: layout.int32(owners),
    handOfOwner: layout.int32(owners),
    oldestOfOwner: layout.int32(owners),
    groupLimit: layout.int32(groups),
    ageingOfGroup: layout.int32(groups),
    learnedByGroup: layout.int32(groups),
  };
  layout.alignToLine();
  return {
    ...limits,
    rows: layout.int32(slots * ROW_WORDS),
    rings: layout.int32(slots * RING_WORDS),
    events: layout.int32(events * EVENT_WORDS),
  };
}

/** The row at which the search for a key begins. @param mask rows of the table, less one */
export function homeRow(high: number, low: number, fid: number, seed: number, mask: number): number {
  let h = Math.imul(low ^ seed, 0x9e3779b1);
  h = Math.imul((h ^ (h >>> 15)) + high + Math.imul(fid, 0x27d4eb2f), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) & mask;
}

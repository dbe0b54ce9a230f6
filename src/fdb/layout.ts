/**
 * The FDB's memory: one SharedArrayBuffer that holds a header, counters, limits and rows, and beside the rows what says
 * which of them gives way when there is no room (`eviction.ts`), and what has happened (`events.ts`).
 *
 *   byte 0      64         128                                       rows
 *        +------+----------+---------------------------+-------------+-----------------+-----------------+------------+
 *        |header| counters | by owner: 9 arrays        | by group: 3 | slots x 8 words | slots x 4 words | events     |
 *        +------+----------+---------------------------+-------------+-----------------+-----------------+------------+
 *
 *   word of a row   0        1                         2        3            4      5      6        7
 *                   +--------+------------+------------+--------+------------+------+------+--------+------+
 *                   | MAC,   | flags,     | MAC, first | segment| destination| stamp| moves| version| owner|
 *                   | last 4 | high 16 b. | 2 bytes    |        |            |      |      |        |      |
 *                   +--------+------------+------------+--------+------------+------+------+--------+------+
 *
 * Owns where each word lies and what its values mean. It never reads or changes a row: `store.ts` does.
 */

/** Words of a row; 32 bytes, so that two rows fill a cache line and none straddles two. */
export const ROW_WORDS = 8;
/** Shift from a row's index to its first word. */
export const ROW_SHIFT = 3;
export const ROW_MAC_LOW = 0;
/** First two bytes of the MAC in bits 0-15, FLAG_* in bits 16-31. */
export const ROW_MAC_HIGH = 1;
/** SEGMENT_EMPTY, SEGMENT_TOMBSTONE, or a segment from 1 on. */
export const ROW_SEGMENT = 2;
export const ROW_DESTINATION = 3;
/** The clock's tick at which the entry was last refreshed. */
export const ROW_STAMP = 4;
/** How often learning gave the entry another destination. */
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
/** The entry's stamp when the hand last passed it, or when it came into the ring. */
export const RING_NOTED = 2;

/** Words of an event; see `events.ts`. */
export const EVENT_WORDS = 8;
export const EVENT_SHIFT = 3;

export const SEGMENT_EMPTY = 0;
/** A removed row that others were probed past: searches go on, insertions reuse it. */
export const SEGMENT_TOMBSTONE = -1;

/** Never aged; moves by learning and stays static, as in Linux `br_fdb_update`. */
export const FLAG_STATIC = 1;
/** Never aged, never moves: a local address. */
export const FLAG_PERMANENT = 2;
/** Never moves by learning. */
export const FLAG_STICKY = 4;
/** Put in by a control program: never aged. Learning may move it, and then takes it over: the flag goes, it ages. */
export const FLAG_EXTERN_LEARN = 8;
/** A static entry with a remote: never aged, never moves by learning. */
export const FLAG_PINNED = 16;
/** Ages like a learned entry, but was set by control, so that no limit counts it. `set` gives it where no flag is asked. */
export const FLAG_ADDED = 32;

/** Any of these keeps an entry from ageing. */
export const FLAGS_NEVER_AGED = FLAG_STATIC | FLAG_PERMANENT | FLAG_EXTERN_LEARN | FLAG_PINNED;
/** Any of these keeps an entry from moving by learning. */
export const FLAGS_NEVER_MOVED = FLAG_PERMANENT | FLAG_STICKY | FLAG_PINNED;
/** Flags that `set` accepts. */
export const FLAGS_ALL = FLAGS_NEVER_AGED | FLAGS_NEVER_MOVED | FLAG_ADDED;

/** An ageing limit that no entry reaches. */
export const AGEING_NEVER = 0x7fffffff;
/** The ageing limit a group starts with: 300 s in ticks of 100 ms, as in Linux. */
export const AGEING_DEFAULT = 3000;

/** Indices into the counters. */
export const COUNTER_ENTRIES = 0;
export const COUNTER_LEARNED = 1;
export const COUNTER_MOVED = 2;
export const COUNTER_AGED = 3;
export const COUNTER_REFUSED = 4;
/** Learned entries that gave way to others in a full table. */
export const COUNTER_EVICTED = 5;
const COUNTERS = 8;

/** Words of the header. */
export const HEAD_MAGIC = 0;
export const HEAD_CAPACITY = 1;
export const HEAD_SLOTS = 2;
export const HEAD_OWNERS = 3;
export const HEAD_GROUPS = 4;
export const HEAD_SEED = 5;
/** The row at which the next sweep starts. */
export const HEAD_CURSOR = 6;
export const HEAD_TOMBSTONES = 7;
/** 1 while a thread changes which rows hold what; see `lock.ts`. */
export const HEAD_LOCK = 8;
/** The clock as the table was last told it; what has no clock of its own (a removal) dates its event by it. */
export const HEAD_TICK = 9;
/** Number of events so far, modulo 2^32: the sequence number of the next one. */
export const HEAD_EVENTS = 10;
/** Events that are kept, a power of two. */
export const HEAD_EVENT_ROOM = 11;
/** The row at which the next sample of `eviction.ts` starts. */
export const HEAD_SAMPLE = 12;
const HEAD_WORDS = 16;

/** "FDB" and the version of this layout. */
const MAGIC = 0x46444202;

export const CAPACITY_MAX = 1_048_576;
const EVENTS_MIN = 4;
const EVENTS_MAX = 1_048_576;
/** Most rows that a search looks at. */
export const PROBE_LIMIT = 256;
const SLOTS_MIN = 8;
const LINE = 64;

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
   * Any integer; makes the hash unforeseeable, so that a guest cannot choose MACs that all collide. Give a random one
   * outside of tests. Default 0.
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
  /** Entries with a flag: those that control has set. */
  readonly setByOwner: Int32Array;
  /** Owners by number of learned entries, most first, as a binary heap; and where each stands in it. See `ranking.ts`. */
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
  const capacity = checkRange('capacity', options.capacity ?? 65_536, CAPACITY_MAX);
  const owners = checkRange('owners', options.owners ?? 1024, 1 << 20);
  const groups = checkRange('groups', options.groups ?? 256, 1 << 20);
  const slots = powerOfTwo(Math.max(SLOTS_MIN, capacity * 2));
  const events = powerOfTwo(Math.max(EVENTS_MIN, checkRange('events', options.events ?? 16_384, EVENTS_MAX)));
  const words = slots * (ROW_WORDS + RING_WORDS) + events * EVENT_WORDS;
  const memory = new SharedArrayBuffer(rowsOffset(owners, groups) + words * 4);
  const header = new Int32Array(memory, 0, HEAD_WORDS);
  header[HEAD_MAGIC] = MAGIC;
  header[HEAD_CAPACITY] = capacity;
  header[HEAD_SLOTS] = slots;
  header[HEAD_OWNERS] = owners;
  header[HEAD_GROUPS] = groups;
  header[HEAD_SEED] = options.seed ?? 0;
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
  const header = memory.byteLength >= HEAD_WORDS * 4 ? new Int32Array(memory, 0, HEAD_WORDS) : new Int32Array(1);
  if (header[HEAD_MAGIC] !== MAGIC)
    throw new TypeError('This memory is not an FDB: pass what createFdb(...).memory holds');
  const owners = header[HEAD_OWNERS];
  const groups = header[HEAD_GROUPS];
  const slots = header[HEAD_SLOTS];
  let at = HEAD_WORDS * 4 + COUNTERS * 8;
  const take = (length: number): Int32Array => {
    const array = new Int32Array(memory, at, length);
    at += length * 4;
    return array;
  };
  const byOwner = {
    ownerLimit: take(owners),
    groupOfOwner: take(owners),
    ageingOfOwner: take(owners),
    learnedByOwner: take(owners),
    setByOwner: take(owners),
    ranking: take(owners),
    rankOfOwner: take(owners),
    handOfOwner: take(owners),
    oldestOfOwner: take(owners),
  };
  const byGroup = { groupLimit: take(groups), ageingOfGroup: take(groups), learnedByGroup: take(groups) };
  at = rowsOffset(owners, groups);
  return {
    header,
    counters: new Float64Array(memory, HEAD_WORDS * 4, COUNTERS),
    ...byOwner,
    ...byGroup,
    rows: take(slots * ROW_WORDS),
    rings: take(slots * RING_WORDS),
    events: take(header[HEAD_EVENT_ROOM] * EVENT_WORDS),
  };
}

/** The row at which the search for a key begins. @param mask rows of the table, less one */
export function homeRow(high: number, low: number, segment: number, seed: number, mask: number): number {
  let h = Math.imul(low ^ seed, 0x9e3779b1);
  h = Math.imul((h ^ (h >>> 15)) + high + Math.imul(segment, 0x27d4eb2f), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) & mask;
}

function rowsOffset(owners: number, groups: number): number {
  const end = HEAD_WORDS * 4 + COUNTERS * 8 + (owners * 9 + groups * 3) * 4;
  return Math.ceil(end / LINE) * LINE;
}

function powerOfTwo(least: number): number {
  let size = 1;
  while (size < least) size *= 2;
  return size;
}

function checkRange(name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new RangeError(`FDB ${name} is ${value}: give an integer from 1 to ${max}`);
}

/**
 * The neighbour table's memory: one SharedArrayBuffer that holds a header, counters, counts by port, and rows.
 *
 *   byte 0      64         128                 rows
 *        +------+----------+-------------------+-----------------+
 *        |header| counters | by port: 2 arrays | slots x 16 words|
 *        +------+----------+-------------------+-----------------+
 *
 *   word of a row   0        1 .. 4    5                        6        7     8      9        10       11
 *                   +--------+---------+------------+-----------+--------+-----+------+--------+--------+-------+------+
 *                   | segment| address | flags,     | MAC, first| MAC,   | port| stamp| version| changes| since | none |
 *                   |        |         | high 16 b. | 2 bytes   | last 4 |     |      |        |        |       |      |
 *                   +--------+---------+------------+-----------+--------+-----+------+--------+--------+-------+------+
 *
 * An address is four words, IPv4 mapped into ::ffff:0:0/96. Beside the bindings there is a row for each MAC that some
 * binding calls a router's: its segment has ROUTERS set, its address begins with the MAC, and word 10 counts the bindings.
 *
 * Owns where each word lies and what its values mean. It never reads or changes a row: `store.ts` does.
 */

/** Words of a row; 64 bytes, a cache line. */
export const ROW_WORDS = 16;
/** Shift from a row's index to its first word. */
export const ROW_SHIFT = 4;
/** SEGMENT_EMPTY, SEGMENT_TOMBSTONE, or a segment from 1 on. */
export const ROW_SEGMENT = 0;
export const ROW_ADDRESS = 1;
/** First two bytes of the MAC in bits 0-15, NEIGH_* flags in bits 16-31. */
export const ROW_MAC_HIGH = 5;
export const ROW_MAC_LOW = 6;
export const ROW_PORT = 7;
/** Tick at which the binding was last heard, or set. */
export const ROW_STAMP = 8;
/** Even: stable. Odd: being written. */
export const ROW_VERSION = 9;
/** How often the MAC has changed since ROW_SINCE; of a router's row: how many bindings name it. */
export const ROW_CHANGES = 10;
/** Tick of the first of these changes; while the binding is disputed, of the last claim that was not let through. */
export const ROW_SINCE = 11;

export const SEGMENT_EMPTY = 0;
/** A removed row that others were probed past: searches go on, insertions reuse it. */
export const SEGMENT_TOMBSTONE = -1;
/** In the segment of a row that stands for a router's MAC. */
export const ROUTERS = 1 << 28;

/** Put in by hand: never aged, never changed by what is heard. */
export const NEIGH_MANUAL = 1;
/** The neighbour is a router. */
export const NEIGH_ROUTER = 2;
/** Heard through the tunnel, not on a local port. */
export const NEIGH_TUNNEL = 4;
/** Several MACs claim the address; the binding stays as it is until they have calmed down. */
export const NEIGH_DISPUTED = 8;

/** Indices into the counters. */
export const COUNTER_ENTRIES = 0;
export const COUNTER_LEARNED = 1;
export const COUNTER_CHANGED = 2;
export const COUNTER_AGED = 3;
/** Bindings that found no room. */
export const COUNTER_REFUSED = 4;
/** Learned bindings that gave way to others in a full table. */
export const COUNTER_EVICTED = 5;
export const COUNTER_CONFLICTS = 6;
/** Rows in use: bindings and routers. */
export const COUNTER_ROWS = 7;
const COUNTERS = 8;

/** Words of the header. */
export const HEAD_MAGIC = 0;
export const HEAD_CAPACITY = 1;
export const HEAD_SLOTS = 2;
export const HEAD_PORTS = 3;
export const HEAD_SEED = 4;
export const HEAD_AGEING = 5;
/** The row at which the next sweep starts. */
export const HEAD_CURSOR = 6;
/** The row at which the next search for what may give way starts. */
export const HEAD_SAMPLE = 7;
/** 1 while a thread changes which rows hold what; see `lock.ts`. */
export const HEAD_LOCK = 8;
const HEAD_WORDS = 16;

/** "NEI" and the version of this layout. */
const MAGIC = 0x4e454901;

/** Most rows that a search looks at. */
export const PROBE_LIMIT = 256;
export const NEIGH_CAPACITY = 16_384;
export const NEIGH_CAPACITY_MAX = 1_048_576;
/** Ticks after which a binding that was not heard again goes: 300 s. */
export const NEIGH_AGEING = 3000;
const SLOTS_MIN = 8;
const LINE = 64;

export interface NeighOptions {
  /** Most rows, 1 to 1,048,576. Default 16,384. A MAC of routers takes one beside its bindings. */
  capacity?: number | undefined;
  /** Ports are 0 to one less than this. Default 1024. */
  ports?: number | undefined;
  /** In ticks; 0: never. Default 3000. */
  ageing?: number | undefined;
  /** Any integer; makes the hash unforeseeable. Give a random one outside of tests. Default 0. */
  seed?: number | undefined;
}

/** The views on a neighbour table's memory. */
export interface NeighViews {
  readonly header: Int32Array;
  readonly counters: Float64Array;
  /** Bindings of a port, and those among them that were learned. */
  readonly ofPort: Int32Array;
  readonly learnedOfPort: Int32Array;
  readonly rows: Int32Array;
}

/** Allocates an empty table's memory. @throws RangeError when an option is out of range */
export function createMemory(options: NeighOptions): SharedArrayBuffer {
  const capacity = checkRange('capacity', options.capacity ?? NEIGH_CAPACITY, 1, NEIGH_CAPACITY_MAX);
  const ports = checkRange('ports', options.ports ?? 1024, 1, 1 << 16);
  let slots = SLOTS_MIN;
  while (slots < capacity * 2) slots *= 2;
  const memory = new SharedArrayBuffer(rowsOffset(ports) + slots * ROW_WORDS * 4);
  const header = new Int32Array(memory, 0, HEAD_WORDS);
  header[HEAD_MAGIC] = MAGIC;
  header[HEAD_CAPACITY] = capacity;
  header[HEAD_SLOTS] = slots;
  header[HEAD_PORTS] = ports;
  header[HEAD_SEED] = options.seed ?? 0;
  header[HEAD_AGEING] = checkRange('ageing', options.ageing ?? NEIGH_AGEING, 0, 0x3fffffff);
  return memory;
}

/** @throws TypeError when the memory is not a neighbour table's */
export function viewsOf(memory: SharedArrayBuffer): NeighViews {
  const header = memory.byteLength >= HEAD_WORDS * 4 ? new Int32Array(memory, 0, HEAD_WORDS) : new Int32Array(1);
  if (header[HEAD_MAGIC] !== MAGIC)
    throw new TypeError('This memory is not a neighbour table: pass what createNeighbours(...).memory holds');
  const ports = header[HEAD_PORTS];
  const lists = HEAD_WORDS * 4 + COUNTERS * 8;
  return {
    header,
    counters: new Float64Array(memory, HEAD_WORDS * 4, COUNTERS),
    ofPort: new Int32Array(memory, lists, ports),
    learnedOfPort: new Int32Array(memory, lists + ports * 4, ports),
    rows: new Int32Array(memory, rowsOffset(ports), header[HEAD_SLOTS] * ROW_WORDS),
  };
}

/** The row at which the search for a key begins. @param mask rows of the table, less one */
export function homeRow(
  segment: number,
  a0: number,
  a1: number,
  a2: number,
  a3: number,
  seed: number,
  mask: number,
): number {
  let h = Math.imul(a3 ^ seed, 0x9e3779b1);
  h = Math.imul((h ^ (h >>> 15)) + Math.imul(segment, 0x27d4eb2f), 0x85ebca6b);
  h = Math.imul(h ^ a2 ^ (h >>> 13), 0xc2b2ae35);
  h = Math.imul(h ^ Math.imul(a1, 0x9e3779b1) ^ a0 ^ (h >>> 14), 0x27d4eb2f);
  return (h ^ (h >>> 16)) & mask;
}

/**
 * Ticks from `stamp` to `now`, right also when the clock has wrapped at 2^31 between them. A stamp that is a tick ahead
 * comes from another thread whose clock has just moved on: its age is 0.
 */
export function neighAge(now: number, stamp: number): number {
  const age = (now - stamp) & 0x7fffffff;
  return age > 0x3fffffff ? 0 : age;
}

function rowsOffset(ports: number): number {
  const end = HEAD_WORDS * 4 + COUNTERS * 8 + ports * 2 * 4;
  return Math.ceil(end / LINE) * LINE;
}

function checkRange(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`the neighbour table's ${name} is ${value}: give an integer from ${min} to ${max}`);
}

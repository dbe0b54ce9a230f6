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
 *                   | FID| address | flags,     | MAC, first| MAC,   | port| stamp| version| changes| since | none |
 *                   |        |         | high 16 b. | 2 bytes   | last 4 |     |      |        |        |       |      |
 *                   +--------+---------+------------+-----------+--------+-----+------+--------+--------+-------+------+
 *
 * An address is four words, IPv4 mapped into ::ffff:0:0/96. Beside the bindings there is a row for each MAC of a binding with the
 * router flag: its FID has ROUTERS set, its address begins with the MAC, and word 10 is the number of such bindings.
 *
 * Defines places and values only; `store.ts` reads and changes rows.
 */
import { allocate, checkRange, HEAD_OWN, HEAD_SLOTS, headerOf, Layout, powerOfTwo } from '../shared-memory/memory.js';

export { HEAD_LOCK, HEAD_SEED, HEAD_SLOTS } from '../shared-memory/memory.js';
export { EMPTY as FID_EMPTY } from '../shared-memory/probing.js';

/** Words of a row; 64 bytes, a cache line. */
export const ROW_WORDS = 16;
/** Shift from a row's index to its first word. */
export const ROW_SHIFT = 4;
/** EMPTY, TOMBSTONE (`probing.ts`), or a FID (at least 1). */
export const ROW_FID = 0;
export const ROW_ADDRESS = 1;
/** First two bytes of the MAC in bits 0-15, NEIGH_* flags in bits 16-31. */
export const ROW_MAC_HIGH = 5;
export const ROW_MAC_LOW = 6;
export const ROW_PORT = 7;
/** Tick of the last message, or of `set`. */
export const ROW_STAMP = 8;
/** Even: stable. Odd: being written. */
export const ROW_VERSION = 9;
/** Number of changes of the MAC since ROW_SINCE; in a router's row: number of its bindings. */
export const ROW_CHANGES = 10;
/** Tick of the first of these changes; during a dispute, of the last refused claim. */
export const ROW_SINCE = 11;

/** Bit in the FID of a router's row. */
export const ROUTERS = 1 << 28;

/** A manual binding: never aged, and not changed by messages. */
export const NEIGH_MANUAL = 1;
/** The neighbour is a router. */
export const NEIGH_ROUTER = 2;
/** Learned through the tunnel, not on a local port. */
export const NEIGH_TUNNEL = 4;
/** Several MACs claim the address; the binding is unchanged until the dispute ends. */
export const NEIGH_DISPUTED = 8;
/** Put in by a control program: never aged or evicted, and changed by messages of local ports only. */
export const NEIGH_EXTERN = 16;
/** A binding without any of these is a learned one. */
export const NEIGH_SET = NEIGH_MANUAL | NEIGH_EXTERN;

/** Indices into the counters. */
export const COUNTER_ENTRIES = 0;
export const COUNTER_LEARNED = 1;
export const COUNTER_CHANGED = 2;
export const COUNTER_AGED = 3;
/** Bindings refused because the table was full. */
export const COUNTER_REFUSED = 4;
/** Learned bindings evicted from a full table. */
export const COUNTER_EVICTED = 5;
export const COUNTER_CONFLICTS = 6;
/** Rows in use: bindings and routers. */
export const COUNTER_ROWS = 7;
const COUNTERS = 8;

/** Words of the header, after the common ones. */
export const HEAD_CAPACITY = HEAD_OWN;
export const HEAD_PORTS = HEAD_OWN + 1;
export const HEAD_AGEING = HEAD_OWN + 2;
/** The row at which the next sweep starts. */
export const HEAD_CURSOR = HEAD_OWN + 3;
/** The row at which the next search for a binding to evict starts. */
export const HEAD_SAMPLE = HEAD_OWN + 4;

/** "NEI" and the version of this layout. */
const MAGIC = 0x4e454902;
const NOT_A_TABLE = 'This memory is not a neighbour table: pass what createNeighbours(...).memory holds';

export const NEIGH_CAPACITY = 16_384;
/** More rows, for bindings that sources of peers put in. */
export const PEER_BINDINGS = 49_152;
export const NEIGH_CAPACITY_MAX = 1_048_576;
/** Default ageing time of learned bindings in ticks: 300 s. */
export const NEIGH_AGEING = 3000;
const SLOTS_MIN = 8;

export interface NeighOptions {
  /** Most rows, 1 to 1,048,576. Default 16,384. The MAC of a router uses one row beside its bindings. */
  capacity?: number | undefined;
  /** Ports are 0 to one less than this. Default 1024. */
  ports?: number | undefined;
  /** Ageing time in ticks; 0: never. Default 3000. */
  ageing?: number | undefined;
  /** Any integer; makes the hash unpredictable. Random outside of tests. Default 0. */
  seed?: number | undefined;
}

/** The views on a neighbour table's memory. */
export interface NeighViews {
  readonly header: Int32Array;
  readonly counters: Float64Array;
  /** Number of bindings of each port, and of its learned ones. */
  readonly ofPort: Int32Array;
  readonly learnedOfPort: Int32Array;
  readonly rows: Int32Array;
}

/** Allocates an empty table's memory. @throws RangeError when an option is out of range */
export function createMemory(options: NeighOptions): SharedArrayBuffer {
  const table = "the neighbour table's";
  const capacity = checkRange(`${table} capacity`, options.capacity ?? NEIGH_CAPACITY, 1, NEIGH_CAPACITY_MAX);
  const ports = checkRange(`${table} ports`, options.ports ?? 1024, 1, 1 << 16);
  const ageing = checkRange(`${table} ageing`, options.ageing ?? NEIGH_AGEING, 0, 0x3fffffff);
  const slots = powerOfTwo(Math.max(SLOTS_MIN, capacity * 2));
  const lay = (layout: Layout): unknown => arraysOf(layout, slots, ports);
  const memory = allocate(lay, MAGIC, slots, options.seed ?? 0);
  const header = headerOf(memory, MAGIC, NOT_A_TABLE);
  header[HEAD_CAPACITY] = capacity;
  header[HEAD_PORTS] = ports;
  header[HEAD_AGEING] = ageing;
  return memory;
}

/** @throws TypeError when the memory is not a neighbour table's */
export function viewsOf(memory: SharedArrayBuffer): NeighViews {
  const header = headerOf(memory, MAGIC, NOT_A_TABLE);
  return { header, ...arraysOf(new Layout(memory), header[HEAD_SLOTS], header[HEAD_PORTS]) };
}

function arraysOf(layout: Layout, slots: number, ports: number): Omit<NeighViews, 'header'> {
  const counts = {
    counters: layout.float64(COUNTERS),
    ofPort: layout.int32(ports),
    learnedOfPort: layout.int32(ports),
  };
  layout.alignToLine();
  return { ...counts, rows: layout.int32(slots * ROW_WORDS) };
}

/**
 * A table's memory: one SharedArrayBuffer that begins with a header of 16 words, a cache line, and goes on with arrays.
 *
 * Owns what all tables' headers have in common, and the laying out of arrays. It never knows what they hold.
 */

/** Words of every table's header. */
export const HEAD_MAGIC = 0;
/** Rows, a power of two. */
export const HEAD_SLOTS = 1;
/** Of the hash. */
export const HEAD_SEED = 2;
/** 1 while a thread changes which rows hold what; see `lock.ts`. */
export const HEAD_LOCK = 3;
/** The first word that is the table's own to define. */
export const HEAD_OWN = 4;
const HEAD_WORDS = 16;

const LINE = 64;
const NOTHING = new SharedArrayBuffer(0);

/** Lays arrays one after the other into a memory. */
export class Layout {
  private end = HEAD_WORDS * 4;

  /** @param memory null: only the room that the arrays need is counted, and all of them are empty */
  constructor(private readonly memory: SharedArrayBuffer | null) {}

  /** Bytes up to the end of the last array. */
  get bytes(): number {
    return this.end;
  }

  int32(length: number): Int32Array {
    const at = this.take(length * 4);
    return this.memory === null ? new Int32Array(NOTHING) : new Int32Array(this.memory, at, length);
  }

  /** To be called where eight bytes are aligned. */
  float64(length: number): Float64Array {
    const at = this.take(length * 8);
    return this.memory === null ? new Float64Array(NOTHING) : new Float64Array(this.memory, at, length);
  }

  /** The next array begins a cache line. */
  alignToLine(): void {
    this.end = Math.ceil(this.end / LINE) * LINE;
  }

  private take(bytes: number): number {
    const at = this.end;
    this.end += bytes;
    return at;
  }
}

/** Allocates a table's memory, zeros but for the magic number, the number of rows and the seed. @param lay as for the views */
export function allocate(
  lay: (layout: Layout) => unknown,
  magic: number,
  slots: number,
  seed: number,
): SharedArrayBuffer {
  const layout = new Layout(null);
  lay(layout);
  const memory = new SharedArrayBuffer(layout.bytes);
  const header = new Int32Array(memory, 0, HEAD_WORDS);
  header[HEAD_MAGIC] = magic;
  header[HEAD_SLOTS] = slots;
  header[HEAD_SEED] = seed;
  return memory;
}

/** The header of a table's memory. @throws TypeError with `refusal` when the memory is not of this kind of table */
export function headerOf(memory: SharedArrayBuffer, magic: number, refusal: string): Int32Array {
  const isLongEnough = memory.byteLength >= HEAD_WORDS * 4;
  const header = isLongEnough ? new Int32Array(memory, 0, HEAD_WORDS) : null;
  if (header === null || header[HEAD_MAGIC] !== magic) throw new TypeError(refusal);
  return header;
}

/** The smallest power of two that is not below `least`. */
export function powerOfTwo(least: number): number {
  let size = 1;
  while (size < least) size *= 2;
  return size;
}

/** @throws RangeError when an option is no integer in its range */
export function checkRange(what: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${what} is ${value}: give an integer from ${min} to ${max}`);
}

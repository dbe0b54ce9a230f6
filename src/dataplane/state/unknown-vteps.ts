/**
 * Senders of datagrams dropped as `vtep_unknown`: addresses by port and VNI, in shared memory with one engine as the writer and
 * the control thread as the reader.
 *
 * A small table of fixed size. In a full set a new address replaces the one unheard for the longest time or with the fewest
 * datagrams, and only a few are replaced per tick: forged addresses add no cost to the data path, and a continuing sender
 * stays.
 */
const SETS = 16;
const WAYS = 4;
/** Capacity, in addresses, of an engine's table. */
export const MAX_UNKNOWN_VTEPS = SETS * WAYS;

/** Most new addresses in a tick. */
const NEW_IN_A_TICK = 8;
/** Ticks without a datagram after which an address may be replaced: a minute. */
const FORGOTTEN = 600;
const MOST = 0x7fffffff;

// Words of a row.
/** Odd while the row is being written. */
const VERSION = 0;
/** Port index plus one; 0: the row is free. */
const PORT = 1;
const VNI = 2;
const ADDRESS = 3;
const COUNT = 7;
const FIRST = 8;
const LAST = 9;
const ROW = 10;

// Words before the rows.
/** Number of datagrams, so that the reader sees at once whether there is anything new. */
const HEARD = 0;
const HEAD = 4;

export const UNKNOWN_VTEP_WORDS = HEAD + MAX_UNKNOWN_VTEPS * ROW;

/** The engine's side. */
export class UnknownVteps {
  private readonly words: Int32Array;
  private tick = -1;
  private room = 0;

  /** @param offset in bytes, where UNKNOWN_VTEP_WORDS words of `memory` are this table's */
  constructor(memory: SharedArrayBuffer, offset: number) {
    this.words = new Int32Array(memory, offset, UNKNOWN_VTEP_WORDS);
  }

  /** Records a datagram to `port` from an address that is no remote of it; its four words are at `from[at]`. */
  met(port: number, vni: number, from: ArrayLike<number>, at: number, tick: number): void {
    const { words } = this;
    words[HEARD] = (words[HEARD] + 1) | 0;
    const a0 = from[at] | 0;
    const a1 = from[at + 1] | 0;
    const a2 = from[at + 2] | 0;
    const a3 = from[at + 3] | 0;
    let row = HEAD + setOf(port, vni, a0, a1, a2, a3) * WAYS * ROW;
    let worst = row;
    let least = MOST;
    for (const end = row + WAYS * ROW; row < end; row += ROW) {
      if (
        words[row + ADDRESS + 3] === a3 &&
        words[row + ADDRESS + 2] === a2 &&
        words[row + ADDRESS + 1] === a1 &&
        words[row + ADDRESS] === a0 &&
        words[row + PORT] === port + 1 &&
        words[row + VNI] === vni
      ) {
        if (words[row + COUNT] < MOST) words[row + COUNT]++;
        words[row + LAST] = tick;
        return;
      }
      const isIdle = words[row + PORT] === 0 || tick - words[row + LAST] > FORGOTTEN;
      const weight = isIdle ? 0 : words[row + COUNT];
      if (weight >= least) continue;
      least = weight;
      worst = row;
    }
    if (this.mayTakeIn(tick)) this.fill(worst, port + 1, vni, a0, a1, a2, a3, tick);
  }

  /** Removes the rows of a deleted port. Control path. */
  clearPort(port: number): void {
    const { words } = this;
    for (let row = HEAD; row < words.length; row += ROW) {
      if (words[row + PORT] === port + 1) this.fill(row, 0, 0, 0, 0, 0, 0, 0);
    }
  }

  private mayTakeIn(tick: number): boolean {
    if (tick !== this.tick) {
      this.tick = tick;
      this.room = NEW_IN_A_TICK;
    }
    return this.room > 0 && this.room-- > 0;
  }

  private fill(
    row: number,
    port: number,
    vni: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    tick: number,
  ): void {
    const { words } = this;
    Atomics.add(words, row + VERSION, 1);
    words[row + PORT] = port;
    words[row + VNI] = vni;
    words[row + ADDRESS] = a0;
    words[row + ADDRESS + 1] = a1;
    words[row + ADDRESS + 2] = a2;
    words[row + ADDRESS + 3] = a3;
    words[row + COUNT] = 1;
    words[row + FIRST] = tick;
    words[row + LAST] = tick;
    Atomics.add(words, row + VERSION, 1);
  }
}

function setOf(port: number, vni: number, a0: number, a1: number, a2: number, a3: number): number {
  let h = Math.imul(a0 ^ port, 0x9e3779b1);
  h = Math.imul(h ^ a1 ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ a2 ^ (h >>> 13), 0xc2b2ae35);
  h = Math.imul(h ^ a3 ^ vni ^ (h >>> 14), 0x27d4eb2f);
  return ((h ^ (h >>> 16)) >>> 0) % SETS;
}

/** An address that is no remote, with its datagrams to a port. */
export interface UnknownVtep {
  port: number;
  vni: number;
  address: [number, number, number, number];
  /** Datagrams since the row was created. */
  count: number;
  /** Ticks of the engines' clock. */
  first: number;
  last: number;
}

/** The control thread's side of the tables of all engines. */
export class UnknownVtepReader {
  private readonly tables: Int32Array[];

  constructor(memories: readonly SharedArrayBuffer[], offset: number) {
    this.tables = memories.map((memory) => new Int32Array(memory, offset, UNKNOWN_VTEP_WORDS));
  }

  /** Changes with every datagram from an unknown VTEP. */
  get heard(): number {
    return this.tables.reduce((sum, words) => (sum + words[HEARD]) | 0, 0);
  }

  /** The records of all engines, one row for each address, port and VNI; the latest first. */
  list(): UnknownVtep[] {
    const found = new Map<string, UnknownVtep>();
    for (const words of this.tables) {
      for (let row = HEAD; row < words.length; row += ROW) {
        const stranger = readRow(words, row);
        if (stranger === null) continue;
        const key = `${stranger.port} ${stranger.vni} ${stranger.address.join(' ')}`;
        found.set(key, joined(stranger, found.get(key)));
      }
    }
    return [...found.values()].sort((a, b) => b.last - a.last || b.count - a.count);
  }
}

function readRow(words: Int32Array, row: number): UnknownVtep | null {
  const version = Atomics.load(words, row + VERSION);
  if (version === 0) return null; // never used
  const port = words[row + PORT] - 1;
  const address = [...words.subarray(row + ADDRESS, row + ADDRESS + 4)] as UnknownVtep['address'];
  const stranger = {
    ...{ port, vni: words[row + VNI], address },
    ...{ count: words[row + COUNT], first: words[row + FIRST], last: words[row + LAST] },
  };
  const isWhole = (version & 1) === 0 && Atomics.load(words, row + VERSION) === version;
  return isWhole && port >= 0 ? stranger : null;
}

function joined(one: UnknownVtep, other: UnknownVtep | undefined): UnknownVtep {
  if (other === undefined) return one;
  const { first, last } = other;
  const count = one.count + other.count;
  return { ...one, count, first: Math.min(one.first, first), last: Math.max(one.last, last) };
}

/**
 * The last dropped frames of each reason, in shared memory with one engine as the writer and the control thread as the reader.
 *
 * Each reason has SLOTS rows, used in turn; a row has the beginning of the frame, and what was known of it. A row has a version
 * (`shared-memory/seqlock.ts`), so a reader never gets half of one. Nothing is done here for a frame that is not dropped. Of a flood
 * of drops at most SLOTS a tick are kept for each reason; the rest costs two additions each. A row has its drop's number among all
 * of its reason and engine, so a reader knows how many others there were.
 */
import { close, isStable, open, readPatiently, versionAt } from '../../shared-memory/seqlock.js';
import { DROP_REASONS } from './drop-reasons.js';
import { IntegerClock } from './wall-clock.js';

/** Kept frames of a reason, and the most that are kept in one tick. */
export const DROP_SLOTS = 32;
/** Kept bytes of a frame. */
export const DROP_BYTES = 128;

/** The frame came in by the port and went nowhere. */
export const DROPPED_IN = 0;
/** A copy that did not leave by the port. */
export const DROPPED_OUT = 1;

const REASONS = DROP_REASONS.length;

// Words of a row; the bytes follow.
const VERSION = 0;
/** Lower 30 bits, and the rest. From 1 on: 0 is an unused row. */
const NUMBER_LOW = 1;
const NUMBER_HIGH = 2;
const PORT = 3;
const DIRECTION = 4;
const LENGTH = 5;
const VID = 6;
const VNI = 7;
/** Four words; zeros: there is none. */
const REMOTE = 8;
/** Seconds since 1970, and milliseconds. */
const SECONDS = 12;
const MILLISECONDS = 13;
const HEAD = 16;
const ROW = HEAD + DROP_BYTES / 4;

const WORDS = REASONS * DROP_SLOTS * ROW;
const LOW_BITS = 2 ** 30;
const NOBODY = new Int32Array(4);

/** The engine's side. */
export class DropRing {
  readonly memory: SharedArrayBuffer;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  /** Drops of each reason, in two words, since `Atomics.store` would make an object of each number that is no integer. */
  private readonly metLow = new Int32Array(REASONS);
  private readonly metHigh = new Int32Array(REASONS);
  /** Kept ones; the tick of the last kept one, and how many were kept in it. */
  private readonly kept = new Int32Array(REASONS);
  private readonly ticks = new Int32Array(REASONS).fill(-1);
  private readonly inTick = new Int32Array(REASONS);
  private readonly time: IntegerClock;

  /** A new ring, or with `memory` one created by another thread. @param now the wall clock, in milliseconds */
  constructor(memory?: SharedArrayBuffer, now: () => number = Date.now) {
    this.time = new IntegerClock(now);
    this.memory = memory ?? new SharedArrayBuffer(WORDS * 4);
    this.words = new Int32Array(this.memory);
    this.bytes = new Uint8Array(this.memory);
  }

  /** Counts a drop. @returns whether it is to be kept, by `keep` */
  admits(reason: number, tick: number): boolean {
    this.metLow[reason] = (this.metLow[reason] + 1) & (LOW_BITS - 1);
    if (this.metLow[reason] === 0) this.metHigh[reason]++;
    if (this.ticks[reason] !== tick) {
      this.ticks[reason] = tick;
      this.inTick[reason] = 0;
    }
    return this.inTick[reason]++ < DROP_SLOTS;
  }

  /**
   * Keeps the frame of the drop that `admits` has admitted.
   * @param clock the engine's clock in milliseconds (STATUS_NOW)
   * @param length of the frame, at `offset`
   * @param vid 0: none @param vni 0: none
   * @param address four words at `at` of the remote's address
   */
  keep(
    clock: number,
    reason: number,
    direction: typeof DROPPED_IN | typeof DROPPED_OUT,
    port: number,
    vid: number,
    vni: number,
    view: DataView,
    offset: number,
    length: number,
    address: ArrayLike<number> = NOBODY,
    at = 0,
  ): void {
    const { time, words } = this;
    const row = (reason * DROP_SLOTS + (this.kept[reason] & (DROP_SLOTS - 1))) * ROW;
    this.kept[reason] = (this.kept[reason] + 1) | 0;
    time.set(clock);
    open(words, row + VERSION);
    Atomics.store(words, row + NUMBER_LOW, this.metLow[reason]);
    Atomics.store(words, row + NUMBER_HIGH, this.metHigh[reason]);
    Atomics.store(words, row + PORT, port);
    Atomics.store(words, row + DIRECTION, direction);
    Atomics.store(words, row + LENGTH, length);
    Atomics.store(words, row + VID, vid);
    Atomics.store(words, row + VNI, vni);
    for (let word = 0; word < 4; word++) Atomics.store(words, row + REMOTE + word, address[at + word]);
    Atomics.store(words, row + SECONDS, time.seconds);
    Atomics.store(words, row + MILLISECONDS, time.milliseconds);
    const start = (row + HEAD) * 4;
    const end = length < DROP_BYTES ? length : DROP_BYTES;
    for (let byte = 0; byte < end; byte++) Atomics.store(this.bytes, start + byte, view.getUint8(offset + byte));
    close(words, row + VERSION);
  }

  /** Drops of a reason since the engine began. */
  count(reason: number): number {
    return this.metHigh[reason] * LOW_BITS + this.metLow[reason];
  }

  /** Forgets the frames of a port, whose index may soon be another one's. Control path. */
  forget(port: number): void {
    const { words } = this;
    for (let row = 0; row < WORDS; row += ROW) {
      if (words[row + PORT] !== port || words[row + NUMBER_LOW] + words[row + NUMBER_HIGH] === 0) continue;
      open(words, row + VERSION);
      Atomics.store(words, row + NUMBER_LOW, 0);
      Atomics.store(words, row + NUMBER_HIGH, 0);
      close(words, row + VERSION);
    }
  }
}

/** A dropped frame as the control thread reads it. */
export interface DroppedFrame {
  engine: number;
  /** Index into DROP_REASONS. */
  reason: number;
  /** Its place among the drops of this reason by this engine, from 1 on. */
  number: number;
  /** Milliseconds since 1970. */
  time: number;
  /** DROPPED_IN or DROPPED_OUT. */
  direction: number;
  port: number;
  /** 0: none. */
  vid: number;
  vni: number;
  /** Null: the frame has none. */
  remote: [number, number, number, number] | null;
  /** Of the whole frame, in bytes. */
  length: number;
  /** Its first DROP_BYTES bytes at most; a copy. */
  bytes: Uint8Array;
}

/** The control thread's side of the rings of all engines. */
export class DropReader {
  private readonly rings: { words: Int32Array; bytes: Uint8Array }[];

  constructor(memories: readonly SharedArrayBuffer[]) {
    this.rings = memories.map((memory) => ({ words: new Int32Array(memory), bytes: new Uint8Array(memory) }));
  }

  /** The kept frames, the earliest first. @param only the one reason that is wanted */
  list(only?: number): DroppedFrame[] {
    const found: DroppedFrame[] = [];
    for (const [engine, { words, bytes }] of this.rings.entries()) {
      const first = (only ?? 0) * DROP_SLOTS;
      const end = only === undefined ? REASONS * DROP_SLOTS : first + DROP_SLOTS;
      for (let slot = first; slot < end; slot++) {
        const frame = readPatiently((row) => readRow(words, bytes, row, engine), slot * ROW);
        if (frame !== null && frame.number > 0) found.push(frame);
      }
    }
    return found.sort((one, other) => one.time - other.time || one.number - other.number);
  }
}

/** @returns null while the row is being written */
function readRow(words: Int32Array, bytes: Uint8Array, row: number, engine: number): DroppedFrame | null {
  const version = versionAt(words, row + VERSION);
  const length = words[row + LENGTH];
  const start = (row + HEAD) * 4;
  const remote = words.slice(row + REMOTE, row + REMOTE + 4) as unknown as [number, number, number, number];
  const frame: DroppedFrame = {
    engine,
    reason: Math.floor(row / ROW / DROP_SLOTS),
    number: words[row + NUMBER_HIGH] * LOW_BITS + words[row + NUMBER_LOW],
    time: words[row + SECONDS] * 1000 + words[row + MILLISECONDS],
    direction: words[row + DIRECTION],
    port: words[row + PORT],
    vid: words[row + VID],
    vni: words[row + VNI],
    remote: remote.some((word) => word !== 0) ? [remote[0], remote[1], remote[2], remote[3]] : null,
    length,
    bytes: bytes.slice(start, start + Math.min(Math.max(length, 0), DROP_BYTES)),
  };
  return isStable(words, row + VERSION, version) ? frame : null;
}

/**
 * What an engine decides about frames, for readers in the control thread: a ring of records in shared memory, with the engine as the
 * writer. It exists only while somebody looks (`Context.observer`).
 *
 * A batch writes the time, a record for each frame that is wanted, with its bytes and verdict, and one for each of its copies and
 * drops. Records are published when the batch is through, so a reader gets whole batches. A full ring loses records and counts them
 * by port; the engine never waits. Frames leave a quarter of the ring to the records of copies, so that a frame whose record is
 * there has, as a rule, all of its copies.
 */
import { MAX_PORTS } from './counters.js';

// Words before the records: cursors, then lost records by port.
const WRITTEN = 0;
const READ = 1;
const LOST = 16;
const HEAD = LOST + MAX_PORTS;

/** Words of the ring's records: 8 MiB. */
export const OBSERVER_WORDS = 2 * 1024 * 1024;
const FOR_COPIES = 4;

// Kinds of records. Word 0 is `words << 4 | kind`.
export const RECORD_BATCH = 1;
export const RECORD_FRAME = 2;
export const RECORD_SENT = 3;
export const RECORD_DROPPED_IN = 4;
export const RECORD_DROPPED_OUT = 5;

/** Words of RECORD_BATCH: seconds since 1970, nanoseconds. */
export const BATCH_WORDS = 3;
/** Words of RECORD_FRAME before the bytes; see `frame`. */
export const FRAME_WORDS = 15;
/** Words of the other records; see `copy`. */
export const COPY_WORDS = 10;

export const VERDICT_FORWARDED = 0;
export const VERDICT_FLOODED = 1;
export const VERDICT_ANSWERED = 2;
export const VERDICT_DROPPED = 3;
/** The switch itself has made the frame: an answer, an ICMP error. */
export const VERDICT_ORIGINATED = 4;

/** Rows: not wanted, recorded, lost. */
const UNWANTED = 0;
const RECORDED = 1;
const MISSED = 2;

const LOW_BITS = 2 ** 30;
/** Whether a machine stores the low byte of a word first: bytes are copied by words. */
export const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** What is to be recorded. */
export interface ObserverSettings {
  /** One byte a port, not 0: its frames are wanted. Null: those of all ports. */
  ports: Uint8Array | null;
  /** Most bytes of a frame. */
  snaplen: number;
}

/** Memory for an observer. @param words of the records, a power of two */
export function observerMemory(words = OBSERVER_WORDS): SharedArrayBuffer {
  return new SharedArrayBuffer((HEAD + words) * 4);
}

/** The records of a memory, and what both sides need to find them. */
export interface ObserverViews {
  head: Int32Array;
  lost: Int32Array;
  words: Int32Array;
  bytes: Uint8Array;
  mask: number;
}

export function observerViews(memory: SharedArrayBuffer): ObserverViews {
  const words = new Int32Array(memory, HEAD * 4);
  return {
    head: new Int32Array(memory, 0, LOST),
    lost: new Int32Array(memory, LOST * 4, MAX_PORTS),
    words,
    bytes: new Uint8Array(memory, HEAD * 4),
    mask: words.length - 1,
  };
}

export const writtenOf = ({ head }: ObserverViews): number => Atomics.load(head, WRITTEN);
export const readOf = ({ head }: ObserverViews): number => head[READ];
export const setRead = ({ head }: ObserverViews, read: number): void => void Atomics.store(head, READ, read);

/** The engine's side. */
export class Observer {
  private readonly views: ObserverViews;
  private readonly rows: Uint8Array;
  /** Cursor of the next word; what is before it is published at the end of the batch. */
  private at: number;
  private begun = false;
  private next = 0;

  /**
   * @param rows of a batch
   * @param now nanoseconds are read once a batch: milliseconds since 1970, with fractions
   */
  constructor(
    readonly memory: SharedArrayBuffer,
    public settings: ObserverSettings,
    rows: number,
    private readonly now: () => number,
  ) {
    this.views = observerViews(memory);
    this.rows = new Uint8Array(rows);
    this.at = this.views.head[WRITTEN];
  }

  /** Begins a batch. */
  begin(): void {
    this.begun = false;
  }

  /** Whether frames from one port to another are wanted. @param to -1: any */
  wants(from: number, to: number): boolean {
    const { ports } = this.settings;
    return ports === null || to < 0 || ports[from] !== 0 || ports[to] !== 0;
  }

  /** The row's frame is not recorded, nor are its copies. */
  skip(row: number): void {
    this.rows[row] = UNWANTED;
  }

  /** Whether the copies of a row are wanted. */
  follows(row: number): boolean {
    return this.rows[row] !== UNWANTED;
  }

  /**
   * Records a frame.
   * @param port that it came in by; of an originated one, that it leaves by
   * @param reason of VERDICT_DROPPED, else 0
   * @param address four words at `from` of the remote's address; zeros: none
   */
  frame(
    row: number,
    port: number,
    vid: number,
    vni: number,
    verdict: number,
    reason: number,
    address: ArrayLike<number>,
    from: number,
    view: DataView,
    offset: number,
    length: number,
  ): void {
    const { mask, words } = this.views;
    const whole = length < 0 ? 0 : length;
    const kept = whole < this.settings.snaplen ? whole : this.settings.snaplen;
    const size = FRAME_WORDS + ((kept + 3) >>> 2);
    if (!this.hasRoom(size + BATCH_WORDS, words.length - words.length / FOR_COPIES)) {
      this.lose(row, port);
      return;
    }
    this.beginRecords();
    const id = this.next++;
    const at = this.at;
    words[at & mask] = (size << 4) | RECORD_FRAME;
    words[(at + 1) & mask] = row;
    words[(at + 2) & mask] = port;
    words[(at + 3) & mask] = vid;
    words[(at + 4) & mask] = vni;
    words[(at + 5) & mask] = whole;
    words[(at + 6) & mask] = kept;
    words[(at + 7) & mask] = verdict | (reason << 8);
    for (let word = 0; word < 4; word++) words[(at + 8 + word) & mask] = address[from + word];
    words[(at + 12) & mask] = id % LOW_BITS;
    words[(at + 13) & mask] = id / LOW_BITS;
    this.copyBytes(at + FRAME_WORDS, view, offset, kept);
    this.at = (at + size) | 0;
    this.rows[row] = RECORDED;
  }

  /**
   * Records a copy of a row, or a drop.
   * @param kind RECORD_SENT, RECORD_DROPPED_IN or RECORD_DROPPED_OUT
   * @param detail TX_TAG of a copy that was sent, the reason of a drop
   */
  copy(kind: number, row: number, port: number, vni: number, detail: number, address: ArrayLike<number>): void {
    const { lost, mask, words } = this.views;
    if (this.rows[row] !== RECORDED) {
      if (this.rows[row] === MISSED && kind !== RECORD_DROPPED_IN) Atomics.add(lost, port, 1);
      return;
    }
    if (!this.hasRoom(COPY_WORDS, words.length)) {
      Atomics.add(lost, port, 1);
      return;
    }
    const at = this.at;
    words[at & mask] = (COPY_WORDS << 4) | kind;
    words[(at + 1) & mask] = row;
    words[(at + 2) & mask] = port;
    words[(at + 3) & mask] = vni;
    words[(at + 4) & mask] = detail;
    for (let word = 0; word < 4; word++) words[(at + 5 + word) & mask] = address[word];
    this.at = (at + COPY_WORDS) | 0;
  }

  /** The batch is through: readers get its records. */
  end(): void {
    if (this.begun) Atomics.store(this.views.head, WRITTEN, this.at);
    this.begun = false;
  }

  private lose(row: number, port: number): void {
    this.rows[row] = MISSED;
    Atomics.add(this.views.lost, port, 1);
  }

  private hasRoom(size: number, of: number): boolean {
    return ((this.at - Atomics.load(this.views.head, READ)) | 0) + size <= of;
  }

  /** The time of the batch stands before its first record. */
  private beginRecords(): void {
    if (this.begun) return;
    this.begun = true;
    const { mask, words } = this.views;
    const now = this.now();
    const seconds = Math.floor(now / 1000);
    words[this.at & mask] = (BATCH_WORDS << 4) | RECORD_BATCH;
    words[(this.at + 1) & mask] = seconds;
    words[(this.at + 2) & mask] = (now - seconds * 1000) * 1e6;
    this.at = (this.at + BATCH_WORDS) | 0;
  }

  /** By words, since a bulk copy into shared memory is slow in V8. */
  private copyBytes(to: number, view: DataView, offset: number, length: number): void {
    const { bytes, mask, words } = this.views;
    const whole = length >>> 2;
    for (let word = 0; word < whole; word++) {
      words[(to + word) & mask] = view.getInt32(offset + word * 4, LITTLE_ENDIAN);
    }
    const rest = ((to + whole) & mask) * 4;
    for (let byte = whole * 4; byte < length; byte++) bytes[rest + (byte & 3)] = view.getUint8(offset + byte);
  }
}

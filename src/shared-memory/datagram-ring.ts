/**
 * Short datagrams from one thread to another: a ring in shared memory with one writer and one reader. A full ring drops and counts new
 * records. Each side owns one of the two cursors, which only increase (modulo 2^32), and moves its own before it reads the other one.
 */

/** Recorded bytes of a datagram. */
export const DATAGRAM_BYTES = 64;
const SLOTS = 256;

// Words before the records.
const WRITTEN = 0;
const READ = 1;
const LOST = 2;
const HEAD_WORDS = 16;

// Words of a record before its bytes.
/** What the writer says about the datagram; and its source address. */
const SUBJECT = 0;
const ADDRESS = 1;
const LENGTH = 5;
const RECORD_HEAD = 8;
const RECORD_WORDS = RECORD_HEAD + DATAGRAM_BYTES / 4;

const WORDS = HEAD_WORDS + SLOTS * RECORD_WORDS;

export class DatagramRing {
  readonly memory: SharedArrayBuffer;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  /** Of the bytes of all records. */
  readonly view: DataView;

  /** A new ring, or with `memory` one created by another thread. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(WORDS * 4);
    this.words = new Int32Array(this.memory);
    this.bytes = new Uint8Array(this.memory);
    this.view = new DataView(this.memory);
  }

  /** Datagrams that found no room. */
  get lost(): number {
    return Atomics.load(this.words, LOST);
  }

  /**
   * Writes a datagram, cut to DATAGRAM_BYTES. Allocates nothing.
   * @param address four words from `at` on
   * @returns whether the ring was empty: the reader must be woken
   */
  push(subject: number, address: Int32Array, at: number, from: DataView, offset: number, length: number): boolean {
    const { words, bytes } = this;
    const written = words[WRITTEN];
    if (((written - Atomics.load(words, READ)) | 0) >= SLOTS) {
      Atomics.add(words, LOST, 1);
      return false;
    }
    const record = recordAt(written);
    const kept = length < DATAGRAM_BYTES ? length : DATAGRAM_BYTES;
    words[record + SUBJECT] = subject;
    for (let word = 0; word < 4; word++) words[record + ADDRESS + word] = address[at + word];
    words[record + LENGTH] = kept;
    const start = (record + RECORD_HEAD) * 4;
    for (let byte = 0; byte < kept; byte++) bytes[start + byte] = from.getUint8(offset + byte);
    Atomics.store(words, WRITTEN, (written + 1) | 0);
    return Atomics.load(words, READ) === written;
  }

  /**
   * Reads at most `most` datagrams.
   * @param take gets words, at `address` four of the source, and where the bytes are in `view`
   * @returns how many
   */
  drain(
    most: number,
    take: (subject: number, words: Int32Array, address: number, offset: number, length: number) => void,
  ): number {
    const { words } = this;
    let count = 0;
    for (; count < most; count++) {
      const read = words[READ];
      if (Atomics.load(words, WRITTEN) === read) break;
      const record = recordAt(read);
      const length = Math.min(DATAGRAM_BYTES, Math.max(0, words[record + LENGTH]));
      take(words[record + SUBJECT], words, record + ADDRESS, (record + RECORD_HEAD) * 4, length);
      Atomics.store(words, READ, (read + 1) | 0);
    }
    return count;
  }
}

function recordAt(cursor: number): number {
  return HEAD_WORDS + ((cursor >>> 0) % SLOTS) * RECORD_WORDS;
}

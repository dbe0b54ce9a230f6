/**
 * The control thread's side of the observers' rings (`observer.ts`): puts the records of each batch together to frames with their
 * copies. Indexes stay indexes.
 */
import {
  FRAME_WORDS,
  type ObserverViews,
  observerViews,
  RECORD_BATCH,
  RECORD_DROPPED_IN,
  RECORD_FRAME,
  RECORD_SENT,
  readOf,
  setRead,
  VERDICT_DROPPED,
  writtenOf,
} from './observer.js';

type Address = [number, number, number, number];

/** A copy of a frame, on its way out. */
export interface CopyRecord {
  port: number;
  /** Null: behind a local port. */
  remote: Address | null;
  /** 0: none. */
  vni: number;
  /** TX_TAG: the tag operation that the copy left with; 0 where it did not. */
  tag: number;
  /** Index into DROP_REASONS; -1: it was sent. */
  reason: number;
}

/** A frame, what was decided, and what became of it. */
export interface FrameRecord {
  engine: number;
  /** Its place among the records of its engine. */
  number: number;
  /** Nanoseconds since 1970, of its batch. */
  time: bigint;
  port: number;
  vid: number;
  vni: number;
  remote: Address | null;
  /** Of the whole frame, in bytes. */
  length: number;
  /** What was kept of it; a copy. */
  bytes: Uint8Array;
  /** VERDICT_*. */
  verdict: number;
  /** Index into DROP_REASONS of the drop at ingress, by the bridge or of the whole flood; -1: none. */
  reason: number;
  copies: CopyRecord[];
}

const LOW_BITS = 2 ** 30;

export class ObserverReader {
  private readonly rings: ObserverViews[];

  constructor(memories: readonly SharedArrayBuffer[]) {
    this.rings = memories.map(observerViews);
  }

  /**
   * Delivers the frames of whole batches, from each engine about `words` words at most.
   * @returns true when there are more
   */
  drain(words: number, handle: (frame: FrameRecord) => void): boolean {
    let more = false;
    for (const [engine, ring] of this.rings.entries()) {
      const end = writtenOf(ring);
      let read = readOf(ring);
      const stop = (read + words) | 0;
      while (read !== end && ((stop - read) | 0) > 0) {
        const batch = new BatchReader(ring, engine, read, end);
        for (const frame of batch.read()) handle(frame);
        read = batch.at;
        setRead(ring, read);
      }
      more ||= read !== end;
    }
    return more;
  }

  /** Records lost since the last call, by port: each once. */
  takeLost(handle: (port: number, count: number) => void): void {
    for (const { lost } of this.rings) {
      for (let port = 0; port < lost.length; port++) {
        if (lost[port] === 0) continue;
        handle(port, Atomics.exchange(lost, port, 0));
      }
    }
  }
}

/** Reads one batch. */
class BatchReader {
  private readonly frames: FrameRecord[] = [];
  /** The last frame of each row. */
  private readonly byRow = new Map<number, FrameRecord>();
  private time = 0n;

  constructor(
    private readonly ring: ObserverViews,
    private readonly engine: number,
    /** Cursor of the next record. */
    public at: number,
    private readonly end: number,
  ) {}

  read(): FrameRecord[] {
    let begun = false;
    while (this.at !== this.end) {
      const head = this.word(0);
      const kind = head & 15;
      if (kind === RECORD_BATCH) {
        if (begun) break;
        begun = true;
        this.time = BigInt(this.word(1)) * 1_000_000_000n + BigInt(this.word(2));
      } else if (kind === RECORD_FRAME) this.addFrame();
      else this.addCopy(kind);
      this.at = (this.at + (head >>> 4)) | 0;
    }
    return this.frames;
  }

  private word(index: number): number {
    return this.ring.words[(this.at + index) & this.ring.mask];
  }

  private addressAt(index: number): Address | null {
    const address: Address = [this.word(index), this.word(index + 1), this.word(index + 2), this.word(index + 3)];
    return address.every((word) => word === 0) ? null : address;
  }

  private addFrame(): void {
    const decided = this.word(7);
    const verdict = decided & 0xff;
    const frame: FrameRecord = {
      engine: this.engine,
      number: this.word(13) * LOW_BITS + this.word(12),
      time: this.time,
      port: this.word(2),
      vid: this.word(3),
      vni: this.word(4),
      remote: this.addressAt(8),
      length: this.word(5),
      bytes: this.bytesOf(this.at + FRAME_WORDS, this.word(6)),
      verdict,
      reason: verdict === VERDICT_DROPPED ? decided >>> 8 : -1,
      copies: [],
    };
    this.frames.push(frame);
    this.byRow.set(this.word(1), frame);
  }

  private addCopy(kind: number): void {
    const frame = this.byRow.get(this.word(1));
    if (frame === undefined) return;
    const detail = this.word(4);
    if (kind === RECORD_DROPPED_IN) {
      frame.reason = detail;
      return;
    }
    const isSent = kind === RECORD_SENT;
    frame.copies.push({
      port: this.word(2),
      vni: this.word(3),
      remote: this.addressAt(5),
      tag: isSent ? detail : 0,
      reason: isSent ? -1 : detail,
    });
  }

  /** A copy of bytes that begin at a word, and may go on at the ring's beginning. */
  private bytesOf(from: number, length: number): Uint8Array {
    const { bytes, mask } = this.ring;
    const start = (from & mask) * 4;
    const found = new Uint8Array(length);
    const first = Math.min(length, bytes.length - start);
    found.set(bytes.subarray(start, start + first));
    found.set(bytes.subarray(0, length - first), first);
    return found;
  }
}

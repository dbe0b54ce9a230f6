/**
 * Frames that the control thread is to read: a ring in shared memory, written by one engine, read by the control thread.
 * The frame itself goes its way; what lies here is a copy of its beginning. A full ring loses the new ones and counts them,
 * so that no guest can make the engine wait or the memory grow.
 *
 * Each end owns one of the two cursors, which only ever grow (modulo 2^32). The engine rings its owner when it puts a
 * record into a ring that it finds empty; since it moves its cursor before it looks at the reader's, and the reader does
 * the same the other way round, no record is left lying without a ring.
 */

// Kinds of punts.
export const PUNT_IGMP = 1;
export const PUNT_MLD = 2;
/** A PIM hello: a multicast router tells of itself. */
export const PUNT_PIM = 3;
// Without a frame; `subjectOf` says what they are about.
/** A vxlan port lacks the place of a MAC (`l2miss`). */
export const PUNT_L2MISS = 4;
/** A vxlan port lacks the MAC of an address (`l3miss`). */
export const PUNT_L3MISS = 5;
/** Several MACs claim an address: told once until they have calmed down. */
export const PUNT_NEIGH_CONFLICT = 6;
/** A datagram of the switch's own, to this address, came in by the port (`egress/own-tunnel.ts`). */
export const PUNT_OWN_TUNNEL = 7;

/** Bytes of a frame that are kept: a report that fills a frame of the usual MTU is whole. */
export const PUNT_BYTES = 1536;
/** Records of a ring. */
export const PUNT_SLOTS = 256;

// Words before the records.
const WRITTEN = 0;
const READ = 1;
const LOST = 2;
const HEAD_WORDS = 16;

// Words of a record before the frame's bytes.
const KIND = 0;
const PORT = 1;
const REMOTE = 2;
const VID = 3;
const LENGTH = 4;
const RECORD_HEAD = 8;
const RECORD_WORDS = RECORD_HEAD + PUNT_BYTES / 4;

const WORDS = HEAD_WORDS + PUNT_SLOTS * RECORD_WORDS;

/** Words in place of a frame: an address, a MAC, another MAC. */
const SUBJECT_WORDS = 8;

/** The engine's end. */
export class PuntRing {
  readonly memory: SharedArrayBuffer;
  /** A record came into an empty ring: the owner is to be told. Whoever tells sets it back. */
  rang = false;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;

  /** A new ring, or with `memory` the one that another thread has made. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(WORDS * 4);
    this.words = new Int32Array(this.memory);
    this.bytes = new Uint8Array(this.memory);
  }

  /** Copies the beginning of the frame at `offset` into the ring; without room it is counted as lost. */
  push(kind: number, port: number, remote: number, vid: number, view: DataView, offset: number, length: number): void {
    const record = this.begin(kind, port, remote, vid, length);
    if (record < 0) return;
    const start = (record + RECORD_HEAD) * 4;
    const kept = length < PUNT_BYTES ? length : PUNT_BYTES;
    for (let at = 0; at < kept; at++) this.bytes[start + at] = view.getUint8(offset + at);
    this.finish();
  }

  /** A record about the address at `address[at]` and two MACs, zeros where there is none; see `subjectOf`. */
  tell(
    kind: number,
    port: number,
    remote: number,
    vid: number,
    address: ArrayLike<number>,
    at: number,
    high: number,
    low: number,
    otherHigh: number,
    otherLow: number,
  ): void {
    const { words } = this;
    const record = this.begin(kind, port, remote, vid, SUBJECT_WORDS * 4);
    if (record < 0) return;
    const subject = record + RECORD_HEAD;
    for (let word = 0; word < 4; word++) words[subject + word] = address[at + word];
    words[subject + 4] = high;
    words[subject + 5] = low;
    words[subject + 6] = otherHigh;
    words[subject + 7] = otherLow;
    this.finish();
  }

  /** The next record, its head filled; -1 without room. */
  private begin(kind: number, port: number, remote: number, vid: number, length: number): number {
    const { words } = this;
    const written = words[WRITTEN];
    if (((written - Atomics.load(words, READ)) | 0) === PUNT_SLOTS) {
      Atomics.add(words, LOST, 1);
      return -1;
    }
    const record = recordAt(written);
    words[record + KIND] = kind;
    words[record + PORT] = port;
    words[record + REMOTE] = remote;
    words[record + VID] = vid;
    words[record + LENGTH] = length;
    return record;
  }

  private finish(): void {
    const { words } = this;
    const written = words[WRITTEN];
    Atomics.store(words, WRITTEN, (written + 1) | 0);
    if (Atomics.load(words, READ) === written) this.rang = true;
  }
}

/** A record as the control thread reads it. */
export interface Punt {
  /** PUNT_*. */
  kind: number;
  /** Where the frame came in, the remote is 0 for one from a TAP; of a miss the vxlan port that lacks something. */
  port: number;
  remote: number;
  vid: number;
  /** Of the whole frame, in bytes. */
  length: number;
  /** Its first PUNT_BYTES bytes at most, from the Ethernet header on; a copy. */
  bytes: Uint8Array;
}

/** What a punt without a frame is about. */
export interface PuntSubject {
  /** Of PUNT_L3MISS, PUNT_NEIGH_CONFLICT and PUNT_OWN_TUNNEL: four words, IPv4 mapped. */
  address: [number, number, number, number];
  /** Of PUNT_L2MISS the MAC that is looked for; of PUNT_NEIGH_CONFLICT the one that claims the address. */
  mac: { high: number; low: number };
  /** Of PUNT_NEIGH_CONFLICT: the MAC that the binding has, and keeps. */
  other: { high: number; low: number };
}

/** Reads a punt without a frame. */
export function subjectOf({ bytes }: Punt): PuntSubject {
  const words = new Int32Array(bytes.slice().buffer);
  return {
    address: [words[0], words[1], words[2], words[3]],
    mac: { high: words[4], low: words[5] },
    other: { high: words[6], low: words[7] },
  };
}

/** The control thread's end of the rings of all engines. */
export class PuntReader {
  private readonly rings: { words: Int32Array; bytes: Uint8Array }[];

  constructor(memories: readonly SharedArrayBuffer[]) {
    this.rings = memories.map((memory) => ({ words: new Int32Array(memory), bytes: new Uint8Array(memory) }));
  }

  /** Hands over what lies in the rings, at most one ringful of each. @returns true when more has come meanwhile */
  drain(handle: (punt: Punt) => void): boolean {
    let more = false;
    for (const { words, bytes } of this.rings) {
      for (let taken = 0; taken < PUNT_SLOTS; taken++) {
        const read = words[READ];
        if (read === Atomics.load(words, WRITTEN)) break;
        const punt = readRecord(words, bytes, recordAt(read));
        Atomics.store(words, READ, (read + 1) | 0);
        handle(punt);
      }
      if (words[READ] !== Atomics.load(words, WRITTEN)) more = true;
    }
    return more;
  }

  /** Frames that found a full ring. */
  get lost(): number {
    return this.rings.reduce((total, { words }) => total + (Atomics.load(words, LOST) >>> 0), 0);
  }
}

function recordAt(cursor: number): number {
  return HEAD_WORDS + (cursor & (PUNT_SLOTS - 1)) * RECORD_WORDS;
}

function readRecord(words: Int32Array, bytes: Uint8Array, record: number): Punt {
  const length = words[record + LENGTH];
  const start = (record + RECORD_HEAD) * 4;
  return {
    kind: words[record + KIND],
    port: words[record + PORT],
    remote: words[record + REMOTE],
    vid: words[record + VID],
    length,
    bytes: bytes.slice(start, start + Math.min(length, PUNT_BYTES)),
  };
}

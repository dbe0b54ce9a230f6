/**
 * Frames for the control thread: a ring in shared memory with one engine as the writer and the control thread as the reader.
 * The frame itself is forwarded; the ring holds a copy of its beginning. A full ring drops and counts new records, so that a
 * guest can neither block the engine nor grow the memory. A port may hold as many records as are free, so the one that floods the
 * ring leaves half of it, and each further one finds a share.
 *
 * Each side owns one of the two cursors, which only increase (modulo 2^32). The engine notifies its owner when it writes to an
 * empty ring. Each side moves its own cursor before it reads the other one, so no record is left without a notification.
 */

// Kinds of punts.
export const PUNT_IGMP = 1;
export const PUNT_MLD = 2;
/** A PIM hello: a multicast router announces itself. */
export const PUNT_PIM = 3;
// Without a frame; `subjectOf` returns the subject.
/** A tunnel port has no FDB entry for a MAC (`l2miss`). */
export const PUNT_L2MISS = 4;
/** A tunnel port has no binding for an address (`l3miss`). */
export const PUNT_L3MISS = 5;
/** Several MACs claim an address: reported once until the claims are stable. */
export const PUNT_NEIGH_CONFLICT = 6;
/** A datagram of the switch's own, to this address, came in by the port (`egress/own-tunnel.ts`). */
export const PUNT_OWN_TUNNEL = 7;
// With a frame, which goes no further.
/** A loop probe of the bridge itself has come back (`bridge/for-switch.ts`). */
export const PUNT_PROBE = 8;
/** A BPDU, on a bridge with a spanning tree. */
export const PUNT_BPDU = 9;
/** An advertisement of Multicast Router Discovery: a multicast router announces itself. The frame goes on. */
export const PUNT_MRD = 10;

/** Recorded bytes of a frame: enough for a report that fills a frame of the usual MTU. */
export const PUNT_BYTES = 1536;
/** Records in a ring. */
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

/** Counts of records by port: as many as there may be ports (`counters.ts`). */
const PORT_COUNTS = 1024;

const WORDS = HEAD_WORDS + PUNT_SLOTS * RECORD_WORDS;

/** Words instead of a frame: an address, a MAC, another MAC. */
const SUBJECT_WORDS = 8;

/** The engine's side. */
export class PuntRing {
  readonly memory: SharedArrayBuffer;
  /** A record was written to an empty ring: the owner must be notified. The notifier resets it. */
  rang = false;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  /** By port: records from `counted` on, which the reader has not taken yet as far as is known. */
  private readonly held = new Int32Array(PORT_COUNTS);
  private counted: number;

  /** A new ring, or with `memory` one created by another thread. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(WORDS * 4);
    this.words = new Int32Array(this.memory);
    this.bytes = new Uint8Array(this.memory);
    this.counted = this.words[WRITTEN];
  }

  /** Copies the beginning of the frame at `offset` into the ring; counts it as lost when there is no room. */
  push(kind: number, port: number, remote: number, vid: number, view: DataView, offset: number, length: number): void {
    const record = this.begin(kind, port, remote, vid, length);
    if (record < 0) return;
    const start = (record + RECORD_HEAD) * 4;
    const kept = length < PUNT_BYTES ? length : PUNT_BYTES;
    for (let at = 0; at < kept; at++) this.bytes[start + at] = view.getUint8(offset + at);
    this.finish();
  }

  /** A record about the address at `address[at]` and two MACs, zeros for none; see `subjectOf`. */
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

  /** The next record with its header filled; -1 when there is no room. */
  private begin(kind: number, port: number, remote: number, vid: number, length: number): number {
    const { words } = this;
    const written = words[WRITTEN];
    if (!this.hasRoom(kind, port, written)) {
      Atomics.add(words, LOST, 1);
      return -1;
    }
    const record = recordAt(written);
    this.held[port & (PORT_COUNTS - 1)]++;
    words[record + KIND] = kind;
    words[record + PORT] = port;
    words[record + REMOTE] = remote;
    words[record + VID] = vid;
    words[record + LENGTH] = length;
    return record;
  }

  private hasRoom(kind: number, port: number, written: number): boolean {
    const { held, words } = this;
    const read = Atomics.load(words, READ);
    // A record that the reader has taken remains in its place until it is written again.
    for (; ((read - this.counted) | 0) > 0; this.counted = (this.counted + 1) | 0) {
      held[words[recordAt(this.counted) + PORT] & (PORT_COUNTS - 1)]--;
    }
    const free = PUNT_SLOTS - ((written - read) | 0);
    // Probes and BPDUs are limited already: a port that floods the ring must not hide its loop.
    const isLimited = kind === PUNT_PROBE || kind === PUNT_BPDU;
    return free > 0 && (isLimited || held[port & (PORT_COUNTS - 1)] < free);
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
  /** Ingress of the frame; the remote is 0 for a local port. For a miss, the tunnel port. */
  port: number;
  remote: number;
  vid: number;
  /** Of the whole frame, in bytes. */
  length: number;
  /** Its first PUNT_BYTES bytes at most, from the Ethernet header on; a copy. */
  bytes: Uint8Array;
}

/** The subject of a punt without a frame. */
export interface PuntSubject {
  /** Of PUNT_L3MISS, PUNT_NEIGH_CONFLICT and PUNT_OWN_TUNNEL: four words, IPv4 mapped. */
  address: [number, number, number, number];
  /** For PUNT_L2MISS the unknown MAC; for PUNT_NEIGH_CONFLICT the claimant's. */
  mac: { high: number; low: number };
  /** For PUNT_NEIGH_CONFLICT: the MAC that the binding keeps. */
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

interface Ring {
  words: Int32Array;
  bytes: Uint8Array;
}

/** The control thread's side of the rings of all engines. */
export class PuntReader {
  private readonly rings: Ring[];

  constructor(memories: readonly SharedArrayBuffer[]) {
    this.rings = memories.map((memory) => ({ words: new Int32Array(memory), bytes: new Uint8Array(memory) }));
  }

  /**
   * Delivers the records in the rings, one of each in turn, at most one ringful of each.
   * @param isEnough asked after each turn: the rest is left for another time
   * @returns true when there are more
   */
  drain(handle: (punt: Punt) => void, isEnough: () => boolean = () => false): boolean {
    for (let turn = 0; turn < PUNT_SLOTS; turn++) {
      let isEmpty = true;
      for (const ring of this.rings) if (takeRecord(ring, handle)) isEmpty = false;
      if (isEmpty) return false;
      if (isEnough()) break;
    }
    return this.rings.some(({ words }) => words[READ] !== Atomics.load(words, WRITTEN));
  }

  /** Frames lost to a full ring. */
  get lost(): number {
    return this.rings.reduce((total, { words }) => total + (Atomics.load(words, LOST) >>> 0), 0);
  }
}

function recordAt(cursor: number): number {
  return HEAD_WORDS + (cursor & (PUNT_SLOTS - 1)) * RECORD_WORDS;
}

/** @returns false when there is none */
function takeRecord({ words, bytes }: Ring, handle: (punt: Punt) => void): boolean {
  const read = words[READ];
  if (read === Atomics.load(words, WRITTEN)) return false;
  const punt = readRecord(words, bytes, recordAt(read));
  Atomics.store(words, READ, (read + 1) | 0);
  handle(punt);
  return true;
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

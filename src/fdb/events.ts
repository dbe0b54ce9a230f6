/**
 * Records of changes of entries: a ring in the FDB's memory, in which a new record overwrites the oldest.
 *
 *   word of a record   0         1            2           3        4        5            6                7
 *                      +---------+------------+-----------+--------+--------+------------+----------------+-----+
 *                      | sequence| cause, kind| flags, MAC| MAC,   | FID| destination| old destination| tick|
 *                      | number  |            | first 2   | last 4 |        |            |                |     |
 *                      +---------+------------+-----------+--------+--------+------------+----------------+-----+
 *
 * Each change of an entry writes one record, under the lock of the change; a refresh is no change. Readers in other threads never
 * wait for a writer or delay one. Records overwritten before they were read count as lost.
 *
 * **Whole records.** Only the counter in the header is stored by Atomics, after the plain writes of a record: atomic writes of two
 * records would be a quarter of the cost of an eviction. The counter is n before record n is begun, and changes (of at most
 * SLACK records) take the lock, so only the places of records n and n + 1 are being written. A copied record k is whole if the
 * counter is at most k + `room` after the copy: its place is then not yet being written again.
 *
 * Sequence numbers wrap at 2^32: a reader must read before another 2^31 changes.
 */
import {
  EVENT_SHIFT,
  type FdbViews,
  HEAD_EVENT_ROOM,
  HEAD_EVENTS,
  ROW_DESTINATION,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_FID,
  ROW_SHIFT,
  viewsOf,
} from './layout.js';

// ---- Kinds
export const EVENT_LEARNED = 1;
/** Learning gave the entry another destination. */
export const EVENT_MOVED = 2;
export const EVENT_AGED = 3;
/** Removed for a reason other than age: see the cause. */
export const EVENT_DELETED = 4;
/** Added by control. */
export const EVENT_ADDED = 5;
/** Given another destination, owner or flags by control. */
export const EVENT_CHANGED = 6;

// ---- Causes
/** No cause beside the kind. */
export const CAUSE_NONE = 0;
/** Control removed this entry. */
export const CAUSE_REMOVED = 1;
/** It matched a flush. */
export const CAUSE_FLUSHED = 2;
/** Evicted from a full table for another entry. */
export const CAUSE_EVICTED = 3;
/** Moved to an owner at its limit. */
export const CAUSE_LIMIT = 4;

/** Most records of one change: of the evicted and of the new entry. */
const SLACK = 2;

const SEQUENCE = 0;
const KIND = 1;
const MAC_HIGH = 2;
const MAC_LOW = 3;
const FID = 4;
const DESTINATION = 5;
const OLD_DESTINATION = 6;
const TICK = 7;

export interface FdbEvent {
  /** Counts the table's changes; wraps from 2^31 - 1 to -2^31. */
  sequence: number;
  /** EVENT_* */
  kind: number;
  /** CAUSE_* */
  cause: number;
  high: number;
  low: number;
  fid: number;
  /** After the change; for a removed entry, its last one. */
  destination: number;
  /** Before a move or a change; otherwise as `destination`. */
  oldDestination: number;
  /** FLAG_* after the change; for a removed entry, its last ones. */
  flags: number;
  tick: number;
}

/** Records a change of a row's entry, with the present words of the row. The caller holds the lock. */
export function recordEvent(
  views: FdbViews,
  kind: number,
  cause: number,
  row: number,
  oldDestination: number,
  tick: number,
): void {
  const { events, header, rows } = views;
  const base = row << ROW_SHIFT;
  const sequence = header[HEAD_EVENTS];
  const at = (sequence & (header[HEAD_EVENT_ROOM] - 1)) << EVENT_SHIFT;
  events[at + SEQUENCE] = sequence;
  events[at + KIND] = (cause << 8) | kind;
  events[at + MAC_HIGH] = rows[base + ROW_MAC_HIGH];
  events[at + MAC_LOW] = rows[base + ROW_MAC_LOW];
  events[at + FID] = rows[base + ROW_FID];
  events[at + DESTINATION] = rows[base + ROW_DESTINATION];
  events[at + OLD_DESTINATION] = oldDestination;
  events[at + TICK] = tick;
  Atomics.store(header, HEAD_EVENTS, sequence + 1);
}

/** One reader of a table's events. Readers are independent, and their number is not limited. */
export class FdbEvents {
  private readonly header: Int32Array;
  private readonly events: Int32Array;
  private readonly mask: number;
  /** Most readable records: all places except those that may be being written. */
  readonly room: number;
  /** Sequence number of the next record to read. */
  private next: number;

  /** A reader that begins with the next change. @throws TypeError when the memory is not an FDB's */
  static attach(memory: SharedArrayBuffer): FdbEvents {
    return new FdbEvents(viewsOf(memory));
  }

  private constructor(views: FdbViews) {
    this.header = views.header;
    this.events = views.events;
    this.mask = views.header[HEAD_EVENT_ROOM] - 1;
    this.room = views.header[HEAD_EVENT_ROOM] - SLACK;
    this.next = Atomics.load(this.header, HEAD_EVENTS);
  }

  /** Number of unread records, including lost ones. */
  get pending(): number {
    return (Atomics.load(this.header, HEAD_EVENTS) - this.next) | 0;
  }

  /** Skips all unread records. */
  skip(): void {
    this.next = Atomics.load(this.header, HEAD_EVENTS);
  }

  /**
   * Calls back for each event since the last call, in order, each with a new object.
   * @param max limit of events in this call
   * @returns the number of lost records, which were overwritten before this call read them
   */
  read(callback: (event: FdbEvent) => void, max = this.room): number {
    let lost = 0;
    for (let left = max; left > 0; ) {
      const pending = this.pending;
      if (pending === 0) break;
      if (pending > this.room) {
        lost += pending - this.room;
        this.next = (this.next + pending - this.room) | 0;
      }
      const event = this.tryRead(this.next);
      this.next = (this.next + 1) | 0;
      if (event === null) {
        lost++;
        continue;
      }
      left--;
      callback(event);
    }
    return lost;
  }

  /** The record with this number; null if it was overwritten or is being overwritten. */
  private tryRead(sequence: number): FdbEvent | null {
    const { events } = this;
    const at = (sequence & this.mask) << EVENT_SHIFT;
    const kind = Atomics.load(events, at + KIND);
    const word = Atomics.load(events, at + MAC_HIGH);
    const event: FdbEvent = {
      sequence: Atomics.load(events, at + SEQUENCE),
      kind: kind & 0xff,
      cause: kind >>> 8,
      high: word & 0xffff,
      low: Atomics.load(events, at + MAC_LOW),
      fid: Atomics.load(events, at + FID),
      destination: Atomics.load(events, at + DESTINATION),
      oldDestination: Atomics.load(events, at + OLD_DESTINATION),
      flags: word >>> 16,
      tick: Atomics.load(events, at + TICK),
    };
    const isWhole = ((Atomics.load(this.header, HEAD_EVENTS) - sequence) | 0) <= this.room;
    return isWhole && event.sequence === sequence ? event : null;
  }
}

/**
 * What has happened to entries: a ring of records in the FDB's memory, the newest over the oldest.
 *
 *   word of a record   0         1            2           3        4        5            6                7
 *                      +---------+------------+-----------+--------+--------+------------+----------------+-----+
 *                      | sequence| cause, kind| flags, MAC| MAC,   | segment| destination| old destination| tick|
 *                      | number  |            | first 2   | last 4 |        |            |                |     |
 *                      +---------+------------+-----------+--------+--------+------------+----------------+-----+
 *
 * Each change of an entry makes exactly one record, written under the lock under which the change is made; refreshing an
 * entry is none. A reader in another thread waits for nobody and holds nobody up; what was overwritten before it came is
 * counted as lost.
 *
 * **Whole records.** A record is written plainly and made known by the counter in the header, the only word stored by
 * Atomics: two records an eviction would otherwise be a quarter of its cost. The counter has to come to n before record n
 * is begun, and since a lock is taken between any two changes (of at most SLACK records each), the places that are being
 * written are those of records n and n + 1. So a reader that finds, after it has copied record k, that the counter has
 * not come within SLACK of k's place again, has a whole one.
 *
 * Sequence numbers wrap at 2^32: a reader has to come back before 2^31 changes were made.
 */
import {
  EVENT_SHIFT,
  type FdbViews,
  HEAD_EVENT_ROOM,
  HEAD_EVENTS,
  ROW_DESTINATION,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_SEGMENT,
  ROW_SHIFT,
  viewsOf,
} from './layout.js';

// ---- Kinds
export const EVENT_LEARNED = 1;
/** Learning gave the entry another destination. */
export const EVENT_MOVED = 2;
export const EVENT_AGED = 3;
/** Removed for another reason than its age; the cause says for which. */
export const EVENT_DELETED = 4;
/** Put in by control. */
export const EVENT_ADDED = 5;
/** Given another destination, owner or flags by control. */
export const EVENT_CHANGED = 6;

// ---- Causes
/** The kind says it all. */
export const CAUSE_NONE = 0;
/** Control removed this entry. */
export const CAUSE_REMOVED = 1;
/** It matched a flush. */
export const CAUSE_FLUSHED = 2;
/** It gave way to another one in a full table. */
export const CAUSE_EVICTED = 3;
/** It moved to an owner whose limit leaves no room for it. */
export const CAUSE_LIMIT = 4;

/** Records that one change makes at most: of the entry that gives way and of the one that comes. */
const SLACK = 2;

const SEQUENCE = 0;
const KIND = 1;
const MAC_HIGH = 2;
const MAC_LOW = 3;
const SEGMENT = 4;
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
  segment: number;
  /** After the change; of an entry that is gone, where it was. */
  destination: number;
  /** Before a move or a change; else as `destination`. */
  oldDestination: number;
  /** FLAG_* after the change; of an entry that is gone, what it had. */
  flags: number;
  tick: number;
}

/** Records what happens to the entry of a row, from the words that are in the row. Called with the lock held. */
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
  events[at + SEGMENT] = rows[base + ROW_SEGMENT];
  events[at + DESTINATION] = rows[base + ROW_DESTINATION];
  events[at + OLD_DESTINATION] = oldDestination;
  events[at + TICK] = tick;
  Atomics.store(header, HEAD_EVENTS, sequence + 1);
}

/** One reader of a table's events. Any number of them may read, each at its own pace. */
export class FdbEvents {
  private readonly header: Int32Array;
  private readonly events: Int32Array;
  private readonly mask: number;
  /** Records that can be read: the places less those that may be being written. */
  readonly room: number;
  /** Sequence number of the next record to read. */
  private next: number;

  /** Begins at the present end: with the next change. @throws TypeError when the memory is not an FDB's */
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

  /** Number of records that wait to be read, lost ones included. */
  get pending(): number {
    return (Atomics.load(this.header, HEAD_EVENTS) - this.next) | 0;
  }

  /** Leaves out what waits to be read. */
  skip(): void {
    this.next = Atomics.load(this.header, HEAD_EVENTS);
  }

  /**
   * Calls back for each event since the last call, in order, each with an object of its own.
   * @param max most events to read in this call
   * @returns how many were overwritten before they could be read; they lie before or between those of this call
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

  /** The record with this number, or null when it has been or is being overwritten. */
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
      segment: Atomics.load(events, at + SEGMENT),
      destination: Atomics.load(events, at + DESTINATION),
      oldDestination: Atomics.load(events, at + OLD_DESTINATION),
      flags: word >>> 16,
      tick: Atomics.load(events, at + TICK),
    };
    const isWhole = ((Atomics.load(this.header, HEAD_EVENTS) - sequence) | 0) <= this.room;
    return isWhole && event.sequence === sequence ? event : null;
  }
}

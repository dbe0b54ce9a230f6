/**
 * One direction of a link: decides what happens to each frame, and holds those that wait. It knows no device and no clock: times come from the
 * caller, in microseconds, so that the same frames at the same times have the same fate.
 *
 * In this order a frame is lost; finds the queue full; is changed; waits for its turn at the rate; is delayed; and is doubled on arrival.
 */
import { ASK_BIT, ASK_CORRUPT, ASK_DUPLICATE, ASK_JITTER, ASK_LOSS, ASK_REORDER, chance } from './chance.js';
import { DueHeap } from './due-heap.js';
import type { Weather } from './weather.js';

/** Bytes that may wait, beside the limit in frames. */
export const MOST_BYTES = 16 * 1024 * 1024;
/** Bits before it are the Ethernet header's, without which a frame would go astray and not arrive corrupt. */
const HEADER_BITS = 14 * 8;

/** Counted since the start. received + duplicated = lost + queue_full + sent + waiting. */
export interface Counts {
  received: number;
  lost: number;
  queue_full: number;
  duplicated: number;
  corrupted: number;
  reordered: number;
  sent: number;
}

export class Direction {
  readonly counts: Counts = {
    received: 0,
    lost: 0,
    queue_full: 0,
    duplicated: 0,
    corrupted: 0,
    reordered: 0,
    sent: 0,
  };
  #weather: Weather;
  readonly #salt: number;
  readonly #waiting = new DueHeap();
  #bytes = 0;
  /** Number of the next frame, for chance. */
  #frame = 0;
  /** When the last frame is over at the rate, and when the last one that keeps the order leaves. */
  #busyUntil = 0;
  #lastDue = 0;

  /** @param salt other for each direction, so that two with the same seed differ */
  constructor(weather: Weather, salt: number) {
    this.#weather = weather;
    this.#salt = salt;
  }

  get weather(): Weather {
    return this.#weather;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** When the next frame leaves; Infinity: none waits. */
  get due(): number {
    return this.#waiting.due;
  }

  /** Changes it for the frames to come; those that wait leave when they would have. Another seed begins at frame 0. */
  set(weather: Weather): void {
    if (weather.seed !== this.#weather.seed) this.#frame = 0;
    this.#weather = weather;
  }

  /** Takes a frame, which is copied if it waits. @param now never less than before */
  offer(frame: Uint8Array, now: number): void {
    const { loss, limit, corrupt, duplicate } = this.#weather;
    const number = this.#frame++;
    this.counts.received++;
    if (this.#happens(loss, number, ASK_LOSS)) {
      this.counts.lost++;
      return;
    }
    if (this.#waiting.size >= limit || this.#bytes + frame.length > MOST_BYTES) {
      this.counts.queue_full++;
      return;
    }
    const own = frame.slice();
    if (this.#happens(corrupt, number, ASK_CORRUPT)) this.#corrupt(own, number);
    const due = this.#dueOf(own.length, number, now);
    this.#hold(own, due);
    if (!this.#happens(duplicate, number, ASK_DUPLICATE)) return;
    this.counts.duplicated++;
    this.#hold(own, due);
  }

  /** The next frame that has left by now; null: none. */
  take(now: number): Uint8Array | null {
    if (this.#waiting.due > now) return null;
    const frame = this.#waiting.pop();
    if (frame === null) return null;
    this.#bytes -= frame.length;
    this.counts.sent++;
    return frame;
  }

  #hold(frame: Uint8Array, due: number): void {
    this.#bytes += frame.length;
    this.#waiting.push(due, frame);
  }

  #dueOf(length: number, number: number, now: number): number {
    const { rate, delay, jitter, reorder } = this.#weather;
    if (rate > 0) this.#busyUntil = Math.max(now, this.#busyUntil) + (length * 8 * 1e6) / rate;
    const onWire = rate > 0 ? this.#busyUntil : now;
    if (this.#happens(reorder, number, ASK_REORDER)) {
      if (this.#lastDue > onWire) this.counts.reordered++;
      return onWire;
    }
    const wait = delay + (jitter === 0 ? 0 : jitter * chance(this.#seed, number, ASK_JITTER));
    this.#lastDue = Math.max(onWire + wait, this.#lastDue);
    return this.#lastDue;
  }

  #corrupt(frame: Uint8Array, number: number): void {
    const bits = frame.length * 8 - HEADER_BITS;
    if (bits <= 0) return;
    this.counts.corrupted++;
    const bit = HEADER_BITS + Math.floor(chance(this.#seed, number, ASK_BIT) * bits);
    frame[bit >> 3] = (frame[bit >> 3] as number) ^ (1 << (bit & 7));
  }

  get #seed(): number {
    return this.#weather.seed ^ this.#salt;
  }

  #happens(share: number, number: number, question: number): boolean {
    return share > 0 && chance(this.#seed, number, question) < share;
  }
}

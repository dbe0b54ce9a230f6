/**
 * Whole BGP messages out of a TCP stream (RFC 4271 section 4.1).
 *
 *   byte 0                          16        18     19
 *        +--------------------------+---------+------+------
 *        | marker, all bits set     | length  | type | body
 *        +--------------------------+---------+------+------
 *
 * Owns the header: its checks (section 6.1), its offsets, and the bytes of a message that has not come whole. It holds at most one
 * message. It never looks into a body.
 */
import {
  ERROR_HEADER,
  HEADER_BAD_LENGTH,
  HEADER_BAD_TYPE,
  HEADER_NOT_SYNCHRONIZED,
  type Notification,
  notification,
} from './notification.js';
import { EXTENDED_LIMIT, MESSAGE_LIMIT } from './session.js';

export const HEADER = 19;
export const MARKER = 16;
const LENGTH = 16;
const TYPE = 18;

export const TYPE_OPEN = 1;
export const TYPE_UPDATE = 2;
export const TYPE_NOTIFICATION = 3;
export const TYPE_KEEPALIVE = 4;
export const TYPE_REFRESH = 5;

/** Least length of each type (section 4). A KEEPALIVE has just this length. */
const LEAST: readonly number[] = [0, 29, 23, 21, 19, 23];

/**
 * What is wrong with a header at `at`, of which all 19 bytes are there.
 * @param maxLength most bytes of an UPDATE, NOTIFICATION or ROUTE-REFRESH; the others never are longer than 4096 (RFC 8654 section 4)
 * @returns null: nothing
 */
export function headerFault(bytes: Uint8Array, at: number, maxLength: number): Notification | null {
  for (let i = 0; i < MARKER; i++) {
    if (bytes[at + i] !== 0xff) return notification(ERROR_HEADER, HEADER_NOT_SYNCHRONIZED);
  }
  const type = bytes[at + TYPE];
  if (type < TYPE_OPEN || type > TYPE_REFRESH) {
    return notification(ERROR_HEADER, HEADER_BAD_TYPE, bytes.subarray(at + TYPE, at + TYPE + 1));
  }
  const length = messageLength(bytes, at);
  const limit = type === TYPE_OPEN ? MESSAGE_LIMIT : type === TYPE_KEEPALIVE ? HEADER : maxLength;
  if (length >= LEAST[type] && length <= limit) return null;
  return notification(ERROR_HEADER, HEADER_BAD_LENGTH, bytes.subarray(at + LENGTH, at + LENGTH + 2));
}

/** Bytes of the message whose header is at `at`. */
export function messageLength(bytes: Uint8Array, at: number): number {
  return (bytes[at + LENGTH] << 8) | bytes[at + LENGTH + 1];
}

export function messageType(message: Uint8Array): number {
  return message[TYPE];
}

/** Fills in the header of a message, whose length is that of its bytes. */
export function writeHeader(message: Uint8Array, type: number): void {
  message.fill(0xff, 0, MARKER);
  message[LENGTH] = message.length >>> 8;
  message[LENGTH + 1] = message.length;
  message[TYPE] = type;
}

/** Takes a whole message, valid during the call only. @returns false: the session has ended, the rest is not wanted */
export type TakeMessage = (message: Uint8Array) => boolean | undefined;

const NOTHING = new Uint8Array(0);

/** Cuts one connection's stream into messages. */
export class Framer {
  /** Most bytes of a message from now on: EXTENDED_LIMIT when both ends have extended messages. */
  maxLength = MESSAGE_LIMIT;
  /** Made when a message comes in parts: most come whole. */
  private held = NOTHING;
  private heldLength = 0;
  private hasEnded = false;

  /**
   * Takes what has come, in chunks of any size, and gives each message that is whole now.
   * @returns the NOTIFICATION to end the session with, when a header is wrong; null: all is well. After either end nothing is taken any more.
   */
  push(chunk: Uint8Array, take: TakeMessage): Notification | null {
    let at = 0;
    while (!this.hasEnded) {
      if (this.heldLength > 0) {
        at = this.fill(chunk, at);
        if (this.heldLength < HEADER) return null;
      } else if (chunk.length - at < HEADER) {
        this.hold(chunk, at, chunk.length);
        return null;
      }
      const isHeld = this.heldLength > 0;
      const bytes = isHeld ? this.held : chunk;
      const start = isHeld ? 0 : at;
      const fault = headerFault(bytes, start, this.maxLength);
      if (fault !== null) return this.end(fault);
      const length = messageLength(bytes, start);
      if (!isHeld && chunk.length - at < length) {
        this.hold(chunk, at, chunk.length);
        return null;
      }
      if (isHeld && this.heldLength < length) {
        if (at === chunk.length) return null;
        continue;
      }
      if (isHeld) this.heldLength = 0;
      else at += length;
      if (take(bytes.subarray(start, start + length)) === false) this.end(null);
    }
    return null;
  }

  /** Bytes of a message that has not come whole. */
  get pending(): number {
    return this.heldLength;
  }

  /** Adds to the held message what it lacks: first its header, then its body. @returns where the chunk goes on */
  private fill(chunk: Uint8Array, at: number): number {
    const wanted = this.heldLength < HEADER ? HEADER : messageLength(this.held, 0);
    const end = Math.min(chunk.length, at + Math.max(0, wanted - this.heldLength));
    this.hold(chunk, at, end);
    return end;
  }

  private hold(chunk: Uint8Array, from: number, to: number): void {
    const needed = this.heldLength + (to - from);
    if (needed > this.held.length) {
      const larger = new Uint8Array(needed > MESSAGE_LIMIT ? EXTENDED_LIMIT : MESSAGE_LIMIT);
      larger.set(this.held.subarray(0, this.heldLength));
      this.held = larger;
    }
    this.held.set(chunk.subarray(from, to), this.heldLength);
    this.heldLength = needed;
  }

  private end(fault: Notification | null): Notification | null {
    this.hasEnded = true;
    this.heldLength = 0;
    return fault;
  }
}

/**
 * Frames of the conversation in which one process gives its switch to the next: length (four bytes, little-endian), type, payload.
 * Both processes are on one machine, so words have its byte order.
 *
 * Owns the bounds: no frame is longer than its reader allows, whatever the other side says.
 */

/** Changes with the meaning of any frame. A process only gives its switch to one that speaks the same version. */
export const PROTOCOL = 1;

/** The request: a CONNECT, whose connection belongs to the two processes from the answer on. */
export const TAKE_OVER_TARGET = `take-over:${PROTOCOL}`;

/** What is said, in this order. */
export const FRAME = {
  /** JSON: configuration, and the ports with their devices (`estate.ts`). */
  plan: 1,
  /** The number of descriptors that come with this frame, in one byte. */
  rights: 2,
  /** JSON: what indexes in the tables mean. Begins a part of the tables: all of them, then twice what has changed. */
  names: 3,
  /** Words of FDB entries (`fdb/transfer.ts`). */
  entries: 4,
  /** The new process has set up everything and read a part that came before the last one. */
  prepared: 5,
  /** Words of the keys of FDB entries that exist no longer. */
  gone: 6,
  /** Words of learned bindings (`tables.ts`). */
  neighbours: 7,
  /**
   * JSON: counters and groups; ends a part. During the last part the former process stands still, and the new one forwards as soon as
   * it has it.
   */
  state: 8,
  /** The new process forwards; with the version of its program. */
  running: 9,
  /** The former process ends. */
  bye: 10,
  /** JSON: why it does not go on. From either side. */
  fault: 11,
} as const;

export type FrameType = keyof typeof FRAME;

const HEADER_BYTES = 5;
const NAMES = new Map<number, FrameType>(Object.entries(FRAME).map(([name, number]) => [number, name as FrameType]));

export interface Frame {
  type: FrameType;
  payload: Buffer;
}

/** The other side does not keep to the conversation. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

export function encodeFrame(type: FrameType, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.byteLength);
  frame.writeUInt32LE(payload.byteLength, 0);
  frame[4] = FRAME[type];
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export function encodeJson(type: FrameType, value: unknown): Buffer {
  return encodeFrame(type, Buffer.from(JSON.stringify(value)));
}

export function encodeWords(type: FrameType, words: Int32Array): Buffer {
  return encodeFrame(type, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
}

/** @throws FrameError when it is no JSON */
export function jsonOf({ type, payload }: Frame): unknown {
  try {
    return JSON.parse(payload.toString('utf8')) as unknown;
  } catch {
    throw new FrameError(`its ${type} is no JSON`);
  }
}

/** @param width the payload consists of rows of so many words. @throws FrameError when it does not */
export function wordsOf({ type, payload }: Frame, width: number): Int32Array {
  if (payload.byteLength % (4 * width) !== 0) throw new FrameError(`its ${type} end within a row`);
  const words = new Int32Array(payload.byteLength / 4);
  new Uint8Array(words.buffer).set(payload);
  return words;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  private pieces: Buffer[] = [];
  private held = 0;
  /** Bytes that the frame at the head needs; the header's, until that is here. */
  private needed = HEADER_BYTES;

  /** @param most bytes of a payload */
  constructor(private readonly most: number) {}

  push(bytes: Buffer): void {
    this.pieces.push(bytes);
    this.held += bytes.byteLength;
  }

  /** The next frame, or null until more bytes come. @throws FrameError */
  next(): Frame | null {
    if (this.held < this.needed) return null;
    const head = this.pieces.length === 1 ? this.pieces[0] : Buffer.concat(this.pieces);
    this.pieces = [head];
    const length = head.readUInt32LE(0);
    const type = NAMES.get(head[4]);
    if (type === undefined) throw new FrameError('it sends something that this version does not know');
    if (length > this.most) throw new FrameError(`its ${type} has ${length} bytes, more than ${this.most}`);
    this.needed = HEADER_BYTES + length;
    if (this.held < this.needed) return null;
    const payload = head.subarray(HEADER_BYTES, this.needed);
    this.pieces = [head.subarray(this.needed)];
    this.held -= this.needed;
    this.needed = HEADER_BYTES;
    return { type, payload };
  }
}

/**
 * The conversation with the preloaded library (src/native/exec/exec.h), one connection for each thing that a program says: frames
 * of a length, a word and a payload. Whoever may open the socket is believed no more than its bytes: lengths and order are
 * checked, and a connection that says something else is closed.
 */
import type { Socket } from 'node:net';

/** As in exec.h. */
export const WORD = { REQUEST: 1, REPLY: 2, LISTEN: 3, CALL: 4, PASS: 16, ASK: 17, ANSWER: 18, RESULT: 19 } as const;

const HEAD_BYTES = 8;
export const CALLER_BYTES = 24;
/** OX_MAX_REQUEST and what stands before it; OX_MAX_MESSAGE for what the kernel has answered. */
const MAX_FIRST = 64 * 1024 + CALLER_BYTES;
const MAX_REPLY = 64 * 1024 * 1024;

/** Who asks: facts that only its own process can check, and that give it nothing. */
export interface Caller {
  /** Inode of its network namespace. */
  readonly netns: number;
  readonly pid: number;
  /** Of its netlink socket: answers carry it. */
  readonly portid: number;
  /** It checks requests of dumps strictly (NETLINK_GET_STRICT_CHK). */
  readonly strict: boolean;
}

export interface Frame {
  readonly word: number;
  readonly payload: Buffer;
}

export function readCaller(bytes: Buffer): Caller | null {
  if (bytes.length < CALLER_BYTES) return null;
  const netns = bytes.readBigUInt64LE(0);
  if (netns > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  return {
    netns: Number(netns),
    pid: bytes.readUInt32LE(8),
    portid: bytes.readUInt32LE(12),
    strict: bytes.readUInt32LE(16) !== 0,
  };
}

/** A connection, as frames. */
export class Conversation {
  private waiting: Buffer[] = [];
  private bytes = 0;
  private wake: (() => void) | undefined;
  private isOver = false;
  private most = MAX_FIRST;

  constructor(private readonly socket: Socket) {
    socket.on('data', (part: Buffer) => {
      this.waiting.push(part);
      this.bytes += part.length;
      // A library says one thing and waits.
      if (this.bytes > this.most + HEAD_BYTES) this.socket.destroy();
      this.wake?.();
    });
    for (const end of ['end', 'error', 'close'] as const) {
      socket.on(end, () => {
        this.isOver = true;
        this.wake?.();
      });
    }
  }

  /** @param ended called when the program has gone; at once if it has */
  onEnd(ended: () => void): void {
    if (this.isOver) ended();
    else this.socket.once('close', ended).once('end', ended);
  }

  /** The next frame; null: the connection has ended, or says what no library says. */
  async next(): Promise<Frame | null> {
    const head = await this.take(HEAD_BYTES);
    if (head === null) return null;
    const length = head.readUInt32LE(0);
    if (length > this.most) return null;
    const payload = await this.take(length);
    return payload === null ? null : { word: head.readUInt32LE(4), payload };
  }

  /** Bytes that the program has not read. */
  get unread(): number {
    return this.socket.writableLength;
  }

  say(word: number, payload: Buffer = Buffer.alloc(0)): void {
    if (this.isOver) return;
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(payload.length, 0);
    head.writeUInt32LE(word, 4);
    this.socket.write(Buffer.concat([head, payload]));
  }

  /** Has the program ask its kernel. @returns the kernel's messages, or an errno; null: the program has gone */
  async ask(message: Buffer): Promise<{ errno: number; bytes: Buffer } | null> {
    this.most = MAX_REPLY;
    this.say(WORD.ASK, message);
    const frame = await this.next();
    if (frame === null || frame.word !== WORD.REPLY || frame.payload.length < 4) return null;
    return { errno: frame.payload.readUInt32LE(0), bytes: frame.payload.subarray(4) };
  }

  end(): void {
    this.socket.end();
  }

  private async take(length: number): Promise<Buffer | null> {
    while (this.bytes < length) {
      if (this.isOver) return null;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const all = this.waiting.length === 1 ? (this.waiting[0] as Buffer) : Buffer.concat(this.waiting);
    this.waiting = all.length > length ? [all.subarray(length)] : [];
    this.bytes -= length;
    return all.subarray(0, length);
  }
}

/** Most bytes of messages in one datagram of an answer; programs have room for twice as many. */
const DATAGRAM_BYTES = 16 * 1024;

/** Messages as datagrams, each with its length before it: the payload of ANSWER. */
export function datagrams(messages: readonly Buffer[]): Buffer {
  const out: Buffer[] = [];
  let open: Buffer[] = [];
  let size = 0;
  const close = (): void => {
    if (size === 0) return;
    const head = Buffer.alloc(4);
    head.writeUInt32LE(size);
    out.push(head, ...open);
    open = [];
    size = 0;
  };
  for (const message of messages) {
    if (size + message.length > DATAGRAM_BYTES) close();
    open.push(message);
    size += message.length;
  }
  close();
  return Buffer.concat(out);
}

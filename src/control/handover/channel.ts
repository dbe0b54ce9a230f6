/**
 * The conversation of `frames.ts` over a connected socket. Every wait has a limit, and a fault that the other side tells of ends it.
 */
import type { Socket } from 'node:net';
import { guarded } from '../guard.js';
import { encodeJson, type Frame, FrameError, type FrameReader, type FrameType, jsonOf } from './frames.js';

/** The other side has closed without a word: it has died, or this side does not know why. */
export class PeerGone extends Error {
  override readonly name = 'PeerGone';
}

/** The other side has said why it does not go on. */
export class PeerRefused extends Error {
  override readonly name = 'PeerRefused';
}

/** Time in milliseconds for the other side to read a frame without tables. */
const SEND_MS = 2000;
/** Longest text of a fault that is repeated. */
const MOST_TEXT = 1000;

export class Channel {
  private readonly frames: Frame[] = [];
  private failure: Error | null = null;
  /** The other side has closed the connection, or ended. */
  isClosed = false;
  private wake: () => void = () => undefined;

  /** @param reader may hold bytes that were read before */
  constructor(
    private readonly socket: Socket,
    private readonly reader: FrameReader,
  ) {
    socket.on(
      'data',
      guarded('hand-over', (bytes: Buffer) => this.take(bytes)),
    );
    const gone = (): void => {
      this.isClosed = true;
      this.fail(new PeerGone('it has closed the connection'));
    };
    socket.on('error', gone).on('end', gone).on('close', gone);
    this.read();
  }

  /**
   * Sends a frame.
   * @param ms time for the other side to read it, as far as it does not fit into the socket's buffer
   * @throws PeerGone; FrameError when the other side does not read
   */
  send(frame: Buffer, ms = SEND_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new FrameError(`it has not read what was sent in ${Math.round(ms / 1000)} s`));
      const timer = setTimeout(late, ms);
      this.socket.write(frame, (error) => {
        clearTimeout(timer);
        if (error == null) resolve();
        else reject(new PeerGone(`it does not read: ${error.message}`));
      });
    });
  }

  /** Tells the other side why this one does not go on. Never throws. */
  async refuse(message: string): Promise<void> {
    await this.send(encodeJson('fault', { message })).catch(() => undefined);
  }

  /** Ends every wait for a frame. */
  cancel(reason: string): void {
    this.fail(new Error(reason));
  }

  /**
   * The next frame, which must be of this type.
   * @throws PeerRefused, PeerGone; FrameError when another one comes, or none in time
   */
  async expect(type: FrameType, ms: number): Promise<Frame> {
    const frame = await this.next(type, ms);
    if (frame.type === 'fault') throw new PeerRefused(messageOf(frame));
    if (frame.type !== type) throw new FrameError(`it sends ${frame.type} where ${type} is due`);
    return frame;
  }

  private async next(type: FrameType, ms: number): Promise<Frame> {
    const end = performance.now() + ms;
    for (;;) {
      const frame = this.frames.shift();
      if (frame !== undefined) return frame;
      if (this.failure !== null) throw this.failure;
      const left = end - performance.now();
      if (left <= 0) throw new FrameError(`its answer (${type}) has not come in ${Math.round(ms / 1000)} s`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /**
   * Waits for the end of the conversation, whatever else is said.
   * @returns a frame of the type, if one has come; null when the other side has closed; `nothing`: neither has happened in time
   */
  async lastWord(type: FrameType, ms: number): Promise<Frame | null | 'nothing'> {
    const end = performance.now() + ms;
    for (;;) {
      const found = this.frames.find((frame) => frame.type === type);
      if (found !== undefined) return found;
      if (this.isClosed) return null;
      if (performance.now() >= end) return 'nothing';
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  private take(bytes: Buffer): void {
    this.reader.push(bytes);
    this.read();
  }

  private read(): void {
    try {
      for (let frame = this.reader.next(); frame !== null; frame = this.reader.next()) this.frames.push(frame);
    } catch (error) {
      this.fail(error as Error);
      this.socket.destroy();
    }
    this.wake();
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.wake();
  }
}

function messageOf(frame: Frame): string {
  const value = jsonOf(frame) as { message?: unknown } | null;
  return typeof value?.message === 'string' ? value.message.slice(0, MOST_TEXT) : 'it does not say why';
}

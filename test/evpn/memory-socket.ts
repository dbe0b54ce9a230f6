/** A connection in memory, as far as `Connection` needs a socket of node:net. The test is its other end. */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { WarpedLoop } from './warped-loop.js';

export class MemorySocket extends EventEmitter {
  connecting = true;
  readonly writableLength = 0;
  /** Closed by the side that dialled. */
  isOver = false;
  private isPaused = true;
  private isDelivering = false;
  private readonly chunks: Uint8Array[] = [];

  /** @param heard what the side that dialled has sent */
  constructor(
    private readonly loop: WarpedLoop,
    private readonly heard: (bytes: Uint8Array) => void,
  ) {
    super();
  }

  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  // ---- The other end

  connect(): void {
    this.connecting = false;
    this.emit('connect');
  }

  give(bytes: Uint8Array): void {
    if (this.isOver) return;
    this.chunks.push(bytes);
    this.deliverSoon();
  }

  /** The other end has gone. */
  hangUp(): void {
    if (!this.isOver) this.emit('close');
  }

  // ---- The socket

  setNoDelay(): void {}

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    if (this.chunks.length > 0) this.deliverSoon();
  }

  write(bytes: Uint8Array): boolean {
    if (!this.isOver) this.heard(bytes);
    return true;
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.chunks.length = 0;
    this.loop.later(() => this.emit('close'));
  }

  private deliverSoon(): void {
    if (this.isDelivering) return;
    this.isDelivering = true;
    this.loop.later(() => {
      this.isDelivering = false;
      if (this.isPaused || this.isOver) return;
      const chunk = this.chunks.shift();
      if (chunk !== undefined) this.emit('data', chunk);
      if (this.chunks.length > 0) this.deliverSoon();
    });
  }
}

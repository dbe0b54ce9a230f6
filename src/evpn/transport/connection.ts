/**
 * One TCP connection: bytes out as far as the peer takes them, bytes in as far as they are wanted, and one end.
 */
import type { Socket } from 'node:net';
import type { Guard } from '../guard.js';

/** Bytes that wait in this process for a slow peer; more are not asked for. */
const ROOM = 64 * 1024;
/** Most milliseconds for the last bytes of a connection that is closed. */
const FAREWELL_MS = 2000;

export interface ConnectionEvents {
  connected(): void;
  /** At most 64 KiB. The connection is paused until `more`. */
  data(bytes: Uint8Array): void;
  /** There is room again. */
  drained(): void;
  /** Once; not after `close`. @param reason for people */
  ended(reason: string): void;
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'connection refused: nothing listens there, or it does not know this switch',
  ECONNRESET: 'the neighbor has reset the connection',
  EHOSTUNREACH: 'no route to the neighbor, or nobody has its address',
  ENETUNREACH: 'no route to the neighbor',
  ETIMEDOUT:
    'no answer: the neighbor is away, a filter is between, or the password or the TTL security of one side is another one',
  EADDRNOTAVAIL: 'no device of this host has the local address of the session',
  EPIPE: 'the neighbor has closed the connection',
};

/** What a failed connection means, for people. */
export function explain(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}

export class Connection {
  private isOver = false;
  private sent = 0;
  private farewell: NodeJS.Timeout | undefined;

  /** @param socket connected, or about to be */
  constructor(
    private readonly socket: Socket,
    private readonly events: ConnectionEvents,
    private readonly guard: Guard,
  ) {
    socket.setNoDelay(true);
    socket.on(
      'connect',
      this.live('BGP connect', () => events.connected()),
    );
    socket.on(
      'data',
      this.live('BGP data', (bytes: Buffer) => this.take(bytes)),
    );
    socket.on(
      'drain',
      this.live('BGP drain', () => events.drained()),
    );
    socket.on(
      'error',
      guard('BGP error', (error: Error) => this.end(explain(error))),
    );
    socket.on(
      'close',
      guard('BGP close', () => this.end('the neighbor has closed the connection')),
    );
    socket.on(
      'end',
      guard('BGP end', () => this.end('the neighbor has closed the connection')),
    );
  }

  /** Whether more may be sent: less than ROOM waits here. */
  get hasRoom(): boolean {
    return !this.isOver && this.socket.writableLength < ROOM;
  }

  /** Bytes that the kernel has taken, while others wait for room there; null: none wait. */
  get stalledAt(): number | null {
    const { writableLength } = this.socket;
    return this.isOver || writableLength === 0 ? null : this.sent - writableLength;
  }

  send(bytes: Uint8Array): void {
    if (this.isOver) return;
    this.sent += bytes.length;
    this.socket.write(bytes);
  }

  /** The next bytes may come. */
  more(): void {
    if (!this.isOver) this.socket.resume();
  }

  /** Sends what is waiting, within two seconds, and closes. No event follows. */
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.socket.connecting) {
      this.socket.destroy();
      return;
    }
    this.socket.end();
    // What still comes is of no use, but unread bytes would turn the farewell into a reset.
    this.socket.resume();
    this.farewell = setTimeout(
      this.guard('BGP farewell', () => this.socket.destroy()),
      FAREWELL_MS,
    );
    this.socket.once('close', () => clearTimeout(this.farewell));
  }

  private take(bytes: Uint8Array): void {
    this.socket.pause();
    this.events.data(bytes);
  }

  private end(reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.socket.destroy();
    this.events.ended(reason);
  }

  /** A callback that has no meaning once the connection is over. */
  private live<A extends unknown[]>(place: string, work: (...args: A) => void): (...args: A) => void {
    return this.guard(place, (...args: A) => {
      if (!this.isOver) work(...args);
    });
  }
}

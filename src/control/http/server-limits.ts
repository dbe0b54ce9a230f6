/**
 * Limits on what clients of the control socket may use: connections, time and memory. Constants; the files that enforce a limit
 * explain it. Together they keep the memory used for clients below about 400 MiB.
 */

export interface Limits {
  /** Most connections, not counting event streams. Further ones are closed on arrival. */
  connections: number;
  /** Most clients of `/v1/events`; further ones get status 503. */
  eventStreams: number;
  /** Bytes of a request line and headers. */
  headerBytes: number;
  /** Milliseconds from the connection, or the previous answer, to the end of the headers. */
  headerMs: number;
  /** Milliseconds to the end of the body. */
  requestMs: number;
  /** Interval in milliseconds at which the two limits above are checked. */
  checkMs: number;
  /** Milliseconds that a connection may be idle between two requests. */
  keepAliveMs: number;
  /** Milliseconds that a client may read nothing of its answer. */
  sendIdleMs: number;
  /** Milliseconds from the start of an answer to its end. */
  answerMs: number;
  /** Bytes of a request's body. */
  bodyBytes: number;
  /** Bytes and milliseconds for which the rest of an oversized body is still read, so that the client can read the reason. */
  discardBytes: number;
  discardMs: number;
  /** Bytes of all bodies being received. */
  heldBodyBytes: number;
  /** Bytes of all answers not yet read by clients. Streamed listings use 64 KiB each, not counted here. */
  heldAnswerBytes: number;
  /** Queued requests of all connections. */
  heldRequests: number;
  /** Interval in milliseconds of keep-alives on an event stream. */
  pingMs: number;
  /** Unread bytes of an event stream's client, beyond the socket buffer. */
  eventBufferBytes: number;
  /** Most clients of `/v1/capture`; further ones get status 503. */
  captures: number;
  /** Unread bytes of such a client, beyond the socket buffer. */
  captureBufferBytes: number;
  /** Milliseconds between two statistics of a capture, at which its client is looked at. */
  captureTickMs: number;
  /** Milliseconds that a client of an event stream or a capture may read nothing while something waits for it. */
  eventStallMs: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const DEFAULT_LIMITS: Readonly<Limits> = {
  connections: 1100,
  eventStreams: 256,
  headerBytes: 16 * KIB,
  headerMs: 5000,
  requestMs: 10_000,
  checkMs: 1000,
  keepAliveMs: 5000,
  sendIdleMs: 10_000,
  answerMs: 120_000,
  bodyBytes: MIB,
  discardBytes: 64 * MIB,
  discardMs: 2000,
  heldBodyBytes: 64 * MIB,
  heldAnswerBytes: 64 * MIB,
  heldRequests: 16_384,
  pingMs: 15_000,
  eventBufferBytes: 256 * KIB,
  captures: 8,
  captureBufferBytes: 8 * MIB,
  captureTickMs: 1000,
  eventStallMs: 60_000,
};

/** A shared budget of bytes. */
export class Budget {
  private used = 0;

  constructor(private readonly limit: number) {}

  /** Reserves bytes, first come first served. @returns false when too few are left */
  take(bytes: number): boolean {
    if (this.used > 0 && this.used + bytes > this.limit) return false;
    this.used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

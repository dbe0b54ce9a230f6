/**
 * What the control socket allows its clients to take: connections, time and memory. Numbers only; the files that keep
 * each bound say how. Together they hold what clients can take under about 400 MiB, whatever they do.
 */

export interface Limits {
  /** Connections beside those of event streams. Further ones are closed as they come. */
  connections: number;
  /** Clients of `/v1/events` at a time; a further one is answered with 503. */
  eventStreams: number;
  /** Bytes of a request's line and headers. */
  headerBytes: number;
  /** Milliseconds from the connection, or the end of the last answer, to the end of the headers. */
  headerMs: number;
  /** Milliseconds to the end of the body. */
  requestMs: number;
  /** How often the two above are looked at, in milliseconds. */
  checkMs: number;
  /** Milliseconds that a connection may rest between two requests. */
  keepAliveMs: number;
  /** Milliseconds that a client may take nothing of its answer. */
  sendIdleMs: number;
  /** Milliseconds from the beginning of an answer to its end. */
  answerMs: number;
  /** Bytes of a request's body. */
  bodyBytes: number;
  /** Bytes and milliseconds that a body is read on after it was found too large, so that the reason can be heard. */
  discardBytes: number;
  discardMs: number;
  /** Bytes of all bodies that are being received. */
  heldBodyBytes: number;
  /** Bytes of all answers that clients have not yet taken. Listings in pieces have 64 KiB each, apart from these. */
  heldAnswerBytes: number;
  /** Requests of all connections that wait for the one before them. */
  heldRequests: number;
  /** Milliseconds between two signs of life on an event stream. */
  pingMs: number;
  /** Bytes that an event stream's client may leave unread beyond what the socket itself holds. */
  eventBufferBytes: number;
  /** Milliseconds that it may read nothing while events wait. */
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
  eventStallMs: 60_000,
};

/** Bytes out of a common stock. */
export class Budget {
  private used = 0;

  constructor(private readonly limit: number) {}

  /** Takes bytes. Whoever comes first is served whatever it asks for. @returns false when there are not enough */
  take(bytes: number): boolean {
    if (this.used > 0 && this.used + bytes > this.limit) return false;
    this.used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

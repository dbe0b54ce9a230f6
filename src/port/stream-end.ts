/**
 * The switch's end of a stream to QEMU: dials the socket on which QEMU listens, and dials again when QEMU is back; or listens itself,
 * for one peer at a time. Nothing here waits: `look` is called from time to time.
 */
import { acceptStream, closeFd, connectStream, listenStream, openTail } from '../native/binding.js';
import { codeOf } from './frame-socket-error.js';
import { continueSocketFile, openSocketFile, type SocketFile, type SocketFileAccess } from './socket-file.js';

/** Milliseconds until the next attempt: doubled after each one, up to the bound. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;
/** A connection that lasts as long was a good one: the next attempt after it is made at once. */
const GOOD_MS = 2000;
/** Further peers that are sent away in one go. */
const REFUSALS = 16;

export type StreamPlace = { connect: string } | { listen: string; access: SocketFileAccess };

/** The connection to a peer. */
export interface StreamPeer {
  readonly fd: number;
  /** See `openTail`. */
  readonly tail: number;
  /** Idempotent. */
  close(): void;
}

/** A peer by its connection, and by what is under way there. */
export function peerOf(fd: number, tail: number): StreamPeer {
  let isOpen = true;
  return {
    fd,
    tail,
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      closeFd(fd);
      closeFd(tail);
    },
  };
}

/** The end of the process before this one. */
export interface FormerEnd {
  connections: number;
  framingErrors: number;
  refused: number;
  /** Descriptors; null: none. */
  listener: number | null;
  waiting: number | null;
  /** Until it is ours, the file of the socket is left as it is. */
  custody: { readonly isOurs: boolean };
}

export class StreamEnd {
  /** Peers that were connected so far. */
  connections: number;
  /** Peers that were cut off because of a length that no frame has. */
  framingErrors: number;
  /** Peers that were sent away, since another one was connected. */
  refused: number;
  private readonly listener: SocketFile | null;
  /** Connected, and not taken yet. */
  private waiting: number | null;
  private pause = FIRST_PAUSE_MS;
  private nextAt = Number.NEGATIVE_INFINITY;
  private connectedAt = Number.NEGATIVE_INFINITY;
  private reason: string;
  private isOpen = true;

  /**
   * @param former the end of the process before this one, to go on with
   * @throws FrameSocketError when it listens and the socket cannot be made
   */
  constructor(
    readonly place: StreamPlace,
    private readonly now: () => number = () => performance.now(),
    former?: FormerEnd,
  ) {
    this.connections = former?.connections ?? 0;
    this.framingErrors = former?.framingErrors ?? 0;
    this.refused = former?.refused ?? 0;
    this.waiting = former?.waiting ?? null;
    if (former?.listener != null && 'listen' in place) {
      this.listener = continueSocketFile(place.listen, former.listener, former.custody);
      this.reason = `nobody has connected to ${place.listen} yet`;
    } else if ('connect' in place) {
      this.listener = null;
      this.reason = `nothing listens on ${place.connect} yet`;
    } else {
      this.listener = openSocketFile(place.listen, place.access, listenStream);
      this.reason = `nobody has connected to ${place.listen} yet`;
    }
  }

  /** What another process needs to go on with it; the descriptors stay this end's too. */
  bequeath(): Omit<FormerEnd, 'custody'> {
    const { connections, framingErrors, refused, waiting, listener } = this;
    return { connections, framingErrors, refused, waiting, listener: listener?.fd ?? null };
  }

  /** Of the socket that it listens on. @throws FrameSocketError */
  setAccess(access: SocketFileAccess): void {
    this.listener?.setAccess(access);
  }

  /** Looks for a peer. @returns why there is none; null: there is one to take */
  look(): string | null {
    if (this.waiting !== null) return null;
    if (!this.isOpen || this.now() < this.nextAt) return this.reason;
    this.waiting = this.listener === null ? this.dial() : this.accept(this.listener);
    if (this.waiting === null) return this.reason;
    this.connectedAt = this.now();
    return null;
  }

  private dial(): number | null {
    const { connect } = this.place as { connect: string };
    try {
      return connectStream(connect);
    } catch (error) {
      this.reason = dialFault(connect, error);
      this.delay();
      return null;
    }
  }

  private accept({ fd }: SocketFile): number | null {
    try {
      return acceptStream(fd);
    } catch (error) {
      this.reason = error instanceof Error ? error.message : String(error);
      this.delay();
      return null;
    }
  }

  private delay(): void {
    this.nextAt = this.now() + this.pause;
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
  }

  /** Takes the peer that `look` has found. @throws NativeError when resources are short */
  take(): StreamPeer {
    const fd = this.waiting;
    if (fd === null) throw new Error('there is no peer to take');
    const tail = openTail();
    this.waiting = null;
    this.connections++;
    return peerOf(fd, tail);
  }

  /** The peer is gone. @param wasNonsense it sent a length that no frame has */
  lose(wasNonsense: boolean): void {
    if (wasNonsense) this.framingErrors++;
    if (this.now() - this.connectedAt >= GOOD_MS) {
      this.pause = FIRST_PAUSE_MS;
      this.nextAt = Number.NEGATIVE_INFINITY;
    } else {
      this.delay();
    }
  }

  /** While a peer is connected: sends others away. */
  refuseOthers(): void {
    if (this.listener === null) return;
    for (let i = 0; i < REFUSALS; i++) {
      const fd = acceptStream(this.listener.fd);
      if (fd === null) return;
      closeFd(fd);
      this.refused++;
    }
  }

  /** Closes it, but no peer that was taken. Idempotent. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    if (this.waiting !== null) closeFd(this.waiting);
    this.waiting = null;
    this.listener?.remove();
    if (this.listener !== null) closeFd(this.listener.fd);
  }
}

function dialFault(path: string, error: unknown): string {
  const reasons: Record<string, string> = {
    ENOENT: `there is no socket ${path} yet`,
    ECONNREFUSED: `nothing listens on ${path} yet`,
    EAGAIN: `${path} has no room for a further peer`,
    EACCES: `the switch may not connect to ${path}; give it the right to write there, or restart it with this port in its file`,
    EPROTOTYPE: `${path} is no stream socket`,
  };
  return reasons[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
}

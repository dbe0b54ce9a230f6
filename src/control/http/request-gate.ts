/**
 * Serializes the requests of a connection. Node's HTTP server hands over every pipelined request at once, and would keep all
 * requests and answers in memory. Here the next request waits until the previous answer is sent, and a client that pipelines
 * too much is paused.
 *
 * Never inspects a request.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { soon } from '../guard.js';

export type RequestHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** Queued requests per connection before reading is paused; requests already received come on top. */
const AHEAD = 16;

/** The queue of one connection, in order of arrival. */
interface Line {
  current: ServerResponse | null;
  waiting: [IncomingMessage, ServerResponse][];
  /** Reading is paused. */
  stopped: boolean;
}

export class RequestGate {
  private readonly lines = new WeakMap<Socket, Line>();
  private waiting = 0;

  constructor(
    private readonly handle: RequestHandler,
    /** Queued requests of all connections together. A connection that exceeds it is closed. */
    private readonly maxWaiting: number,
  ) {}

  /** The listener of the server's `request` event. */
  readonly take: RequestHandler = (incoming, outgoing) => {
    const { socket } = incoming;
    if (socket.destroyed) return; // the rest of the data read before it was closed
    const line = this.lines.get(socket) ?? this.open(socket);
    if (line.current === null) {
      this.run(line, incoming, outgoing);
      return;
    }
    if (this.waiting >= this.maxWaiting) {
      socket.destroy();
      return;
    }
    this.waiting++;
    line.waiting.push([incoming, outgoing]);
    if (line.waiting.length >= AHEAD) {
      line.stopped = true;
      socket.pause();
    }
  };

  /** Whether an answer has been started on the connection, so nothing else may be written to it. */
  isAnswering(socket: Socket): boolean {
    return this.lines.get(socket)?.current?.headersSent === true;
  }

  /** Whether no request of the connection is being answered. */
  isResting(socket: Socket): boolean {
    return (this.lines.get(socket)?.current ?? null) === null;
  }

  private open(socket: Socket): Line {
    const line: Line = { current: null, waiting: [], stopped: false };
    this.lines.set(socket, line);
    socket.once('close', () => {
      this.waiting -= line.waiting.length;
      line.waiting = [];
    });
    // Node resumes the socket after each answer; its listener ran first and has resumed reading.
    socket.on('resume', () => {
      if (line.stopped) socket.pause();
    });
    return line;
  }

  private run(line: Line, incoming: IncomingMessage, outgoing: ServerResponse): void {
    line.current = outgoing;
    outgoing.once('close', () => {
      line.current = null;
      // One pass of the event loop in between, so that a thousand pipelined requests do not delay other clients.
      if (line.waiting.length > 0) soon('request', () => this.next(line));
    });
    // The timeout for receiving the previous answer must not apply to preparing this one.
    incoming.socket.setTimeout(0);
    this.handle(incoming, outgoing);
  }

  private next(line: Line): void {
    const request = line.waiting.shift();
    if (request === undefined) return;
    this.waiting--;
    const [incoming, outgoing] = request;
    const { socket } = incoming;
    if (socket.destroyed || !socket.writable) return;
    this.run(line, incoming, outgoing);
    if (line.stopped && line.waiting.length === 0) {
      line.stopped = false;
      socket.resume();
    }
  }
}

/**
 * Lets the requests of a connection through one at a time. Node's HTTP server hands over every request that a client
 * has sent ahead, and would keep all of them and their answers at once; here the next one waits until the answer before
 * it has left, and a client that sends far ahead is not read from meanwhile.
 *
 * It never looks into a request.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { soon } from '../guard.js';

export type RequestHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** Requests that may wait on a connection before it is read no further; what had arrived already comes on top. */
const AHEAD = 16;

/** The requests of one connection, first come first. */
interface Line {
  current: ServerResponse | null;
  waiting: [IncomingMessage, ServerResponse][];
  /** Not read from. */
  stopped: boolean;
}

export class RequestGate {
  private readonly lines = new WeakMap<Socket, Line>();
  private waiting = 0;

  constructor(
    private readonly handle: RequestHandler,
    /** Requests that may wait on all connections together. A connection that brings more is closed. */
    private readonly maxWaiting: number,
  ) {}

  /** The listener of the server's `request` event. */
  readonly take: RequestHandler = (incoming, outgoing) => {
    const { socket } = incoming;
    if (socket.destroyed) return; // the rest of what was read before it was closed
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

  /** Whether an answer has begun to leave on the connection, so that nothing else may be written to it. */
  isAnswering(socket: Socket): boolean {
    return this.lines.get(socket)?.current?.headersSent === true;
  }

  private open(socket: Socket): Line {
    const line: Line = { current: null, waiting: [], stopped: false };
    this.lines.set(socket, line);
    socket.once('close', () => {
      this.waiting -= line.waiting.length;
      line.waiting = [];
    });
    // Node resumes the socket whenever it has finished an answer; its own listener came first and has begun to read.
    socket.on('resume', () => {
      if (line.stopped) socket.pause();
    });
    return line;
  }

  private run(line: Line, incoming: IncomingMessage, outgoing: ServerResponse): void {
    line.current = outgoing;
    outgoing.once('close', () => {
      line.current = null;
      // A pass of the event loop in between, so that a thousand requests sent ahead do not hold up everyone else.
      if (line.waiting.length > 0) soon('request', () => this.next(line));
    });
    // What bounded the taking of the answer before must not bound the making of this one.
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

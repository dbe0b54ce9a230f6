/**
 * An HTTP server with the limits of `server-limits.ts`: connections, descriptors, sizes and times. Answers malformed and slow
 * requests itself; well-formed ones go to the handler, one at a time for each connection. Knows neither routes nor sockets.
 */
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { guarded } from '../guard.js';
import { descriptorOf, firstReserved } from './descriptors.js';
import { errorAnswer } from './http-refusal.js';
import { RequestGate, type RequestHandler } from './request-gate.js';
import type { Limits } from './server-limits.js';

/** Connections that have given way, and whose descriptors are not closed yet. */
const PARTING = 16;

/** Accepts connections while descriptors are available, and counts the refused ones. */
export class Door {
  refused = 0;
  private readonly end = firstReserved();

  constructor(private readonly tell: (reason: string) => void) {}

  attach(server: Server): void {
    server.on(
      'drop',
      guarded('connection', () => this.refuse('there are as many connections as there may be')),
    );
    server.prependListener(
      'connection',
      guarded('connection', (socket: Socket) => {
        if (descriptorOf(socket) < this.end) return;
        socket.destroy();
        this.refuse('the process has few descriptors left (RLIMIT_NOFILE)');
      }),
    );
  }

  /**
   * Beyond `most` connections, the one that has been without a request for longest gives way to a new one, so that clients which
   * say nothing keep nobody out. Without such a one the new one is closed.
   */
  makeRoom(server: Server, most: number, gate: Pick<RequestGate, 'isResting'>): void {
    const open = new Set<Socket>();
    server.on(
      'connection',
      guarded('connection', (socket: Socket) => {
        if (socket.destroyed) return;
        open.add(socket);
        socket.once('close', () => open.delete(socket));
        if (open.size <= most) return;
        const parting = [...open].find((one) => one !== socket && gate.isResting(one)) ?? socket;
        open.delete(parting);
        parting.destroy();
        this.refuse('there are as many connections as there may be');
      }),
    );
  }

  private refuse(reason: string): void {
    this.refused++;
    this.tell(reason);
  }
}

/**
 * Creates the server; the caller listens. Node's defaults are 60 s for headers, 300 s for a request, checked every 30 s, and
 * unlimited connections.
 * @param isForAnybody strangers can connect: see `Door.makeRoom`
 */
export function httpServer(handler: RequestHandler, limits: Limits, door: Door, isForAnybody = false): Server {
  const gate = new RequestGate(handler, limits.heldRequests);
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headerMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: limits.checkMs,
      requireHostHeader: false, // a unix socket has no host name
    },
    gate.take,
  );
  // Node itself would answer 417 to each such request, past the gate; RFC 9110 section 10.1.1 lets a server pass it over.
  server.on('checkExpectation', gate.take);
  const most = limits.connections + limits.eventStreams;
  server.maxConnections = isForAnybody ? most + PARTING : most;
  door.attach(server);
  if (isForAnybody) door.makeRoom(server, most, gate);
  server.on(
    'clientError',
    guarded('connection', (error: NodeJS.ErrnoException, socket: Socket) => refuseConnection(error, socket, gate)),
  );
  return server;
}

/** A malformed, oversized or slow request: answered, unless another answer is in progress, and disconnected. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket, gate: RequestGate): void {
  if (socket.writable && !gate.isAnswering(socket)) {
    const [status, code, message] = connectionFault(error.code);
    const body = JSON.stringify(errorAnswer(code, message));
    socket.write(
      `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroy();
}

function connectionFault(code: string | undefined): [status: string, code: string, message: string] {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', 'too_slow', 'the request took too long to come; send it at once'];
    case 'HPE_HEADER_OVERFLOW':
      return ['431 Request Header Fields Too Large', 'too_large', 'the headers of the request are too large'];
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return ['413 Payload Too Large', 'too_large', 'the chunk extensions of the request are too large'];
    default:
      return ['400 Bad Request', 'bad_http', 'this is not an HTTP/1.1 request'];
  }
}

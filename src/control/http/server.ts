/**
 * The control socket: HTTP with JSON bodies over a unix socket (SPEC.md section 6). It runs in the control thread; the
 * engines do not wait for it.
 *
 * Owns the socket and what keeps a client from taking more than its share: bounds on connections, sizes and times
 * (`server-limits.ts`). What is answered stands in `routes.ts`.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ChangeRefused, type Controls } from '../controls.js';
import { guarded } from '../guard.js';
import type { Views } from '../listings.js';
import { SocketName } from './control-socket.js';
import { descriptorOf, firstReserved } from './descriptors.js';
import { EventHub } from './event-stream.js';
import { CHANGE_STATUS, errorAnswer, HttpRefusal } from './http-refusal.js';
import { readJson } from './request-body.js';
import { RequestGate, type RequestHandler } from './request-gate.js';
import { addRoutes, type Journal, type LevelControl } from './routes.js';
import { Budget, DEFAULT_LIMITS, type Limits } from './server-limits.js';
import { guardSending, Turns } from './text-stream.js';

/** Connections that may wait to be taken: a unix socket refuses further ones at once. The kernel bounds it (somaxconn). */
const BACKLOG = 4096;
/** Characters of an answer that is always given: with every connection there is, they are not worth counting. */
const SMALL_ANSWER = 16 * 1024;
const NO_JOURNAL: Journal = { done: () => undefined, refused: () => undefined };
const FIXED_LEVEL: LevelControl = { level: () => 'info', set: () => undefined };
/** Characters of a request's path that a message repeats. */
const SHOWN_PATH = 200;

export interface ControlServer {
  /** Connections that are open. */
  connections(): Promise<number>;
  /** Connections that were closed as they came: there were too many, or too few descriptors. */
  readonly refused: number;
  /** Removes the socket's name, unless another file has it by now. For an end that does not wait. */
  releaseName(): void;
  /** Ends all answers and event streams, and removes the socket. */
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Told of faults of the switch that a request brought to light; the request is answered with 500. */
  report?: (error: unknown) => void;
  /** Told of each change that was asked for. */
  journal?: Journal;
  /** The level of the log; absent: it is always `info`. */
  log?: LevelControl;
  /** Other bounds than the usual ones, for tests. */
  limits?: Partial<Limits>;
  /** Told of each connection that was closed as it came, with the reason. */
  connectionRefused?: (reason: string) => void;
}

/**
 * Listens on the socket, readable by its owner only.
 * @throws ControlSocketError when another switch has it, or what is there is no socket
 */
export async function serve(
  path: string,
  views: Views,
  controls: Controls,
  options: ServeOptions = {},
): Promise<ControlServer> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const report = options.report ?? (() => undefined);
  const door = new Door(options.connectionRefused ?? (() => undefined));
  const events = new EventHub(controls, limits);
  const app = Fastify({
    logger: false,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    serverFactory: (handler) => httpServer(handler as RequestHandler, limits, door),
    // Those of a connection stand in `httpServer`; what is wrong with a request is answered there too.
    clientErrorHandler: () => undefined,
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      reply.code(error.statusCode ?? 400).send(errorAnswer('invalid', error.message));
    },
  });
  boundBodies(app, limits);
  boundAnswers(app, limits);
  answerFaults(app, report);
  const { journal = NO_JOURNAL, log = FIXED_LEVEL } = options;
  addRoutes(app, { views, controls, events, turns: new Turns(), limits, report, journal, log });

  let name: SocketName;
  try {
    name = await SocketName.claim(path, (temporary) => listen(app, temporary));
  } catch (error) {
    await app.close();
    throw error;
  }
  return {
    connections: () => countConnections(app.server),
    get refused() {
      return door.refused;
    },
    releaseName: () => name.release(),
    async close() {
      name.release();
      events.close();
      await app.close();
    },
  };
}

async function listen(app: FastifyInstance, path: string): Promise<void> {
  const mask = process.umask(0o177); // never open to others, not even for a moment
  try {
    await app.listen({ path, backlog: BACKLOG });
  } finally {
    process.umask(mask);
  }
}

/** Lets connections in as long as there are descriptors for them, and counts those that it does not let in. */
class Door {
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

  private refuse(reason: string): void {
    this.refused++;
    this.tell(reason);
  }
}

function countConnections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

/** Node's own bounds are 60 s for headers, 300 s for a request, looked at every 30 s, and no bound on connections. */
function httpServer(handler: RequestHandler, limits: Limits, door: Door): Server {
  const gate = new RequestGate(handler, limits.heldRequests);
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headerMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: limits.checkMs,
      requireHostHeader: false, // a socket in the file system has no other name
    },
    gate.take,
  );
  server.maxConnections = limits.connections + limits.eventStreams;
  door.attach(server);
  server.on(
    'clientError',
    guarded('connection', (error: NodeJS.ErrnoException, socket: Socket) => refuseConnection(error, socket, gate)),
  );
  return server;
}

/** What a client sends is no HTTP, too long or too slow: it is told, where nothing else is being told it, and cut off. */
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

/** Bodies are JSON and nothing else. */
function boundBodies(app: FastifyInstance, limits: Limits): void {
  const budget = new Budget(limits.heldBodyBytes);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (_request: FastifyRequest, payload: IncomingMessage) =>
    readJson(payload, limits, budget),
  );
}

/**
 * Listings that are made at once are held until their clients have taken them: all of them together, and not for long.
 * The answer to a change is never refused: it is short, and the change is done.
 */
function boundAnswers(app: FastifyInstance, limits: Limits): void {
  const budget = new Budget(limits.heldAnswerBytes);
  /** Paths whose listing was too large to be held, since something was given back: it is not even made again. */
  const inVain = new Set<string | undefined>();
  app.addHook('onRequest', async (request) => {
    if (inVain.has(request.routeOptions.url) && request.method === 'GET') throw tooManyHeld();
  });
  app.addHook('onSend', async (request, reply, payload: unknown) => {
    guardSending(reply.raw, limits);
    if (typeof payload !== 'string' || payload.length <= SMALL_ANSWER || request.method !== 'GET') return payload;
    if (!budget.take(payload.length)) {
      const { code, message } = tooManyHeld();
      inVain.add(request.routeOptions.url);
      reply.code(503);
      return JSON.stringify(errorAnswer(code, message));
    }
    reply.raw.once('close', () => {
      budget.give(payload.length);
      inVain.clear();
    });
    return payload;
  });
}

const tooManyHeld = (): HttpRefusal =>
  new HttpRefusal(503, 'overloaded', 'too many answers wait for their readers; try again in a moment');

function answerFaults(app: FastifyInstance, report: (error: unknown) => void): void {
  app.setNotFoundHandler((request, reply) => {
    const asked = `${request.method} ${request.url.slice(0, SHOWN_PATH)}`;
    return reply.code(404).send(errorAnswer('not_found', `this switch has no ${asked}`));
  });
  app.setErrorHandler((error: { statusCode?: number; code?: string; message: string }, request, reply) => {
    if (error instanceof ChangeRefused) {
      return reply.code(CHANGE_STATUS[error.code]).send(errorAnswer(error.code, error.message));
    }
    if (error instanceof HttpRefusal) return reply.code(error.statusCode).send(errorAnswer(error.code, error.message));
    if (error.statusCode === 415) {
      const type = request.headers['content-type'] ?? 'without a content-type';
      const message = `the body must be sent as application/json, not ${type.slice(0, SHOWN_PATH)}`;
      return reply.code(415).send(errorAnswer('unsupported_media_type', message));
    }
    if (error.statusCode !== undefined && error.statusCode < 500) {
      return reply.code(error.statusCode).send(errorAnswer('invalid', error.message));
    }
    report(error);
    return reply.code(500).send(errorAnswer('internal', error.message));
  });
}

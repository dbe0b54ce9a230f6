/**
 * The control socket: HTTP with JSON bodies over a unix socket (SPEC.md section 6). It runs in the control thread; the
 * engines do not wait for it.
 *
 * Owns the socket and what keeps a client from taking more than its share: bounds on connections, sizes and times
 * (`server-limits.ts`). What is answered stands in `routes.ts`.
 */
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import { dirname } from 'node:path';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ChangeRefused, type Controls } from '../controls.js';
import type { Views } from '../listings.js';
import { EventHub } from './event-stream.js';
import { CHANGE_STATUS, errorAnswer, HttpRefusal } from './http-refusal.js';
import { readJson } from './request-body.js';
import { RequestGate, type RequestHandler } from './request-gate.js';
import { addRoutes } from './routes.js';
import { Budget, DEFAULT_LIMITS, type Limits } from './server-limits.js';
import { guardSending, Turns } from './text-stream.js';

const CONNECT_MS = 1000;
/** Connections that may wait to be taken: a unix socket refuses further ones at once. The kernel bounds it (somaxconn). */
const BACKLOG = 4096;
/** Characters of an answer that is always given: with every connection there is, they are not worth counting. */
const SMALL_ANSWER = 16 * 1024;
/** Characters of a request's path that a message repeats. */
const SHOWN_PATH = 200;

/** The control socket cannot be had; the message says why. */
export class ControlSocketError extends Error {
  readonly code = 'CONTROL_SOCKET';
}

/** Refuses a socket that a living switch answers on, and clears away one that a dead switch left. */
export async function claimSocket(path: string): Promise<void> {
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true });
    return;
  }
  if (await answers(path)) {
    throw new ControlSocketError(
      `a switch already answers on ${path}; stop it first, or give this one another "control:" in its configuration`,
    );
  }
  rmSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const finish = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(CONNECT_MS, () => finish(true)); // it listens, though slowly
    socket.once('connect', () => finish(true));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') return finish(false);
      if (error.code === 'EAGAIN') return finish(true); // more clients are waiting than the socket takes
      if (error.code === 'ENOTSOCK') {
        reject(
          new ControlSocketError(`${path} is there already and is no socket; remove it or choose another "control:"`),
        );
        return;
      }
      reject(new ControlSocketError(`${path}: ${error.message}`));
    });
  });
}

export interface ControlServer {
  /** Connections that are open. */
  connections(): Promise<number>;
  /** Ends all answers and event streams, and removes the socket. */
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Told of faults of the switch that a request brought to light; the request is answered with 500. */
  report?: (error: unknown) => void;
  /** Other bounds than the usual ones, for tests. */
  limits?: Partial<Limits>;
}

/** Listens on the socket, readable by its owner only. @throws when the socket cannot be opened */
export async function serve(
  path: string,
  views: Views,
  controls: Controls,
  options: ServeOptions = {},
): Promise<ControlServer> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const report = options.report ?? (() => undefined);
  const events = new EventHub(controls, limits);
  const app = Fastify({
    logger: false,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    serverFactory: (handler) => httpServer(handler as RequestHandler, limits),
    // Those of a connection stand in `httpServer`; what is wrong with a request is answered there too.
    clientErrorHandler: () => undefined,
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      reply.code(error.statusCode ?? 400).send(errorAnswer('invalid', error.message));
    },
  });
  boundBodies(app, limits);
  boundAnswers(app, limits);
  answerFaults(app, report);
  addRoutes(app, { views, controls, events, turns: new Turns(), limits, report });

  const mask = process.umask(0o177); // never open to others, not even for a moment
  try {
    await app.listen({ path, backlog: BACKLOG });
    chmodSync(path, 0o600);
  } finally {
    process.umask(mask);
  }
  return {
    connections: () => countConnections(app.server),
    async close() {
      events.close();
      await app.close();
      rmSync(path, { force: true });
    },
  };
}

function countConnections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

/** Node's own bounds are 60 s for headers, 300 s for a request, looked at every 30 s, and no bound on connections. */
function httpServer(handler: RequestHandler, limits: Limits): Server {
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
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuseConnection(error, socket, gate));
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

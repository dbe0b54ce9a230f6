/**
 * The control socket: HTTP with JSON bodies over a unix socket (docs/http-api.md). Runs in the control thread; engines never
 * wait for it.
 *
 * Owns the socket; limits on connections are those of `http-listener.ts`. Answers are defined in `routes.ts`.
 */
import type { IncomingMessage, Server } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ChangeRefused, type Controls } from '../controls.js';
import type { Views } from '../listings.js';
import { SocketName, type Successor } from './control-socket.js';
import { EventHub } from './event-stream.js';
import { Door, httpServer } from './http-listener.js';
import { CHANGE_STATUS, errorAnswer, HttpRefusal } from './http-refusal.js';
import { readJson } from './request-body.js';
import type { RequestHandler } from './request-gate.js';
import { addRoutes, type Journal, type LevelControl, type Upgrade } from './routes.js';
import { Budget, DEFAULT_LIMITS, type Limits } from './server-limits.js';
import { giveAccess, PRIVATE, type SocketAccess } from './socket-access.js';
import { guardSending, Turns } from './text-stream.js';
import { serveTunnels, type TunnelRequest } from './tunnel.js';

/** Listen backlog; a unix socket refuses further connections at once. The kernel caps it (somaxconn). */
const BACKLOG = 4096;
/** Answers up to this many characters are always sent: even for all connections together they are negligible. */
const SMALL_ANSWER = 16 * 1024;
const NO_JOURNAL: Journal = { done: () => undefined, refused: () => undefined };
const NO_UPGRADE: Upgrade = () => {
  throw new ChangeRefused('this switch cannot be replaced', 'unavailable');
};
const FIXED_LEVEL: LevelControl = { level: () => 'info', set: () => undefined };
/**
 * Requests are checked by zod (`read-request.ts`), so no route gives Fastify a schema. Its compilers of JSON schemas would cost
 * every switch a tenth of its start and some MiB; the bundle leaves them out (scripts/bundle.mjs).
 */
const NO_COMPILERS = { buildValidator: refuseSchema, buildSerializer: refuseSchema };
/** Most characters of a request's path repeated in a message. */
const SHOWN_PATH = 200;

export interface ControlServer {
  /** Number of open connections. */
  connections(): Promise<number>;
  /** Connections closed on arrival: too many connections, or too few descriptors. */
  readonly refused: number;
  /** Takes the path from the process that has it, with `succeeds`. */
  takeName(): void;
  /** Removes the socket's path, unless it is another file by now. For an exit that does not wait. */
  releaseName(): void;
  /** Ends all answers and event streams, and removes the socket. */
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Called for faults of the switch during a request; the request gets status 500. */
  report?: (error: unknown) => void;
  /** Called for each requested change. */
  journal?: Journal;
  /** The log level; absent: always `info`. */
  log?: LevelControl;
  /** Who may connect; absent: the owner of the socket. */
  access?: SocketAccess;
  /** Limits for tests. */
  limits?: Partial<Limits>;
  /** Called for each request for a tunnel (CONNECT); absent: they are closed. */
  tunnel?: (request: TunnelRequest) => void;
  /** The path belongs to a process that this one succeeds: it gets another name until `takeName`. */
  succeeds?: boolean;
  /** Replaces this process by another one (`POST /v1/upgrade`). */
  upgrade?: Upgrade;
  /** Called for each connection closed on arrival, with the reason. */
  connectionRefused?: (reason: string) => void;
}

/**
 * Listens on the socket.
 * @throws ControlSocketError when another switch uses it, the path is no socket, or access to it cannot be given
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
  const app = createApp(limits, door, report);
  const { journal = NO_JOURNAL, log = FIXED_LEVEL, upgrade = NO_UPGRADE } = options;
  addRoutes(app, { views, controls, events, turns: new Turns(), limits, report, journal, log, upgrade });

  if (options.tunnel !== undefined) serveTunnels(app.server, options.tunnel);

  let name: Pick<SocketName, 'release'>;
  let successor: Successor | null = null;
  const open = (temporary: string): Promise<void> => listen(app, temporary, options.access ?? PRIVATE);
  try {
    if (options.succeeds === true) name = successor = await SocketName.beside(path, open);
    else name = await SocketName.claim(path, open);
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
    takeName() {
      name = successor?.take() ?? name;
      successor = null;
    },
    async close() {
      name.release();
      events.close();
      await app.close();
    },
  };
}

/** The HTTP server with its limits and answers to faults, still without routes. */
function createApp(limits: Limits, door: Door, report: (error: unknown) => void): FastifyInstance {
  const app = Fastify({
    logger: false,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    schemaController: { compilersFactory: NO_COMPILERS },
    serverFactory: (handler) => httpServer(handler as RequestHandler, limits, door),
    // `httpServer` answers malformed requests.
    clientErrorHandler: () => undefined,
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      reply.code(error.statusCode ?? 400).send(errorAnswer('invalid', error.message));
    },
  });
  boundBodies(app, limits);
  boundAnswers(app, limits);
  answerFaults(app, report);
  return app;
}

function refuseSchema(): () => never {
  return () => {
    throw new Error('a route has a schema of Fastify: requests are checked in read-request.ts');
  };
}

async function listen(app: FastifyInstance, path: string, access: SocketAccess): Promise<void> {
  const mask = process.umask(0o177); // never accessible to others than those of `access`, not even for a moment
  try {
    await app.listen({ path, backlog: BACKLOG });
  } finally {
    process.umask(mask);
  }
  giveAccess(path, access);
}

function countConnections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

/** Only JSON bodies are accepted. */
function boundBodies(app: FastifyInstance, limits: Limits): void {
  const budget = new Budget(limits.heldBodyBytes);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (_request: FastifyRequest, payload: IncomingMessage) =>
    readJson(payload, limits, budget),
  );
}

/**
 * Listings built at once are held until clients have read them, within a common limit of bytes and time. The answer to a change
 * is never refused: it is short, and the change is done.
 */
function boundAnswers(app: FastifyInstance, limits: Limits): void {
  const budget = new Budget(limits.heldAnswerBytes);
  /** Paths whose last listing exceeded the budget; refused without building it again until some memory is released. */
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

/**
 * The control socket: HTTP with JSON bodies over a unix socket (SPEC.md section 6). It runs in the control thread; the
 * engine does not wait for it.
 */
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import type { InfoAnswer } from './api.js';
import { type Sources, viewFdb, viewLinks, viewStats, viewVlans } from './views.js';

const BODY_LIMIT = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const CONNECT_MS = 1000;

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
  close(): Promise<void>;
}

/** Listens on the socket, readable by its owner only. */
export async function serve(path: string, info: InfoAnswer, sources: Sources): Promise<ControlServer> {
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
  });
  addRoutes(app, info, sources);
  const mask = process.umask(0o177); // never open to others, not even for a moment
  try {
    await app.listen({ path });
    chmodSync(path, 0o600);
  } finally {
    process.umask(mask);
  }
  return {
    async close() {
      await app.close();
      rmSync(path, { force: true });
    },
  };
}

function addRoutes(app: FastifyInstance, info: InfoAnswer, sources: Sources): void {
  app.get('/v1/info', () => info);
  app.get('/v1/links', () => viewLinks(sources));
  app.get('/v1/fdb', () => viewFdb(sources));
  app.get('/v1/vlans', () => viewVlans(sources));
  app.get('/v1/stats', () => viewStats(sources));
  app.get('/v1/config', () => sources.model.config);
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send({ error: { code: 'not_found', message: `this switch has no ${request.method} ${request.url}` } }),
  );
  app.setErrorHandler((error: { statusCode?: number; code?: string; message: string }, _request, reply) =>
    reply
      .code(error.statusCode ?? 500)
      .send({ error: { code: (error.code ?? 'internal').toLowerCase(), message: error.message } }),
  );
}

/**
 * The control socket: HTTP with JSON bodies over a unix socket (docs/http-api.md). Runs in the control thread; engines never
 * wait for it.
 *
 * Owns the socket; limits on connections are those of `http-listener.ts`. Answers are defined in `routes.ts`.
 */
import type { Server } from 'node:http';
import { ChangeRefused, type Controls } from '../controls.js';
import type { Views } from '../listings.js';
import { SocketName, type Successor } from './control-socket.js';
import { CaptureHub } from './capture-stream.js';
import { EventHub } from './event-stream.js';
import { Door, httpServer } from './http-listener.js';
import { CHANGE_STATUS, errorAnswer } from './http-refusal.js';
import { type Fault, refusalOf, Router } from './router.js';
import { addRoutes, type Journal, type LevelControl, type Upgrade } from './routes.js';
import { DEFAULT_LIMITS, type Limits } from './server-limits.js';
import { giveAccess, PRIVATE, type SocketAccess } from './socket-access.js';
import { Turns } from './text-stream.js';
import { serveTunnels, type TunnelRequest } from './tunnel.js';

/** Listen backlog; a unix socket refuses further connections at once. The kernel caps it (somaxconn). */
const BACKLOG = 4096;
const NO_JOURNAL: Journal = { done: () => undefined, refused: () => undefined };
const NO_UPGRADE: Upgrade = () => {
  throw new ChangeRefused('this switch cannot be replaced', 'unavailable');
};
const FIXED_LEVEL: LevelControl = { level: () => 'info', set: () => undefined };
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
  /** Called for each capture whose client was disconnected because it read nothing, with the packets that it has lost. */
  captureStalled?: (lost: number) => void;
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
  const captures = new CaptureHub(
    controls,
    limits,
    `overtap ${views.info.version}`,
    options.captureStalled ?? (() => undefined),
  );
  const router = new Router(limits, faultsOf(report));
  const server = httpServer(router.handle, limits, door);
  const { journal = NO_JOURNAL, log = FIXED_LEVEL, upgrade = NO_UPGRADE } = options;
  addRoutes(router, { views, controls, captures, events, turns: new Turns(), limits, report, journal, log, upgrade });

  if (options.tunnel !== undefined) serveTunnels(server, options.tunnel);

  let name: Pick<SocketName, 'release'>;
  let successor: Successor | null = null;
  const open = (temporary: string): Promise<void> => listen(server, temporary, options.access ?? PRIVATE);
  try {
    if (options.succeeds === true) name = successor = await SocketName.beside(path, open);
    else name = await SocketName.claim(path, open);
  } catch (error) {
    await closeServer(server);
    throw error;
  }
  return {
    connections: () => countConnections(server),
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
      captures.close();
      await closeServer(server);
    },
  };
}

async function listen(server: Server, path: string, access: SocketAccess): Promise<void> {
  const mask = process.umask(0o177); // never accessible to others than those of `access`, not even for a moment
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path, backlog: BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } finally {
    process.umask(mask);
  }
  giveAccess(path, access);
}

/** Ends every connection. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function countConnections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

/** How errors of handlers are answered; faults of the switch are reported. */
function faultsOf(report: (error: unknown) => void): Fault {
  return (error) => {
    if (error instanceof ChangeRefused) {
      return { status: CHANGE_STATUS[error.code], answer: errorAnswer(error.code, error.message) };
    }
    const refusal = refusalOf(error);
    if (refusal !== undefined) return refusal;
    report(error);
    return { status: 500, answer: errorAnswer('internal', error instanceof Error ? error.message : String(error)) };
  };
}

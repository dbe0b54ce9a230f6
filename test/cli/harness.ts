/**
 * What the tests of the command line share: the program run inside this process, and a stand-in for the switch's
 * control socket. It asserts nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lazyRooms, type Rooms } from '../../src/cli/context.js';
import { main } from '../../src/cli/program.js';

export interface CliResult {
  status: number;
  out: string;
  err: string;
}

/** Runs `overtap ARGV`, with nothing of this process's environment. */
export async function overtap(
  argv: readonly string[],
  env: Record<string, string> = {},
  rooms: Partial<Rooms> = {},
  more: { interrupted?: () => AbortSignal; onOutput?: (out: string) => void } = {},
): Promise<CliResult> {
  let out = '';
  let err = '';
  const stdout = {
    write: (text: string): void => {
      out += text;
      more.onOutput?.(out);
    },
  };
  const stderr = {
    write: (text: string): void => {
      err += text;
    },
  };
  const { interrupted } = more;
  const io = { stdout, stderr, env, ...(interrupted === undefined ? {} : { interrupted }) };
  const status = await main(argv, io, { ...lazyRooms, ...rooms });
  return { status, out, err };
}

export interface Scratch {
  readonly path: string;
  /** A name in the folder. */
  file(name: string): string;
  remove(): void;
}

/** A folder of its own for one test file. */
export function scratch(): Scratch {
  const path = mkdtempSync(join(tmpdir(), 'overtap-cli-'));
  return {
    path,
    file: (name) => join(path, name),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

export type Handler = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

export interface FakeSwitch {
  readonly socket: string;
  /** `GET /v1/fdb` and so on, in the order they came. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** Answers on `socket` until closed. */
export async function fakeSwitch(socket: string, handler: Handler): Promise<FakeSwitch> {
  const requests: string[] = [];
  const server: Server = createServer((incoming, outgoing) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    handler(incoming, outgoing);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  return {
    socket,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The fields of a listing's rows that a query narrows it by. */
const FIELDS: Readonly<Record<string, string>> = { dev: 'ifname', br: 'master' };

/**
 * A handler that answers GET of each path with its JSON, narrowed by the query as the switch does it, and any other path
 * with the switch's 404.
 */
export function routes(table: Readonly<Record<string, unknown>>): Handler {
  return (incoming, outgoing) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '', 'http://switch');
    const body = incoming.method === 'GET' ? table[pathname] : undefined;
    const fits = (row: Record<string, unknown>): boolean =>
      [...searchParams].every(
        ([key, value]) => key === 'details' || value.split(',').includes(String(row[FIELDS[key] ?? key])),
      );
    outgoing.statusCode = body === undefined ? 404 : 200;
    outgoing.setHeader('content-type', 'application/json');
    const answer = Array.isArray(body) ? (body as Record<string, unknown>[]).filter(fits) : body;
    outgoing.end(JSON.stringify(answer ?? { error: { code: 'not_found', message: `no such path: ${incoming.url}` } }));
  };
}

export interface Post {
  readonly path: string;
  readonly body: unknown;
}

/**
 * As `routes`, and takes every POST: notes it in `posts`, and answers with what `answers` has for its path, or else with
 * 204 and no body.
 */
export function taking(
  posts: Post[],
  table: Readonly<Record<string, unknown>> = {},
  answers: Readonly<Record<string, unknown>> = {},
): Handler {
  const reads = routes(table);
  return (incoming, outgoing) => {
    if (incoming.method !== 'POST') {
      reads(incoming, outgoing);
      return;
    }
    let text = '';
    incoming.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    incoming.on('end', () => {
      const path = incoming.url ?? '';
      posts.push({ path, body: JSON.parse(text) as unknown });
      const answer = answers[path];
      if (answer === undefined) outgoing.writeHead(204).end();
      else outgoing.end(JSON.stringify(answer));
    });
  };
}

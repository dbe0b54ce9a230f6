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
): Promise<CliResult> {
  let out = '';
  let err = '';
  const stdout = {
    write: (text: string): void => {
      out += text;
    },
  };
  const stderr = {
    write: (text: string): void => {
      err += text;
    },
  };
  const status = await main(argv, { stdout, stderr, env }, { ...lazyRooms, ...rooms });
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

/** A handler that answers each path with its JSON, and any other with the switch's 404. */
export function routes(table: Readonly<Record<string, unknown>>): Handler {
  return (incoming, outgoing) => {
    const body = table[incoming.url ?? ''];
    outgoing.statusCode = body === undefined ? 404 : 200;
    outgoing.setHeader('content-type', 'application/json');
    outgoing.end(JSON.stringify(body ?? { error: { code: 'not_found', message: `no such path: ${incoming.url}` } }));
  };
}

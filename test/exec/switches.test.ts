/** Which sockets are asked for a switch, and how much a program may say. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttp, type Server } from 'node:http';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Conversation } from '../../src/exec/exchange.js';
import { netnsOf, Switches } from '../../src/exec/switches.js';

let folder: string;
const servers: { close(): unknown }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-switches-'));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Says that it is a process; what else a switch says is not asked. */
async function fakeSwitch(name: string, pid: number | (() => number)): Promise<string> {
  const path = join(folder, name);
  const server: Server = createHttp((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ pid: typeof pid === 'number' ? pid : pid() }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return path;
}

test('in a folder where anybody may make files, only the named socket is asked', async () => {
  const named = await fakeSwitch('named.sock', process.pid);
  const other = await fakeSwitch('other.sock', process.pid);
  expect((await new Switches([named], []).all()).sort()).toEqual([named, other]);
  chmodSync(folder, 0o1777);
  expect(await new Switches([named], []).all()).toEqual([named]);
});

/** No PID is as large. */
const gone = 4_194_305;

test('another process at the same socket is another switch', async () => {
  let pid = gone;
  const socket = await fakeSwitch('one.sock', () => pid);
  const switches = new Switches([socket], []);
  expect(await switches.all()).toEqual([socket]);
  pid = process.pid;
  expect(await switches.of(netnsOf('self'))).toBeDefined();
});

test('a switch that has just started is found by who needs one', async () => {
  const socket = join(folder, 'one.sock');
  const switches = new Switches([socket], []);
  expect(await switches.of(netnsOf('self'))).toBeUndefined();
  await fakeSwitch('one.sock', process.pid);
  expect(await switches.of(netnsOf('self'), true)).toBeDefined();
});

test('a namespace that is not known is none', async () => {
  const socket = await fakeSwitch('one.sock', gone);
  expect(netnsOf(gone)).toBe(0);
  const switches = new Switches([socket], []);
  expect(await switches.all()).toEqual([socket]);
  expect(await switches.of(0)).toBeUndefined();
});

test('a program that says more than a library does is disconnected', async () => {
  const path = join(folder, 'socket');
  const met: Socket[] = [];
  const server = createServer((socket) => {
    met.push(socket);
    new Conversation(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const client = createConnection(path);
  client.on('error', () => undefined);
  client.write(Buffer.alloc(1024 * 1024));
  await new Promise((resolve) => client.once('close', resolve));
  expect(met.map(({ destroyed }) => destroyed)).toEqual([true]);
});

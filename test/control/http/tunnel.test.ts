/** A process that wants the switch and is refused gives its connection back, whether it closes it or not. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { serveTunnels } from '../../../src/control/http/tunnel.js';

let folder: string;
let server: Server;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tunnel-'));
  server = createServer();
  serveTunnels(server, (request) => request.refuse('unavailable', 'not now'));
  await new Promise<void>((resolve) => server.listen(join(folder, 'sock'), resolve));
});

afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const connections = (): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));

it('reads why, and does not stay half open', async () => {
  const socket = connect({ path: join(folder, 'sock'), allowHalfOpen: true });
  let said = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const closed = new Promise<void>((resolve) => socket.on('end', resolve));
  socket.write('CONNECT take-over:1 HTTP/1.1\r\nhost: x\r\n\r\n');
  await closed;
  expect(said).toMatch(/^HTTP\/1\.1 422 .*not now/s);
  expect(await connections()).toBe(1);
  const deadline = Date.now() + 10_000;
  while ((await connections()) > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await connections()).toBe(0);
  socket.destroy();
});

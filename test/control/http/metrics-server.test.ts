/** `metrics: ADDRESS:PORT`: GET /metrics and nothing else, under limits, at an address that may come late. */
import { request } from 'node:http';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type MetricsOptions, MetricsServer } from '../../../src/control/http/metrics-server.js';
import { FakeViews, pause, until } from './server-harness.js';

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

/** A port of 127.0.0.1 that was free a moment ago, and one that is taken. */
async function takenPort(): Promise<{ port: number; holder: Server }> {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  return { port: (holder.address() as { port: number }).port, holder };
}

async function freePort(): Promise<number> {
  const { port, holder } = await takenPort();
  await new Promise((resolve) => holder.close(resolve));
  return port;
}

interface Started {
  port: number;
  views: FakeViews;
  said: string[];
  faults: unknown[];
  refused: string[];
}

async function start(port: number, options: Partial<MetricsOptions> = {}): Promise<Started> {
  const started: Started = { port, views: new FakeViews(), said: [], faults: [], refused: [] };
  const server = new MetricsServer({ address: '127.0.0.1', port }, started.views, {
    listening: (address) => started.said.push(`listening ${address}`),
    waiting: (address) => started.said.push(`waiting ${address}`),
    connectionRefused: (reason) => started.refused.push(reason),
    report: (error) => started.faults.push(error),
    ...options,
  });
  open.push(server);
  await until('a word', () => started.said.length > 0);
  return started;
}

interface Answer {
  status: number;
  text: string;
  headers: Record<string, unknown>;
}

function ask(port: number, method: string, path: string, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method, path, agent: false });
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      let text = '';
      incoming.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text, headers: incoming.headers }));
    });
    outgoing.end(body);
  });
}

/** A connection that writes and counts what comes. */
function connect(port: number, text = ''): { socket: Socket; closed: boolean; text: string } {
  const socket = createConnection({ host: '127.0.0.1', port });
  const client = { socket, closed: false, text: '' };
  socket.on('error', () => undefined);
  socket.on('close', () => {
    client.closed = true;
  });
  socket.on('data', (chunk: Buffer) => {
    client.text += chunk.toString();
  });
  if (text !== '') socket.write(text);
  open.push({ close: () => socket.destroy() });
  return client;
}

describe('the server of metrics', () => {
  it('answers GET /metrics', async () => {
    const { port, said } = await start(await freePort());
    const { status, text, headers } = await ask(port, 'GET', '/metrics');
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(text).toContain('overtap_info{name="host1",version="1.2.3"} 1\n');
    expect((await ask(port, 'GET', '/metrics?a=b')).status).toBe(200);
    expect(said).toEqual([`listening 127.0.0.1:${port}`]);
  });

  it.each([
    ['POST', '/metrics', 405],
    ['HEAD', '/metrics', 405],
    ['DELETE', '/metrics', 405],
    ['GET', '/', 404],
    ['GET', '/metricsx', 404],
    ['GET', '/v1/config', 404],
    ['GET', '/v1/events', 404],
    ['POST', '/v1/links', 404],
  ])('answers nothing else: %s %s', async (method, path, expected) => {
    const { port } = await start(await freePort());
    expect((await ask(port, method, path)).status).toBe(expected);
  });

  it('does not read bodies, and ends the connection of one', async () => {
    const { port } = await start(await freePort());
    expect((await ask(port, 'POST', '/metrics', 'x')).headers.connection).toBe('close');
    const endless = connect(port, 'GET /metrics HTTP/1.1\r\nHost: x\r\ncontent-length: 1000000000000\r\n\r\n');
    await until('the end of an endless body', () => endless.closed);
    expect(endless.text).toContain('overtap_info');
  });

  it('closes connections beyond its limit, silent ones first, and goes on for others', async () => {
    const { port, refused } = await start(await freePort(), {
      limits: { connections: 3, headerMs: 3000, checkMs: 50 },
    });
    const silent = Array.from({ length: 10 }, () => connect(port));
    await until('seven have given way', () => silent.filter(({ closed }) => closed).length === 7);
    expect(refused).toHaveLength(7);
    expect((await ask(port, 'GET', '/metrics')).status).toBe(200);
    await until('the silent ones closed in time', () => silent.every(({ closed }) => closed));
    expect((await ask(port, 'GET', '/metrics')).status).toBe(200);
  });

  it('closes new connections while all others are being answered', async () => {
    const { port, refused, views } = await start(await freePort(), { limits: { connections: 3 } });
    const { stats } = views;
    const links = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`l${i}`, stats().links.tap1]));
    views.stats = () => ({ ...stats(), links }) as ReturnType<typeof stats>;
    const slow = Array.from({ length: 3 }, () => connect(port, 'GET /metrics HTTP/1.1\r\n\r\n'));
    for (const { socket } of slow) socket.pause();
    await until('their answers have begun', () => slow.every(({ socket }) => socket.bytesRead > 0));
    const late = connect(port);
    await until('the late one is closed', () => late.closed);
    expect([refused.length, slow.some(({ closed }) => closed)]).toEqual([1, false]);
  });

  it('refuses what is no HTTP', async () => {
    const { port } = await start(await freePort());
    const junk = connect(port, '\u0000\u0001 junk\r\n\r\n');
    await until('its end', () => junk.closed);
    expect(junk.text).toMatch(/^HTTP\/1.1 400 /);
  });

  it('waits for an address in use, says so once, and listens when it can', async () => {
    const { port, holder } = await takenPort();
    const { said } = await start(port, { retryMs: 20 });
    await pause(200);
    expect(said).toEqual([`waiting 127.0.0.1:${port}`]);
    await new Promise((resolve) => holder.close(resolve));
    await until('listening', () => said.length === 2);
    expect(said[1]).toBe(`listening 127.0.0.1:${port}`);
    expect((await ask(port, 'GET', '/metrics')).status).toBe(200);
  });

  it('survives a listing that fails', async () => {
    const { port, views, faults } = await start(await freePort());
    const { stats } = views;
    views.stats = () => {
      throw new Error('broken');
    };
    expect((await ask(port, 'GET', '/metrics')).status).toBe(500);
    expect(faults).toHaveLength(1);
    views.stats = stats;
    expect((await ask(port, 'GET', '/metrics')).status).toBe(200);
  });
});

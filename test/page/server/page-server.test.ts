/** The page's server over real sockets: who is let in, and what a slow or greedy client can use up. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it, test } from 'vitest';
import { BrowserStreams, MAX_BROWSERS, MAX_WAITING_BYTES } from '../../../src/page/server/browser-streams.js';
import { joinDocument } from '../../../src/page/server/document.js';
import { PageRefusal, PageServer, type Questions } from '../../../src/page/server/page-server.js';

const DOCUMENT = joinDocument('<style></style><script></script>', 'p {}', '"use strict";');
const TOKEN = 'secret';

interface Running {
  readonly port: number;
  readonly server: PageServer;
  readonly streams: BrowserStreams;
  readonly faults: unknown[];
  readonly watched: boolean[];
}

const running: Running[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const { server } of running.splice(0)) await server.close();
});

async function start(questions: Questions = {}): Promise<Running> {
  const faults: unknown[] = [];
  const watched: boolean[] = [];
  const streams = new BrowserStreams(
    (send) => send('site', { title: 'whole state', switches: [], lab: false, guests: [] }),
    (is) => watched.push(is),
  );
  const report = (fault: unknown): void => void faults.push(fault);
  const server = new PageServer({
    host: '127.0.0.1',
    port: 0,
    token: TOKEN,
    document: DOCUMENT,
    streams,
    questions,
    report,
  });
  const url = new URL(await server.listen());
  expect(url.searchParams.get('token')).toBe(TOKEN);
  const one = { port: Number(url.port), server, streams, faults, watched };
  running.push(one);
  return one;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

function ask(
  { port }: Running,
  path: string,
  {
    method = 'GET',
    headers = {},
    body = '',
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text }));
      incoming.on('error', reject);
    });
    outgoing.on('error', reject).end(body);
  });
}

const post = (one: Running, path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> =>
  ask(one, `${path}?token=${TOKEN}`, {
    method: 'POST',
    headers: { origin: `http://127.0.0.1:${one.port}`, 'content-type': 'application/json', ...headers },
    body,
  });

/** A browser that reads nothing until it is told to. */
async function browser({ port }: Running): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET /events?token=${TOKEN} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`);
  return socket;
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('it did not come true');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('the document', () => {
  it('is served with the token, under a strict policy', async () => {
    const one = await start();
    const { status, headers, body } = await ask(one, `/?token=${TOKEN}`);
    expect(status).toBe(200);
    expect(body).toBe(DOCUMENT.html.toString());
    expect(headers).toMatchObject({
      'content-security-policy': DOCUMENT.policy,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });

  test.each(['/', '/?token=', '/?token=wrong', '/events', '/events?token=secre', '//x/?token=secret%00'])(
    'is not served at %s',
    async (path) => {
      const one = await start();
      const { status, body } = await ask(one, path);
      expect(status).toBe(401);
      expect(body).toContain('token');
      expect(one.watched).toEqual([]);
    },
  );

  it('is not served under another name, as after DNS rebinding', async () => {
    const one = await start();
    expect((await ask(one, `/?token=${TOKEN}`, { headers: { host: 'evil.example' } })).status).toBe(421);
  });

  it('is all that there is', async () => {
    const one = await start();
    expect((await ask(one, `/page.js?token=${TOKEN}`)).status).toBe(404);
    expect(
      (await ask(one, `/?token=${TOKEN}`, { method: 'PUT', headers: { origin: `http://127.0.0.1:${one.port}` } }))
        .status,
    ).toBe(405);
    expect(
      (await ask(one, `/?token=${TOKEN}`, { method: 'OPTIONS', headers: { origin: 'http://evil.example' } })).status,
    ).toBe(403);
  });
});

describe('questions', () => {
  const asked: unknown[] = [];
  const questions: Questions = {
    '/trace': async (body) => {
      asked.push(body);
      return { steps: [] };
    },
    '/refuse': async () => {
      throw new PageRefusal(409, 'not now');
    },
    '/fail': async () => {
      throw new Error('a bug with secrets');
    },
  };

  it('are answered for the page itself', async () => {
    const one = await start(questions);
    asked.length = 0;
    const { status, body } = await post(one, '/trace', '{"port":"tap1"}');
    expect([status, JSON.parse(body)]).toEqual([200, { steps: [] }]);
    expect(asked).toEqual([{ port: 'tap1' }]);
  });

  test.each([
    ['another origin', { origin: 'http://evil.example' }, 403],
    ['another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a form', { 'content-type': 'text/plain' }, 415],
  ])('are not answered for %s', async (_name, headers, right) => {
    const one = await start(questions);
    asked.length = 0;
    expect((await post(one, '/trace', '{}', headers)).status).toBe(right);
    expect(asked).toEqual([]);
  });

  it('that are none are refused', async () => {
    const one = await start(questions);
    expect((await post(one, '/trace', '{"port":')).status).toBe(400);
    expect((await post(one, '/nothing', '{}')).status).toBe(404);
    expect((await post(one, '/constructor', '{}')).status).toBe(404);
    expect((await post(one, '/trace', `"${'x'.repeat(300_000)}"`)).status).toBe(413);
    expect(one.faults).toEqual([]);
  });

  it('that fail say so, and a bug is told to whoever runs the page, not to the browser', async () => {
    const one = await start(questions);
    const refused = await post(one, '/refuse', '{}');
    expect([refused.status, JSON.parse(refused.body)]).toEqual([409, { error: 'not now' }]);
    const failed = await post(one, '/fail', '{}');
    expect(failed.status).toBe(500);
    expect(failed.body).not.toContain('secrets');
    expect(one.faults).toEqual([new Error('a bug with secrets')]);
  });
});

describe('the stream', () => {
  it('begins with the whole state, and the switches are watched while a browser is there', async () => {
    const one = await start();
    const socket = await browser(one);
    await until(() => one.streams.size === 1);
    expect(one.watched).toEqual([true]);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.resume();
    one.streams.send('gap', { count: 7 });
    await until(() => text.includes('event: gap\ndata: {"count":7}'));
    expect(text.indexOf('whole state')).toBeGreaterThan(0);
    expect(text.indexOf('whole state')).toBeLessThan(text.indexOf('event: gap'));
    socket.destroy();
    await until(() => one.watched.length === 2);
    expect(one.watched).toEqual([true, false]);
  });

  it('tells a slow browser how many messages it missed, and then everything anew', async () => {
    const one = await start();
    const socket = await browser(one);
    await until(() => one.streams.size === 1);
    const filler = 'x'.repeat(64 * 1024);
    const COUNT = 400;
    for (let sent = 0; sent < COUNT; sent++)
      one.streams.send('happenings', { switch: filler, list: [{ at: sent, kind: 'filler', text: '' }] });
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk.replaceAll('x', '');
    });
    socket.resume();
    await until(() => /event: gap[\s\S]*whole state[\s\S]*\n\n/.test(text));
    const gap = /event: gap\ndata: \{"count":(\d+)\}/.exec(text)?.[1];
    const received = text.match(/event: happenings/g)?.length ?? 0;
    expect(received + Number(gap)).toBe(COUNT);
    // What waits here is bounded; the rest of what was received lay in the sockets.
    expect(received * filler.length).toBeLessThan(MAX_WAITING_BYTES + 16 * 1024 * 1024);
    expect(Number(gap)).toBeGreaterThan(0);
  });

  it('is for a few browsers', async () => {
    const one = await start();
    for (let count = 0; count < MAX_BROWSERS; count++) await browser(one);
    await until(() => one.streams.size === MAX_BROWSERS);
    const { status, body } = await ask(one, `/events?token=${TOKEN}`);
    expect([status, body]).toEqual([503, expect.stringContaining('close one')]);
  });
});

it('silent connections of strangers keep nobody out', async () => {
  const one = await start();
  const watching = await browser(one);
  await until(() => one.streams.size === 1);
  let gone = 0;
  for (let count = 0; count < 200; count++) {
    const socket = connect({ host: '127.0.0.1', port: one.port });
    sockets.push(socket);
    socket.on('error', () => undefined).on('close', () => gone++);
    await once(socket, 'connect');
  }
  expect((await ask(one, `/?token=${TOKEN}`)).status).toBe(200);
  await until(() => gone >= 130);
  expect(watching.destroyed).toBe(false);
  expect(one.streams.size).toBe(1);
});

it('a header of another protocol ends its connection only', async () => {
  const one = await start();
  const socket = connect({ host: '127.0.0.1', port: one.port });
  sockets.push(socket);
  socket.on('error', () => undefined).resume();
  socket.write(`\x16\x03\x01${'\0'.repeat(100)}`);
  await once(socket, 'close');
  const long = connect({ host: '127.0.0.1', port: one.port });
  sockets.push(long);
  long.on('error', () => undefined).resume();
  long.write(`GET /?token=${TOKEN} HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n`);
  await once(long, 'close');
  expect((await ask(one, `/?token=${TOKEN}`)).status).toBe(200);
});

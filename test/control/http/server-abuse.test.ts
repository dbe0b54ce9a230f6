/**
 * Clients that exceed their share. After each abuse the server answers an ordinary request at once, and holds none of their
 * connections and memory.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { ChangeRefused } from '../../../src/control/controls.js';
import type { Limits } from '../../../src/control/http/server-limits.js';
import { long } from '../../long.js';
import { ask, askJson, type Harness, harness, pause, RawClient, until } from './server-harness.js';

const MIB = 1024 * 1024;
/** As many as may be connected at a time, in the long run. */
const CLIENTS = long(1000, 250);

/**
 * Longer than any wait below: many clients live in the server's own process, and none is to be cut off because
 * both of them had to wait for the machine. A test about a bound gives its own.
 */
const PATIENT: Partial<Limits> = { headerMs: 30_000, requestMs: 30_000, sendIdleMs: 30_000 };
/** For requests that are slow on purpose. */
const SLOW: Partial<Limits> = { headerMs: 1000, requestMs: 1500 };
/** Milliseconds in which an ordinary client is served. Where others hold something back, they do so for longer. */
const PROMPT = 5000;

let server: Harness;
let clients: RawClient[] = [];
let before = 0;

async function start(limits: Partial<Limits> = {}): Promise<void> {
  server = await harness({ ...PATIENT, checkMs: 50, keepAliveMs: 1000, ...limits });
  await ask(server.path, 'GET', '/v1/links');
  before = memory();
}

afterEach(async () => {
  for (const client of clients) client.end();
  clients = [];
  await server.close();
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of heap and buffers that somebody holds. */
function memory(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function open(count = 1, reading = true): Promise<RawClient[]> {
  const opened = await Promise.all(Array.from({ length: count }, () => RawClient.connect(server.path, reading)));
  clients.push(...opened);
  return opened;
}

/** An ordinary client is served promptly, whatever others do. */
async function serves(): Promise<void> {
  const { status, ms } = await ask(server.path, 'GET', '/v1/links');
  expect(status).toBe(200);
  expect(ms).toBeLessThan(PROMPT);
}

async function recovers(mebibytes: number, connections = 0): Promise<void> {
  await until('its connections are closed', async () => (await server.server.connections()) <= connections);
  await serves();
  expect(memory() - before).toBeLessThan(mebibytes * MIB);
  expect(server.faults).toEqual([]);
}

describe('many clients', () => {
  it(`${CLIENTS} at once are all answered`, async () => {
    await start();
    const answers = await Promise.all(Array.from({ length: CLIENTS }, () => ask(server.path, 'GET', '/v1/stats')));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(CLIENTS);
    await recovers(100);
  });

  it(`${CLIENTS} that say nothing keep nobody out, and are closed`, async () => {
    await start({ headerMs: PROMPT + 1000, requestMs: PROMPT + 1000 });
    const silent = await open(CLIENTS);
    await serves();
    await until('all are closed', () => silent.every(({ closed }) => closed), 20_000);
    for (const { text } of silent) expect(text).toMatch(/^HTTP\/1\.1 408 .*"code":"too_slow"/s);
    await recovers(100);
  });

  it('beyond the bound they are refused at once, and others come in as soon as there is room', async () => {
    await start({ connections: 40, eventStreams: 10 });
    const first = await open(50);
    const late = await open(20);
    await until('the late ones are closed', () => late.every(({ closed }) => closed));
    expect(late.every(({ text }) => text === '')).toBe(true);
    expect(first.every(({ closed }) => !closed)).toBe(true);
    first[0]?.end();
    await until('there is room', async () => (await server.server.connections()) < 50);
    await serves();
  });

  it(`${CLIENTS} slow readers of large answers hold bounded memory`, async () => {
    await start({ heldAnswerBytes: 8 * MIB, sendIdleMs: PROMPT + 1000 });
    const large = { name: 'x'.repeat(MIB) };
    server.views.config = () => large;
    server.views.fdbRows = 3000; // more than a unix socket holds
    const readers = await open(CLIENTS, false);
    for (const [i, client] of readers.entries()) {
      client.write(`GET ${i % 2 === 0 ? '/v1/config' : '/v1/fdb'} HTTP/1.1\r\n\r\n`);
    }
    await until('some listings are under way', () => server.views.open > CLIENTS / 10);
    await pause(300);
    expect(memory() - before).toBeLessThan(250 * MIB);
    await serves();
    for (const client of readers) client.read(1000);
    await until('they are cut off or served', async () => (await server.server.connections()) === 0, 90_000);
    const refused = readers.filter(({ text }) => text.startsWith('HTTP/1.1 503 '));
    expect(refused.length).toBeGreaterThan(0.4 * CLIENTS);
    await recovers(150);
  }, 120_000);
});

describe('endless requests', () => {
  const without: [what: string, head: string][] = [
    ['a request line', 'GET /v1/'],
    ['a header', 'GET /v1/links HTTP/1.1\r\nx-long: '],
  ];
  it.each(without)('%s of 16 MiB is refused as too large', async (_what, head) => {
    await start();
    const [client] = (await open()) as [RawClient];
    client.write(head);
    client.write(Buffer.alloc(16 * MIB, 'a'));
    await until('it is cut off', () => client.closed);
    expect(client.text).toMatch(/^HTTP\/1\.1 431 .*"code":"too_large"/s);
    await recovers(64);
  });

  it('a line of 16 MiB that is no HTTP is refused', async () => {
    await start();
    const [client] = (await open()) as [RawClient];
    client.write(Buffer.alloc(16 * MIB, 'a'));
    await until('it is cut off', () => client.closed);
    expect(client.text).toMatch(/^HTTP\/1\.1 400 .*"code":"bad_http"/s);
    await recovers(64);
  });

  it('a body without an end is refused and then cut off', async () => {
    await start({ discardBytes: 32 * MIB });
    const [client] = (await open()) as [RawClient];
    client.write('POST /v1/links HTTP/1.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n');
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MIB, 0x20), Buffer.from('\r\n')]);
    let sent = 0;
    while (!client.closed && sent < 256) {
      client.write(chunk);
      sent++;
      await pause(1);
    }
    expect(client.closed).toBe(true);
    expect(client.text).toMatch(/^HTTP\/1\.1 413 .*"code":"too_large"/s);
    await recovers(100);
  });

  it('a declared length that never comes is cut off, and one beyond reason at once', async () => {
    await start(SLOW);
    const [short, long] = (await open(2)) as [RawClient, RawClient];
    const head = 'POST /v1/links HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: ';
    short.write(`${head}100\r\n\r\n{"op":`);
    long.write(`${head}99999999999\r\n\r\n{"op":`);
    await until('the long one is refused', () => long.text.startsWith('HTTP/1.1 413 '));
    await serves();
    await until('the short one is cut off', () => short.closed);
    expect(short.text).toMatch(/^HTTP\/1\.1 408 /);
    await recovers(32);
    expect(server.controls.asked).toEqual([]);
  });

  it('requests that trickle are cut off in the head and in the body', async () => {
    await start(SLOW);
    const [head, body] = (await open(2)) as [RawClient, RawClient];
    body.write('POST /v1/links HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n');
    head.write('GET /v1/links HTTP/1.1\r\nx: ');
    const began = performance.now();
    while (!(head.closed && body.closed)) {
      head.write('a');
      body.write(' ');
      await pause(10);
      expect(performance.now() - began).toBeLessThan(10_000);
    }
    await recovers(32);
  });

  it(`${CLIENTS} bodies of nearly 1 MiB at once hold bounded memory`, async () => {
    await start({ heldBodyBytes: 16 * MIB, headerMs: PROMPT + 1000, requestMs: PROMPT + 1000, discardMs: 300 });
    const senders = await open(CLIENTS);
    const most = Buffer.alloc(MIB - 10, 0x20);
    for (const client of senders) {
      client.write(`POST /v1/links HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: ${MIB}\r\n\r\n`);
      client.write(most);
    }
    // For want of room; where all of them have to wait for the machine, some for want of time.
    const answered = (...statuses: string[]): number =>
      senders.filter(({ text }) => statuses.some((status) => text.includes(` ${status} `))).length;
    await until('most are refused', () => answered('503', '408') > 0.9 * CLIENTS, 40_000);
    expect(answered('503')).toBeGreaterThan(CLIENTS / 4);
    await serves();
    await until('the rest is cut off', () => senders.every(({ closed }) => closed), 20_000);
    expect(answered('408')).toBeGreaterThan(10);
    await recovers(150);
  }, 90_000);
});

describe('pipelined requests', () => {
  it('2,000 in one piece are answered in order', async () => {
    await start();
    const [client] = (await open()) as [RawClient];
    const urls = Array.from({ length: 2000 }, (_, i) => (i % 10 === 0 ? '/v1/fdb' : `/v1/nothing-${i}`));
    client.write(urls.map((url) => `GET ${url} HTTP/1.1\r\n\r\n`).join(''));
    await serves();
    // Another client had its turn between them.
    expect(client.text.split('HTTP/1.1 ').length).toBeLessThan(2001);
    await until('all are answered', () => client.text.split('HTTP/1.1 ').length === 2001, 20_000);
    const order = [...client.text.matchAll(/nothing-(\d+)|HTTP\/1\.1 200 /g)].map(([, number]) => number ?? 'fdb');
    expect(order.join()).toBe(urls.map((_, i) => (i % 10 === 0 ? 'fdb' : i)).join());
    await recovers(64);
  });

  it('without an end and without a reader are not taken in', async () => {
    await start({ sendIdleMs: PROMPT + 1000, heldRequests: 4096 });
    server.views.fdbRows = 100_000;
    const [client] = (await open(1, false)) as [RawClient];
    const piece = 'GET /v1/fdb HTTP/1.1\r\n\r\n'.repeat(40_000);
    for (let i = 0; i < 16; i++) client.write(piece);
    await until('the first is under way', () => server.views.open > 0);
    await pause(300);
    expect(server.views.open).toBe(1);
    // The client's own 16 MB stand in this process too.
    expect(client.socket.writableLength).toBeGreaterThan(14 * 1000 * 1000);
    expect(memory() - before).toBeLessThan(64 * MIB);
    await serves();
    expect(client.closed).toBe(false);
    await until('it is cut off', () => client.closed, 20_000);
    await recovers(64);
  });

  it('with an expectation that nobody knows wait their turn like others', async () => {
    await start();
    const [client] = (await open()) as [RawClient];
    client.write('GET /v1/info HTTP/1.1\r\nexpect: wonders\r\n\r\n'.repeat(1000));
    await serves();
    expect(client.text.split('HTTP/1.1 ').length).toBeLessThan(1001);
    await until('all are answered', () => client.text.split('HTTP/1.1 200 ').length === 1001, 20_000);
    await recovers(64);
  });

  it('on many connections together are bounded', async () => {
    await start({ heldRequests: 2000 });
    server.views.fdbRows = 100_000;
    const many = await open(100, false);
    for (const client of many) client.write('GET /v1/fdb HTTP/1.1\r\n\r\n'.repeat(500));
    await until('most are closed', () => many.filter(({ closed }) => closed).length >= 90);
    await serves();
    for (const client of many) client.end();
    await recovers(100);
  });

  it('behind a change wait for it', async () => {
    await start({ ...SLOW, sendIdleMs: 1500 });
    let release: () => void = () => undefined;
    server.controls.before = new Promise((resolve) => {
      release = resolve;
    });
    const [client] = (await open()) as [RawClient];
    const post = (name: string): string => {
      const body = JSON.stringify({ op: 'del', name });
      return `POST /v1/links HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    };
    client.write(post('a') + post('b'));
    client.write('GET /v1/info HTTP/1.1\r\n\r\n');
    // Longer than a client may take nothing of an answer: it waits for the switch.
    await pause(2000);
    expect([client.text, client.closed]).toEqual(['', false]);
    release();
    await until('all are answered', () => client.text.includes('"host1"'));
    expect(client.text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 204', 'HTTP/1.1 204', 'HTTP/1.1 200']);
    expect(server.controls.asked.map(([, body]) => (body as { name: string }).name)).toEqual(['a', 'b']);
  });
});

describe('clients that go', () => {
  it('in the midst of anything are forgotten', async () => {
    await start();
    server.views.fdbRows = 100_000;
    server.controls.failure = new ChangeRefused('no', 'busy');
    const starts = [
      'GET /v1/fdb HTTP/1.1\r\n\r\n',
      'GET /v1/events HTTP/1.1\r\n\r\n',
      'GET /metrics HTTP/1.1\r\n\r\n',
      'GET /v1/li',
      'POST /v1/links HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"op',
      'POST /v1/links HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\r\n{"op":"del","name":"tap"}',
    ];
    const going = await open(300, false);
    for (const [i, client] of going.entries()) client.write(starts[i % starts.length] as string);
    await until('some are under way', () => server.views.open > 0 && server.controls.listeners.size > 0);
    for (const client of going) client.end();
    await until('listings have ended', () => server.views.open === 0);
    await until('streams have ended', () => server.controls.listeners.size === 0);
    await recovers(100);
  });

  it('half, that is without closing their end for reading, are let go', async () => {
    await start();
    const half = await open(50);
    for (const client of half) client.socket.end('GET /v1/links HTTP/1.1\r\n\r\n');
    await until('all are closed', () => half.every(({ closed }) => closed));
    expect(half.filter(({ text }) => text.startsWith('HTTP/1.1 200 '))).toHaveLength(50);
    await recovers(32);
  });

  it('to rest after an answer are closed in time, and not before', async () => {
    await start({ keepAliveMs: 1500 });
    const [client] = (await open()) as [RawClient];
    client.write('GET /v1/info HTTP/1.1\r\n\r\n');
    await until('the first answer', () => client.text.includes('host1'));
    await pause(100);
    client.write('GET /v1/info HTTP/1.1\r\n\r\n');
    await until('the second answer', () => client.text.split('host1').length === 3);
    await until('it is closed', () => client.closed, 6000);
    await recovers(32);
  });
});

describe('the socket', () => {
  it('is its owner’s only, and goes with the server', async () => {
    await start();
    const { statSync, existsSync } = await import('node:fs');
    expect(statSync(server.path).mode & 0o777).toBe(0o600);
    await server.server.close();
    expect(existsSync(server.path)).toBe(false);
    await expect(askJson(server.path, 'GET', '/v1/info')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

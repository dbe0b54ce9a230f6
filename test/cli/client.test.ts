import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { ReadPath } from '../../src/api/api.js';
import { createClient, SwitchRefused, SwitchUnreachable } from '../../src/client/client.js';
import { type FakeSwitch, fakeSwitch, overtap, scratch } from './harness.js';

const folder = scratch();
afterAll(() => folder.remove());

let served: FakeSwitch | undefined;
let raw: Server | undefined;
afterEach(async () => {
  await served?.close();
  served = undefined;
  await new Promise<void>((resolve) => (raw === undefined ? resolve() : raw.close(() => resolve())));
  raw = undefined;
});

/** What `promise` fails with. */
async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`did not fail: ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );
}

/** Asserts that the client and the program both find no switch there, with that message. */
async function unreachable(socket: string, message: string): Promise<void> {
  const error = await failure(createClient(socket).get('/v1/info'));
  expect(error).toBeInstanceOf(SwitchUnreachable);
  expect(error).toHaveProperty('message', message);
  expect(await overtap(['link', '-s', socket])).toEqual({ status: 3, out: '', err: `overtap: ${message}\n` });
}

const nobody = (socket: string): string =>
  `no switch answers on ${socket}; start one with "overtap run -c FILE" or name its socket with -s`;

describe('where no switch answers', () => {
  it('there is no socket', async () => {
    await unreachable(folder.file('none.sock'), nobody(folder.file('none.sock')));
  });

  it('the socket was left behind', async () => {
    // Renamed while bound, it is not removed when its server closes: what kill -9 leaves.
    const bound = folder.file('bound.sock');
    const stale = folder.file('stale.sock');
    const dying = createServer();
    await new Promise<void>((resolve) => dying.listen(bound, resolve));
    renameSync(bound, stale);
    await new Promise<void>((resolve) => dying.close(() => resolve()));
    await unreachable(stale, nobody(stale));
  });

  it('a file that is no socket is in its place', async () => {
    const file = folder.file('plain');
    writeFileSync(file, '');
    await unreachable(file, nobody(file));
  });

  it('the path is longer than a socket can have', async () => {
    const long = folder.file('x'.repeat(120));
    await unreachable(long, `the path of a control socket has at most 107 bytes; this one is longer: ${long}`);
  });

  it('the switches that do answer are named', async () => {
    const answers = createHttpServer((_, outgoing) => outgoing.end('{"name":"host1","version":"1","pid":1}'));
    await new Promise<void>((resolve) => answers.listen(folder.file('h1.sock'), resolve));
    writeFileSync(folder.file('h2.sock'), '');
    try {
      const { status, err } = await overtap(['link', '-s', folder.file('none.sock')]);
      expect(status).toBe(3);
      expect(err).toContain(`${nobody(folder.file('none.sock'))}\n`);
      expect(err).toContain(`-s ${folder.file('h1.sock')} (host1)`);
      expect(err).not.toContain('h2.sock');
    } finally {
      await new Promise((resolve) => answers.close(resolve));
      rmSync(folder.file('h2.sock'));
    }
  });

  it('the remedy is that of its owner', async () => {
    const error = await failure(createClient(folder.file('x.sock'), { remedy: 'turn it on' }).get('/v1/info'));
    expect(error).toMatchObject({ message: `no switch answers on ${folder.file('x.sock')}; turn it on` });
  });

  it('the default socket is the one tried', async () => {
    const { err } = await overtap(['link', '-s', folder.file('default')], { OVERTAP_CONTROL: folder.file('env') });
    expect(err).toContain(folder.file('default'));
    expect((await overtap(['link'], { OVERTAP_CONTROL: folder.file('env') })).err).toContain(folder.file('env'));
  });
});

describe('an answer', () => {
  it('is the JSON of the path asked', async () => {
    served = await fakeSwitch(folder.file('a.sock'), (incoming, outgoing) => {
      outgoing.end(JSON.stringify({ url: incoming.url, accept: incoming.headers.accept }));
    });
    expect(await createClient(served.socket).get('/v1/fdb?vlan=2')).toEqual({
      url: '/v1/fdb?vlan=2',
      accept: 'application/json',
    });
    expect(served.requests).toEqual(['GET /v1/fdb?vlan=2']);
  });

  it('to a post comes with or without a body', async () => {
    served = await fakeSwitch(folder.file('b.sock'), (incoming, outgoing) => {
      let body = '';
      incoming.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      incoming.on('end', () => {
        if (body === '{"quiet":true}') outgoing.writeHead(204).end();
        else outgoing.end(JSON.stringify({ got: JSON.parse(body), type: incoming.headers['content-type'] }));
      });
    });
    const client = createClient(served.socket);
    expect(await client.post('/v1/links', { name: 'tap1ü' } as never)).toEqual({
      got: { name: 'tap1ü' },
      type: 'application/json',
    });
    expect(await client.post('/v1/links', { quiet: true } as never)).toBeUndefined();
  });

  it('that refuses carries code, status and reason', async () => {
    served = await fakeSwitch(folder.file('c.sock'), (_, outgoing) => {
      outgoing.statusCode = 409;
      outgoing.end('{"error":{"code":"exists","message":"tap1 exists"}}');
    });
    const error = await failure(createClient(served.socket).post('/v1/links', {} as never));
    expect(error).toBeInstanceOf(SwitchRefused);
    expect(error).toMatchObject({ code: 'exists', status: 409, message: 'tap1 exists' });
  });

  it('that is empty, cut short or no HTTP is none', async () => {
    served = await fakeSwitch(folder.file('d.sock'), (incoming, outgoing) => {
      if (incoming.url === '/cut') {
        outgoing.setHeader('content-length', 100);
        outgoing.write('[', () => incoming.socket.destroy());
      } else outgoing.end();
    });
    const client = createClient(served.socket);
    expect(await failure(client.get('/empty' as ReadPath))).toMatchObject({
      name: 'SwitchUnreachable',
      message: expect.stringContaining('is not an overtap switch'),
    });
    expect(await failure(client.get('/cut' as ReadPath))).toMatchObject({
      name: 'SwitchUnreachable',
      message: `the switch on ${served.socket} hung up before it had answered: it ends, or has as many clients as it may have; its log says which`,
    });

    const socket = folder.file('e.sock');
    raw = createServer((connection) => connection.resume().end('SSH-2.0\r\n'));
    await new Promise<void>((resolve) => raw?.listen(socket, resolve));
    expect(await failure(createClient(socket).get('/' as ReadPath))).toMatchObject({
      name: 'SwitchUnreachable',
      message: expect.stringContaining('is not an overtap switch'),
    });
  });

  it('larger than the bound is not taken in', async () => {
    served = await fakeSwitch(folder.file('f.sock'), (incoming, outgoing) => {
      outgoing.end(JSON.stringify('x'.repeat(incoming.url === '/fits' ? 998 : 999)));
    });
    const client = createClient(served.socket, { maxAnswerBytes: 1000 });
    expect(await client.get('/fits' as ReadPath)).toHaveLength(998);
    expect(await failure(client.get('/over' as ReadPath))).toMatchObject({
      name: 'SwitchUnreachable',
      message: `the switch on ${served.socket} answered with more than 1000 bytes; not taken in`,
    });
  });

  it('that does not come, or does not end, is waited for until the deadline', async () => {
    served = await fakeSwitch(folder.file('g.sock'), (incoming, outgoing) => {
      if (incoming.url === '/half') outgoing.write('[');
    });
    const client = createClient(served.socket, { deadlineMs: 100 });
    const message = `the switch on ${served.socket} did not answer within 0.1 s`;
    expect(await failure(client.get('/never' as ReadPath))).toMatchObject({ name: 'SwitchUnreachable', message });
    expect(await failure(client.get('/half' as ReadPath))).toMatchObject({ name: 'SwitchUnreachable', message });
  });
});

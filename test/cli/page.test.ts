/** `overtap page`: the words that it takes, and the page that it serves of switches that the test stands in for. */
import { afterAll, afterEach, describe, expect, it, test } from 'vitest';
import { type FakeSwitch, fakeSwitch, overtap, routes, scratch } from './harness.js';

const folder = scratch();
const switches: FakeSwitch[] = [];
afterEach(async () => {
  for (const one of switches.splice(0)) await one.close();
});

afterAll(() => folder.remove());

const TABLE = { '/v1/info': { name: 'h1', version: '1', pid: 1 } };

interface Served {
  readonly url: URL;
  readonly out: string;
}

/** Runs the command until the page was looked at. @returns what `look` has */
async function served<T>(words: readonly string[], look: (served: Served) => Promise<T>): Promise<T> {
  const end = new AbortController();
  let looked: Promise<T> | undefined;
  const result = await overtap(
    ['page', ...words],
    {},
    {},
    {
      interrupted: () => end.signal,
      onOutput: (out) => {
        const url = /http:\S+/.exec(out)?.[0];
        if (url !== undefined) looked ??= look({ url: new URL(url), out }).finally(() => end.abort());
      },
    },
  );
  expect(result).toMatchObject({ status: 0, err: '' });
  if (looked === undefined) throw new Error(`no address in ${result.out}`);
  return looked;
}

/** The page's answer to a request of its own. */
const post = (url: URL, path: string, body: unknown): Promise<Response> =>
  fetch(new URL(`${path}${url.search}`, url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url.origin },
    body: JSON.stringify(body),
  });

describe('overtap page', () => {
  it('serves the switch at the control socket, until it is interrupted', async () => {
    const socket = folder.file('a.sock');
    switches.push(await fakeSwitch(socket, routes(TABLE)));
    const text = await served(['-s', socket], async ({ url, out }) => {
      expect(out).toContain('Ctrl-C');
      expect(url.hostname).toBe('127.0.0.1');
      expect((await fetch(url.origin)).status).toBe(401);
      return (await fetch(url)).text();
    });
    expect(text).toContain('id="stage"');
    expect(text).toContain('EventSource');
  });

  it('sends nothing into switches that are no lab', async () => {
    const socket = folder.file('b.sock');
    switches.push(await fakeSwitch(socket, routes(TABLE)));
    await served([`h1=${socket}`, `h2=${socket}`], async ({ url }) => {
      const frame = '00'.repeat(14);
      const refused = await post(url, '/send', { switch: 'h1', port: 'tap1', frame, count: 1 });
      expect([refused.status, await refused.json()]).toEqual([403, { error: expect.stringContaining('lab') }]);
      expect((await post(url, '/send', { switch: 'h3', port: 'tap1', frame })).status).toBe(404);
      expect((await post(url, '/send', [])).status).toBe(400);
    });
    expect(switches[0].requests.filter((one) => one.startsWith('POST'))).toEqual([]);
  });

  test.each([
    [['--listen', '0.0.0.0:8080'], /127\.0\.0\.1:PORT .* ssh -L/],
    [['--listen', '192.0.2.1:8080'], /ssh -L/],
    [['--listen', '127.0.0.1'], /--listen: expected an address and a TCP port/],
    [['h1='], /NAME=SOCKET/],
    [['=/x'], /NAME=SOCKET/],
    [['h1=/x', 'h1=/y'], /a name of its own/],
    [['one', 'two'], /one lab/],
  ])('%j is a wrong use', async (words, message) => {
    const { status, err } = await overtap(['page', ...words]);
    expect(status).toBe(2);
    expect(err).toMatch(message);
  });

  it('names what is missing', async () => {
    expect(await overtap(['page', '-s', folder.file('none')])).toMatchObject({ status: 3 });
    const lab = await overtap(['page', 'no-such-lab']);
    expect(lab.status).toBe(1);
    expect(lab.err).toContain('unknown lab "no-such-lab"');
  });
});

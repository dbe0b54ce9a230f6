import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FdbRow } from '../../../src/api/api.js';
import { createClient } from '../../../src/client/client.js';
import { DEFAULT_LIMITS } from '../../../src/control/http/server-limits.js';
import { sendText } from '../../../src/control/http/text-stream.js';
import { ask, askJson, fdbRow, type Harness, harness, pause, RawClient, until } from './server-harness.js';

let server: Harness;
beforeEach(async () => {
  server = await harness({ sendIdleMs: 5000, answerMs: 60_000 });
});
afterEach(() => server.close());

const rows = async (query: string) => (await askJson(server.path, 'GET', `/v1/fdb${query}`)).value as FdbRow[];

describe('the FDB', () => {
  it('is a JSON array, of none, one or many rows', async () => {
    for (const count of [0, 1, 5000]) {
      server.views.fdbRows = count;
      expect(await rows('')).toEqual(Array.from({ length: count }, (_, i) => fdbRow(i)));
    }
    expect((await ask(server.path, 'GET', '/v1/fdb')).type).toBe('application/json; charset=utf-8');
  });

  it('is narrowed by each key, and by all together', async () => {
    server.views.fdbRows = 12;
    const all = await rows('');
    const cases: [query: string, fits: (row: FdbRow) => boolean][] = [
      ['?mac=02:00:00:00:00:0A', ({ mac }) => mac === '02:00:00:00:00:0a'],
      ['?dev=tap1', ({ ifname }) => ifname === 'tap1'],
      ['?br=br0', () => true],
      ['?br=br1', () => false],
      ['?vlan=11', ({ vlan }) => vlan === 11],
      ['?vni=5', () => false],
      ['?dst=192.0.2.1', () => false],
      ['?state=static', ({ state }) => state === 'static'],
      ['?state=static,dynamic', () => true],
      ['?dev=tap1&state=static', ({ ifname, state }) => ifname === 'tap1' && state === 'static'],
    ];
    for (const [query, fits] of cases) expect([query, await rows(query)]).toEqual([query, all.filter(fits)]);
  });

  it('refuses what it cannot ask for', async () => {
    const bad: [query: string, message: string][] = [
      ['?vlan=0', 'vlan: expected a VLAN ID from 1 to 4094, found 0'],
      ['?vlan=10x', 'vlan: expected a VLAN ID from 1 to 4094, found "10x"'],
      ['?vlan=', 'vlan: expected a VLAN ID from 1 to 4094, found ""'],
      ['?vni=16777216', 'vni: expected a VNI from 1 to 16777215, found 16777216'],
      ['?dst=nowhere', 'dst: expected an IPv4 or IPv6 address, found "nowhere"'],
      ['?state=old', `state[0]: expected 'dynamic', 'static' or 'permanent', found "old"`],
      ['?vid=1', 'vid: is not known; this request takes mac, dev, br, vlan, vni, dst, state'],
      ['?vlann=1', 'vlann: is not known; did you mean "vlan"?'],
      [`?${'&'.repeat(2000)}dev=tap1&dev=tap2`, 'dev: is given 2 times; give it once'],
      ['?dev=tap1&dev=tap2', 'dev: is given 2 times; give it once'],
    ];
    for (const [query, message] of bad) {
      expect(await askJson(server.path, 'GET', `/v1/fdb${query}`)).toEqual({
        status: 400,
        value: { error: { code: 'invalid', message } },
      });
    }
    expect(server.views.made).toBe(0);
  });

  it('of 300,000 rows holds no other request up and comes whole', async () => {
    server.views.fdbRows = 300_000;
    const listing = createClient(server.path).get('/v1/fdb');
    const delays: number[] = [];
    let done = false;
    void listing.finally(() => {
      done = true;
    });
    while (!done) {
      delays.push((await ask(server.path, 'GET', '/v1/info')).ms);
      await pause(1);
    }
    const all = await listing;
    expect(all).toHaveLength(300_000);
    expect(all.at(-1)).toEqual(fdbRow(299_999));
    // The client is in this process too; parsing 40 MB at the end stops everything once, for one request.
    const slow = delays.sort((a, b) => b - a).slice(1);
    // However fast the machine is: they had their turns between the pieces, of which there are about 600.
    expect(slow.length).toBeGreaterThan(100);
    expect(slow[0]).toBeLessThan(2000);
  });

  it('is made only as fast as it is read', async () => {
    server.views.fdbRows = 100_000;
    const client = await RawClient.connect(server.path, false);
    client.write('GET /v1/fdb HTTP/1.1\r\n\r\n');
    let made = 0;
    let looks = 0;
    const rests = (): boolean => {
      looks = server.views.made === made ? looks + 1 : 0;
      made = server.views.made;
      // A tenth of a second, and as many passes of the event loop: a halt of the machine is no rest.
      return made > 0 && looks >= 20;
    };
    await until('the client is full', rests);
    // What a unix socket and a piece hold, at 130 bytes a row.
    expect(made).toBeLessThan(10_000);
    client.read();
    await until('all is read', () => client.text.endsWith(']\n\r\n0\r\n\r\n'), 40_000);
    expect(server.views.open).toBe(0);
    client.end();
  });

  it('ends when its reader stops reading, or goes', async () => {
    await server.close();
    server = await harness({ sendIdleMs: 2500 });
    server.views.fdbRows = 100_000;
    const idle = await RawClient.connect(server.path, false);
    idle.write('GET /v1/fdb HTTP/1.1\r\n\r\n');
    const gone = await RawClient.connect(server.path, false);
    gone.write('GET /v1/fdb HTTP/1.1\r\n\r\n');
    await until('both are under way', () => server.views.open === 2);
    gone.end();
    await until('the one that went is forgotten', () => server.views.open === 1);
    await until('the one that does not read is cut off', () => server.views.open === 0);
    await until('no connection is left', async () => (await server.server.connections()) === 0);
    expect(server.views.made).toBeLessThan(20_000);
    expect(server.faults).toEqual([]);
  });

  it('that fails at once is a 500, one that fails later is cut short', async () => {
    const { views } = server;
    views.fdb = () => {
      throw new Error('no table');
    };
    expect((await ask(server.path, 'GET', '/v1/fdb')).status).toBe(500);
    views.fdb = function* () {
      yield fdbRow(0);
      throw new Error('no more table');
    };
    expect((await ask(server.path, 'GET', '/v1/fdb')).status).toBe(500);
    views.fdb = function* () {
      for (let i = 0; i < 5000; i++) yield fdbRow(i);
      throw new Error('no more table');
    };
    await expect(createClient(server.path).get('/v1/fdb')).rejects.toMatchObject({
      name: 'SwitchUnreachable',
      message: `the switch on ${server.path} hung up before it had answered: it ends, or has as many clients as it may have; its log says which`,
    });
    expect(server.faults).toHaveLength(3);
  });

  it('is not cut off for waiting for its turn', async () => {
    const path = `${server.path}.turns`;
    const turns = { next: () => pause(600) };
    const limits = { ...DEFAULT_LIMITS, sendIdleMs: 400 };
    const large = 'x'.repeat(100_000);
    const waiting = createServer((_, outgoing) => {
      sendText(outgoing, 'text/plain', [large, large, 'end'], turns, limits).catch((error) => outgoing.destroy(error));
    });
    await new Promise<void>((resolve) => waiting.listen(path, resolve));
    const { text } = await ask(path, 'GET', '/');
    waiting.close();
    expect(text).toBe(`${large}${large}end`);
  });

  it('gives 200 readers at once their own, in turns', async () => {
    server.views.fdbRows = 2000;
    const want = JSON.stringify(Array.from({ length: 2000 }, (_, i) => fdbRow(i)));
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask(server.path, 'GET', '/v1/fdb')));
    for (const { text } of answers) expect(text.replaceAll(',\n', ',').trimEnd() === want).toBe(true);
    expect(server.views.open).toBe(0);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LINK_TYPES } from '../../../src/config/options/kinds.js';
import { ChangeRefused } from '../../../src/control/controls.js';
import { ask, askJson, type Harness, harness } from './server-harness.js';

let server: Harness;
beforeAll(async () => {
  server = await harness({ discardMs: 10_000 });
});
afterEach(() => {
  server.controls.asked.length = 0;
  server.controls.failure = null;
  server.controls.flushed = undefined;
  server.faults.length = 0;
});
afterAll(() => server.close());

const post = (url: string, body: unknown) => askJson(server.path, 'POST', url, body);
const get = (url: string) => askJson(server.path, 'GET', url);

describe('listings', () => {
  it('each path answers with its view', async () => {
    expect((await get('/v1/info')).value).toEqual({ name: 'host1', version: '1.2.3', pid: process.pid });
    expect((await get('/v1/links')).value).toEqual(server.views.links());
    expect((await get('/v1/vlans')).value).toEqual(server.views.vlans());
    expect((await get('/v1/neigh')).value).toEqual(server.views.neigh());
    expect((await get('/v1/mdb')).value).toEqual({ mdb: [], router: [] });
    expect((await get('/v1/stats')).value).toEqual(server.views.stats());
    expect((await get('/v1/config')).value).toEqual({ name: 'host1' });
  });

  it('dropped frames, also of one reason; a name that is no reason is refused', async () => {
    expect((await get('/v1/drops')).value).toEqual(server.views.drops());
    expect((await get('/v1/drops?reason=no_pvid')).value).toEqual(server.views.drops('no_pvid'));
    expect(await get('/v1/drops?reason=nothing')).toEqual({
      status: 400,
      value: { error: { code: 'invalid', message: 'reason: there is no drop reason "nothing"' } },
    });
  });

  it('what is not there is a 404 with the path', async () => {
    expect(await get('/v2/links')).toEqual({
      status: 404,
      value: { error: { code: 'not_found', message: 'this switch has no GET /v2/links' } },
    });
    expect((await ask(server.path, 'DELETE', '/v1/links')).status).toBe(404);
    expect((await ask(server.path, 'HEAD', '/v1/events')).status).toBe(404);
  });

  it('a query that is not known, or is no URL, is refused', async () => {
    expect(await get('/v1/links?dev=tap1')).toEqual({
      status: 400,
      value: { error: { code: 'invalid', message: 'dev: is not known; this request takes details' } },
    });
    expect(await get('/v1/vlans?dev=tap1')).toEqual({
      status: 400,
      value: { error: { code: 'invalid', message: 'dev: nothing can be asked for here; remove it' } },
    });
    const { status, value } = await get('/v1/%zz');
    expect(status).toBe(400);
    expect(value).toMatchObject({ error: { code: 'invalid', message: expect.stringContaining('%zz') } });
  });

  it('a view that fails is a 500, and is reported', async () => {
    const { stats } = server.views;
    server.views.stats = () => {
      throw new Error('no memory to read');
    };
    try {
      expect((await get('/v1/stats')).status).toBe(500);
      expect(server.faults).toEqual([expect.objectContaining({ message: 'no memory to read' })]);
    } finally {
      server.views.stats = stats;
    }
  });
});

describe('changes', () => {
  const good: [url: string, what: string, body: Record<string, unknown>][] = [
    [
      '/v1/links',
      'link',
      { op: 'add', name: 'tap1', type: 'tap', master: 'br0', options: { netns: 'ns2', mtu: null } },
    ],
    ['/v1/links', 'link', { op: 'set', name: 'tap1', master: null }],
    ['/v1/links', 'link', { op: 'del', name: 'vxlan0@host' }],
    ['/v1/fdb', 'fdb', { op: 'add', mac: '02:00:00:00:00:01', dev: 'tap1', vlan: 10, state: 'static', sticky: true }],
    ['/v1/fdb', 'fdb', { op: 'append', mac: '00:00:00:00:00:00', dev: 'vxlan0', vni: 2, dst: '192.0.2.3', port: 8472 }],
    ['/v1/fdb', 'fdb', { op: 'del', mac: '02:00:00:00:00:01', dev: 'vxlan0', dst: '239.1.1.1' }],
    ['/v1/vlans', 'vlan', { op: 'add', dev: 'tap1', vid: 2, vidEnd: 9, untagged: true }],
    ['/v1/vlans', 'vlan', { op: 'del', dev: 'vxlan0', vid: 2, vidEnd: 3, tunid: 102, tunidEnd: 103 }],
    ['/v1/neigh', 'neigh', { op: 'add', dst: '2001:db8::1', lladdr: '02:00:00:00:00:01', dev: 'vxlan0', router: true }],
    ['/v1/neigh', 'neigh', { op: 'del', dst: '198.18.0.3', dev: 'vxlan0', vlan: 10 }],
    ['/v1/mdb', 'mdb', { op: 'add', dev: 'br0', port: 'tap1', grp: '239.1.1.1', vid: 10 }],
  ];
  it.each(good)('%s carries %s %j', async (url, what, body) => {
    expect(await post(url, body)).toEqual({ status: 204, value: undefined });
    expect(server.controls.asked).toEqual([[what, body]]);
  });

  it('texts come out canonical', async () => {
    await post('/v1/neigh', { op: 'add', dst: '2001:DB8:0::1', lladdr: '02:00:00:00:00:AB', dev: 'vxlan0' });
    expect(server.controls.asked[0]?.[1]).toMatchObject({ dst: '2001:db8::1', lladdr: '02:00:00:00:00:ab' });
  });

  it('an answer comes with 200', async () => {
    server.controls.flushed = { removed: 7 };
    expect(await post('/v1/fdb', { op: 'flush', dev: 'tap1', state: ['static'] })).toEqual({
      status: 200,
      value: { removed: 7 },
    });
    expect(await post('/v1/apply', { config: { name: 'host1' }, dry_run: true })).toEqual({
      status: 200,
      value: { commands: ['link del tap1'] },
    });
    expect(server.controls.asked.at(-1)).toEqual(['apply', { config: { name: 'host1' }, dry_run: true }]);
  });

  const refusals: [code: ChangeRefused['code'], status: number][] = [
    ['invalid', 400],
    ['not_found', 404],
    ['exists', 409],
    ['busy', 409],
    ['full', 409],
    ['unavailable', 422],
  ];
  it.each(refusals)('what the switch refuses as %s is a %i', async (code, status) => {
    server.controls.failure = new ChangeRefused('tap1: not like this', code);
    expect(await post('/v1/links', { op: 'del', name: 'tap1' })).toEqual({
      status,
      value: { error: { code, message: 'tap1: not like this' } },
    });
    expect(server.faults).toEqual([]);
  });

  it('a fault of the switch is a 500, and is reported', async () => {
    server.controls.failure = new TypeError('undefined is not a port');
    const { status, value } = await post('/v1/links', { op: 'del', name: 'tap1' });
    expect([status, value]).toEqual([500, { error: { code: 'internal', message: 'undefined is not a port' } }]);
    expect(server.faults).toHaveLength(1);
  });
});

const quotedTypes = LINK_TYPES.map((type) => `'${type}'`)
  .join(', ')
  .replace(/, ('\w+')$/, ' or $1');

describe('bad values', () => {
  const bad: [url: string, body: unknown, message: string][] = [
    ['/v1/links', [], 'the body must be a JSON object with the fields of the request'],
    ['/v1/links', { name: 'tap1' }, "op: is missing; give 'add', 'del' or 'set'"],
    ['/v1/links', { op: 'toString' }, `op: expected 'add', 'del' or 'set', found "toString"`],
    ['/v1/links', { op: 'del' }, 'name: is missing; give the name of a link'],
    [
      '/v1/links',
      { op: 'add', name: 'a/b', type: 'tap' },
      `name: "a/b" cannot name a link; use ASCII letters, digits, '-', '_' or '.'`,
    ],
    ['/v1/links', { op: 'add', name: 'a', type: 'veth' }, `type: expected ${quotedTypes}, found "veth"`],
    ['/v1/links', { op: 'set', name: 'a', optons: {} }, 'optons: is not known; did you mean "options"?'],
    ['/v1/links', { op: 'del', name: 'a', colour: 1 }, 'colour: is not known; this request takes op, name'],
    [
      '/v1/fdb',
      { op: 'add', mac: '02:00', dev: 'tap1', vlan: 4095 },
      'mac: expected a MAC address such as 02:00:00:00:00:01, found "02:00"; write six bytes in hexadecimal with colons; ' +
        'vlan: expected a VLAN ID from 1 to 4094, found 4095',
    ],
    ['/v1/fdb', { op: 'flush', state: ['old'] }, `state[0]: expected 'dynamic', 'static' or 'permanent', found "old"`],
    [
      '/v1/fdb',
      { op: 'flush', state: 'some' },
      'state: expected "all" or a list of dynamic, static, permanent, found "some"',
    ],
    ['/v1/fdb', { op: 'flush', state: [] }, 'state: is empty; give one state or leave the list out'],
    ['/v1/fdb', { op: 'flush', dst: 'host' }, 'dst: expected an IPv4 or IPv6 address, found "host"'],
    ['/v1/vlans', { op: 'add', dev: 'a', vid: 2.5 }, 'vid: expected a VLAN ID from 1 to 4094, found 2.5'],
    [
      '/v1/vlans',
      { op: 'add', dev: 'a', vid: 9, vidEnd: 2 },
      'vidEnd: 2 is before vid 9; give the last VLAN ID of the range',
    ],
    [
      '/v1/vlans',
      { op: 'add', dev: 'a', vid: 2, vidEnd: 4, tunid: 102 },
      'tunidEnd: VLANs 2-4 and VNIs 102-102 are not equally many; ranges map one to one',
    ],
    [
      '/v1/neigh',
      { op: 'add', dst: '198.18.0.3', lladdr: '01:00:5e:00:00:01', dev: 'vxlan0' },
      'lladdr: 01:00:5e:00:00:01 is a multicast MAC address, which no NIC can have; make the first byte even, such as 02',
    ],
    [
      '/v1/mdb',
      { op: 'add', dev: 'br0', port: 'tap1', grp: '192.0.2.1' },
      'grp: is no multicast address; give one such as 239.1.1.1, ff05::1 or 01:02:03:04:05:06',
    ],
    ['/v1/apply', { dry_run: true }, 'config: is missing; give the value of a configuration file'],
  ];
  it.each(bad)('%s %j', async (url, body, message) => {
    expect(await post(url, body)).toEqual({ status: 400, value: { error: { code: 'invalid', message } } });
    expect(server.controls.asked).toEqual([]);
  });
});

describe('bodies', () => {
  const send = (body: string | Buffer, headers: Record<string, string> = {}) =>
    ask(server.path, 'POST', '/v1/links', body, headers);
  const del = '{"op":"del","name":"tap1"}';

  it('of exactly 1 MiB is taken, one byte more is a 413', async () => {
    const full = del.padEnd(1024 * 1024);
    expect((await send(full)).status).toBe(204);
    const { status, text } = await send(`${full} `);
    expect([status, JSON.parse(text)]).toEqual([
      413,
      { error: { code: 'too_large', message: 'the body has more than 1048576 bytes; send it in parts' } },
    ]);
  });

  it('that are much too large hear the reason all the same, with a length or in chunks', async () => {
    const large = Buffer.alloc(16 * 1024 * 1024, 0x20);
    expect((await send(large)).status).toBe(413);
    expect((await send(large, { 'transfer-encoding': 'chunked' })).status).toBe(413);
  });

  it('that are no JSON are a 400 with the reason', async () => {
    const wrong = ['', '{"op":"del"', 'nonsense', Buffer.from([0x22, 0xff, 0x22])];
    for (const body of wrong) {
      const { status, text } = await send(body);
      expect(status).toBe(400);
      expect(JSON.parse(text)).toMatchObject({
        error: { code: 'bad_json', message: expect.stringContaining('the body is not JSON') },
      });
    }
  });

  it('that would hurt their reader are refused', async () => {
    const deep = `{"config":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect(JSON.parse((await send(deep)).text).error.message).toContain('more than 64 levels');
    const own = '{"op":"set","name":"tap1","options":{"__proto__":{"mtu":1}}}';
    expect(JSON.parse((await send(own)).text).error.message).toContain('"__proto__"');
    expect(server.controls.asked).toEqual([]);
  });

  it('of another type are a 415', async () => {
    const { status, text } = await send(del, { 'content-type': 'text/plain' });
    expect([status, JSON.parse(text)]).toEqual([
      415,
      {
        error: { code: 'unsupported_media_type', message: 'the body must be sent as application/json, not text/plain' },
      },
    ]);
    expect((await send(del, { 'content-type': 'application/json; charset=utf-8' })).status).toBe(204);
  });

  it('that are missing are a 400', async () => {
    expect(await askJson(server.path, 'POST', '/v1/links')).toMatchObject({ status: 400 });
  });
});

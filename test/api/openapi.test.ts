/** The OpenAPI document: it has every route of the server, and the server's answers are as it says. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApiDocument } from '../../src/api/openapi.js';
import { READ_ROUTES, TEXT_ROUTES, WRITE_ROUTES } from '../../src/api/routes.js';
import { Router } from '../../src/control/http/router.js';
import { addRoutes, type Served } from '../../src/control/http/routes.js';
import { DEFAULT_LIMITS } from '../../src/control/http/server-limits.js';
import { askJson, type Harness, harness } from '../control/http/server-harness.js';
import { LiveSwitch } from '../control/live/live-switch.js';

type Json = Record<string, unknown>;
interface Operation {
  requestBody?: { content: Record<string, { schema: Json }> };
  responses: Record<string, { content?: Record<string, { schema: Json }> }>;
}

const document = openApiDocument('1.2.3') as { paths: Record<string, Record<string, Operation>>; components: Json };

/** Whether a value fits a schema of the document. */
function faultsOf(schema: Json, value: unknown): unknown {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  const check = ajv.compile({ ...schema, components: document.components });
  return check(value) ? undefined : check.errors;
}

const answerSchema = (path: string, method = 'get', status = '200'): Json => {
  const content = document.paths[path]?.[method]?.responses[status]?.content;
  const schema = content?.['application/json']?.schema;
  if (schema === undefined) throw new Error(`${method} ${path} ${status} has no schema`);
  return schema;
};

let server: Harness;
let live: LiveSwitch;
beforeAll(async () => {
  server = await harness();
  live = await LiveSwitch.start({
    bridges: {
      br0: {
        vlan_filtering: true,
        host_port: true,
        ports: {
          tap1: {
            type: 'tap',
            vlans: [{ vid: 2, pvid: true, untagged: true }],
            fdb: [{ mac: '02:00:00:00:00:01', vlan: 2 }],
          },
          vxlan0: {
            type: 'vxlan',
            local: '192.0.2.1',
            vlan_tunnel: true,
            vlans: [{ vid: '2-4', tunnel_info: '102-104' }],
            remotes: ['192.0.2.2'],
          },
        },
      },
    },
  });
});
afterAll(() => {
  live.stop();
  return server.close();
});

describe('the OpenAPI document', () => {
  it('has exactly the routes that the server has', () => {
    const router = new Router(DEFAULT_LIMITS, () => ({ status: 500, answer: null }));
    addRoutes(router, {} as Served);
    const found = router.routes;
    const told = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(told.sort()).toEqual(found.sort());
    const tables = [READ_ROUTES, TEXT_ROUTES, WRITE_ROUTES].flatMap((table) => Object.keys(table));
    expect(tables.length).toBe(told.length);
  });

  it('is served, and refers to nothing that it does not have', async () => {
    const { status, value } = await askJson(server.path, 'GET', '/v1/openapi.json');
    expect(status).toBe(200);
    expect(value).toEqual(JSON.parse(JSON.stringify(document)));
    const text = JSON.stringify(document);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g))
      expect(Object.keys(document.components.schemas as Json)).toContain(name);
    expect(text).not.toContain('$defs');
  });

  it.each([
    '/v1/links',
    '/v1/fdb',
    '/v1/vlans',
    '/v1/neigh',
    '/v1/mdb',
    '/v1/stats',
    '/v1/drops',
    '/v1/config',
    '/v1/info',
    '/v1/log',
  ])('describes what GET %s answers', async (path) => {
    const { status, value } = await askJson(server.path, 'GET', path);
    expect(status).toBe(200);
    expect(faultsOf(answerSchema(path), value)).toBeUndefined();
  });

  it('describes a refusal', async () => {
    const { status, value } = await askJson(server.path, 'POST', '/v1/fdb', { op: 'no' });
    expect(status).toBe(400);
    expect(faultsOf(answerSchema('/v1/fdb', 'post', 'default'), value)).toBeUndefined();
  });

  it('describes requests that are taken, and none that are refused', () => {
    const requestOf = (path: string): Json =>
      document.paths[path]?.post?.requestBody?.content['application/json']?.schema as Json;
    const put = { op: 'append', mac: '00:00:00:00:00:00', dev: 'vxlan0', vni: 2, dst: '192.0.2.3', port: 8472 };
    expect(faultsOf(requestOf('/v1/fdb'), put)).toBeUndefined();
    expect(faultsOf(requestOf('/v1/fdb'), { op: 'flush', state: ['static'] })).toBeUndefined();
    expect(faultsOf(requestOf('/v1/fdb'), { op: 'flush', state: 'all' })).toBeUndefined();
    expect(faultsOf(requestOf('/v1/fdb'), { ...put, colour: 1 })).toBeDefined();
    expect(faultsOf(requestOf('/v1/vlans'), { op: 'add', dev: 'tap1', vid: 4095 })).toBeDefined();
    expect(faultsOf(requestOf('/v1/links'), { op: 'set', name: 'tap1', master: null })).toBeUndefined();
  });
});

describe('the answers of a switch', () => {
  it.each([
    ['/v1/links', () => live.links()],
    ['/v1/fdb', () => live.fdb()],
    ['/v1/vlans', () => live.vlans()],
    ['/v1/mdb', () => live.groups()],
    ['/v1/stats', () => live.stats()],
  ])('%s is as described', (path, view) => {
    const value: unknown = JSON.parse(JSON.stringify(view()));
    expect(faultsOf(answerSchema(path), value)).toBeUndefined();
  });
});

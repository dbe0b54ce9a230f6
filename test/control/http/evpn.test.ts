/** `/v1/evpn`: what the speaker answers as rows, and what it is told to do. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EVPN_ANSWER, EVPN_NEIGHBOR_ROW, EVPN_ROUTES_ANSWER, EVPN_VNI_ROW } from '../../../src/api/evpn.js';
import { ChangeRefused } from '../../../src/control/controls.js';
import type { EvpnAnswer, EvpnOrder, EvpnViews } from '../../../src/control/listings.js';
import type { NeighborAnswer, Question, RouteAnswer, VniAnswer } from '../../../src/evpn/contract.js';
import { NO_ESI, type PathAttributes } from '../../../src/wire/bgp/route.js';
import { askJson, type Harness, harness } from './server-harness.js';

const NEIGHBOR: NeighborAnswer = {
  ...{ address: '192.0.2.2', asn: 65001, state: 'established', since: 61_999, ups: 4, routerId: '192.0.2.2' },
  ...{ received: 12, accepted: 10, crowded: 2, sent: 3, stale: 1, messages: { in: 20, out: 8 }, malformed: 2 },
  lastEnd: 'hold timer expired',
};
const VNI: VniAnswer = {
  ...{ vni: 100, kind: 'l2', owner: 'vxlan0', local: '192.0.2.1', rd: '192.0.2.1:100', floods: true },
  ...{ imports: ['65001:100'], exports: ['65001:100'], remotes: ['192.0.2.2'], localMacs: 4, remoteMacs: 10 },
  duplicates: ['02:00:00:00:00:09'],
};
const ATTRIBUTES: PathAttributes = {
  ...{ origin: 0, asPath: [], nextHop: '192.0.2.2', localPref: 100 },
  extended: { routeTargets: ['65001:100'], encapsulation: 8, isGateway: false },
};
const row = { from: '192.0.2.2', isBest: true, isStale: false, imported: [100] };
const ROUTES: RouteAnswer[] = [
  {
    ...row,
    route: {
      type: 2,
      rd: '192.0.2.2:2',
      esi: NO_ESI,
      tag: 0,
      mac: '02:00:00:00:00:01',
      ip: '10.0.0.1',
      label: 100,
      label2: 5000,
    },
    attributes: {
      ...ATTRIBUTES,
      extended: {
        ...ATTRIBUTES.extended,
        ...{ mobility: { sequence: 3, sticky: true }, isGateway: true, routerMac: '02:00:00:00:00:99' },
        nd: { immutable: false, override: true, router: true },
      },
    },
  },
  {
    ...row,
    route: { type: 3, rd: '192.0.2.2:2', tag: 0, origin: '192.0.2.2' },
    attributes: { ...ATTRIBUTES, pmsi: { flags: 0, type: 6, label: 100, endpoint: '192.0.2.2' } },
  },
  {
    ...{ isBest: false, isStale: true, imported: [] },
    route: { type: 5, rd: '192.0.2.3:7', esi: NO_ESI, tag: 0, prefix: '10.0.0.0/8', gateway: '0.0.0.0', label: 5000 },
    attributes: {
      ...ATTRIBUTES,
      ...{ origin: 2, med: 7, communities: [0xfde90001], originatorId: '192.0.2.9', clusterList: ['192.0.2.8'] },
      asPath: [
        { kind: 'sequence', asns: [65002, 4200000000] },
        { kind: 'set', asns: [65003, 65004] },
      ],
    },
  },
];

class Speaker implements EvpnViews {
  readonly asn = 65001;
  readonly routerId = '192.0.2.1';
  readonly listen = 179;
  readonly questions: Question[] = [];
  readonly orders: EvpnOrder[] = [];
  next: number | undefined;
  failure: Error | null = null;

  async ask(question: Question): Promise<EvpnAnswer> {
    if (this.failure !== null) throw this.failure;
    this.questions.push(question);
    if (question.ask === 'neighbors')
      return { neighbors: [NEIGHBOR, { ...NEIGHBOR, address: '192.0.2.3', state: 'active' }] };
    if (question.ask === 'vnis') return { vnis: [VNI] };
    return { routes: ROUTES, ...(this.next === undefined ? {} : { next: this.next }) };
  }

  order(order: EvpnOrder): void {
    this.orders.push(order);
  }
}

let server: Harness;
let speaker: Speaker;
beforeAll(async () => {
  server = await harness();
});
afterAll(() => server.close());
beforeEach(() => {
  speaker = new Speaker();
  server.views.speaker = speaker;
});
const get = (path: string) => askJson(server.path, 'GET', `/v1/evpn${path}`);
const post = (body: unknown) => askJson(server.path, 'POST', '/v1/evpn', body);

describe('the speaker', () => {
  it('in numbers', async () => {
    const { value } = await get('');
    expect(EVPN_ANSWER.parse(value)).toEqual({
      ...{ asn: 65001, router_id: '192.0.2.1', listen: 179, neighbors: 2, established: 1 },
      ...{ routes_received: 24, routes_sent: 6, routes_stale: 2, l2vnis: 1, l3vnis: 0, remotes: 1 },
      ...{ local_macs: 4, remote_macs: 10, duplicates: 1 },
    });
  });

  it('its neighbours, times in seconds', async () => {
    const { value } = await get('/neighbors');
    const [first] = EVPN_NEIGHBOR_ROW.array().parse(value);
    expect(first).toEqual({
      ...{ address: '192.0.2.2', asn: 65001, state: 'established', since: 61, ups: 4, router_id: '192.0.2.2' },
      ...{ received: 12 },
      ...{ accepted: 10, crowded: 2, sent: 3, stale: 1, messages_in: 20, messages_out: 8, malformed: 2 },
      last_end: 'hold timer expired',
    });
  });

  it('its VNIs', async () => {
    const { value } = await get('/vnis');
    expect(EVPN_VNI_ROW.array().parse(value)).toMatchObject([
      { vni: 100, type: 'l2', owner: 'vxlan0', remote_macs: 10, duplicates: ['02:00:00:00:00:09'] },
    ]);
  });

  it('its routes, as flat rows', async () => {
    const { routes } = EVPN_ROUTES_ANSWER.parse((await get('/routes')).value);
    expect(routes[0]).toEqual({
      ...{ type: 2, rd: '192.0.2.2:2', tag: 0, mac: '02:00:00:00:00:01', ip: '10.0.0.1', vni: 100, l3vni: 5000 },
      ...{ next_hop: '192.0.2.2', neighbor: '192.0.2.2', best: true, stale: false, imported: [100] },
      ...{ origin: 'igp', as_path: '', local_pref: 100, route_targets: ['65001:100'], encapsulation: 8 },
      ...{ mobility: { sequence: 3, sticky: true }, default_gateway: true, router_mac: '02:00:00:00:00:99' },
      nd: { immutable: false, override: true, router: true },
    });
    expect(routes[1]).toMatchObject({ type: 3, ip: '192.0.2.2', pmsi: { type: 6, vni: 100, endpoint: '192.0.2.2' } });
    expect(routes[2]).toMatchObject({
      ...{ type: 5, prefix: '10.0.0.0/8', l3vni: 5000, origin: 'incomplete', med: 7, stale: true },
      ...{ as_path: '65002 4200000000 {65003,65004}', communities: ['65001:1'], originator_id: '192.0.2.9' },
    });
    expect(routes[2]).not.toHaveProperty('neighbor');
    expect(routes[2]).not.toHaveProperty('gateway');
  });

  it('one page of its routes, filtered', async () => {
    speaker.next = 300;
    const { value } = await get(
      '/routes?type=2&vni=100&rd=192.0.2.2:2&mac=02:00:00:00:00:01&neighbor=192.0.2.2&after=200&limit=100',
    );
    expect(value).toMatchObject({ next: 300 });
    const filter = { type: 2, vni: 100, rd: '192.0.2.2:2', mac: '02:00:00:00:00:01', from: '192.0.2.2' };
    expect(speaker.questions).toEqual([{ ask: 'routes', ...filter, after: 200, most: 100 }]);
  });

  it.each(['type=4', 'type=x', 'vni=0', 'rd=1', 'mac=1', 'neighbor=x', 'after=-1', 'limit=1025', 'limit=0', 'what=1'])(
    'is not asked for %s',
    async (query) => {
      expect((await get(`/routes?${query}`)).status).toBe(400);
      expect(speaker.questions).toEqual([]);
    },
  );

  it.each([
    [{ op: 'clear_duplicates' }, { do: 'clear-duplicates' }],
    [
      { op: 'clear_duplicates', vni: 100, mac: '02:00:00:00:00:09' },
      { do: 'clear-duplicates', vni: 100, mac: '02:00:00:00:00:09' },
    ],
    [
      { op: 'clear_neighbor', neighbor: '192.0.2.2' },
      { do: 'reset', neighbor: '192.0.2.2' },
    ],
    [{ op: 'clear_neighbor' }, { do: 'reset' }],
    [
      { op: 'refresh', neighbor: '192.0.2.3' },
      { do: 'refresh', neighbor: '192.0.2.3' },
    ],
    [{ op: 'refresh' }, { do: 'refresh' }],
  ])('is told %j', async (request, order) => {
    expect(await post(request)).toEqual({ status: 204, value: undefined });
    expect(speaker.orders).toEqual([order]);
  });

  it('is not told what it cannot do', async () => {
    expect(await post({ op: 'refresh', neighbor: '192.0.2.9' })).toEqual({
      status: 404,
      value: {
        error: { code: 'not_found', message: 'there is no BGP neighbour 192.0.2.9; there is 192.0.2.2, 192.0.2.3' },
      },
    });
    expect((await post({ op: 'refresh', neighbor: 'x' })).status).toBe(400);
    expect((await post({ op: 'restart' })).status).toBe(400);
    expect(speaker.orders).toEqual([]);
  });

  it('does not answer', async () => {
    speaker.failure = new ChangeRefused('the BGP speaker does not answer', 'unavailable');
    expect((await get('/neighbors')).status).toBe(422);
  });

  it('is not there', async () => {
    server.views.speaker = null;
    for (const path of ['', '/neighbors', '/routes', '/vnis']) {
      const { status, value } = await get(path);
      expect([status, (value as { error: { message: string } }).error.message]).toEqual([
        404,
        'this switch has no BGP speaker; add "evpn" to its configuration',
      ]);
    }
    expect((await post({ op: 'refresh' })).status).toBe(404);
  });
});

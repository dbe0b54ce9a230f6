/** `overtap evpn`: words, requests and what is printed, against a stand-in for the control socket and a server with a speaker. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVPN_REQUEST, EVPN_ROUTES_QUERY } from '../../src/api/evpn.js';
import { UsageError } from '../../src/cli/errors.js';
import {
  EVPN_GRAMMARS,
  evpnClear,
  evpnRefresh,
  neighborShow,
  routeQuery,
  vniShow,
} from '../../src/cli/requests/evpn.js';
import type { EvpnAnswer, EvpnOrder, EvpnViews } from '../../src/control/listings.js';
import type { Question, RouteAnswer } from '../../src/evpn/contract.js';
import { NO_ESI } from '../../src/wire/bgp/route.js';
import { type Harness, harness } from '../control/http/server-harness.js';
import { overtap } from './harness.js';

const TOTAL = 2500;
const attributes = {
  ...{ origin: 0, asPath: [], nextHop: '192.0.2.2', localPref: 100 },
  extended: {
    routeTargets: ['65001:100'],
    encapsulation: 8,
    isGateway: false,
    mobility: { sequence: 4, sticky: true },
  },
};
const macOf = (i: number): string =>
  `02:00:00:00:${[i >> 8, i & 255].map((n) => n.toString(16).padStart(2, '0')).join(':')}`;

/** Some thousand MACs of a neighbour, one VTEP, one prefix of our own. */
function routeOf(i: number): RouteAnswer {
  const row = { attributes, isBest: true, isStale: false, imported: [100], from: '192.0.2.2' };
  if (i === 0) return { ...row, route: { type: 3, rd: '192.0.2.2:2', tag: 0, origin: '192.0.2.2' } };
  if (i < TOTAL - 1) {
    const ip = i === 1 ? { ip: '10.0.0.1' } : {};
    return { ...row, route: { type: 2, rd: '192.0.2.2:2', esi: NO_ESI, tag: 0, mac: macOf(i), label: 100, ...ip } };
  }
  const { from: _, ...own } = { ...row, imported: [], isStale: false };
  const route = {
    type: 5 as const,
    rd: '192.0.2.1:7',
    esi: NO_ESI,
    tag: 0,
    prefix: '10.0.0.0/8',
    gateway: '0.0.0.0',
    label: 5000,
  };
  return { ...own, route };
}

class Speaker implements EvpnViews {
  readonly asn = 65001;
  readonly routerId = '192.0.2.1';
  readonly listen = 0;
  readonly asked: Question[] = [];
  readonly orders: EvpnOrder[] = [];

  async ask(question: Question): Promise<EvpnAnswer> {
    this.asked.push(question);
    const counts = { received: 2499, accepted: 2499, crowded: 0, sent: 1, stale: 0, malformed: 3 };
    const messages = { in: 30, out: 20 };
    const known = { asn: 65001, ups: 2, ...counts, messages, since: 93_784_000, lastEnd: 'hold\u001b[31m timer' };
    if (question.ask === 'neighbors') return { neighbors: [{ address: '192.0.2.2', state: 'established', ...known }] };
    if (question.ask === 'vnis') {
      const targets = { imports: ['65001:100'], exports: ['65001:100', '65001:1'] };
      const vni = {
        vni: 100,
        kind: 'l2' as const,
        owner: 'vxlan0',
        local: '192.0.2.1',
        rd: '192.0.2.1:100',
        floods: true,
      };
      const counted = { remotes: ['192.0.2.2'], localMacs: 1, remoteMacs: 2498, duplicates: [macOf(9)] };
      return { vnis: [{ ...vni, ...targets, ...counted }] };
    }
    const end = Math.min(TOTAL, question.after + question.most);
    const routes = Array.from({ length: end - question.after }, (_, i) => routeOf(question.after + i));
    return { routes, ...(end < TOTAL ? { next: end } : {}) };
  }

  order(order: EvpnOrder): void {
    this.orders.push(order);
  }
}

let server: Harness;
const speaker = new Speaker();
beforeAll(async () => {
  server = await harness();
  server.views.speaker = speaker;
});
afterAll(() => server.close());
const evpn = (...words: string[]) => overtap(['evpn', ...words, '-s', server.path]);

describe('overtap evpn', () => {
  it('show', async () => {
    expect((await evpn()).out).toBe(`AS 65001, router ID 192.0.2.1, does not listen
Neighbors: 1, established: 1
Routes: 2499 received, 1 sent
L2 VNIs: 1, L3 VNIs: 0, other VTEPs: 1
MACs: 1 local, 2498 remote, 1 duplicate
`);
  });

  it('neighbors', async () => {
    expect((await evpn('neighbors')).out).toBe(
      `Neighbor      AS  MsgRcvd  MsgSent       Since  State        Received  Accepted  Sent  Stale
192.0.2.2  65001       30       20  1d02:03:04  established      2499      2499     1      0
`,
    );
    const { out } = await evpn('neighbor', '192.0.2.2');
    expect(out).toContain('192.0.2.2 of AS 65001: established for 1d02:03:04\n');
    expect(out).toContain('updates with wrong attributes: 3\n');
    // What a neighbour has said does not reach the terminal as a command.
    expect(out).not.toContain('\u001b');
    expect(await evpn('neighbors', '192.0.2.9')).toMatchObject({
      status: 1,
      err: expect.stringContaining('192.0.2.9'),
    });
  });

  it('vni', async () => {
    expect((await evpn('vni')).out).toBe(
      `VNI  Type  Owner   Local MACs  Remote MACs  VTEPs  RD             Import     Export
100  L2    vxlan0           1         2498      1  192.0.2.1:100  65001:100  65001:100,65001:1
`,
    );
    expect((await evpn('vni', '100')).out).toContain('  duplicates: 02:00:00:00:00:09\n');
    expect((await evpn('vni', '7')).status).toBe(1);
  });

  it('routes, page by page', async () => {
    speaker.asked.length = 0;
    const { out, status } = await evpn('routes');
    expect([status, speaker.asked.length]).toEqual([0, 3]);
    const lines = out.split('\n');
    expect(lines.slice(2, 9)).toEqual([
      'Route Distinguisher: 192.0.2.2:2',
      '*>i [3]:[0]:[32]:[192.0.2.2]',
      '      via 192.0.2.2, from 192.0.2.2, local pref 100, path i, imported by VNI 100',
      '      RT:65001:100 ET:VXLAN MM:4,sticky',
      '*>i [2]:[0]:[48]:[02:00:00:00:00:01]:[32]:[10.0.0.1]',
      '      via 192.0.2.2, from 192.0.2.2, local pref 100, path i, imported by VNI 100',
      '      VNI:100 RT:65001:100 ET:VXLAN MM:4,sticky',
    ]);
    expect(lines.filter((line) => line.includes(']:['))).toHaveLength(TOTAL + 1);
    expect(lines.slice(-6)).toEqual([
      'Route Distinguisher: 192.0.2.1:7',
      ' >  [5]:[0]:[8]:[10.0.0.0]',
      '      via 192.0.2.2, own, local pref 100, path i',
      '      VNI:5000 RT:65001:100 ET:VXLAN MM:4,sticky',
      `${TOTAL} paths`,
      '',
    ]);
  });

  it('routes as JSON are one list', async () => {
    const { out } = await evpn('routes', '--json');
    expect(JSON.parse(out)).toHaveLength(TOTAL);
    const own = await evpn('routes', 'neighbor', 'self', '--json');
    expect(JSON.parse(own.out)).toMatchObject([{ type: 5, prefix: '10.0.0.0/8' }]);
  });

  it('routes that are filtered by the switch', async () => {
    speaker.asked.length = 0;
    await evpn(
      'routes',
      'type',
      'macip',
      'vni',
      '100',
      'rd',
      '192.0.2.2:2',
      'mac',
      '02:00:00:00:00:0A',
      'neighbor',
      '192.0.2.2',
    );
    const filter = { type: 2, vni: 100, rd: '192.0.2.2:2', mac: '02:00:00:00:00:0a', from: '192.0.2.2' };
    expect(speaker.asked[0]).toEqual({ ask: 'routes', ...filter, after: 0, most: 1024 });
  });

  it.each([
    [['clear', 'duplicates'], { do: 'clear-duplicates' }],
    [['clear', 'dup', 'vni', '100', 'mac', macOf(9)], { do: 'clear-duplicates', vni: 100, mac: macOf(9) }],
    [['clear', 'neighbor', '192.0.2.2'], { do: 'reset', neighbor: '192.0.2.2' }],
    [['clear', 'neighbor', 'all'], { do: 'reset' }],
    [['refresh'], { do: 'refresh' }],
    [['refresh', '192.0.2.2'], { do: 'refresh', neighbor: '192.0.2.2' }],
  ])('%j', async (words, order) => {
    speaker.orders.length = 0;
    expect(await evpn(...words)).toEqual({ status: 0, out: '', err: '' });
    expect(speaker.orders).toEqual([order]);
  });

  it.each([
    ['clear'],
    ['clear', 'neighbor'],
    ['clear', 'sessions'],
    ['clear', 'neighbor', 'x'],
    ['routes', 'type', '4'],
    ['routes', 'vni', '0'],
    ['vni', 'x'],
    ['what'],
  ])('%s %s %s is refused with a reason', async (...words) => {
    const { status, err } = await evpn(...words);
    expect(status).toBe(2);
    expect(err).toMatch(/takes|needs|expected|has no command/);
  });

  it('without a speaker says what to do', async () => {
    server.views.speaker = null;
    const { status, err } = await evpn('neighbors');
    server.views.speaker = speaker;
    expect([status, err]).toEqual([1, expect.stringContaining('add "evpn" to its configuration')]);
  });
});

describe('any words', () => {
  const known = Object.values(EVPN_GRAMMARS).flatMap(({ rules }) => rules.map(({ word }) => word));
  const values = [
    'macip',
    '2',
    '100',
    '192.0.2.1',
    '::1',
    '1:1',
    '02:00:00:00:00:01',
    'all',
    'self',
    'duplicates',
    'neighbor',
  ];
  const word = fc.oneof(fc.constantFrom(...known), fc.constantFrom(...values), fc.string({ maxLength: 12 }));

  it('are a request that the switch takes, or a usage error', () => {
    const read = <T>(parse: () => T): T | undefined => {
      try {
        return parse();
      } catch (error) {
        if (error instanceof UsageError) return undefined;
        throw error;
      }
    };
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (words) => {
        for (const request of [read(() => evpnClear(words)), read(() => evpnRefresh(words))]) {
          if (request !== undefined) expect(EVPN_REQUEST.parse(request)).toEqual(request);
        }
        read(() => neighborShow(words));
        read(() => vniShow(words));
        const query = read(() => routeQuery(words))?.query;
        // The switch judges the distinguisher.
        query?.delete('rd');
        if (query !== undefined) EVPN_ROUTES_QUERY.parse(Object.fromEntries(query));
      }),
    );
  });
});

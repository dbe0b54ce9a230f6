import { describe, expect, it } from 'vitest';
import type { RouteAnswer } from '../../../src/evpn/contract.js';
import type { PathAttributes } from '../../../src/wire/bgp/route.js';
import { Heard, Tables } from './tables.js';
import {
  ASN,
  attributes,
  config,
  hear,
  l2,
  local,
  mac,
  macRoute,
  moved,
  neighbor,
  OWN_VTEP,
  ribWith,
} from './values.js';

const R1 = '10.0.0.1';
const R2 = '10.0.0.2';
const M = mac(1);
const ROUTE = macRoute('192.0.2.1', 100, M);

describe('the best path among neighbours (RFC 4271 section 9.1.2.2)', () => {
  const path = (more: Partial<PathAttributes> = {}, vtep = '192.0.2.1'): PathAttributes =>
    attributes(vtep, 100, {}, more);
  const sequence = (...asns: number[]): PathAttributes['asPath'] => [{ kind: 'sequence', asns }];

  it.each<[string, PathAttributes, PathAttributes]>([
    ['local preference', path({ localPref: 200, asPath: sequence(1, 2, 3) }), path()],
    ['a shorter AS path', path({ asPath: sequence(1), origin: 2 }), path({ asPath: sequence(1, 2) })],
    [
      'an AS set that counts one',
      path({ asPath: [{ kind: 'set', asns: [1, 2, 3] }] }),
      path({ asPath: sequence(1, 2) }),
    ],
    ['the lower origin', path({ origin: 0, med: 9, asPath: sequence(1) }), path({ origin: 1, asPath: sequence(1) })],
    [
      'the lower MED of one AS',
      path({ med: 1, asPath: sequence(1), originatorId: '9.9.9.9' }),
      path({ med: 2, asPath: sequence(1) }),
    ],
    ['the lower originator', path({ originatorId: '1.1.1.1' }), path({ originatorId: '2.2.2.2' })],
    [
      'the shorter cluster list',
      path({ originatorId: '1.1.1.1' }),
      path({ originatorId: '1.1.1.1', clusterList: ['3.3.3.3'] }),
    ],
    ['what is not long-lived stale', path({ localPref: 1 }), path({ communities: [0xffff0006] })],
  ])('prefers %s', (_, better, worse) => {
    for (const [of1, of2] of [
      [better, worse],
      [worse, better],
    ] as const) {
      const rib = ribWith();
      hear(rib, R1, ROUTE, of1);
      hear(rib, R2, ROUTE, of2);
      const routes = rib.answer({ ask: 'routes', type: 2, after: 0, most: 9 }).routes;
      expect(routes.find(({ isBest }) => isBest)?.attributes).toEqual(better);
      expect(routes.filter(({ isBest }) => isBest)).toHaveLength(1);
    }
  });

  it('prefers eBGP, and else the lower address of the neighbour', () => {
    const best = (asn: number): string | undefined => {
      const rib = ribWith({ neighbors: [neighbor(R1), neighbor('10.0.0.10', { asn })] });
      hear(rib, '10.0.0.10', ROUTE, path({ originatorId: '1.1.1.1' }));
      hear(rib, R1, ROUTE, path({ originatorId: '1.1.1.1' }));
      return rib.answer({ ask: 'routes', type: 2, after: 0, most: 9 }).routes.find(({ isBest }) => isBest)?.from;
    };
    expect([best(64999), best(ASN)]).toEqual(['10.0.0.10', R1]);
  });

  it('compares MED within one AS only, whatever the order', () => {
    const paths = [
      path({ med: 10, asPath: sequence(1) }),
      path({ med: 5, asPath: sequence(1) }),
      path({ med: 7, asPath: sequence(2) }),
    ];
    const all = [R1, R2, '10.0.0.3'];
    const rib = ribWith({ neighbors: all.map((address) => neighbor(address)) });
    paths.forEach((one, i) => void hear(rib, all[i] as string, ROUTE, one));
    // The first is beaten by the second; of the other two the lower address wins.
    expect(rib.answer({ ask: 'routes', type: 2, after: 0, most: 9 }).routes.find(({ isBest }) => isBest)?.from).toBe(
      R2,
    );
  });
});

describe('sessions that end', () => {
  it('tells nothing when another neighbour has the same route', () => {
    const rib = ribWith();
    const tables = new Tables();
    for (const from of [R1, R2]) hear(rib, from, ROUTE, attributes('192.0.2.1', 100));
    expect(tables.drain(rib).changes).toBe(1);
    rib.lost(R1, 'none');
    expect(tables.drain(rib).changes).toBe(1);
    rib.lost(R2, 'none');
    expect(tables.drain(rib).macs.size).toBe(0);
  });

  it('keeps routes over a graceful restart, and drops at End-of-RIB what did not come again (RFC 4724)', () => {
    const rib = ribWith({ neighbors: [neighbor(R1)] });
    const tables = new Tables();
    const other = macRoute('192.0.2.1', 100, mac(2));
    for (const route of [ROUTE, other]) hear(rib, R1, route, attributes('192.0.2.1', 100));
    tables.drain(rib);
    rib.lost(R1, 'stale');
    expect([rib.counts(R1).stale, tables.drain(rib).changes]).toEqual([2, 2]);
    rib.up(R1, R1);
    hear(rib, R1, ROUTE, attributes('192.0.2.1', 100));
    expect(rib.counts(R1)).toMatchObject({ accepted: 2, stale: 1 });
    rib.endOfRib(R1);
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> 192.0.2.1`]);
    expect(rib.counts(R1)).toMatchObject({ accepted: 1, stale: 0 });
  });

  it('drops what was stale before when a session ends once more', () => {
    const rib = ribWith({ neighbors: [neighbor(R1)] });
    const tables = new Tables();
    hear(rib, R1, ROUTE, attributes('192.0.2.1', 100));
    rib.lost(R1, 'stale');
    rib.up(R1, R1);
    hear(rib, R1, macRoute('192.0.2.1', 100, mac(2)), attributes('192.0.2.1', 100));
    rib.lost(R1, 'stale');
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${mac(2)} -> 192.0.2.1`]);
    rib.expireStale(R1, 'gone');
    expect(tables.drain(rib).macs.size).toBe(0);
  });

  it('has long-lived stale routes as the last choice, and none with NO_LLGR (RFC 9494)', () => {
    const rib = ribWith();
    const tables = new Tables();
    hear(rib, R1, macRoute('192.0.2.1', 100, M), attributes('192.0.2.1', 100, moved(7)));
    hear(rib, R1, macRoute('192.0.2.1', 100, mac(2)), attributes('192.0.2.1', 100));
    hear(rib, R1, macRoute('192.0.2.1', 100, mac(3)), attributes('192.0.2.1', 100, {}, { communities: [0xffff0007] }));
    hear(rib, R2, macRoute('192.0.2.2', 100, M), attributes('192.0.2.2', 100, moved(6)));
    rib.lost(R1, 'stale');
    expect(tables.drain(rib).macTexts()[0]).toBe(`100 ${M} -> 192.0.2.1`);
    rib.expireStale(R1, 'long-lived');
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> 192.0.2.2`, `100 ${mac(2)} -> 192.0.2.1`]);
    rib.announce([local(100, mac(2))], []);
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> 192.0.2.2`]);
    rib.expireStale(R1, 'gone');
    expect(rib.counts(R1)).toMatchObject({ accepted: 0, stale: 0 });
  });

  it('forgets a neighbour that the configuration names no more', () => {
    const rib = ribWith();
    const tables = new Tables();
    hear(rib, R1, ROUTE, attributes('192.0.2.1', 100));
    expect(tables.drain(rib).macs.size).toBe(1);
    rib.configure(config({ neighbors: [neighbor(R2)] }));
    expect(tables.drain(rib).macs.size).toBe(0);
    expect(rib.outbox(R1).next(9)).toBeNull();
    expect(rib.receive(R1, { announced: [ROUTE], attributes: attributes('192.0.2.1', 100), withdrawn: [] })).toEqual({
      accepted: 0,
      refused: 1,
    });
    expect(() =>
      rib.configure(config({ neighbors: Array.from({ length: 33 }, (_, i) => neighbor(`10.0.1.${i}`)) })),
    ).toThrow(/at most 32/);
  });
});

describe('limits', () => {
  it('warns at three quarters, refuses beyond, and asks for a refresh when there is room', () => {
    const rib = ribWith({ neighbors: [neighbor(R1, { max_routes: 8 })] });
    const value = attributes('192.0.2.1', 100);
    const routes = Array.from({ length: 10 }, (_, n) => macRoute('192.0.2.1', 100, mac(n)));
    const all = { announced: routes, attributes: value, withdrawn: [] };
    expect(rib.receive(R1, all)).toEqual({ accepted: 8, refused: 2 });
    expect(rib.events()).toEqual([
      { tell: 'limit', address: R1, routes: 6, most: 8, isRefused: false, cause: 'max_routes' },
      { tell: 'limit', address: R1, routes: 9, most: 8, isRefused: true, cause: 'max_routes' },
    ]);
    expect(rib.counts(R1)).toMatchObject({ received: 10, accepted: 8 });
    // Routes that are kept may change.
    hear(rib, R1, routes[0] as (typeof routes)[0], attributes('192.0.2.1', 100, moved(1)));
    expect([rib.events(), rib.refreshNeeded()]).toEqual([[], null]);
    rib.receive(R1, { announced: [], attributes: null, withdrawn: routes.slice(0, 4) });
    expect([rib.refreshNeeded(), rib.refreshNeeded()]).toEqual([R1, null]);
    rib.receive(R1, all);
    expect(rib.events().map((event) => event.tell === 'limit' && event.isRefused)).toEqual([false, true]);
  });
});

describe('the outbox', () => {
  it('puts routes of equal attributes together, whatever the order in which they came', () => {
    const rib = ribWith({ vnis: [l2(100, { floods: false }), l2(200, { floods: false })] });
    rib.announce(
      Array.from({ length: 100 }, (_, n) => local(n % 2 === 0 ? 100 : 200, mac(n))),
      [],
    );
    const heard = new Heard(rib, R1).drain(30);
    expect([heard.messages, heard.routes.size]).toEqual([4, 100]);
  });

  it('sends the present state to a slow neighbour: what came and went meanwhile is not sent', () => {
    const rib = ribWith({ vnis: [l2(100, { floods: false })] });
    const heard = new Heard(rib, R1);
    rib.announce([local(100, M)], []);
    heard.drain();
    for (let round = 0; round < 1000; round++) {
      rib.announce([local(100, mac(round + 10))], []);
      rib.withdraw([local(100, mac(round + 10)), local(100, M)], []);
      rib.announce([local(100, M)], []);
    }
    expect(heard.drain().messages).toBeLessThanOrEqual(3);
    expect(heard.texts()).toEqual([`2 ${OWN_VTEP}:100 ${M}`]);
  });

  it('withdraws at a neighbour only what it has, and sends everything again when asked', () => {
    const rib = ribWith({ vnis: [l2(100)] });
    const one = new Heard(rib, R1).drain();
    rib.announce([local(100, M)], []);
    new Heard(rib, R2).drain();
    rib.withdraw([local(100, M)], []);
    expect(rib.outbox(R1).next(9)).toBeNull();
    expect(rib.outbox(R2).next(9)).toEqual({ withdrawn: [expect.objectContaining({ mac: M })] });
    rib.outbox(R1).again();
    const { messages } = one;
    expect(one.drain().messages).toBe(messages + 1);
    rib.configure(config({ vnis: [] }));
    expect(one.drain().texts()).toEqual([]);
    expect(rib.counts(R1).sent).toBe(0);
  });

  it('withdraws under the old distinguisher when it changes', () => {
    const rib = ribWith({ vnis: [l2(100)] });
    const heard = new Heard(rib, R1);
    rib.announce([local(100, M)], []);
    heard.drain();
    rib.configure(config({ vnis: [l2(100, { rd: '192.0.2.10:9' })] }));
    expect(heard.drain().texts()).toEqual([`2 192.0.2.10:9 ${M}`, `3 192.0.2.10:9 ${OWN_VTEP}`]);
  });
});

describe('listings', () => {
  it('come in pages, by filters', () => {
    const rib = ribWith();
    for (let n = 0; n < 25; n++)
      hear(rib, R1, macRoute('192.0.2.1', n % 2 ? 100 : 200, mac(n)), attributes('192.0.2.1', n % 2 ? 100 : 200));
    const macs = new Set<string>();
    let after: number | undefined = 0;
    for (let pages = 0; after !== undefined; pages++) {
      const page: { routes: RouteAnswer[]; next?: number } = rib.answer({
        ask: 'routes',
        type: 2,
        vni: 100,
        after,
        most: 5,
      });
      for (const { route } of page.routes) if (route.type === 2) macs.add(route.mac);
      after = page.next;
      expect(pages).toBeLessThan(3);
    }
    expect(macs.size).toBe(12);
    expect(rib.answer({ ask: 'routes', mac: mac(7), after: 0, most: 9 }).routes).toHaveLength(1);
    new Tables().drain(rib);
    expect(rib.answer({ ask: 'vnis' }).vnis).toMatchObject([
      { vni: 100, remoteMacs: 12, localMacs: 0, remotes: [] },
      { vni: 200, remoteMacs: 13 },
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { UpdateEncoder } from '../../../src/wire/bgp/update-encode.js';
import { toHex } from '../../../src/wire/bytes.js';
import { Heard, Tables } from './tables.js';
import {
  ASN,
  attributes,
  config,
  flooding,
  floodRoute,
  hear,
  l2,
  l3,
  local,
  mac,
  macRoute,
  OWN_VTEP,
  prefixRoute,
  ribWith,
  unhear,
} from './values.js';

const R1 = '10.0.0.1';
const FAR = '192.0.2.1';
const M = mac(1);
const ROUTER_MAC = '02:00:00:00:20:20';

describe('import by route target', () => {
  it('makes rows of types 2 and 3, with the VNI on the wire where it is another one', () => {
    const rib = ribWith({ vnis: [l2(100, { imports: ['65001:5'] })] });
    hear(rib, R1, macRoute(FAR, 5, M, { label: 5000 }), attributes(FAR, 0, { routeTargets: ['65001:4', '65001:5'] }));
    hear(rib, R1, floodRoute(FAR, 5), {
      ...flooding(FAR, 5, 5000),
      extended: attributes(FAR, 0, { routeTargets: ['65001:5'] }).extended,
    });
    const tables = new Tables().drain(rib);
    expect([...tables.macs.values()]).toEqual([
      { vni: 100, mac: M, remote: FAR, sentVni: 5000, sticky: false, isGateway: false, isRouter: false },
    ]);
    expect([...tables.floods.values()]).toEqual([{ vni: 100, remote: FAR, sentVni: 5000 }]);
  });

  it('makes a row of the MAC, and one of each address', () => {
    const rib = ribWith();
    const nd = { immutable: false, override: true, router: true };
    hear(
      rib,
      R1,
      macRoute(FAR, 100, M, { ip: '2001:db8::1', label2: 300 }),
      attributes(FAR, 100, { nd, routerMac: ROUTER_MAC }),
    );
    const flags = { sticky: false, isGateway: false };
    expect([...new Tables().drain(rib).macs.values()]).toEqual([
      { vni: 100, mac: M, remote: FAR, ...flags, isRouter: false },
      { vni: 100, mac: M, ip: '2001:db8::1', remote: FAR, ...flags, isRouter: true, l3vni: 300, routerMac: ROUTER_MAC },
    ]);
  });

  it('takes any administrator of a target *:NUMBER', () => {
    const rib = ribWith({ vnis: [l2(100, { imports: ['*:100'] })] });
    hear(rib, R1, macRoute(FAR, 100, M), attributes(FAR, 0, { routeTargets: ['64512:100'] }));
    hear(rib, R1, macRoute(FAR, 100, mac(2)), attributes(FAR, 0, { routeTargets: ['64512:1000'] }));
    expect(new Tables().drain(rib).macTexts()).toEqual([`100 ${M} -> ${FAR}`]);
  });

  it('keeps routes that nobody imports, so a new target needs no refresh', () => {
    const rib = ribWith({ vnis: [l2(100)] });
    const tables = new Tables();
    hear(rib, R1, macRoute(FAR, 777, M), attributes(FAR, 777));
    expect(tables.drain(rib).macs.size).toBe(0);
    rib.configure(config({ vnis: [l2(100, { imports: [`${ASN}:100`, `${ASN}:777`] }), l2(777)] }));
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> ${FAR}`, `777 ${M} -> ${FAR}`]);
    rib.configure(config({ vnis: [l2(777)] }));
    expect(tables.drain(rib).macTexts()).toEqual([`777 ${M} -> ${FAR}`]);
    const { changes } = tables;
    rib.configure(config({ vnis: [l2(777)] }));
    expect(tables.drain(rib).changes).toBe(changes);
  });

  it.each([
    ['encapsulation', macRoute(FAR, 100, M), attributes(FAR, 100, { encapsulation: 7 })],
    ['encapsulation', macRoute(FAR, 100, M), attributes('', 100, { encapsulation: 7 })],
    ['next_hop', macRoute(FAR, 100, M), attributes('', 100)],
    ['next_hop', macRoute(FAR, 100, M), attributes('224.0.0.1', 100)],
    ['next_hop', macRoute(FAR, 100, M), attributes('127.0.0.1', 100)],
    ['next_hop', macRoute(FAR, 100, M), attributes('255.255.255.255', 100)],
    ['next_hop', macRoute(FAR, 100, M), attributes('fe80::1', 100)],
    ['family', macRoute(FAR, 100, M), attributes('2001:db8::1', 100)],
    ['mac', macRoute(FAR, 100, '01:00:5e:00:00:01'), attributes(FAR, 100)],
    ['mac', macRoute(FAR, 100, '00:00:00:00:00:00'), attributes(FAR, 100)],
    ['label', macRoute(FAR, 100, M, { label: 0 }), attributes(FAR, 100)],
    ['tag', macRoute(FAR, 100, M, { tag: 55, label: 56 }), attributes(FAR, 100)],
    ['pmsi', floodRoute(FAR, 100), attributes(FAR, 100)],
    ['pmsi', floodRoute(FAR, 100), attributes(FAR, 100, {}, { pmsi: { flags: 0, type: 3, label: 100 } })],
    [
      'next_hop',
      floodRoute(FAR, 100),
      { ...flooding(FAR, 100), pmsi: { flags: 0, type: 6, label: 100, endpoint: '0.0.0.0' } },
    ],
    [
      'overlay_index',
      prefixRoute(FAR, 300, '10.2.0.0/16', { gateway: '10.1.0.9' }),
      attributes(FAR, 300, { routerMac: ROUTER_MAC }),
    ],
    [
      'overlay_index',
      prefixRoute(FAR, 300, '10.2.0.0/16', { esi: '01'.repeat(10) }),
      attributes(FAR, 300, { routerMac: ROUTER_MAC }),
    ],
    ['router_mac', prefixRoute(FAR, 300, '10.2.0.0/16'), attributes(FAR, 300)],
    ['router_mac', prefixRoute(FAR, 300, '10.2.0.0/16'), attributes(FAR, 300, { routerMac: 'ff:ff:ff:ff:ff:ff' })],
  ])('counts %s, and makes no row', (reason, route, value) => {
    const rib = ribWith({ vnis: [l2(100), l3(300)] });
    hear(rib, R1, route, value);
    expect(rib.refusals()).toEqual({ [reason]: 1 });
    expect(rib.deltas()).toBeNull();
    // It is kept, and told when people ask.
    expect(rib.answer({ ask: 'routes', after: 0, most: 9, from: R1 }).routes).toMatchObject([{ imported: [] }]);
  });

  it('ignores own routes that come back', () => {
    const rib = ribWith();
    hear(rib, R1, macRoute(OWN_VTEP, 100, M), attributes(OWN_VTEP, 100));
    hear(rib, R1, floodRoute(OWN_VTEP, 100), flooding(OWN_VTEP, 100));
    expect([rib.deltas(), rib.refusals()]).toEqual([null, {}]);
  });

  it.each([
    ['own_as', { asPath: [{ kind: 'sequence' as const, asns: [64999, ASN] }] }],
    ['own_originator', { originatorId: '192.0.2.10' }],
    ['own_cluster', { clusterList: ['10.0.0.1', '192.0.2.10'] }],
  ])('refuses %s, also in place of a route that was none', (reason, more) => {
    const rib = ribWith();
    const tables = new Tables();
    hear(rib, R1, macRoute(FAR, 100, M), attributes(FAR, 100));
    expect(tables.drain(rib).macs.size).toBe(1);
    const update = { announced: [macRoute(FAR, 100, M)], attributes: attributes(FAR, 100, {}, more), withdrawn: [] };
    expect(rib.receive(R1, update)).toEqual({ accepted: 0, refused: 1 });
    expect(tables.drain(rib).macs.size).toBe(0);
    expect(rib.refusals()).toEqual({ [reason]: 1 });
    expect(rib.counts(R1).accepted).toBe(0);
  });

  it('does not let one route into more than a few VNIs, whatever targets it names', () => {
    const vnis = Array.from({ length: 50 }, (_, i) => l2(100 + i));
    const rib = ribWith({ vnis });
    hear(rib, R1, macRoute(FAR, 100, M), attributes(FAR, 0, { routeTargets: vnis.map(({ vni }) => `${ASN}:${vni}`) }));
    expect(new Tables().drain(rib).macs.size).toBe(8);
    expect(rib.refusals()).toEqual({ imports: 1 });
  });

  it('does not let one MAC have more routes than each change can look at', () => {
    const rib = ribWith();
    const tables = new Tables();
    for (let n = 0; n < 1028; n++) {
      const ip = `10.1.${n >> 8}.${n & 255}`;
      hear(rib, R1, macRoute(FAR, 100, M, { ip }), attributes(FAR, 100));
    }
    expect(tables.drain(rib).macs.size).toBe(1025);
    expect(rib.refusals()).toEqual({ candidates: 4 });
    rib.lost(R1, 'none');
    expect(tables.drain(rib).macs.size).toBe(0);
  });

  it('does without a VNI that does not flood', () => {
    const rib = ribWith({ vnis: [l2(100, { floods: false })] });
    hear(rib, R1, floodRoute(FAR, 100), flooding(FAR, 100));
    expect(rib.deltas()).toBeNull();
    expect(new Heard(rib, R1).drain().texts()).toEqual([]);
  });
});

describe('prefixes (RFC 9136 section 4.4.1)', () => {
  const vnis = [l2(100, { l3vni: 300 }), l3(300)];
  const P = '10.2.0.0/16';
  const way = (vtep: string, more = {}): ReturnType<typeof attributes> =>
    attributes(vtep, 300, { routerMac: ROUTER_MAC }, more);

  it('shares equal ways, and leaves out worse ones', () => {
    const rib = ribWith({ vnis });
    const tables = new Tables();
    for (const vtep of ['192.0.2.1', '192.0.2.2']) hear(rib, R1, prefixRoute(vtep, 300, P), way(vtep));
    hear(rib, R1, prefixRoute('192.0.2.3', 300, P), way('192.0.2.3', { localPref: 50 }));
    expect(tables.drain(rib).prefixTexts()).toEqual([`300 ${P} 192.0.2.1`, `300 ${P} 192.0.2.2`]);
    expect([...tables.prefixes.values()][0]).toEqual({
      vni: 300,
      prefix: P,
      remote: '192.0.2.1',
      routerMac: ROUTER_MAC,
    });
    for (const vtep of ['192.0.2.1', '192.0.2.2']) unhear(rib, R1, prefixRoute(vtep, 300, P));
    expect(tables.drain(rib).prefixTexts()).toEqual([`300 ${P} 192.0.2.3`]);
  });

  it('bounds the ways of a prefix', () => {
    const rib = ribWith({ vnis });
    for (let n = 0; n < 100; n++) hear(rib, R1, prefixRoute(`192.0.3.${n}`, 300, P), way(`192.0.3.${n}`));
    expect(new Tables().drain(rib).prefixes.size).toBe(64);
  });

  it('makes host routes of MAC/IP routes with a second label, but not of guests that are here', () => {
    const rib = ribWith({ vnis });
    const tables = new Tables();
    const route = macRoute(FAR, 100, M, { ip: '10.1.0.5', label2: 300 });
    const both = { routeTargets: [`${ASN}:100`, `${ASN}:300`], routerMac: ROUTER_MAC };
    hear(rib, R1, route, attributes(FAR, 0, both));
    expect(tables.drain(rib).prefixTexts()).toEqual([`300 10.1.0.5/32 ${FAR}`]);
    rib.announce([local(100, M), local(100, M, { ip: '10.1.0.5' })], []);
    expect(tables.drain(rib).prefixTexts()).toEqual([]);
    hear(rib, R1, route, attributes(FAR, 0, { ...both, mobility: { sequence: 2, sticky: false } }));
    expect(tables.drain(rib).prefixTexts()).toEqual([`300 10.1.0.5/32 ${FAR}`]);
  });

  it('tells a guest with both labels, both targets and the MAC of the router, byte by byte', () => {
    const rib = ribWith({ vnis });
    rib.announce([local(100, M, { ip: '10.1.0.5' })], []);
    const { route, attributes: says } = new Heard(rib, R1).drain().get(`2 ${OWN_VTEP}:100 ${M} 10.1.0.5`);
    const [message] = new UpdateEncoder({ fourOctetAs: true, isInternal: true, maxLength: 4096 }).announce(
      [route],
      says,
    );
    const text = toHex(message as Uint8Array);
    const mac = M.replaceAll(':', '');
    // Type 2, 40 bytes: RD of type 1, no segment, tag 0, 48 bits of MAC, 32 of address, VNI 100, VNI 300 (RFC 9135 section 8.2.1).
    expect(text).toContain(`02280001c000020a0064${'00'.repeat(10)}0000000030${mac}200a01000500006400012c`);
    // Targets 65000:100 and 65000:300, VXLAN, router's MAC (RFC 9135 section 8.1).
    for (const community of ['0002fde800000064', '0002fde80000012c', '030c000000000008', '0603020000001010'])
      expect(text).toContain(community);
  });

  it('announces own prefixes, and guests with both VNIs, both targets and the router MAC', () => {
    const rib = ribWith({ vnis });
    rib.announce([local(100, M, { ip: '10.1.0.5' })], [{ vni: 300, prefix: '10.1.0.0/24' }]);
    const heard = new Heard(rib, R1).drain();
    const prefix = heard.get(`5 ${OWN_VTEP}:300 10.1.0.0/24`);
    expect(prefix.route).toMatchObject({ gateway: '0.0.0.0', label: 300, tag: 0 });
    expect(prefix.attributes).toMatchObject({
      nextHop: OWN_VTEP,
      extended: { routeTargets: [`${ASN}:300`], routerMac: '02:00:00:00:10:10', encapsulation: 8 },
    });
    const guest = heard.get(`2 ${OWN_VTEP}:100 ${M} 10.1.0.5`);
    expect(guest.route).toMatchObject({ label: 100, label2: 300 });
    expect(guest.attributes.extended).toMatchObject({
      routeTargets: [`${ASN}:100`, `${ASN}:300`],
      routerMac: '02:00:00:00:10:10',
    });
    rib.withdraw([], [{ vni: 300, prefix: '10.1.0.0/24' }]);
    expect(heard.drain().texts()).not.toContain(`5 ${OWN_VTEP}:300 10.1.0.0/24`);
  });

  it('announces the VTEP in each VNI that floods (RFC 7432 section 11)', () => {
    const heard = new Heard(ribWith({ vnis }), R1).drain();
    expect(heard.texts()).toEqual([`3 ${OWN_VTEP}:100 ${OWN_VTEP}`]);
    expect(heard.get(`3 ${OWN_VTEP}:100 ${OWN_VTEP}`).attributes.pmsi).toEqual({
      flags: 0,
      type: 6,
      label: 100,
      endpoint: OWN_VTEP,
    });
  });
});

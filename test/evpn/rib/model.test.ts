import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LocalMac, SpeakerConfig } from '../../../src/evpn/contract.js';
import type { Rib } from '../../../src/evpn/rib/contract.js';
import { createRib } from '../../../src/evpn/rib/rib.js';
import type { EvpnRoute, PathAttributes } from '../../../src/wire/bgp/route.js';
import { long } from '../../long.js';
import { Reference, textOf } from './reference.js';
import { Heard, keyOf, Tables } from './tables.js';
import { ASN, attributes, config, floodRoute, l2, l3, mac, macRoute, neighbor, prefixRoute } from './values.js';

const RUNS = long(20_000, 250);
const R1 = '10.0.0.1';
const R2 = '10.0.0.2';
const NEIGHBORS = [neighbor(R1), neighbor(R2, { asn: 64999 })];
const VTEPS = ['192.0.2.1', '192.0.2.20', '192.0.2.100', '192.0.2.10'];

const CONFIGS: SpeakerConfig[] = [
  config({ neighbors: NEIGHBORS, vnis: [l2(100, { l3vni: 300 }), l2(200), l3(300)] }),
  config({
    neighbors: NEIGHBORS,
    vnis: [l2(100, { l3vni: 300, imports: [`${ASN}:100`, `${ASN}:200`] }), l2(200), l3(300)],
  }),
  config({ neighbors: NEIGHBORS, vnis: [l2(100, { floods: false, rd: '192.0.2.10:7' }), l3(300)] }),
  config({ neighbors: NEIGHBORS.slice(0, 1), vnis: [l2(200, { exports: [`${ASN}:1`, `${ASN}:2`] }), l3(300)] }),
];

interface World {
  rib: Rib;
  reference: Reference;
  tables: Tables;
  heard: Heard;
  isUp: boolean;
}
/** With a text of its own, for counterexamples. */
type Step = ((world: World) => void) & { [fc.toStringMethod]?: () => string };

const vteps = fc.constantFrom(...VTEPS);
const vnis = fc.constantFrom(100, 200, 300);
const macs = fc.integer({ min: 1, max: 3 }).map(mac);
const ips = fc.constantFrom(undefined, undefined, '10.1.0.1', '10.1.0.2');
const mostlyNot = fc.constantFrom(false, false, false, true);
const neighbors = fc.constantFrom(R1, R2);

const routes: fc.Arbitrary<EvpnRoute> = fc
  .record({ vtep: vteps, vni: vnis, mac: macs, ip: ips, host: fc.boolean(), type: fc.constantFrom(2, 2, 2, 3, 5) })
  .map(({ vtep, vni, mac, ip, host, type }) => {
    if (type === 3) return floodRoute(vtep, vni);
    if (type === 5) return prefixRoute(vtep, 300, ip === undefined ? '10.2.0.0/16' : `${ip}/32`);
    const more = ip === undefined ? {} : host ? { ip, label2: 300 } : { ip };
    return macRoute(vtep, vni, mac, more);
  });

const values: fc.Arbitrary<PathAttributes> = fc
  .record({
    vtep: vteps,
    targets: fc.subarray([`${ASN}:100`, `${ASN}:200`, `${ASN}:300`]),
    sequence: fc.integer({ min: 0, max: 3 }),
    sticky: mostlyNot,
    isGateway: mostlyNot,
    localPref: fc.constantFrom(100, 100, 200),
    asns: fc.constantFrom([], [64999], [64999, 64998], [64999, ASN]),
    communities: fc.constantFrom([], [], [0xffff0006], [0xffff0007]),
    origin: fc.constantFrom(0, 0, 2),
    encapsulation: fc.constantFrom(8, 8, 8, 10),
  })
  .map(({ vtep, targets, sequence, sticky, isGateway, asns, communities, encapsulation, ...more }) => {
    const mobility = { sequence, sticky };
    const says = { routeTargets: targets, mobility, isGateway, encapsulation, routerMac: '02:00:00:00:99:99' };
    const pmsi = { flags: 0, type: 6, label: 100, endpoint: vtep };
    return attributes(vtep, 0, says, { asPath: [{ kind: 'sequence', asns }], communities, pmsi, ...more });
  });

const locals: fc.Arbitrary<LocalMac> = fc
  .record({ vni: fc.constantFrom(100, 200), mac: macs, ip: ips, sticky: mostlyNot, isGateway: mostlyNot })
  .map(({ ip, ...more }) => ({ ...more, ...(ip === undefined ? {} : { ip }), isRouter: false }));

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(neighbors, routes, values).map(told(hearStep)) },
  { weight: 6, arbitrary: fc.tuple(neighbors, routes).map(told(withdrawStep)) },
  { weight: 6, arbitrary: locals.map(told(announceStep)) },
  { weight: 3, arbitrary: locals.map(told(withdrawLocalStep)) },
  {
    weight: 2,
    arbitrary: fc.tuple(neighbors, fc.constantFrom('none', 'stale', 'gone', 'long-lived', 'eor')).map(told(endStep)),
  },
  { weight: 1, arbitrary: fc.constantFrom(...CONFIGS).map(told(configureStep)) },
  { weight: 1, arbitrary: fc.boolean().map(told(prefixStep)) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 3 }).map(told(sendStep)) },
  { weight: 2, arbitrary: fc.constant<Step>(({ rib, tables }) => void tables.drain(rib)) },
);

function told<T>(stepOf: (value: T) => Step): (value: T) => Step {
  return (value) => {
    const text = (): string => `${stepOf.name}(${JSON.stringify(value)})`;
    return Object.assign(stepOf(value), { [fc.toStringMethod]: text });
  };
}

it('imports, chooses, moves and forgets as a reference that computes all anew', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60, size: 'max' }), (all) => {
      const world = begin();
      for (const step of all) step(world);
      compare(world);
    }),
    { numRuns: RUNS },
  );
});

function begin(): World {
  const rib = createRib();
  const first = CONFIGS[0] as SpeakerConfig;
  rib.configure(first);
  rib.up(R1, R1);
  rib.up(R2, R2);
  return { rib, reference: new Reference(first), tables: new Tables(), heard: new Heard(rib, R1), isUp: true };
}

function compare({ rib, reference, tables, heard, isUp }: World): void {
  tables.drain(rib);
  expect([...tables.macs.values()].map(textOf).sort()).toEqual(reference.macRows());
  expect(tables.floodTexts()).toEqual(reference.floodRows());
  expect(tables.prefixTexts()).toEqual(reference.prefixRows());
  expect(rib.counts(R1).accepted).toBe(reference.paths.filter(({ from }) => from === R1).length);
  expect(rib.counts(R1).stale).toBe(reference.paths.filter(({ from, stale }) => from === R1 && stale !== 0).length);
  heard.drain();
  expect([...heard.routes.values()].map(heardText).sort()).toEqual(isUp ? reference.ownRoutes() : []);
  expect(rib.counts(R1).sent).toBe(heard.routes.size);
}

function heardText({
  route,
  attributes: { nextHop, extended },
}: {
  route: EvpnRoute;
  attributes: PathAttributes;
}): string {
  const { mobility, routeTargets } = extended;
  const number = mobility === undefined ? '' : ` ${mobility.sequence} ${mobility.sticky}`;
  return `${keyOf(route)} ${nextHop} ${routeTargets.join(',')}${number}`;
}

function isKnown({ reference }: World, from: string): boolean {
  return reference.config.neighbors.some(({ address }) => address === from);
}

function hearStep([from, route, value]: [string, EvpnRoute, PathAttributes]): Step {
  return (world) => {
    if (!isKnown(world, from)) return;
    world.rib.receive(from, { announced: [structuredClone(route)], attributes: structuredClone(value), withdrawn: [] });
    world.reference.announced(from, route, value);
  };
}

function withdrawStep([from, route]: [string, EvpnRoute]): Step {
  return (world) => {
    if (!isKnown(world, from)) return;
    world.rib.receive(from, { announced: [], attributes: null, withdrawn: [route] });
    world.reference.withdrawn(from, route);
  };
}

function announceStep(one: LocalMac): Step {
  return ({ rib, reference }) => {
    rib.announce([one], []);
    if (reference.config.vnis.some(({ vni }) => vni === one.vni)) reference.learned(one);
  };
}

function withdrawLocalStep(one: LocalMac): Step {
  return ({ rib, reference }) => {
    rib.withdraw([one], []);
    reference.forgotten(one);
  };
}

function endStep([from, how]: [string, string]): Step {
  return (world) => {
    const { rib, reference } = world;
    if (!isKnown(world, from)) return;
    if (how === 'eor') {
      rib.endOfRib(from);
      reference.endOfRib(from);
    } else if (how === 'gone' || how === 'long-lived') {
      rib.expireStale(from, how);
      reference.expire(from, how);
    } else {
      rib.lost(from, how as 'none' | 'stale');
      reference.lost(from, how as 'none' | 'stale');
      if (from === R1) world.heard.routes.clear();
      rib.up(from, from);
    }
  };
}

function configureStep(next: SpeakerConfig): Step {
  return (world) => {
    const { rib, reference } = world;
    rib.configure(structuredClone(next));
    const isNamed = (address: string): boolean => next.neighbors.some((one) => one.address === address);
    if (!isNamed(R2)) reference.lost(R2, 'none');
    const before = reference.config;
    reference.configure(next);
    if (before.neighbors.length < next.neighbors.length) rib.up(R2, R2);
    if (!next.vnis.some(({ vni }) => vni === 300)) reference.prefixes.clear();
  };
}

function prefixStep(isHere: boolean): Step {
  return ({ rib, reference }) => {
    const prefix = { vni: 300, prefix: '10.3.0.0/16' };
    if (isHere) rib.announce([], [prefix]);
    else rib.withdraw([], [prefix]);
    if (isHere) reference.prefixes.add('300 10.3.0.0/16');
    else reference.prefixes.delete('300 10.3.0.0/16');
  };
}

function sendStep(messages: number): Step {
  return ({ heard }) => void heard.drain(2, messages);
}

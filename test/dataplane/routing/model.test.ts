/** Random packets through random VRFs, routes and gateways: what leaves equals what a router of plain lists would send. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prefixOf, wordsOf } from '../../../src/control/model/routes.js';
import { ROUTE_NOWHERE, ROUTE_UNICAST } from '../../../src/dataplane/state/routes.js';
import { toHex, viewOf } from '../../../src/wire/bytes.js';
import { internetChecksum } from '../../../src/wire/checksum.js';
import { isInSubnet } from '../../../src/wire/ip-address.js';
import { long } from '../../long.js';
import { packet } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';
import { advertisement, gratuitous } from '../support/neigh-frames.js';

const G = '02:00:5e:00:00:01';
const VIDS = [10, 20, 30, 40] as const;
/** VRF of each VLAN: two tables with the same addresses in two VLANs. */
const VRF: Readonly<Record<number, number>> = { 10: 0, 20: 0, 30: 1, 40: 1 };
const SUBNET: Readonly<Record<number, number>> = { 10: 1, 20: 2, 30: 1, 40: 3 };
const HOSTS = [5, 6] as const;

const macOf = (vid: number, host: number): string => `02:00:00:00:${vid}:0${host}`;
const v4 = (subnet: number, host: number): string => `10.0.${subnet}.${host}`;
const v6 = (subnet: number, host: number): string => `fd00:${subnet}::${host}`;

type Drawn<A> = A extends fc.Arbitrary<infer T> ? T : never;

interface ModelRoute {
  vrf: number;
  address: string;
  length: number;
  /** VLAN of the gateway and host number of each router; empty: nowhere. */
  ways: { vid: number; host: number }[];
}

const family = fc.constantFrom<4 | 6>(4, 6);

const route = fc.record({
  vrf: fc.constantFrom(0, 1),
  family,
  /** Bits of the prefix, over addresses that packets go to. */
  base: fc.constantFrom(0, 1, 2, 3),
  length: fc.constantFrom(0, 8, 16, 24, 25, 30, 32),
  ways: fc.uniqueArray(fc.record({ at: fc.constantFrom(0, 1), host: fc.constantFrom(...HOSTS) }), {
    maxLength: 3,
    selector: ({ at, host }) => `${at} ${host}`,
  }),
});

const shot = fc.record({
  vid: fc.constantFrom(...VIDS),
  host: fc.constantFrom(...HOSTS),
  family,
  to: fc.oneof(
    fc.record({ subnet: fc.constantFrom(1, 2, 3, 4), host: fc.constantFrom(1, 5, 6, 255) }),
    fc.record({ far: fc.constantFrom(0, 1, 2, 3), last: fc.integer({ min: 1, max: 254 }) }),
  ),
  ttl: fc.constantFrom(0, 1, 2, 64, 255),
  port: fc.integer({ min: 1024, max: 65_535 }),
  superframe: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
});

const farOf = (far: number, last: number, of: 4 | 6): string =>
  of === 4 ? `192.0.${far * 85}.${last}` : `2001:db8:${far * 85}::${last}`;

function routesOf(drawn: Drawn<typeof route>[]): ModelRoute[] {
  const seen = new Map<string, ModelRoute>();
  for (const { vrf, family: of, base, length, ways } of drawn) {
    const address = farOf(base, 129, of);
    const bits = of === 4 ? length : length * 4;
    const vids = VIDS.filter((vid) => VRF[vid] === vrf);
    const made = { vrf, address, length: bits, ways: ways.map(({ at, host }) => ({ vid: vids[at], host })) };
    const { words, prefix } = prefixOf(address, bits);
    seen.set(`${vrf} ${words.join()} ${prefix}`, made);
  }
  return [...seen.values()];
}

class Model {
  constructor(private readonly routes: ModelRoute[]) {}

  /** Frames that may leave, as `tap mac`; empty: the packet is dropped, or for the gateway. */
  next(vid: number, to: string): string[] {
    const vrf = VRF[vid];
    const of = to.includes(':') ? 6 : 4;
    const vids = VIDS.filter((one) => VRF[one] === vrf);
    const own = vids.find((one) =>
      isInSubnet(to, { address: of === 4 ? v4(SUBNET[one], 1) : v6(SUBNET[one], 1), prefix: of === 4 ? 24 : 64 }),
    );
    if (own !== undefined) {
      const host = HOSTS.find((one) => to === (of === 4 ? v4(SUBNET[own], one) : v6(SUBNET[own], one)));
      return host === undefined ? [] : [`t${own} ${macOf(own, host)}`];
    }
    const fitting = this.routes
      .filter((one) => one.vrf === vrf && one.address.includes(':') === (of === 6))
      .filter(({ address, length }) => isInSubnet(to, { address, prefix: length }))
      .sort((one, other) => other.length - one.length);
    return (fitting[0]?.ways ?? []).map((way) => `t${way.vid} ${macOf(way.vid, way.host)}`);
  }
}

function build(): TestSwitch {
  const ports = Object.fromEntries(
    VIDS.flatMap((vid) => [
      [`t${vid}`, { type: 'tap', vlans: [`${vid} pvid untagged`] } as const],
      [
        `gw${vid}`,
        {
          type: 'tap',
          vlans: [`${vid} pvid untagged`],
          gateway: { mac: G, vrf: VRF[vid], addresses: [`${v4(SUBNET[vid], 1)}/24`, `${v6(SUBNET[vid], 1)}/64`] },
        } as const,
      ],
    ]),
  );
  const sw = new TestSwitch({ br0: { filtering: true, ports } });
  sw.wait(3);
  for (const vid of VIDS) {
    for (const host of HOSTS) {
      sw.send(`t${vid}`, gratuitous(macOf(vid, host), v4(SUBNET[vid], host)));
      sw.send(`t${vid}`, advertisement(macOf(vid, host), v6(SUBNET[vid], host)));
    }
  }
  return sw;
}

function setRoutes(sw: TestSwitch, routes: readonly ModelRoute[]): void {
  sw.apply(
    routes.map(({ vrf, address, length, ways }) => ({
      op: 'route' as const,
      vrf,
      ...prefixOf(address, length),
      kind: ways.length === 0 ? ROUTE_NOWHERE : ROUTE_UNICAST,
      ways: ways.map(({ vid, host }) => ({
        port: sw.port(`gw${vid}`),
        via: wordsOf(address.includes(':') ? v6(SUBNET[vid], host) : v4(SUBNET[vid], host)),
      })),
    })),
  );
}

function fire(
  sw: TestSwitch,
  model: Model,
  { vid, host, family: of, to, ttl, port, superframe }: Drawn<typeof shot>,
): void {
  const subnet = of === 4 ? v4 : v6;
  const target = 'far' in to ? farOf(to.far, to.last, of) : subnet(to.subnet, to.host);
  const bytes = packet({
    version: of,
    source: macOf(vid, host),
    destination: G,
    sourceAddress: subnet(SUBNET[vid], host),
    destinationAddress: target,
    sourcePort: port,
    protocol: 'tcp',
    data: superframe ? 6000 : 40,
    checksum: superframe ? 'partial' : 'complete',
  });
  setTtl(bytes, of, ttl);
  const header = of === 4 ? 34 : 54;
  const offload = superframe
    ? { vnet: 1 | ((of === 4 ? 1 : 4) << 8), gso: 1000 | ((header + 20) << 16), csum: header | (16 << 16) }
    : {};
  const before = bytes.slice();
  const turn = sw.send(`t${vid}`, bytes, offload);
  const routed = turn.out.filter(
    ({ frame }) => frame.length >= bytes.length && toHex(frame.slice(header + 4)) === toHex(before.slice(header + 4)),
  );
  const allowed = ttl <= 1 ? [] : model.next(vid, target);
  const left = routed.map((one) => `${one.port} ${formatHex(one.frame)}`);
  if (allowed.length === 0) {
    expect(left).toEqual([]);
    return;
  }
  expect(left).toHaveLength(1);
  expect(allowed).toContain(left[0]);
  const [{ frame, ...copy }] = routed;
  if (superframe) expect(copy).toMatchObject(offload);
  expect(frame[of === 4 ? 22 : 21]).toBe(ttl - 1);
  if (of === 4) expect(internetChecksum(viewOf(frame), 14, 20)).toBe(0);
  // The flow keeps its way.
  const again = sw.send(`t${vid}`, before, offload).out.map((one) => `${one.port} ${formatHex(one.frame)}`);
  expect(again).toEqual(left);
}

const formatHex = (frame: Uint8Array): string => toHex(frame.slice(0, 6)).replace(/..(?!$)/g, '$&:');

function setTtl(bytes: Uint8Array, of: 4 | 6, ttl: number): void {
  if (of === 6) {
    bytes[21] = ttl;
    return;
  }
  bytes[22] = ttl;
  const view = viewOf(bytes);
  view.setUint16(24, 0);
  view.setUint16(24, internetChecksum(view, 14, 20));
}

describe('a router of plain lists', () => {
  it('sends what the switch sends', () => {
    fc.assert(
      fc.property(
        fc.array(route, { maxLength: 12 }),
        fc.array(shot, { minLength: 1, maxLength: 25 }),
        (drawn, shots) => {
          const sw = build();
          const routes = routesOf(drawn);
          setRoutes(sw, routes);
          const model = new Model(routes);
          for (const one of shots) fire(sw, model, one);
          // Half of them go; the others decide.
          const gone = routes.filter((_, at) => at % 2 === 0);
          sw.apply(
            gone.map(({ vrf, address, length }) => ({ op: 'route-del' as const, vrf, ...prefixOf(address, length) })),
          );
          const rest = new Model(routes.filter((_, at) => at % 2 === 1));
          for (const one of shots) fire(sw, rest, one);
        },
      ),
      {
        numRuns: long(400, 30),
        ...(process.env.OVERTAP_SEED === undefined ? {} : { seed: Number(process.env.OVERTAP_SEED) }),
      },
    );
  });
});

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
import { type Out, TestSwitch } from '../support/harness.js';
import { advertisement, gratuitous } from '../support/neigh-frames.js';

const G = '02:00:5e:00:00:01';
const VIDS = [10, 20, 30, 40] as const;
/** VRF of each VLAN, and its subnet: different ones in a VRF, the same ones in several. */
class World {
  readonly vrf: Record<number, number> = {};
  readonly subnet: Record<number, number> = {};

  constructor(vrfs: readonly number[]) {
    for (const [at, vid] of VIDS.entries()) {
      this.vrf[vid] = vrfs[at] as number;
      this.subnet[vid] = vrfs.slice(0, at + 1).filter((vrf) => vrf === vrfs[at]).length;
    }
  }

  vidsOf(vrf: number): number[] {
    return VIDS.filter((vid) => this.vrf[vid] === vrf);
  }
}
const HOSTS = [5, 6] as const;
/** Behind the trunk, in each VLAN. */
const TRUNK_HOST = 7;

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

const VRFS = [0, 1, 2] as const;

const route = fc.record({
  vrf: fc.constantFrom(...VRFS),
  family,
  /** Bits of the prefix, over addresses that packets go to. */
  base: fc.constantFrom(0, 1, 2, 3),
  length: fc.constantFrom(0, 8, 16, 24, 25, 30, 32),
  ways: fc.uniqueArray(fc.record({ at: fc.constantFrom(0, 1, 2), host: fc.constantFrom(...HOSTS) }), {
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
  /** From the trunk, with a tag. */
  tagged: fc.boolean(),
});

const farOf = (far: number, last: number, of: 4 | 6): string =>
  of === 4 ? `192.0.${far * 85}.${last}` : `2001:db8:${far * 85}::${last}`;

function routesOf(world: World, drawn: Drawn<typeof route>[]): ModelRoute[] {
  const seen = new Map<string, ModelRoute>();
  for (const { vrf, family: of, base, length, ways } of drawn) {
    const address = farOf(base, 129, of);
    const bits = of === 4 ? length : length * 4;
    const vids = world.vidsOf(vrf);
    if (vids.length === 0) continue;
    const places = ways.map(({ at, host }) => ({ vid: vids[at % vids.length] as number, host }));
    const different = [...new Map(places.map((place) => [`${place.vid} ${place.host}`, place])).values()];
    const made = { vrf, address, length: bits, ways: different };
    const { words, prefix } = prefixOf(address, bits);
    seen.set(`${vrf} ${words.join()} ${prefix}`, made);
  }
  return [...seen.values()];
}

class Model {
  constructor(
    private readonly world: World,
    private readonly routes: ModelRoute[],
  ) {}

  /** Frames that may leave, as `tap mac`; empty: the packet is dropped, or for the gateway. */
  next(vid: number, to: string): string[] {
    const { subnet, vrf: vrfs } = this.world;
    const vrf = vrfs[vid] as number;
    const of = to.includes(':') ? 6 : 4;
    const vids = this.world.vidsOf(vrf);
    const own = vids.find((one) =>
      isInSubnet(to, { address: of === 4 ? v4(subnet[one], 1) : v6(subnet[one], 1), prefix: of === 4 ? 24 : 64 }),
    );
    if (own !== undefined) {
      const host = HOSTS.find((one) => to === (of === 4 ? v4(subnet[own], one) : v6(subnet[own], one)));
      return host === undefined ? [] : [`t${own} ${macOf(own, host)}`];
    }
    const fitting = this.routes
      .filter((one) => one.vrf === vrf && one.address.includes(':') === (of === 6))
      .filter(({ address, length }) => isInSubnet(to, { address, prefix: length }))
      .sort((one, other) => other.length - one.length);
    return (fitting[0]?.ways ?? []).map((way) => `t${way.vid} ${macOf(way.vid, way.host)}`);
  }
}

function build({ subnet, vrf }: World): TestSwitch {
  const ports = Object.fromEntries(
    VIDS.flatMap((vid) => [
      [`t${vid}`, { type: 'tap', vlans: [`${vid} pvid untagged`] } as const],
      [
        `gw${vid}`,
        {
          type: 'tap',
          vlans: [`${vid} pvid untagged`],
          gateway: { mac: G, vrf: vrf[vid], addresses: [`${v4(subnet[vid], 1)}/24`, `${v6(subnet[vid], 1)}/64`] },
        } as const,
      ],
    ]),
  );
  const trunk = { type: 'tap', vlans: VIDS.map(String) } as const;
  const sw = new TestSwitch({ br0: { filtering: true, ports: { ...ports, trunk } } });
  sw.wait(3);
  for (const vid of VIDS) {
    for (const host of HOSTS) {
      sw.send(`t${vid}`, gratuitous(macOf(vid, host), v4(subnet[vid], host)));
      sw.send(`t${vid}`, advertisement(macOf(vid, host), v6(subnet[vid], host)));
    }
  }
  return sw;
}

function setRoutes(sw: TestSwitch, { subnet }: World, routes: readonly ModelRoute[]): void {
  sw.apply(
    routes.map(({ vrf, address, length, ways }) => ({
      op: 'route' as const,
      vrf,
      ...prefixOf(address, length),
      kind: ways.length === 0 ? ROUTE_NOWHERE : ROUTE_UNICAST,
      ways: ways.map(({ vid, host }) => ({
        port: sw.port(`gw${vid}`),
        via: wordsOf(address.includes(':') ? v6(subnet[vid], host) : v4(subnet[vid], host)),
      })),
    })),
  );
}

function fire(
  sw: TestSwitch,
  { subnet }: World,
  model: Model,
  { vid, host, family: of, to, ttl, port, superframe, tagged }: Drawn<typeof shot>,
): void {
  const place = of === 4 ? v4 : v6;
  const target = 'far' in to ? farOf(to.far, to.last, of) : place(to.subnet, to.host);
  const fields = {
    version: of,
    source: macOf(vid, tagged ? TRUNK_HOST : host),
    destination: G,
    sourceAddress: place(subnet[vid], tagged ? TRUNK_HOST : host),
    destinationAddress: target,
    sourcePort: port,
    protocol: 'tcp',
    data: superframe ? 6000 : 40,
    checksum: superframe ? 'partial' : 'complete',
  } as const;
  const bytes = withTtl(packet(fields), of, ttl);
  const header = of === 4 ? 34 : 54;
  const offloadAt = (tag: number): object =>
    superframe
      ? {
          vnet: 1 | ((of === 4 ? 1 : 4) << 8),
          gso: 1000 | ((header + 20 + tag) << 16),
          csum: (header + tag) | (16 << 16),
        }
      : {};
  const put = (): Out[] =>
    tagged
      ? sw.send('trunk', withTtl(packet({ ...fields, tci: vid }), of, ttl, 4), offloadAt(4)).out
      : sw.send(`t${vid}`, bytes.slice(), offloadAt(0)).out;
  // An error of the gateway quotes it, and is longer.
  const isIt = ({ frame }: Out): boolean =>
    frame.length === bytes.length && toHex(frame.slice(header)) === toHex(bytes.slice(header));
  const left = put().filter(isIt);
  const allowed = ttl <= 1 ? [] : model.next(vid, target);
  if (allowed.length === 0) {
    expect(left).toEqual([]);
    return;
  }
  expect(left).toHaveLength(1);
  const [{ port: by, frame, ...copy }] = left as [Out];
  // Byte for byte, by one of the ways that there are.
  const expected = allowed.map((way) => {
    const [tap = '', mac = ''] = way.split(' ');
    return `${tap} ${toHex(withTtl(packet({ ...fields, source: G, destination: mac }), of, ttl - 1))}`;
  });
  expect(expected).toContain(`${by} ${toHex(frame)}`);
  if (superframe) expect(copy).toMatchObject(offloadAt(0));
  // The flow keeps its way.
  expect(put().filter(isIt)).toEqual(left);
}

/** @param tag bytes of a tag before the packet */
function withTtl(bytes: Uint8Array, of: 4 | 6, ttl: number, tag = 0): Uint8Array {
  if (of === 6) {
    bytes[21 + tag] = ttl;
    return bytes;
  }
  bytes[22 + tag] = ttl;
  const view = viewOf(bytes);
  view.setUint16(24 + tag, 0);
  view.setUint16(24 + tag, internetChecksum(view, 14 + tag, 20));
  return bytes;
}

describe('a router of plain lists', () => {
  it('sends what the switch sends', () => {
    fc.assert(
      fc.property(
        fc.tuple(
          fc.constantFrom(...VRFS),
          fc.constantFrom(...VRFS),
          fc.constantFrom(...VRFS),
          fc.constantFrom(...VRFS),
        ),
        fc.array(route, { maxLength: 12 }),
        fc.array(shot, { minLength: 1, maxLength: 25 }),
        (vrfs, drawn, shots) => {
          const world = new World(vrfs);
          const sw = build(world);
          const routes = routesOf(world, drawn);
          setRoutes(sw, world, routes);
          const model = new Model(world, routes);
          for (const one of shots) fire(sw, world, model, one);
          // Half of them go; the others decide.
          const gone = routes.filter((_, at) => at % 2 === 0);
          sw.apply(
            gone.map(({ vrf, address, length }) => ({ op: 'route-del' as const, vrf, ...prefixOf(address, length) })),
          );
          const rest = new Model(
            world,
            routes.filter((_, at) => at % 2 === 1),
          );
          for (const one of shots) fire(sw, world, rest, one);
        },
      ),
      {
        numRuns: long(400, 30),
        ...(process.env.OVERTAP_SEED === undefined ? {} : { seed: Number(process.env.OVERTAP_SEED) }),
      },
    );
  });
});

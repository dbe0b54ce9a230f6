/** Routes of the fuzzed switch that noise is sent by, and changes of them. */
import { prefixOf, wordsOf } from '../../src/control/model/routes.js';
import type { Operation } from '../../src/dataplane/operations/operations.js';
import { ROUTE_NOWHERE, ROUTE_UNICAST, type Way } from '../../src/dataplane/state/routes.js';
import type { Topology } from '../dataplane/support/control-model.js';

interface NoisyRoute {
  prefix: string;
  length: number;
  /** Gateway and router: an address, a MAC as two words; empty: nowhere. */
  ways: readonly (readonly [gateway: string, router: string | readonly [number, number]])[];
}

export const NOISY_ROUTES: readonly NoisyRoute[] = [
  {
    prefix: '203.0.113.0',
    length: 24,
    ways: [
      ['gw3', '198.18.0.3'],
      ['gw3', '198.18.0.9'],
      ['gw2', '198.18.1.9'],
    ],
  },
  {
    prefix: '2001:db8:f::',
    length: 48,
    ways: [
      ['gw3', '2001:db8::3'],
      ['gw3', [0x0200, 0x00010003]],
    ],
  },
  { prefix: '192.0.0.0', length: 16, ways: [] },
  {
    prefix: '203.0.113.8',
    length: 29,
    ways: [
      ['gw2', [0x0200, 0x00010004]],
      ['gw3', '198.18.0.11'],
    ],
  },
];

/** The operation that sets a route, or takes it away. */
export function noisyRoute(topology: Topology, { prefix, length, ways }: NoisyRoute, isRemoved = false): Operation {
  const place = { vrf: 0, ...prefixOf(prefix, length) };
  if (isRemoved) return { op: 'route-del', ...place };
  return {
    op: 'route',
    ...place,
    kind: ways.length === 0 ? ROUTE_NOWHERE : ROUTE_UNICAST,
    ways: ways.map(([gateway, router]): Way => {
      const { number: port } = topology.port(gateway);
      return typeof router === 'string'
        ? { port, via: wordsOf(router) }
        : { port, mac: { high: router[0], low: router[1] } };
    }),
  };
}

/** Gateways with several engines, and from one process to the next: routed and switched datagrams arrive all, once and in order. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FdbRow } from '../../src/api/api.js';
import type { NeighRow } from '../../src/api/neigh.js';
import type { RouteRow } from '../../src/api/route.js';
import { createClient } from '../../src/client/client.js';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { Bystanders, clientOf, expectReach, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { access, filteringBridge, type Guest, tapPort } from './topologies.js';
import { expectBalance, expectTransfer, MB } from './two-hosts.js';

const UPGRADES = long(100, 3);
/** Datagrams a second. */
const RATE = 500;

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

type Placed = Guest & { vid: number; port: string };

async function guest(vid: number, last: number): Promise<Placed> {
  return {
    netns: await world.netns(`g${vid}-${last}`),
    ifname: 'eth0',
    port: `t${vid}x${last}`,
    address: `10.0.${vid}.${last}`,
    mac: `02:00:00:00:${vid}:0${last}`,
    vid,
  };
}

async function start(workers: number, guests: readonly Placed[]): Promise<RunningSwitch> {
  const gateway = (vid: number, more = ''): string =>
    `      gw${vid}: { type: gateway, addresses: [10.0.${vid}.1/24, "fd00:${vid}::1/64"]${more}, vlans: ${access(vid)} }\n`;
  const taps = guests.map((one) => tapPort(one.port, one, access(one.vid)));
  const routes = `, routes: [10.8.0.0/16 via 10.0.20.5, 10.9.0.0/16 via 10.0.20.5, 10.9.0.0/16 via 10.0.20.6]`;
  const bridge = filteringBridge(...taps, gateway(10), gateway(20, routes));
  const sw = await startWith(world, await world.netns('h1'), 'h1', `workers: ${workers}\nbridges:\n${bridge}`);
  for (const { netns, vid } of guests) await world.ip(netns, `route add default via 10.0.${vid}.1`);
  return sw;
}

interface State {
  routes: RouteRow[];
  fdb: string[];
  bindings: string[];
  gateways: unknown;
}

/** What a new process has to have from the old one; without what time changes: a binding becomes stale. */
async function stateOf(sw: RunningSwitch): Promise<State> {
  const client = clientOf(sw);
  const places = (rows: readonly (FdbRow | NeighRow)[]): string[] =>
    rows.map(({ updated: _, state: __, ...row }) => JSON.stringify(row)).sort();
  const [routes, fdb, neigh, config] = await Promise.all([
    client.get('/v1/routes'),
    client.get('/v1/fdb'),
    client.get('/v1/neigh'),
    client.get('/v1/config'),
  ]);
  return { routes, fdb: places(fdb), bindings: places(neigh), gateways: config };
}

describe('gateways', () => {
  test.each(cases([{ workers: 2 }, { workers: 4 }], 2))(
    `workers: $workers; ${UPGRADES} upgrades in a row lose no datagram that is routed, and none that is switched`,
    { timeout: 60_000 + UPGRADES * 5000 },
    async ({ workers }) => {
      const guests = [await guest(10, 5), await guest(10, 6), await guest(20, 5), await guest(20, 6)];
      const [a, near, b, far] = guests as [Placed, Placed, Placed, Placed];
      const sw = await start(workers, guests);
      await expectReach(world, a, b);
      await expectReach(world, far, near);
      await expectTransfer(world, a, b, 5 * MB, 'routed');
      const flows = [
        await Bystanders.begin(world, a, b, RATE),
        await Bystanders.begin(world, far, near, RATE),
        await Bystanders.begin(world, near, a, RATE),
      ];
      const before = await stateOf(sw);
      expect(before.bindings.filter((row) => row.includes('10.0.20.5'))).toHaveLength(1);
      expect(before.routes.map(({ dst }) => dst)).toContain('10.9.0.0/16');
      const client = createClient(sw.control, { deadlineMs: 60_000 });
      for (let count = 0; count < UPGRADES; count++) await client.post('/v1/upgrade', {});
      expect(await stateOf(sw)).toEqual(before);
      const sent: number[] = [];
      for (const flow of flows) sent.push(await flow.expectAll());
      const { drops, links } = await settledStats(sw);
      expect(drops).not.toHaveProperty('neigh_failed');
      expect(drops).not.toHaveProperty('no_route');
      // Counters go on: what the first process has routed is among it.
      expect(links.gw20.rx_packets).toBeGreaterThan(sent[0] as number);
      await expectTransfer(world, b, a, MB, 'routed after upgrades');
      await expectBalance(sw);
    },
  );
});

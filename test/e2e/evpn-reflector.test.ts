/**
 * Three overtaps and a route reflector, GoBGP: no file names a remote, and no host has a session with another one. What the reflector's restart
 * costs is counted by frames.
 */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvpnNeighborRow } from '../../src/api/api.js';
import { until } from '../../src/lab/testbed/wait.js';
import { GoBgp } from './bgp-peers.js';
import { allReach, type Edge, edgeFile, entriesOf, FLOODS, type Guest, guest, startEdge } from './evpn-support.js';
import { World } from './host-testbed.js';
import type { RunningSwitch } from './switch.js';

const NUMBERS = [1, 2, 3];
const REFLECTOR = '192.0.2.254';
const EVPN = `listen: 0, neighbors: [{ address: ${REFLECTOR}, connect_retry: 1 }]`;
const local = (number: number): string => `192.0.2.${number}`;

const neighborOf = (number: number): string => `
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${local(number)}"
    peer-as = 65000
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = 9
    keepalive-interval = 3
    idle-hold-time-after-reset = 1
  [neighbors.transport.config]
    passive-mode = true
  [neighbors.route-reflector.config]
    route-reflector-client = true
    route-reflector-cluster-id = "${REFLECTOR}"
  [neighbors.graceful-restart.config]
    enabled = true
    restart-time = 30
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "l2vpn-evpn"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
`;
const CONFIG = `
[global.config]
  as = 65000
  router-id = "${REFLECTOR}"
${NUMBERS.map(neighborOf).join('')}`;

const world = new World();

describe.skipIf(!existsSync('/usr/bin/gobgpd'))('three hosts and a reflector', () => {
  const guests: Guest[] = [];
  const edges: Edge[] = [];
  const switches: RunningSwitch[] = [];
  let reflector: GoBgp;

  beforeAll(async () => {
    const middle = await world.netns('r');
    await world.ip(middle, 'link add br0 type bridge');
    await world.ip(middle, 'link set br0 up');
    await world.address({ netns: middle, ifname: 'br0' }, `${REFLECTOR}/24`);
    reflector = new GoBgp(world, middle, 'r');
    await reflector.start(CONFIG);
    const started = NUMBERS.map(async (number) => {
      const netns = await world.netns(`h${number}`);
      await world.veth({ netns: middle, ifname: `h${number}` }, { netns, ifname: 'u0' });
      await world.ip(middle, `link set h${number} master br0`);
      await world.address({ netns, ifname: 'u0' }, `${local(number)}/24`);
      const own = await guest(world, `g${number}`, number);
      guests[number - 1] = own;
      edges[number - 1] = { name: `s${number}`, netns, local: local(number), guests: [own], evpn: EVPN };
      switches[number - 1] = await startEdge(world, edges[number - 1] as Edge);
    });
    await Promise.all(started);
  }, 60_000);

  afterAll(() => world.cleanUp());

  const established = async (): Promise<boolean> => {
    const states = await Promise.all(switches.map((sw) => sw.json<EvpnNeighborRow[]>('evpn neighbors')));
    return states.every(([row]) => row?.state === 'established' && row.stale === 0 && row.received >= 4);
  };

  it('has every guest reach every other one', async () => {
    await allReach(world, guests);
    for (const [at, sw] of switches.entries()) {
      const others = NUMBERS.filter((number) => number !== at + 1);
      const floods = others.map((number) => `vx0 ${local(number)} self extern_learn bgp`);
      expect((await entriesOf(sw, FLOODS)).sort()).toEqual(floods);
      for (const number of others) {
        const mac = (guests[number - 1] as Guest).mac;
        await until(`${mac} is an entry`, async () => (await entriesOf(sw, mac)).length > 0);
        expect(await entriesOf(sw, mac)).toEqual([`vx0 ${local(number)} extern_learn bgp`]);
      }
    }
    await until('all routes are there', established);
  });

  it('loses no frame while the reflector is killed and starts again', async () => {
    const [one, two, three] = guests as [Guest, Guest, Guest];
    const count = 120;
    const stream = (from: Guest, to: Guest) =>
      world.exec(from.netns, ['ping', '-n', '-q', '-c', String(count), '-i', '0.05', '-W', '2', to.address]);
    const streams = [stream(one, two), stream(two, three), stream(three, one)];
    const began = performance.now();
    await reflector.kill();
    await until('its sessions have ended', async () =>
      (await Promise.all(switches.map((sw) => sw.json<EvpnNeighborRow[]>('evpn neighbors')))).every(
        ([row]) => row?.state !== 'established' && (row?.stale ?? 0) > 0,
      ),
    );
    for (const sw of switches) expect((await entriesOf(sw, FLOODS)).length).toBe(2);
    await reflector.start(CONFIG, '-r');
    await until('all routes are there again', established);
    const ms = Math.round(performance.now() - began);
    const received = (await Promise.all(streams)).map(({ stdout }) => Number(/(\d+) received/.exec(stdout)?.[1]));
    console.log(`restart within ${ms} ms; of ${count} echoes each way: ${received.join(', ')}`);
    expect(received).toEqual([count, count, count]);
    for (const sw of switches) expect((await entriesOf(sw, FLOODS)).length).toBe(2);
  });

  it('follows a VNI to another vxlan port: nothing stays at the former one', async () => {
    const [one] = switches as [RunningSwitch];
    const rows = async (): Promise<string[]> =>
      (await one.fdb()).filter(({ proto }) => proto === 'bgp').map(({ ifname, mac, dst }) => `${ifname} ${mac} ${dst}`);
    const wanted = (port: string): string[] =>
      [2, 3].flatMap((number) => [
        `${port} ${FLOODS} ${local(number)}`,
        `${port} ${(guests[number - 1] as Guest).mac} ${local(number)}`,
      ]);
    expect((await rows()).sort()).toEqual(wanted('vx0').sort());
    for (const vxlan of ['vx1', 'vx0']) {
      edgeFile(world, { ...(edges[0] as Edge), vxlan });
      one.program.signal('SIGHUP');
      await until(
        `its rows are at ${vxlan}`,
        async () => (await rows()).length === 4 && (await rows())[0]?.startsWith(vxlan),
      );
      expect((await rows()).sort()).toEqual(wanted(vxlan).sort());
      await allReach(world, guests);
    }
  });

  it('goes on with the other hosts when one leaves', async () => {
    await (switches[2] as RunningSwitch).stop();
    const gone = async (sw: RunningSwitch): Promise<boolean> =>
      (await entriesOf(sw, (guests[2] as Guest).mac)).length === 0 && (await entriesOf(sw, FLOODS)).length === 1;
    for (const sw of switches.slice(0, 2)) await until('its routes are gone', () => gone(sw));
    await allReach(world, guests.slice(0, 2));
  });
});

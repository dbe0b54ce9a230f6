/**
 * Rows of EVPN whose VTEP is dead by BFD, long before its BGP session ends: three switches, each a neighbour of the others. What is for
 * the dead one goes to the flood list, or to a second VTEP, and comes back; and the user sees why.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvpnNeighborRow, EvpnRouteRow, LinkRow } from '../../src/api/api.js';
import { createClient } from '../../src/client/client.js';
import type { Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { type Edge, edgeFile, entriesOf, FLOODS, type Guest, guest, reaches, startEdge, VNI } from './evpn-support.js';
import { World } from './host-testbed.js';
import { command, OVERTAP, type RunningSwitch } from './switch.js';

const NUMBERS = [1, 2, 3];
const local = (number: number): string => `192.0.2.${number}`;
const [, TWO, THREE] = NUMBERS.map(local) as [string, string, string];
const BFD = 'bfd: single-hop, bfd_interval: 100, bfd_multiplier: 3';

const world = new World();

describe('a VTEP that is dead by BFD', () => {
  let middle = '';
  let mine: Guest;
  /** One guest at two places, of which one is up. */
  let near: Guest;
  let far: Guest;
  const edges: Edge[] = [];
  const switches: RunningSwitch[] = [];
  let sw: RunningSwitch;
  let monitor: Program;

  beforeAll(async () => {
    middle = await world.netns('m');
    await world.ip(middle, 'link add br0 type bridge');
    await world.ip(middle, 'link set br0 up');
    [mine, near, far] = await Promise.all([guest(world, 'mine', 1), guest(world, 'near', 2), guest(world, 'far', 2)]);
    const started = NUMBERS.map(async (number) => {
      const netns = await world.netns(`h${number}`);
      await world.veth({ netns: middle, ifname: `h${number}` }, { netns, ifname: 'u0' });
      await world.ip(middle, `link set h${number} master br0`);
      await world.address({ netns, ifname: 'u0' }, `${local(number)}/24`);
      const others = NUMBERS.filter((other) => other !== number);
      const neighbors = others.map((other) => `{ address: ${local(other)}, connect_retry: 1 }`).join(', ');
      const guests = [[mine], [near], [far]][number - 1] as Guest[];
      edges[number - 1] = {
        name: `s${number}`,
        netns,
        local: local(number),
        guests,
        evpn: `neighbors: [${neighbors}]`,
        more: BFD,
      };
      switches[number - 1] = await startEdge(world, edges[number - 1] as Edge);
    });
    await Promise.all(started);
    sw = switches[0] as RunningSwitch;
    await world.ip(far.netns, 'link set eth0 down');
    const words = [process.execPath, OVERTAP, '-s', sw.control, 'monitor', 'remote'];
    monitor = world.spawn((edges[0] as Edge).netns, words);
  }, 60_000);

  afterAll(() => world.cleanUp());

  const become = (address: string, state: string): Promise<unknown> =>
    until(`${address} is ${state}`, async () => {
      const links: LinkRow[] = await createClient(sw.control).get('/v1/links');
      const remotes = links.find(({ ifname }) => ifname === 'vx0')?.bfd_remotes ?? [];
      return remotes.find(
        (remote) =>
          remote.address === address && remote.state === state && (state !== 'up' || remote.detection_time === 300),
      );
    });
  const hers = (): Promise<string[]> => entriesOf(sw, near.mac);
  const floods = async (): Promise<string[]> => (await entriesOf(sw, FLOODS)).sort();
  const link = (number: number, state: string): Promise<unknown> => world.ip(middle, `link set h${number} ${state}`);
  /** Frames sent to a VTEP, BFD not counted. */
  const sent = async (address: string): Promise<number> => {
    const { links } = await createClient(sw.control).get('/v1/stats');
    return links.vx0?.remotes?.[address]?.tx_packets ?? 0;
  };
  const say = async (...words: string[]): Promise<string> => (await command('-s', sw.control, ...words)).stdout;
  const established = async (): Promise<string[]> =>
    (await sw.json<EvpnNeighborRow[]>('evpn neighbors')).flatMap(({ address, state }) =>
      state === 'established' ? [address] : [],
    );

  const routesOf = (mac: string): Promise<EvpnRouteRow[]> => sw.json(`evpn routes type 2 mac ${mac}`);

  it('is used while it is up', async () => {
    await Promise.all([become(TWO, 'up'), become(THREE, 'up')]);
    await until('she is reached', () => reaches(world, mine.netns, near.address));
    await until('her MAC is an entry', async () => (await hers()).length === 1);
    expect(await hers()).toEqual([`vx0 ${TWO} extern_learn bgp`]);
    // Her address is told once her host has seen it, which may be later.
    await until('her address is told, too', async () => (await routesOf(near.mac)).length === 2);
    expect(await floods()).toEqual([`vx0 ${TWO} self extern_learn bgp`, `vx0 ${THREE} self extern_learn bgp`]);
  });

  it('is left out of floods, its entries are flooded, and all say why', async () => {
    await link(2, 'down');
    await become(TWO, 'down');
    await monitor.line('its death', (line) => line.includes(`[REMOTE] ${TWO} dev vx0 state down`));
    await until('the entry has no VTEP', async () => (await hers()).every((row) => !row.includes(TWO)));
    expect(await hers()).toEqual(['vx0 extern_learn bgp']);
    // Its BGP session lasts until the hold time is over, and with it the route.
    expect(await established()).toEqual([TWO, THREE]);
    const routes = await routesOf(near.mac);
    expect(routes.map(({ next_hop, imported, ip }) => [next_hop, imported, ip])).toEqual([
      [TWO, [VNI], undefined],
      [TWO, [VNI], near.address],
    ]);
    expect(await say('fdb', 'show', 'dev', 'vx0')).toContain(`${near.mac} dev vx0 vlan 10 src_vni ${VNI} extern_learn`);
    expect(await say('-d', 'link', 'show', 'vx0')).toContain(`remote ${TWO} state down bfd down peer down diag 1`);
    expect(await say('doctor')).toContain(
      `FAIL  vx0 ${TWO}: is dead by BFD (nothing was heard of it for the detection time): what is for it goes elsewhere`,
    );
    await sw.logged('its death', ({ msg, remote }) => msg.startsWith('remote dead') && remote === TWO);
    const before = await sent(TWO);
    expect(await reaches(world, mine.netns, near.address)).toBe(false);
    expect(await sent(TWO)).toBe(before);
  });

  it('gives way to a place where the guest comes up', async () => {
    await world.ip(near.netns, 'link set eth0 down');
    await world.ip(far.netns, 'link set eth0 up');
    // She speaks first, as after a migration: no VTEP but the dead one is known to have her.
    await until('she reaches me from there', () => reaches(world, far.netns, mine.address));
    expect(await reaches(world, mine.netns, far.address)).toBe(true);
    await until('her MAC is there', async () => (await hers()).includes(`vx0 ${THREE} extern_learn bgp`));
    await link(2, 'up');
    await become(TWO, 'up');
    await monitor.line('it is back', (line) => line.includes(`[REMOTE] ${TWO} dev vx0 state up`));
    expect(await hers()).toEqual([`vx0 ${THREE} extern_learn bgp`]);
    expect(await say('doctor')).toContain('vx0 BFD: 2 of 2 remotes are up');
  });

  it('has its entry again when it is up, with all that was flooded meanwhile', async () => {
    await world.ip(far.netns, 'link set eth0 down');
    await world.ip(near.netns, 'link set eth0 up');
    await until('she is reached', () => reaches(world, near.netns, mine.address));
    await until('her MAC is at the near one', async () => (await hers()).includes(`vx0 ${TWO} extern_learn bgp`));
    await link(2, 'down');
    await become(TWO, 'down');
    await until('the entry has no VTEP', async () => (await hers()).includes('vx0 extern_learn bgp'));
    await link(2, 'up');
    await become(TWO, 'up');
    await until('the entry is back', async () => (await hers()).includes(`vx0 ${TWO} extern_learn bgp`));
    expect(await floods()).toEqual([`vx0 ${TWO} self extern_learn bgp`, `vx0 ${THREE} self extern_learn bgp`]);
    expect(await reaches(world, mine.netns, near.address)).toBe(true);
    expect((await sw.json<EvpnNeighborRow[]>('evpn neighbors')).map(({ ups }) => ups)).toEqual([1, 1]);
  });

  it('has a second one for it, when `bfd_backup` names one', async () => {
    edgeFile(world, { ...(edges[0] as Edge), more: `${BFD}, peers: [${THREE}], bfd_backup: ${THREE}` });
    sw.program.signal('SIGHUP');
    await sw.logged('the file is applied', ({ by, msg }) => by === 'SIGHUP' && msg === 'changed');
    await Promise.all([become(TWO, 'up'), become(THREE, 'up')]);
    expect(await hers()).toEqual([`vx0 ${TWO} extern_learn bgp`]);
    const before = await sent(THREE);
    await link(2, 'down');
    await become(TWO, 'down');
    await until('the entry leads to the second one', async () =>
      (await hers()).includes(`vx0 ${THREE} extern_learn bgp`),
    );
    await reaches(world, mine.netns, near.address);
    expect(await sent(THREE)).toBeGreaterThan(before);
    await link(2, 'up');
    await become(TWO, 'up');
    await until('the entry is back', async () => (await hers()).includes(`vx0 ${TWO} extern_learn bgp`));
    expect(await reaches(world, mine.netns, near.address)).toBe(true);
  });
});

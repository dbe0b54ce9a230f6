/**
 * Loop guard between two switches that a tunnel and a cable join: one broadcast makes a storm, which ends with the cable blocked at one
 * end at least. Log, listing, statistics and doctor name the loop; without the cable the port opens again.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LinkRow } from '../../src/api/api.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { command, overtap, type RunningSwitch } from './switch.js';
import { type Guest, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { ping } from './traffic.js';
import { expectBalance, makeGuest } from './two-hosts.js';

const VNI = 42;

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

const loopsOf = async (sw: RunningSwitch): Promise<LinkRow[]> =>
  (await sw.links()).filter(({ loop_with }) => loop_with !== undefined);

test('a tunnel and a cable between two switches', async () => {
  const hosts = await twoHosts(world);
  const guests: Guest[] = [await makeGuest(world, 1), await makeGuest(world, 2)];
  const [one, two] = hosts.map(({ netns }) => ({ netns, ifname: 'cable' }));
  await world.veth(one, two);
  const start = (at: 0 | 1): Promise<RunningSwitch> => {
    const cable = '      cable: { type: netdev }\n';
    const tunnel = singlePort(hosts[at].address, [hosts[1 - at].address], VNI);
    return world.startSwitch(hosts[at].netns, `host${at + 1}`, plainBridge(tapPort('tap0', guests[at]), cable, tunnel));
  };
  const switches = [await start(0), await start(1)];
  // Unanswered at first: the storm makes the switches believe that the guests are elsewhere.
  await ping(world, guests[0].netns, guests[1].address);
  const found = await until('a switch blocks the cable', async () => {
    const rows = (await Promise.all(switches.map(loopsOf))).flat();
    return rows.length > 0 ? rows : undefined;
  });
  for (const row of found) expect(row).toMatchObject({ ifname: 'cable', loop_with: 'vxlan0' });
  const stats = await Promise.all(switches.map((sw) => sw.stats()));
  expect(stats.flatMap(({ loops }) => loops ?? []).filter(({ state }) => state === 'blocked').length).toBeGreaterThan(
    0,
  );
  await until('the guests reach each other', async () =>
    (await ping(world, guests[0].netns, guests[1].address)).received > 0 ? true : undefined,
  );
  const [guarded] = await Promise.all(switches.map(async (sw) => ({ sw, loops: await loopsOf(sw) }))).then((all) =>
    all.filter(({ loops }) => loops.length > 0),
  );
  await guarded.sw.logged(
    'the log names the loop',
    ({ msg, port, with: other, bridge }) =>
      msg.startsWith('loop between two ports') && port === 'cable' && other === 'vxlan0' && bridge === 'br1',
  );
  const doctor = await command('-s', guarded.sw.control, 'doctor');
  expect(doctor.stdout).toMatch(/a loop through ports cable and vxlan0/);
  await world.ip(hosts[0].netns, 'link del cable');
  for (const sw of switches) {
    await until('the port is not blocked any more', async () => ((await loopsOf(sw)).length === 0 ? true : undefined));
    await expectBalance(sw);
  }
  await guarded.sw.logged('the log says that it is gone', ({ msg }) => msg.startsWith('the loop is gone'));
  expect((await overtap('-s', guarded.sw.control, 'monitor', 'help')).stdout).toContain(
    'loops that loop guard has found',
  );
});

/**
 * Netdev ports whose interface goes down, loses its carrier, changes its MTU or its name, moves away or is deleted: the port's
 * state says so, other ports do not notice, and it recovers by itself.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { know } from './faults-support.js';
import { World } from './host-testbed.js';
import { descriptorsOf, expectNoReach, expectReach, linkOf, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, plainBridge, tapPort } from './topologies.js';
import { experimentalFrame, inject, ping } from './traffic.js';
import { expectBalance, expectTransfer, MB, makeGuest } from './two-hosts.js';

let world: World;
let host: string;
let a: Guest;
let b: Guest;
let sw: RunningSwitch;

beforeEach(async () => {
  world = new World();
  host = await world.netns('host');
  a = await makeGuest(world, 1);
  b = await makeGuest(world, 2);
});

afterEach(() => world.cleanUp());

/** A guest's NIC is one end of a cable, the other end is the interface p1 of the host. */
async function plug(): Promise<void> {
  await world.veth(a, { netns: host, ifname: 'p1' });
  await world.ip(a.netns, `link set eth0 address ${a.mac}`);
  await world.address(a, `${a.address}/24`);
}

async function start(workers = 1): Promise<void> {
  await plug();
  const ports = plainBridge('      p1: { type: netdev }\n', tapPort('tap2', b));
  sw = await startWith(world, host, 'netdev', `workers: ${workers}\nbridges:\n${ports}`);
  await expectReach(world, a, b);
  // Else its kernel asks again after some seconds whether the other is there, and that frame is dropped beside the test's.
  await know(world, b.netns, b.ifname, a);
}

async function expectRow(row: Record<string, unknown>): Promise<void> {
  await until(`p1 is seen as ${JSON.stringify(row)}`, async () => {
    const now = await linkOf(sw, 'p1');
    return now !== undefined && Object.entries(row).every(([key, value]) => now[key] === value);
  });
}

/** Does something, and tells under which reasons frames were dropped meanwhile. */
async function dropsOf(send: () => Promise<void>): Promise<Record<string, number>> {
  const before = (await settledStats(sw)).drops;
  await send();
  const after = (await settledStats(sw)).drops;
  return Object.fromEntries(
    Object.entries(after).flatMap(([reason, count]) => {
      const more = count - (before[reason] ?? 0);
      return more === 0 ? [] : [[reason, more]];
    }),
  );
}

const toGuest = (): Promise<void> =>
  inject(world, b, experimentalFrame({ destination: a.mac, source: b.mac, text: 'to a' }));

test.each([
  { what: 'down', act: 'p1 down', back: 'p1 up', fault: 'the interface p1 is down', at: 'host' as const },
  {
    what: 'without carrier',
    act: 'eth0 down',
    back: 'eth0 up',
    fault: 'the interface p1 has no carrier',
    at: 'guest' as const,
  },
])('$what: it says so, drops as port_down, and recovers', async ({ act, back, fault, at }) => {
  await start();
  const netns = at === 'host' ? host : a.netns;
  await world.ip(netns, `link set ${act}`);
  await expectRow({ operstate: 'DOWN', fault });
  expect(await dropsOf(toGuest)).toEqual({ port_down: 1 });
  await world.ip(netns, `link set ${back}`);
  await expectRow({ operstate: 'UP', fault: undefined });
  await expectReach(world, a, b);
  await expectReach(world, b, a);
  const told = sw.log().flatMap(({ port, msg }) => (port === 'p1' && msg.startsWith('port ') ? [msg] : []));
  expect(told).toEqual(['port down', 'port up again']);
  await expectBalance(sw);
});

test('another MTU: it is followed, by the bridge where it is smaller', async () => {
  await start();
  const setMtu = async (mtu: number): Promise<void> => {
    await world.ip(host, `link set p1 mtu ${mtu}`);
    await world.ip(a.netns, `link set eth0 mtu ${mtu}`);
  };
  await setMtu(1400);
  await expectRow({ mtu: 1400 });
  await until('the TAP follows', async () => (await linkOf(sw, 'tap2'))?.mtu === 1400);
  await expectTransfer(world, b, a, MB, 'MTU 1400');
  await setMtu(9000);
  await expectRow({ mtu: 9000 });
  await until('the TAP has the usual MTU', async () => (await linkOf(sw, 'tap2'))?.mtu === 1500);
  const { received } = await ping(world, b.netns, a.address, { size: 1472, whole: true });
  expect(received).toBe(3);
  await expectTransfer(world, a, b, MB, 'MTU 9000');
});

test('another name: the port goes on, and shows it', async () => {
  await start();
  await world.ip(host, 'link set p1 name cable7');
  await expectRow({ operstate: 'UP', nic: 'cable7' });
  await expectReach(world, a, b);
  await world.ip(host, 'link set cable7 name p1');
  await expectRow({ operstate: 'UP', nic: undefined });
  await expectBalance(sw);
});

test.each(cases([1, 2], 1))('moved to another namespace and back, %i workers: silenced here only', async (workers) => {
  await start(workers);
  const before = descriptorsOf(sw);
  const other = await world.netns('other');
  await world.ip(host, `link set p1 netns ${other}`);
  await expectRow({
    operstate: 'DOWN',
    fault: 'its interface is gone: deleted, or moved to another network namespace',
  });
  await world.ip(other, 'address add 198.18.0.77/24 dev p1');
  await world.ip(other, 'link set p1 up');
  await expectReach(world, a, { address: '198.18.0.77' });
  await expectNoReach(world, a, b);
  expect(await dropsOf(toGuest)).toEqual({ port_down: 1 });
  await world.ip(other, `link set p1 netns ${host}`);
  await world.ip(host, 'link set p1 up');
  await expectRow({ operstate: 'UP', fault: undefined });
  await expectReach(world, a, b);
  await expectBalance(sw);
  expect(descriptorsOf(sw)).toEqual(before);
});

test('deleted, and made anew: it is attached again', async () => {
  await start();
  const before = descriptorsOf(sw);
  for (let round = 0; round < 3; round++) {
    await world.ip(host, 'link del p1');
    await expectRow({ operstate: 'DOWN' });
    await plug();
    await expectRow({ operstate: 'UP', fault: undefined });
    await expectReach(world, a, b);
  }
  expect(descriptorsOf(sw)).toEqual(before);
  await expectBalance(sw);
});

test('not there at the start: the port waits, and so for a namespace', async () => {
  const lines = (more: string): string => `      p1: { type: netdev${more} }\n`;
  const room = `${host}-room`;
  const ports = plainBridge(
    lines(''),
    `      p2: { type: netdev, netns: ${room}, ifname: eth0 }\n`,
    tapPort('tap2', b),
  );
  sw = await startWith(world, host, 'netdev', `bridges:\n${ports}`);
  expect(await linkOf(sw, 'p1')).toMatchObject({
    operstate: 'DOWN',
    fault: expect.stringContaining('no such interface'),
  });
  expect(await linkOf(sw, 'p2')).toMatchObject({ operstate: 'DOWN', fault: expect.stringContaining('does not exist') });
  await plug();
  await expectRow({ operstate: 'UP', fault: undefined });
  await expectReach(world, a, b);
});

test('in a namespace that goes: the port waits for the next one of that name', async () => {
  const room = await world.netns('room');
  await world.veth(a, { netns: room, ifname: 'p1' });
  await world.address(a, `${a.address}/24`);
  const ports = plainBridge(`      p1: { type: netdev, netns: ${room} }\n`, tapPort('tap2', b));
  sw = await startWith(world, host, 'netdev', `bridges:\n${ports}`);
  await expectReach(world, a, b);
  await world.deleteNetns(room);
  await until('p1 says so', async () => String((await linkOf(sw, 'p1'))?.fault).includes(room));
  expect((await linkOf(sw, 'p1'))?.operstate).toBe('DOWN');
});

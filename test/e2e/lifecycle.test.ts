/**
 * Ending and starting again: SIGTERM and SIGINT under traffic, kill -9, TAPs that outlive a switch, and devices that
 * vanish under a running one.
 */
import { existsSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { namespaceExists } from '../../src/lab/testbed/namespaces.js';
import type { Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { ping, udpStream } from './traffic.js';

/** The contract says one second. A busy machine gets more, so that the test tells a switch that hangs, not a slow day. */
const STOP_LIMIT_MS = 3000;

let world: World;
let hosts: [Host, Host];
/** One a host, and a second one of host 1. */
let guests: [Guest, Guest, Guest];

async function makeGuest(number: number): Promise<Guest> {
  const netns = await world.netns(`guest${number}`);
  return { netns, ifname: 'eth0', address: `198.18.0.${number}`, mac: `02:00:00:00:00:0${number}` };
}

/** The bridges of host 1, with its two guests. */
function firstHost(more = ''): string {
  return plainBridge(
    tapPort('tap0', guests[0]) + more,
    tapPort('tap1', guests[2]),
    singlePort(hosts[0].address, [hosts[1].address], 42),
  );
}

function secondHost(): string {
  return plainBridge(tapPort('tap0', guests[1]), singlePort(hosts[1].address, [hosts[0].address], 42));
}

async function startBoth(): Promise<[RunningSwitch, RunningSwitch]> {
  return Promise.all([
    world.startSwitch(hosts[0].netns, 'host1', firstHost()),
    world.startSwitch(hosts[1].netns, 'host2', secondHost()),
  ]);
}

async function expectPing(from: Guest, to: Guest): Promise<void> {
  const result = await ping(world, from.netns, to.address);
  expect(result.received, result.output).toBe(3);
}

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(1), await makeGuest(2), await makeGuest(3)];
});

afterEach(() => world.cleanUp());

describe.each(cases(['SIGTERM', 'SIGINT'] as const, 1))('%s under traffic', (signal) => {
  async function traffic(sw: RunningSwitch): Promise<Program[]> {
    await expectPing(guests[0], guests[1]);
    const { tx_packets: before } = (await sw.stats()).links.vxlan0;
    const programs = [
      await udpStream(world, guests[0].netns, guests[1].address, 1400),
      await udpStream(world, guests[1].netns, guests[0].address, 200),
      world.spawn(guests[2].netns, ['ping', '-f', '-q', guests[1].address]),
    ];
    await until('thousands of frames pass', async () => (await sw.stats()).links.vxlan0.tx_packets > before + 5000);
    return programs;
  }

  test('ends the switch with status 0 within its time, and leaves no TAP and no socket', async () => {
    const [first, second] = await startBoth();
    await traffic(first);
    for (const [sw, taps] of [
      [first, [guests[0], guests[2]]],
      [second, [guests[1]]],
    ] as const) {
      expect(existsSync(sw.control)).toBe(true);
      const { ended, ms } = await sw.stop(signal);
      console.log(`${signal} under traffic: gone after ${ms.toFixed(0)} ms`);
      expect(ended).toMatchObject({ status: 0, signal: null, stderr: '' });
      expect(ms).toBeLessThan(STOP_LIMIT_MS);
      expect(sw.log().at(-1)?.msg).toBe('stopped');
      expect(existsSync(sw.control)).toBe(false);
      expect(existsSync(`/proc/${sw.program.pid}`)).toBe(false);
      for (const guest of taps) {
        expect(await world.nics(guest.netns)).toEqual([]);
        expect(namespaceExists(guest.netns)).toBe(true);
      }
    }
    // The underlay is as it was: nothing of the switches is left on the hosts.
    for (const host of hosts) {
      expect(await world.nics(host.netns)).toEqual(['eth0']);
      expect((await world.exec(host.netns, ['ip', 'netns', 'pids', host.netns])).stdout).toMatch(/^\d+\n$/);
    }
  });
});

describe('kill -9', () => {
  test('leaves a socket file that the next start replaces; the switch then works', async () => {
    const [first] = await startBoth();
    await expectPing(guests[0], guests[1]);
    const { ended } = await first.stop('SIGKILL');
    expect(ended.signal).toBe('SIGKILL');
    expect(existsSync(first.control)).toBe(true);

    const again = await world.startSwitch(hosts[0].netns, 'host1', firstHost());
    const socket = statSync(again.control);
    expect(socket.isSocket()).toBe(true);
    expect(socket.mode & 0o777).toBe(0o600);
    expect((await again.links()).length).toBe(4);
    await expectPing(guests[0], guests[1]);
    await expectPing(guests[1], guests[0]);
  });
});

describe('a TAP with "persist: true"', () => {
  interface Nic {
    ifindex: number;
    address: string;
    addr_info: { local: string; prefixlen: number }[];
  }

  async function nic(): Promise<Nic> {
    const rows = await world.ipJson<Nic[]>(guests[0].netns, 'address show dev eth0');
    const { ifindex, address, addr_info } = rows[0];
    return { ifindex, address, addr_info: addr_info.map(({ local, prefixlen }) => ({ local, prefixlen })) };
  }

  test.each(cases(['SIGKILL', 'SIGTERM'] as const, 1))(
    'outlives %s with its addresses, and is taken over',
    async (signal) => {
      const bridges = firstHost('        persist: true\n');
      const [first] = await Promise.all([
        world.startSwitch(hosts[0].netns, 'host1', bridges),
        world.startSwitch(hosts[1].netns, 'host2', secondHost()),
      ]);
      await expectPing(guests[0], guests[1]);
      await world.address(guests[0], '198.18.0.77/24');
      const before = await nic();
      expect(before.addr_info.map(({ local }) => local)).toEqual(['198.18.0.1', '198.18.0.77']);

      await first.stop(signal);
      expect(await nic()).toEqual(before);
      expect(await world.nics(guests[2].netns)).toEqual([]); // this one is not persistent

      await world.startSwitch(hosts[0].netns, 'host1', bridges);
      expect(await nic()).toEqual(before);
      await expectPing(guests[0], guests[1]);
      await expectPing(guests[1], { ...guests[0], address: '198.18.0.77' });
    },
  );
});

describe('under a running switch', () => {
  async function expectDown(sw: RunningSwitch, port: string): Promise<void> {
    const line = await sw.logged(`port ${port} is reported down`, (each) => each.port === port && each.level >= 40);
    expect(line.msg).toContain('down');
    const row = (await sw.links()).find(({ ifname }) => ifname === port);
    expect(row?.operstate).toBe('DOWN');
  }

  test('a guest namespace is deleted: its port goes down, the others go on', async () => {
    const [first] = await startBoth();
    await expectPing(guests[0], guests[1]);
    await world.deleteNetns(guests[0].netns);
    await expectDown(first, 'tap0');
    await expectPing(guests[2], guests[1]);
    await expectPing(guests[1], guests[2]);
    const { ended } = await first.stop();
    expect(ended).toMatchObject({ status: 0, stderr: '' });
  });

  test('a TAP is deleted: the others go on, and it comes back by itself', async () => {
    const [first] = await startBoth();
    await expectPing(guests[0], guests[1]);
    await world.ip(guests[0].netns, 'link del eth0');
    await expectPing(guests[2], guests[1]);
    await first.logged('tap0 is up again', ({ port, msg }) => port === 'tap0' && msg === 'port up again');
    await expectPing(guests[1], guests[0]);
    expect((await first.links()).find(({ ifname }) => ifname === 'tap0')?.operstate).toBe('UP');
    const { ended } = await first.stop();
    expect(ended).toMatchObject({ status: 0, stderr: '' });
  });

  test("a guest's NIC is set down and up again: it comes back by itself", async () => {
    const [first] = await startBoth();
    await expectPing(guests[0], guests[1]);
    await world.ip(guests[0].netns, 'link set eth0 down');
    const lost = await ping(world, guests[1].netns, guests[0].address, { count: 1 });
    expect(lost.received).toBe(0);
    expect((await first.links()).find(({ ifname }) => ifname === 'tap0')?.operstate).toBe('DOWN');
    await expectPing(guests[2], guests[1]);
    await world.ip(guests[0].netns, 'link set eth0 up');
    await expectPing(guests[0], guests[1]);
    expect((await first.links()).find(({ ifname }) => ifname === 'tap0')?.operstate).toBe('UP');
  });

  test('the underlay loses its address and gets it back: traffic returns by itself, losses are counted', async () => {
    const [first] = await startBoth();
    await expectPing(guests[0], guests[1]);
    await world.ip(hosts[0].netns, `address del ${hosts[0].address}/24 dev eth0`);
    const lost = await ping(world, guests[0].netns, guests[1].address, { count: 2 });
    expect(lost.received).toBe(0);
    await expectPing(guests[0], guests[2]);
    expect((await first.stats()).links.vxlan0.tx_dropped).toBeGreaterThan(0);
    await world.address(hosts[0], `${hosts[0].address}/24`);
    await expectPing(guests[0], guests[1]);
  });
});

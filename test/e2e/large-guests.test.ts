/**
 * Guests whose MTU is 1500, over an underlay of 1500: TCP by `mss_clamp`, datagrams without DF by `fragment`. Nothing is dropped for
 * its length, and no guest is told anything.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { sniff } from './sniffer.js';
import { accounts, type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, tapPort, twoHosts } from './topologies.js';
import { transfer, udpEcho } from './traffic.js';
import { makeGuest, MB, succeed, VNI } from './two-hosts.js';

const BYTES = long(100, 10) * MB;

let world: World;
let hosts: [Host, Host];
let guests: [Guest, Guest];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
});

afterEach(() => world.cleanUp());

function start(index: 0 | 1): Promise<RunningSwitch> {
  const [own, far] = [hosts[index], hosts[1 - index]];
  const options = `local: ${own.address}, id: ${VNI}, remotes: [${far.address}], mss_clamp: auto, fragment: true`;
  const tap = `${tapPort('tap0', guests[index])}        mtu: 1500\n`;
  const bridges = plainBridge(tap, `      vxlan0: { type: vxlan, ${options} }\n`);
  return world.startSwitch(own.netns, `host${index + 1}`, bridges);
}

/** A kernel bridge with a vxlan device, and a guest on a veth pair of MTU 1500. */
async function startKernel(): Promise<void> {
  const [own, peer] = hosts;
  const { netns } = peer;
  await world.ip(netns, `link add vx0 type vxlan id ${VNI} remote ${own.address} local ${peer.address} dstport 4789`);
  await world.ip(netns, 'link add br0 type bridge');
  await world.veth({ netns, ifname: 'veth0' }, guests[1]);
  for (const port of ['vx0', 'veth0']) await world.ip(netns, `link set ${port} master br0`);
  for (const link of ['br0', 'vx0']) await world.ip(netns, `link set ${link} up`);
  await world.address(guests[1], `${guests[1].address}/24`);
}

/** From now on sockets of the guest send without DF. */
async function withoutDf({ netns }: Guest): Promise<void> {
  await succeed(world, netns, ['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_no_pmtu_disc']);
}

async function expectNothingTooLong(switches: readonly RunningSwitch[]): Promise<void> {
  for (const sw of switches) {
    const stats = await settledStats(sw);
    expect(stats.drops.mtu_exceeded ?? 0).toBe(0);
    const { in: received, out } = accounts(stats);
    expect(out).toBe(received);
  }
}

async function expectTransfer(from: Guest, to: Guest): Promise<void> {
  const { received, sent } = await transfer(world, from.netns, to.netns, to.address, BYTES);
  expect(received).toEqual({ bytes: BYTES, sha256: sent.sha256 });
}

describe('guests whose MTU is that of the underlay', () => {
  test('reach each other by TCP and by datagrams of any length', async () => {
    const switches = await Promise.all([start(0), start(1)]);
    const [one, two] = guests;
    // What its own SYN asks for is lowered on the way, so it may say 1460 itself.
    const large = 'tcp[tcpflags] & tcp-syn != 0 and tcp[22:2] > 1410';
    const told = await sniff(world, one, `ether src ${two.mac} and (icmp[0] == 3 or (${large}))`);
    await expectTransfer(one, two);
    await expectTransfer(two, one);
    for (const guest of guests) await withoutDf(guest);
    for (const size of [1472, 1423, 4000, 20_000]) {
      const echoed = await udpEcho(world, one.netns, two.netns, two.address, { size, count: 20 });
      expect(echoed).toEqual({ equal: 20, different: 0, lost: 0 });
    }
    expect(told.packets).toEqual([]);
    await expectNothingTooLong(switches);
  }, 120_000);

  test.each(cases(['TCP both ways', 'datagrams to it'], 1))(
    "reach a kernel's vxlan device, which knows nothing of it: %s",
    async (what) => {
      const sw = await start(0);
      await startKernel();
      const [one, two] = guests;
      if (what === 'TCP both ways') {
        await expectTransfer(one, two);
        await expectTransfer(two, one);
      } else {
        await withoutDf(one);
        const echoed = await udpEcho(world, two.netns, one.netns, one.address, { size: 1400, count: 5 });
        expect(echoed.equal).toBe(5);
        const answered = await udpEcho(world, one.netns, two.netns, two.address, { size: 1472, count: 1 });
        // Its answer is as long, and the kernel does not fragment it.
        expect(answered.lost).toBe(1);
        const { InDatagrams } = await datagramsOf(two);
        expect(InDatagrams).toBeGreaterThan(5);
      }
      await expectNothingTooLong([sw]);
    },
    120_000,
  );
});

async function datagramsOf({ netns }: Guest): Promise<Record<string, number>> {
  const lines = (await succeed(world, netns, ['cat', '/proc/net/snmp'])).split('\n');
  const [names, values] = lines.filter((line) => line.startsWith('Udp:')).map((line) => line.split(' ').slice(1));
  return Object.fromEntries(names.map((name, at) => [name, Number(values[at])]));
}

/** Mirrors with real guests: to an analyser on a TAP, and in a VNI to a kernel's vxlan device on another host. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { sniff } from './sniffer.js';
import { accounts, overtap, settledStats } from './switch.js';
import { type Guest, type Host, tapPort, twoHosts } from './topologies.js';
import { ping } from './traffic.js';
import { makeGuest } from './two-hosts.js';

const PINGS = 10;

let world: World;
let hosts: [Host, Host];
let guests: [Guest, Guest];
let analyser: Guest;

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
  analyser = await makeGuest(world, 3);
});

afterEach(() => world.cleanUp());

test("copies reach an analyser, and reach a kernel's vxlan device in their VNI: each frame once", async () => {
  const [own, far] = hosts;
  await world.ip(far.netns, `link add vx900 type vxlan id 900 local ${far.address} dstport 4789 nolearning`);
  await world.ip(far.netns, 'link set vx900 up');
  const sw = await world.startSwitch(
    own.netns,
    'host1',
    `  br1:
    ports:
${tapPort('tap1', guests[0])}${tapPort('tap2', guests[1])}${tapPort('span', analyser)}        mirror: both
        mirror_ports: [tap1]
      er0: { type: vxlan, local: ${own.address}, id: 900, remotes: [${far.address}], mirror: ingress, mirror_ports: [tap2] }
`,
  );
  const seen = await sniff(world, analyser, 'icmp');
  const carried = await sniff(world, { netns: far.netns, ifname: 'vx900' }, 'icmp[icmptype] == icmp-echoreply');
  const requests = await sniff(world, { netns: far.netns, ifname: 'vx900' }, 'icmp[icmptype] == icmp-echo');
  // The analyser has an address of the guests' network; it hears them and cannot take part.
  expect(await ping(world, guests[0].netns, guests[1].address, { count: PINGS })).toMatchObject({
    received: PINGS,
    duplicates: 0,
  });
  await until('all copies have come', () => seen.packets.length >= 2 * PINGS && carried.packets.length >= PINGS);
  expect((await ping(world, analyser.netns, guests[0].address, { count: 1 })).received).toBe(0);
  const stats = await settledStats(sw);
  expect([seen.packets.length, carried.packets.length, requests.packets.length]).toEqual([2 * PINGS, PINGS, 0]);
  expect(stats.links.span.drops.mirror_port).toBeGreaterThan(0);
  const { in: received, out } = accounts(stats);
  expect(out).toBe(received);
  // Live: no copies any more, and the port forwards.
  const changed = await overtap('-s', sw.control, ...'link set span type bridge_slave mirror off'.split(' '));
  expect(changed.status, changed.stderr).toBe(0);
  // The analyser's kernel may still wait for an answer to its request from before.
  await world.ip(analyser.netns, `neigh flush dev ${analyser.ifname}`);
  expect((await ping(world, analyser.netns, guests[0].address, { count: 1 })).received).toBe(1);
});

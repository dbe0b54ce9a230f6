/**
 * The route to a remote leads into a bridge of the switch itself: what it sends comes back to it once, counted, and is not sent
 * again. One broadcast of a guest was a storm that filled the host.
 */
import { afterEach, expect, test } from 'vitest';
import { World } from './host-testbed.js';
import { overtap, settledStats } from './switch.js';
import { tapPort } from './topologies.js';
import { BROADCAST, tool } from './traffic.js';
import { makeGuest } from './two-hosts.js';

const FRAMES = 100;
const REMOTE = '192.0.2.2';

let world: World;

afterEach(() => world.cleanUp());

test.each([
  { trains: false, local: 'local: 192.0.2.1, ', workers: 1 },
  { trains: true, local: '', workers: 2 },
])('trains: $trains, { $local}, workers: $workers', async ({ trains, local, workers }) => {
  world = new World();
  const host = await world.netns('host');
  const guest = await makeGuest(world, 1);
  const bridges = `  br0:
    host_port: true
    addresses: [192.0.2.1/24]
    ports:
${tapPort('tap1', guest)}      vxlan0: { type: vxlan, ${local}id: 42, remotes: [${REMOTE}] }
workers: ${workers}
offloads: { udp_segment: ${trains} }
`;
  const sw = await world.startSwitch(host, 'host1', bridges);
  // The remote's MAC need not be asked for: each datagram goes out at once.
  await world.ip(host, `neighbour replace ${REMOTE} lladdr 02:00:00:00:ee:02 dev br0 nud permanent`);
  const before = await settledStats(sw);
  const sent = await world.exec(guest.netns, tool('frames', guest.ifname, BROADCAST, guest.mac, FRAMES, 500));
  expect(sent.status, sent.stderr).toBe(0);
  const { links } = await settledStats(sw);
  const grown = (link: string, word: 'rx_packets' | 'tx_packets' = 'tx_packets'): number =>
    links[link][word] - before.links[link][word];
  const refused = (links.vxlan0.drops.own_tunnel ?? 0) - (before.links.vxlan0.drops.own_tunnel ?? 0);
  // Each of the guest's frames is one datagram, which comes back once: to the guest, as to every local port, and no further.
  expect([grown('vxlan0'), grown('br0')]).toEqual([FRAMES, FRAMES]);
  expect([grown('tap1'), grown('br0', 'rx_packets')]).toEqual([refused, refused]);
  // Datagrams that left in one train come back in one superframe.
  if (!trains) expect(refused).toBe(FRAMES);
  else expect(refused).toBeGreaterThan(0);

  const told = sw.log().filter(({ remote }) => remote === REMOTE);
  expect(told.map(({ msg, bridge, port }) => [msg, bridge, port])).toEqual([
    [expect.stringMatching(/^the route to remote 192\.0\.2\.2 leads into bridge br0: .*own_tunnel/), 'br0', 'br0'],
  ]);
  const checked = await overtap('check', '-c', world.path('host1.yaml'));
  expect([checked.status, checked.stderr]).toEqual([
    0,
    expect.stringMatching(/remotes\[0\]: warning: 192\.0\.2\.2 is in the subnet of br0/),
  ]);
  const { stdout } = await overtap('-s', sw.control, 'doctor');
  expect(stdout).toMatch(/drops own_tunnel: .*on vxlan0/);
  expect(stdout).toMatch(/remotes\[0\]: 192\.0\.2\.2 is in the subnet of br0/);
});

/**
 * TCP between guests of two switches that a `qemu` or a `udp` port joins: superframes and unfinished checksums are made good before
 * the socket, tagged and untagged.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { expectReach, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { singlePort, tapPort, twoHosts } from './topologies.js';
import { expectBalance, expectTransfer, kernelPeer, MB, makeGuest, succeed, VNI } from './two-hosts.js';

const BYTES = long(100, 10) * MB;
const TRUNK = '[{ vid: 2 }, { vid: 3, pvid: true, untagged: true }]';

let world: World;
let host: string;

beforeEach(async () => {
  world = new World();
  host = await world.netns('host', { ipv6: true });
  await succeed(world, host, ['sysctl', '-qw', 'net.unix.max_dgram_qlen=512']);
});

afterEach(() => world.cleanUp());

const WAYS: Record<string, () => [string, string]> = {
  qemu: () => [`type: qemu, listen: ${world.path('s.net')}`, `type: qemu, connect: ${world.path('s.net')}`],
  udp: () => ends('127.0.0.1:10001', '127.0.0.1:10002'),
  'udp over IPv6': () => ends('[::1]:10001', '[::1]:10002'),
  'udp over unix sockets': () => ends(world.path('a.net'), world.path('b.net')),
};

function ends(one: string, other: string): [string, string] {
  return [`type: udp, local: "${one}", remote: "${other}"`, `type: udp, local: "${other}", remote: "${one}"`];
}

interface Row {
  way: string;
  tagged: boolean;
  offloads: boolean;
  workers: number;
}

const ROWS: Row[] = Object.keys(WAYS).flatMap((way) =>
  [false, true].flatMap((tagged) =>
    [true, false].map((offloads, i) => ({ way, tagged, offloads, workers: tagged === (i === 0) ? 2 : 1 })),
  ),
);

test.each(cases(ROWS, 3))('$way, tagged: $tagged, offloads: $offloads, $workers workers', async ({ way, ...row }) => {
  const { tagged, offloads, workers } = row;
  const guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
  const settings = `workers: ${workers}\n${offloads ? '' : 'offloads: { tso: false }\n'}`;
  const switches: RunningSwitch[] = [];
  for (const [i, port] of WAYS[way]().entries()) {
    // Untagged frames of VLAN 3 go tagged between the switches.
    const vlans = tagged ? '[{ vid: 2 }, { vid: 3 }]' : TRUNK;
    const bridge = `bridges:\n  br1:\n    vlan_filtering: true\n    ports:\n${tapPort('tap1', guests[i], TRUNK)}`;
    const far = `      far: { ${port}, vlans: ${vlans} }\n`;
    switches.push(await startWith(world, host, `sw${i}`, `${settings}${bridge}${far}`));
  }
  await expectReach(world, guests[0], guests[1]);
  const [one, other] = guests;
  await expectTransfer(
    world,
    one,
    other,
    BYTES,
    `${way}, tagged: ${tagged}, offloads: ${offloads}, ${workers} workers`,
  );
  await expectTransfer(world, other, one, BYTES, `${way}, back`);
  const [near, far] = await Promise.all(switches.map(async (sw) => (await settledStats(sw)).links.far));
  expect(far.rx_packets).toBeGreaterThan(BYTES / 1500);
  expect(near.rx_packets).toBeGreaterThan(BYTES / 1500);
  await expectBalance(...switches);
});

test.each(cases(['qemu', 'udp over unix sockets'], 1))(
  'between a vxlan device of the kernel and a guest behind %s: its superframes and partial checksums are made good',
  async (way) => {
    const [near, far] = await twoHosts(world);
    await succeed(world, near.netns, ['sysctl', '-qw', 'net.unix.max_dgram_qlen=512']);
    const guest = await makeGuest(world, 1);
    const peer = await kernelPeer(world, far, near.address, '198.18.0.9');
    const [one, other] = WAYS[way]();
    const sw = await startWith(
      world,
      near.netns,
      'vtep',
      `bridges:\n  br1:\n    ports:\n${singlePort(near.address, [far.address], VNI)}      far: { ${one} }\n`,
    );
    const behind = await startWith(
      world,
      near.netns,
      'behind',
      `bridges:\n  br1:\n    ports:\n${tapPort('tap1', guest)}      far: { ${other} }\n`,
    );
    await expectReach(world, guest, peer);
    await expectTransfer(world, peer, guest, BYTES, `kernel, vxlan, ${way}`);
    // The guest has an MTU of 1500 and is told of the tunnel's.
    await expectTransfer(world, guest, peer, BYTES, `${way}, vxlan, kernel`);
    // A superframe counts as one where it is split, and as its segments behind the socket.
    const { links } = await settledStats(behind);
    expect(links.far.rx_packets).toBeGreaterThan(BYTES / 1500);
    await expectBalance(sw, behind);
  },
);

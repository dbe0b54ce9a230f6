/**
 * TCP over an underlay that loses one datagram in a hundred: resent segments, gaps and acknowledgements out of turn meet
 * the splitting and merging of superframes. Every byte has to arrive all the same.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { type Guest, type Host, twoHosts } from './topologies.js';
import {
  type Column,
  expectTransfer,
  kernelPeer,
  loseOneInHundred,
  MB,
  makeGuest,
  setColumn,
  startPair,
  startSwitch,
  succeed,
} from './two-hosts.js';

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

type Peer = 'overtap' | 'kernel';

/** A guest behind overtap on the first host, and one behind the peer on the second. */
async function startEnds(hosts: [Host, Host], peer: Peer, settings = ''): Promise<[Guest, Guest]> {
  const guest = await makeGuest(world, 1);
  if (peer === 'overtap') {
    const other = await makeGuest(world, 2);
    await startPair(world, hosts, [[guest], [other]], [settings, settings]);
    return [guest, other];
  }
  await startSwitch(world, hosts[0], [hosts[1].address], [guest], settings);
  return [guest, await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.2')];
}

/** In column A superframes leave whole, unless that is switched off. */
const TRAINS = 'offloads: { tunnel_gso: false }';

/** Length of a transfer, in MB. */
const LENGTH = long(100, 40);

const pairs: { column: Column; peer: Peer; settings: string }[] = [
  { column: 'A', peer: 'overtap', settings: '' },
  { column: 'A', peer: 'overtap', settings: TRAINS },
  { column: 'B', peer: 'overtap', settings: '' },
  { column: 'A', peer: 'kernel', settings: '' },
  { column: 'B', peer: 'kernel', settings: '' },
  { column: 'A', peer: 'kernel', settings: TRAINS },
];
test.each(cases(pairs, 3))(
  `${LENGTH} MB each way with equal hashes: overtap and $peer, column $column, 1 % lost; $settings`,
  async (given) => {
    const { column, peer, settings } = given;
    const hosts = await twoHosts(world);
    await setColumn(world, hosts, column);
    const [guest, other] = await startEnds(hosts, peer, `${settings}\n`);
    const lost = await Promise.all(hosts.map(({ netns }) => loseOneInHundred(world, netns)));

    await expectTransfer(world, guest, other, LENGTH * MB, `1 % lost, column ${column}, overtap to ${peer}`);
    await expectTransfer(world, other, guest, LENGTH * MB, `1 % lost, column ${column}, ${peer} to overtap`);
    const counts = await Promise.all(lost.map((count) => count()));
    console.log(`datagrams lost on the way to each host: ${counts.join(', ')}`);
    for (const count of counts) expect(count).toBeGreaterThan(0);
  },
);

/**
 * Above, one loss takes what the kernel has in one piece there: a train on its way in. Here a router loses single datagrams
 * of plain network cards, and what arrives is merged across the gaps.
 */
test.each(cases<Peer>(['kernel', 'overtap'], 1))(
  `${LENGTH} MB each way with equal hashes: overtap and %s, 1 % of the single datagrams lost on a router`,
  async (peer) => {
    const { hosts, router } = await routedHosts();
    const [guest, other] = await startEnds(hosts, peer);
    const lost = await loseOneInHundred(world, router, 'forward');

    await expectTransfer(world, guest, other, LENGTH * MB, `1 % of the datagrams lost, overtap to ${peer}`);
    const there = await lost();
    await expectTransfer(world, other, guest, LENGTH * MB, `1 % of the datagrams lost, ${peer} to overtap`);
    const back = (await lost()) - there;
    console.log(`datagrams lost there and back: ${there}, ${back}`);
    // 100 MB are 71,000 datagrams: were trains lost in one piece, it would be some tens.
    for (const count of [there, back]) expect(count).toBeGreaterThan(4 * LENGTH);
  },
);

async function routedHosts(): Promise<{ hosts: [Host, Host]; router: string }> {
  const router = await world.netns('router');
  await succeed(world, router, ['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
  const add = async (number: number): Promise<Host> => {
    const host = { netns: await world.netns(`h${number}`), ifname: 'eth0', address: `10.9.${number}.2` };
    const far = { netns: router, ifname: `to${number}` };
    await world.veth(host, far);
    await world.address(host, `${host.address}/24`);
    await world.address(far, `10.9.${number}.1/24`);
    await world.ip(host.netns, `route add default via 10.9.${number}.1`);
    await succeed(world, router, ['ethtool', '-K', far.ifname, 'generic-receive-offload', 'off']);
    return host;
  };
  const hosts: [Host, Host] = [await add(1), await add(2)];
  await setColumn(world, hosts, 'B');
  return { hosts, router };
}

/**
 * Faults of the underlay: its link, its address, its device and the routes go and come back, remotes are not there, paths
 * take less, queues are full. The vxlan port says so where it can know, every lost frame has a reason, guests of the same
 * bridge lose nothing, and the tunnel carries again by itself.
 */
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import type { StatsAnswer } from '../../src/api/api.js';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { cases, long } from '../long.js';
import {
  dropped,
  expectInTime,
  Holdings,
  know,
  LinkWatch,
  statsOf,
  steadyPing,
  summary,
  timeToReach,
} from './faults-support.js';
import { World } from './host-testbed.js';
import { Bystanders, linkOf, startWith } from './live-support.js';
import { sniff } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, tapPort, threeHosts } from './topologies.js';
import { ping, udpStream } from './traffic.js';
import { kernelPeer, makeGuest, VNI } from './two-hosts.js';

/** Of the underlay's link, down and up. */
const FLAPS = long(1000);
const FLAPS_AT_ONCE = long(50, 25);
/** Numbered datagrams a second between guests of one bridge. */
const RATE = 1000;

let world: World;
/** The switch's, and those of two kernel peers; a router is in between. */
let hosts: [Host, Host, Host];
/** Bystanders, and the one that speaks with the peers. */
let guests: Guest[];
let peers: Guest[];
let sw: RunningSwitch;
let links: LinkWatch;
let holdings: Holdings;
let pair: Bystanders;
let before: StatsAnswer;
/** What single faults and their ends took, by what was waited for: of all of them together there is a usual time. */
const taken = new Map<string, number[]>();

afterAll(() => {
  for (const [what, times] of taken) {
    console.log(`${times.length} times until ${what}: ${summary(times)}`);
    expectInTime(times, what);
  }
});

beforeEach(async () => {
  world = new World();
  hosts = await threeHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2), await makeGuest(world, 3)];
  peers = [];
  for (const [number, host] of hosts.slice(1).entries()) {
    const peer = await kernelPeer(world, host, hosts[0].address, `198.18.0.${101 + number}`);
    const mac = `02:00:00:00:00:a${number}`;
    await world.ip(host.netns, `link set vx0 address ${mac}`);
    peers.push({ ...peer, mac });
  }
});

afterEach(async () => {
  await links?.stop();
  await world.cleanUp();
});

/**
 * A switch whose third guest has pinged both peers, and the bystanders' traffic.
 * @param more lines of the vxlan port, or of the guest's TAP
 */
async function start(more: { vxlan?: string; tap?: string; remotes?: string[] } = {}): Promise<void> {
  const { vxlan = '', tap = '', remotes = hosts.slice(1).map(({ address }) => address) } = more;
  const [one, two, guest] = guests;
  const bridges = plainBridge(
    tapPort('by0', one),
    tapPort('by1', two),
    tapPort('tap0', guest) + tap,
    `      vxlan0: { type: vxlan, local: ${hosts[0].address}, id: ${VNI}, remotes: [${remotes.join(', ')}]${vxlan} }\n`,
  );
  sw = await startWith(world, hosts[0].netns, 'host1', `bridges:\n${bridges}`);
  links = new LinkWatch(sw);
  for (const peer of peers) await timeToReach(world, guest, peer);
  // The peers' addresses do not have to be asked for, so that what is lost is what the test sends.
  for (const peer of peers) await know(world, guest.netns, guest.ifname, peer);
  holdings = Holdings.of(sw);
  pair = await Bystanders.begin(world, one, two, RATE);
  before = await statsOf(sw);
}

/** Expects that a single time is within bounds, and keeps it for the usual one. */
function inTime(ms: number, what: string): void {
  taken.set(what, [...(taken.get(what) ?? []), ms]);
  expectInTime(ms, what);
}

/** Expects that nobody else noticed, and that nothing is left. */
async function expectUnharmed(label: string): Promise<void> {
  await pair.expectAll();
  for (const peer of peers) await timeToReach(world, peer, guests[2]);
  // The kernel takes a second to call a device running that went up and down before.
  inTime(await links.until('vxlan0', 'UP'), 'the port says that it is up');
  await holdings.expectSame(label);
}

/** Pings of the third guest that nobody answers. @returns the statistics afterwards */
async function lose(to: Guest, count = 5): Promise<StatsAnswer> {
  const words = ['ping', '-n', '-c', String(count), '-i', '0.1', '-W', '0.3', to.address];
  const lost = await world.exec(guests[2].netns, words);
  expect(lost.stdout).toContain(' 0 received');
  return statsOf(sw);
}

/** Waits until the port is down with this reason, and that lost frames are counted under `reason`. */
async function expectDown(fault: RegExp, reason: string): Promise<void> {
  inTime(await links.until('vxlan0', 'DOWN'), 'the port says that it is down');
  expect((await links.row('vxlan0'))?.fault).toMatch(fault);
  const sofar = await statsOf(sw);
  const during = await lose(peers[0]);
  expect(dropped(during, reason) - dropped(sofar, reason)).toBeGreaterThanOrEqual(5);
  expect(during.links.vxlan0.tx_packets).toBe((await statsOf(sw)).links.vxlan0.tx_packets);
}

/** Ends a fault, and expects that both peers answer in time. */
async function recover(end: () => Promise<unknown>): Promise<void> {
  await end();
  const over = performance.now();
  inTime(await timeToReach(world, guests[2], peers[0], over), 'the first peer answers');
  inTime(await timeToReach(world, guests[2], peers[1], over), 'the second peer answers');
  inTime(await links.until('vxlan0', 'UP'), 'the port says that it is up');
}

const gateway = (words: string): Promise<string> => world.ip(hosts[0].netns, words);

/** What the kernel forgets when a link goes down or an address goes. */
const restoreRoute = (): Promise<string> => gateway('route replace default via 10.9.1.1');

/** The router's namespace, which the topology does not tell. */
function routerOf(): string {
  return hosts[0].netns.replace(/-h1$/, '-router');
}

test('link, cable, address and routes go and come back, one after the other', async () => {
  await start();
  await gateway('link set eth0 down');
  await expectDown(/no device that is up has the address 10\.9\.1\.2/, 'tx_error');
  await recover(async () => {
    await gateway('link set eth0 up');
    await restoreRoute();
  });

  const router = routerOf();
  await world.ip(router, 'link set to1 down');
  inTime(await links.until('vxlan0', 'DOWN'), 'the port says that it is down');
  await recover(() => world.ip(router, 'link set to1 up'));

  await gateway('address del 10.9.1.2/24 dev eth0');
  await expectDown(/no device that is up has the address 10\.9\.1\.2/, 'tx_error');
  await recover(async () => {
    await world.address(hosts[0], '10.9.1.2/24');
    await restoreRoute();
  });

  await gateway('route del default');
  await expectDown(/no route to any of its remotes/, 'tx_error');
  await recover(restoreRoute);
  await expectUnharmed('link, cable, address, routes');
});

test(`the link goes down and up ${FLAPS} times`, async () => {
  await start();
  const flap = 'link set eth0 down\nlink set eth0 up\nroute replace default via 10.9.1.1\n';
  const batch = world.file('flaps.batch', flap.repeat(FLAPS_AT_ONCE));
  const stream = steadyPing(world, guests[2].netns, peers[0].address, 200);
  const times: number[] = [];
  for (let number = 0; number < FLAPS / FLAPS_AT_ONCE; number++) {
    await gateway(`-batch ${batch}`);
    times.push(await timeToReach(world, guests[2], peers[0]));
    if (number === 2) holdings.warm();
  }
  console.log(`${FLAPS} flaps; recovery: ${summary(times)}`);
  expectInTime(times, 'the peer answers');
  await stream.stop('SIGKILL');
  await expectUnharmed('flaps');
});

test('the route to one remote says unreachable, prohibit or blackhole; the other one has its frames', async () => {
  await start();
  let lost = dropped(before, 'tx_error');
  for (const kind of ['unreachable', 'prohibit', 'blackhole']) {
    await gateway(`route add ${kind} ${hosts[1].address}`);
    const during = await lose(peers[0]);
    expect(dropped(during, 'tx_error') - lost, kind).toBeGreaterThanOrEqual(5);
    lost = dropped(during, 'tx_error');
    expect(await ping(world, guests[2].netns, peers[1].address)).toMatchObject({ received: 3 });
    expect((await linkOf(sw, 'vxlan0'))?.operstate).toBe('UP');
    await recover(() => gateway(`route del ${kind} ${hosts[1].address}`));
  }
  await expectUnharmed('routes that refuse');
});

test.each(cases(['', ', dev: eth0'], 1))(
  'the device is deleted and made again (vxlan port with "%s")',
  async (vxlan) => {
    await start({ vxlan });
    const router = routerOf();
    await gateway('link del eth0');
    await expectDown(vxlan === '' ? /has the address/ : /there is no device eth0/, 'tx_error');
    await recover(async () => {
      await world.veth(hosts[0], { netns: router, ifname: 'to1' });
      await world.address({ netns: router, ifname: 'to1' }, '10.9.1.1/24');
      await world.address(hosts[0], '10.9.1.2/24');
      await restoreRoute();
    });
    await expectUnharmed('device made again');
  },
);

test('the device is replaced at once by one of the same name and MAC', async () => {
  await start({ vxlan: ', dev: eth0' });
  const router = routerOf();
  const [{ address }] = await world.ipJson<{ address: string }[]>(hosts[0].netns, 'link show dev eth0');
  const words = [
    'link del eth0',
    `link add eth0 address ${address} type veth peer name to1 netns ${router}`,
    'link set eth0 up',
    'address add dev eth0 10.9.1.2/24',
    'route replace default via 10.9.1.1',
  ];
  await recover(async () => {
    await gateway(`-batch ${world.file('replace.batch', `${words.join('\n')}\n`)}`);
    await world.ip(router, 'link set to1 up');
    await world.address({ netns: router, ifname: 'to1' }, '10.9.1.1/24');
  });
  await expectUnharmed('device replaced');
});

test('a remote without a listener refuses; the others do not notice, and it is reached once it listens', async () => {
  await start();
  await world.ip(peers[0].netns, 'link set vx0 down');
  const refused = await sniff(world, hosts[0], 'icmp[icmptype] = icmp-unreach');
  await lose(peers[0]);
  await until('the remote refuses by ICMP', () => refused.packets.length > 0);
  expect(await ping(world, guests[2].netns, peers[1].address)).toMatchObject({ received: 3 });
  // The refusal of one remote says nothing of the port.
  expect((await linkOf(sw, 'vxlan0'))?.operstate).toBe('UP');
  await recover(() => world.ip(peers[0].netns, 'link set vx0 up'));
  await expectUnharmed('no listener');
});

test("the underlay's MTU is lowered: what does not fit is counted, never cut in pieces; and it is raised again", async () => {
  // The guest's NIC is told nothing, so that its frames are too big.
  await start({ tap: '        mtu: 1450\n' });
  const fragments = await sniff(world, hosts[0], 'ip[6:2] & 0x3fff != 0');
  const large = { size: 1400, count: 5 };
  expect(await ping(world, guests[2].netns, peers[0].address, large)).toMatchObject({ received: 5 });
  await gateway('link set eth0 mtu 1300');
  const lost = await ping(world, guests[2].netns, peers[0].address, { ...large, whole: true });
  expect(lost.received, lost.output).toBe(0);
  const during = await statsOf(sw);
  expect(dropped(during, 'mtu_exceeded') - dropped(before, 'mtu_exceeded')).toBeGreaterThan(0);
  expect(await ping(world, guests[2].netns, peers[0].address, { size: 1000 })).toMatchObject({ received: 3 });
  await gateway('link set eth0 mtu 1500');
  const over = performance.now();
  await until('a large frame passes', async () => {
    const words = ['ping', '-n', '-c', '1', '-W', '0.2', '-M', 'do', '-s', '1400', peers[0].address];
    // What the guest was told of the path it keeps for minutes: it is made to forget.
    await world.ip(guests[2].netns, 'route flush cache');
    return (await world.exec(guests[2].netns, words)).status === 0;
  });
  inTime(performance.now() - over, 'a large frame passes');
  expect(fragments.packets).toEqual([]);
  await expectUnharmed('a lower MTU');
});

test('a queue of the underlay is full: what finds no room is counted, guests of the bridge lose nothing', async () => {
  await start();
  const qdisc = (words: string): Promise<unknown> => world.exec(hosts[0].netns, ['tc', 'qdisc', ...words.split(' ')]);
  await qdisc('add dev eth0 root tbf rate 1mbit burst 32k limit 100mb');
  const stream = await udpStream(world, guests[2].netns, peers[0].address, 1400);
  const backpressure = async (): Promise<number> => dropped(await statsOf(sw), 'tx_backpressure');
  await until('frames find no room', async () => (await backpressure()) > 20_000);
  expect((await linkOf(sw, 'vxlan0'))?.operstate).toBe('UP');
  // It stays full until enough of the guests' datagrams have passed beside it.
  const passed = async (): Promise<number> => (await statsOf(sw)).links.by1.tx_packets;
  const [passedBefore, refusedBefore] = [await passed(), await backpressure()];
  await quietFor(1000);
  await until("the guests' datagrams pass", async () => (await passed()) > passedBefore + RATE / 4);
  expect(await backpressure()).toBeGreaterThan(refusedBefore);
  await stream.stop('SIGKILL');
  await recover(() => qdisc('del dev eth0 root'));
  await expectUnharmed('backpressure');
});

/**
 * Netdev ports: the ends of veth pairs, attached. What guests send arrives once, as they sent it, whatever carries it on: another
 * such port, a TAP or a tunnel, with the offloads of the guest's NIC on and off.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { expectReach, expectRefused, give, startWith } from './live-support.js';
import { type Sniffer, sniff } from './sniffer.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { filteringBridge, type Guest, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { inject, numbered, ping } from './traffic.js';
import { cabledGuest, expectBalance, expectTransfer, MB, makeGuest, succeed, VNI } from './two-hosts.js';

const FRAMES = 50;
/** None, 802.1Q with a priority, a priority tag, 802.1ad, and 802.1Q in 802.1ad. */
const TAGS = ['', '8100a00a', '8100e000', '88a80064', '88a860648100000a'];
const BYTES = long(100, 10) * MB;

let world: World;
let host: string;

beforeEach(async () => {
  world = new World();
  host = await world.netns('host');
});

afterEach(() => world.cleanUp());

const cabled = (number: number, port: string): Promise<Guest> => cabledGuest(world, host, number, port);

const OFFLOADS = ['tx', 'rx', 'tso', 'gso', 'gro', 'txvlan', 'rxvlan'];

/** Makes both ends of a cable plain: checksums, segments and tags are all done by the guest's stack. */
async function withoutOffloads({ netns, ifname }: Guest, port: string): Promise<void> {
  const off = OFFLOADS.flatMap((feature) => [feature, 'off']);
  await succeed(world, netns, ['ethtool', '-K', ifname, ...off]);
  await succeed(world, host, ['ethtool', '-K', port, ...off]);
}

const netdevPort = (port: string, more = ''): string => `      ${port}: { type: netdev${more} }\n`;

/** Hex of a frame of the experimental type with tags before it, numbered. */
function numberedFrame(to: string, from: Guest, tags: string, number: number, bytes = 50): string {
  const payload = Buffer.alloc(bytes);
  payload.writeUInt32BE(number);
  const macs = `${to}${from.mac}`.replaceAll(':', '');
  return `${macs}${tags}88b5${payload.toString('hex')}`;
}

/** Megabytes of a capture that holds all of them unread: 64 KiB each (see `sniff`), so that a capture that waits for a CPU loses none. */
const roomFor = (frames: readonly string[]): number => Math.ceil(frames.length / 8);

/**
 * Sends frames with each of these tags, and expects all of them at the other guest, once, with the same bytes, and in order where
 * one engine has them all: what is no IP has no flow that would keep it at one queue of a TAP.
 */
async function expectFrames(from: Guest, to: Guest, isOrdered: boolean): Promise<void> {
  const frames = TAGS.flatMap((tags) => Array.from({ length: FRAMES }, (_, i) => numberedFrame(to.mac, from, tags, i)));
  const wire = await sniff(world, to, `ether src ${from.mac}`, roomFor(frames));
  await inject(world, from, ...frames);
  await wire.rests(frames.length);
  await wire.stop();
  if (isOrdered) expect(bytesOf(wire)).toEqual(frames);
  else expect(bytesOf(wire).sort()).toEqual(frames.sort());
}

/** Frames of the tests' own type: nothing else begins with these. */
function bytesOf(wire: Sniffer): string[] {
  return wire.packets.map(({ hex }) => hex).filter((hex) => hex.includes('88b500'));
}

async function packetsOf(sw: RunningSwitch, port: string): Promise<{ rx: number; tx: number }> {
  const { rx_packets: rx, tx_packets: tx } = (await settledStats(sw)).links[port];
  return { rx, tx };
}

describe('each frame arrives once, as it was sent', () => {
  test.each(cases([2, 1], 1))('%i workers: netdev to netdev, and to a TAP and back', async (workers) => {
    const a = await cabled(1, 'p1');
    const b = await cabled(2, 'p2');
    const c = await makeGuest(world, 3);
    const ports = plainBridge(netdevPort('p1'), netdevPort('p2'), tapPort('tap3', c));
    const sw = await startWith(world, host, 'netdev', `workers: ${workers}\nbridges:\n${ports}`);
    expect(await sw.links()).toMatchObject([
      { ifname: 'br1' },
      { ifname: 'p1', type: 'netdev', operstate: 'UP', mtu: 1500 },
      { ifname: 'p2', type: 'netdev', operstate: 'UP', mtu: 1500 },
      { ifname: 'tap3' },
    ]);
    for (const guest of [a, b, c]) await give(sw, `fdb add ${guest.mac} dev ${portOf(guest, c)} master static`);
    const before = [await packetsOf(sw, 'p1'), await packetsOf(sw, 'p2')];
    await expectFrames(a, b, workers === 1);
    await expectFrames(b, c, workers === 1);
    await expectFrames(c, a, workers === 1);
    const sent = FRAMES * TAGS.length;
    const [p1, p2] = [await packetsOf(sw, 'p1'), await packetsOf(sw, 'p2')];
    expect(p1).toEqual({ rx: before[0].rx + sent, tx: before[0].tx + sent });
    expect(p2).toEqual({ rx: before[1].rx + sent, tx: before[1].tx + sent });
    await expectBalance(sw);
  });

  const portOf = (guest: Guest, tap: Guest): string => (guest === tap ? 'tap3' : `p${guest.address.slice(-1)}`);

  test('on a filtering bridge: VLANs by the tag, and a tag that the port does not have', async () => {
    const a = await cabled(1, 'p1');
    const b = await cabled(2, 'p2');
    const trunk = ', vlans: [{ vid: 10 }, { vid: 5, pvid: true, untagged: true }]';
    const access = ', vlans: [{ vid: 10, pvid: true, untagged: true }]';
    const lines = `bridges:\n${filteringBridge(netdevPort('p1', trunk), netdevPort('p2', access))}`;
    const sw = await startWith(world, host, 'netdev', lines);
    const wire = await sniff(world, b, `ether src ${a.mac}`);
    const frame = (tags: string, number: number): string => numberedFrame(b.mac, a, tags, number);
    await inject(world, a, frame('8100000a', 1), frame('', 2), frame('8100000b', 3), frame('8100a000', 4));
    await wire.rests(1);
    expect(bytesOf(wire)).toEqual([frame('', 1)]);
    const back = await sniff(world, a, `ether src ${b.mac}`);
    await inject(world, b, numberedFrame(a.mac, b, '', 5));
    await back.rests(1);
    expect(bytesOf(back)).toEqual([numberedFrame(a.mac, b, '8100000a', 5)]);
    expect((await settledStats(sw)).links.p1.drops).toMatchObject({ vlan_not_allowed: 1 });
    await expectBalance(sw);
  });
});

test('frames that are longer than a slot of the ring keep their places among the others', async () => {
  const a = await cabled(1, 'p1');
  const b = await cabled(2, 'p2');
  for (const { netns, ifname } of [a, b]) await world.ip(netns, `link set ${ifname} mtu 9000`);
  for (const port of ['p1', 'p2']) await world.ip(host, `link set ${port} mtu 9000`);
  const sw = await startWith(world, host, 'netdev', `bridges:\n${plainBridge(netdevPort('p1'), netdevPort('p2'))}`);
  await give(sw, `fdb add ${b.mac} dev p2 master static`);
  const length = (number: number): number => [50, 1500, 1525, 5000, 8900][((number * number) % 7) % 5];
  const frames = Array.from({ length: 150 }, (_, i) => numberedFrame(b.mac, a, TAGS[i % TAGS.length], i, length(i)));
  const wire = await sniff(world, b, `ether src ${a.mac}`, roomFor(frames));
  await inject(world, a, ...frames);
  await wire.rests(frames.length);
  await wire.stop();
  // The sniffer keeps the beginning of a frame.
  const heads = (all: readonly string[]): string[] => all.map((hex) => hex.slice(0, 80));
  expect(heads(bytesOf(wire))).toEqual(heads(frames));
  await expectBalance(sw);
});

describe('TCP, with equal hashes', () => {
  test.each(
    cases(
      [
        { offloads: 'on', workers: 1, ring: true },
        { offloads: 'off', workers: 1, ring: true },
        { offloads: 'off', workers: 2, ring: false },
        { offloads: 'on', workers: 2, ring: false },
      ],
      2,
    ),
  )('offloads $offloads, $workers workers, ring $ring: netdev, TAP and tunnel', async ({ offloads, workers, ring }) => {
    const [one, two] = await twoHosts(world);
    host = one.netns;
    const a = await cabled(1, 'p1');
    const b = await cabled(2, 'p2');
    const c = await makeGuest(world, 3);
    const d = await makeGuest(world, 4);
    if (offloads === 'off') await Promise.all([withoutOffloads(a, 'p1'), withoutOffloads(b, 'p2')]);
    const tunnel = (local: string, remote: string): string => singlePort(local, [remote], VNI);
    const ports = [netdevPort('p1'), netdevPort('p2'), tapPort('tap3', c)];
    const here = plainBridge(...ports, tunnel(one.address, two.address));
    const there = plainBridge(tapPort('tap4', d), tunnel(two.address, one.address));
    for (const guest of [a, b]) await world.ip(guest.netns, 'link set eth0 mtu 1450');
    const sw = await startWith(
      world,
      one.netns,
      'one',
      `workers: ${workers}\noffloads: { packet_ring: ${ring} }\nbridges:\n${here}`,
    );
    const other = await startWith(world, two.netns, 'two', `workers: ${workers}\nbridges:\n${there}`);
    const label = (way: string): string => `${way}, offloads ${offloads}, ${workers} workers`;
    await expectTransfer(world, a, b, BYTES, label('netdev to netdev'));
    await expectTransfer(world, a, c, BYTES, label('netdev to TAP'));
    await expectTransfer(world, c, a, BYTES, label('TAP to netdev'));
    await expectTransfer(world, a, d, BYTES, label('netdev to tunnel'));
    await expectTransfer(world, d, a, BYTES, label('tunnel to netdev'));
    const { links } = await settledStats(sw);
    expect(links.p1.drops ?? {}).not.toHaveProperty('offload_invalid');
    await expectBalance(sw, other);
  });

  test.each(cases(['qemu', 'udp'], 1))('by a pair of %s ports between two bridges', async (kind) => {
    const a = await cabled(1, 'p1');
    const b = await cabled(2, 'p2');
    const socket = world.path('pair.sock');
    const ends =
      kind === 'qemu'
        ? [`listen: ${socket}`, `connect: ${socket}`]
        : [
            'local: "127.0.0.1:10001", remote: "127.0.0.1:10002"',
            'local: "127.0.0.1:10002", remote: "127.0.0.1:10001"',
          ];
    const [near, far] = ends.map((end, at) => `      end${at}: { type: ${kind}, ${end} }\n`);
    const two = `  br2:\n    ports:\n${netdevPort('p2')}${far}`;
    const sw = await startWith(world, host, 'netdev', `bridges:\n${plainBridge(netdevPort('p1'), near)}${two}`);
    await until('the ends are joined', async () => (await sw.links()).every(({ operstate }) => operstate === 'UP'));
    await expectTransfer(world, a, b, BYTES, `netdev to netdev by ${kind}`);
    await expectTransfer(world, b, a, BYTES, `netdev to netdev by ${kind}, back`);
    await expectBalance(sw);
  });

  test('in a VLAN of the guests, tagged on both cables', async () => {
    const a = await cabled(1, 'p1');
    const b = await cabled(2, 'p2');
    const trunk = ', vlans: [{ vid: 10 }]';
    const c = await makeGuest(world, 3);
    const access = '[{ vid: 10, pvid: true, untagged: true }]';
    const ports = [netdevPort('p1', trunk), netdevPort('p2', `, vlans: ${access}`), tapPort('tap3', c, access)];
    const lines = `bridges:\n${filteringBridge(...ports)}`;
    const sw = await startWith(world, host, 'netdev', lines);
    // This kernel may lack 8021q: the tag is put on at the guest's side by a switch of its own, which has a trunk too.
    const inside = await makeGuest(world, 5);
    const within = filteringBridge(netdevPort('eth0', trunk), tapPort('tap5', inside, access));
    const inner = await startWith(world, a.netns, 'inner', `bridges:\n${within}`);
    await expectTransfer(world, inside, b, BYTES, 'tagged netdev to netdev');
    await expectTransfer(world, b, inside, BYTES, 'netdev to tagged netdev');
    await expectTransfer(world, c, inside, BYTES, 'TAP to tagged netdev');
    await expectBalance(sw, inner);
  });
});

describe("a tunnel of the guests' own kernels", () => {
  /** Superframes of its TCP reach the port whole, with headers of which the virtio-net header says nothing. */
  test.each(
    cases(
      [
        { over: 'IPv6', more: 'udpcsum', local: (n: number) => `2001:db8::${n}` },
        { over: 'IPv4', more: 'udpcsum', local: (n: number) => `198.18.0.${n}` },
        { over: 'IPv4 without checksums', more: 'noudpcsum', local: (n: number) => `198.18.0.${n}` },
      ],
      1,
    ),
  )('vxlan over $over: it is segmented, with all checksums', async ({ more, local }) => {
    const a = await cabled(1, 'p1');
    const b = await cabled(2, 'p2');
    const c = await makeGuest(world, 3);
    const ports = plainBridge(netdevPort('p1'), netdevPort('p2'), tapPort('tap3', c));
    const sw = await startWith(world, host, 'netdev', `bridges:\n${ports}`);
    const inside = async (guest: Guest, number: number, other: number): Promise<Guest> => {
      await succeed(world, guest.netns, ['sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=0']);
      await world.ip(guest.netns, `address add 2001:db8::${number}/64 dev ${guest.ifname} nodad`);
      const ends = `local ${local(number)} remote ${local(other)}`;
      await world.ip(guest.netns, `link add vx0 mtu 1400 type vxlan id 7 ${ends} dstport 4789 ${more}`);
      await world.ip(guest.netns, 'link set vx0 up');
      const inner = { ...guest, ifname: 'vx0', address: `198.19.0.${number}` };
      await world.address(inner, `${inner.address}/24`);
      return inner;
    };
    const [inA, inB] = [await inside(a, 1, 2), await inside(b, 2, 1)];
    await expectReach(world, inA, inB);
    const before = await packetsOf(sw, 'p2');
    await expectTransfer(world, inA, inB, BYTES, `a tunnel over netdev (${more})`);
    const { links } = await settledStats(sw);
    // As many frames as there are segments: the kernel's counters of the receiver agree that none was wrong.
    expect(links.p2.tx_packets - before.tx).toBeGreaterThanOrEqual(Math.ceil(BYTES / 1400));
    expect(links.p1.drops ?? {}).toEqual({});
    const snmp = await succeed(world, b.netns, ['cat', '/proc/net/snmp', '/proc/net/snmp6']);
    expect(snmp).toMatch(/Udp6InCsumErrors\s+0\n/);
    expect(columnsOf(snmp, 'Udp').InCsumErrors).toBe(0);
    expect(columnsOf(snmp, 'Tcp').InCsumErrors).toBe(0);
    await expectBalance(sw);
  });

  /** The counters of a protocol in /proc/net/snmp. */
  function columnsOf(text: string, protocol: string): Record<string, number> {
    const rows = text.split('\n').filter((line) => line.startsWith(`${protocol}: `));
    const [names, values] = rows.map((line) => line.split(' '));
    return Object.fromEntries(names.map((name, i) => [name, Number(values[i])]));
  }
});

test('several engines share the flows: no datagram twice, and none late', async () => {
  const a = await cabled(1, 'p1');
  const b = await cabled(2, 'p2');
  const lines = `workers: 2\nbridges:\n${plainBridge(netdevPort('p1'), netdevPort('p2'))}`;
  const sw = await startWith(world, host, 'netdev', lines);
  await expectReach(world, a, b);
  const count = long(20_000, 4000);
  const { sent, received } = await numbered(world, a.netns, b.netns, b.address, { flows: 16, count });
  expect(received).toMatchObject({ received: sent.sent, twice: 0, late: 0, flows: 16 });
  await expectBalance(sw);
});

describe("the host's stack", () => {
  const HOST = '198.18.0.254';

  async function answers(from: Guest): Promise<number> {
    return (await ping(world, from.netns, HOST, { count: 2 })).received;
  }

  /** A guest that was not answered asks for the MAC again after a while. */
  async function expectAnswers(from: Guest): Promise<void> {
    await until('the host answers', async () => (await answers(from)) === 2);
  }

  const isEntry =
    (wanted: string) =>
    ({ mac, state }: { mac: string; state: string }): boolean =>
      mac === wanted && state === 'permanent';

  test('is silent while the port is there, unless that is not wanted; after kill -9 it answers again', async () => {
    const a = await cabled(1, 'p1');
    const b = await cabled(2, 'p2');
    await world.ip(host, `address add ${HOST}/24 dev p1`);
    expect(await answers(a)).toBe(2);
    const lines = (host: string): string => `bridges:\n${plainBridge(netdevPort('p1', host), netdevPort('p2'))}`;
    const sw = await startWith(world, host, 'netdev', lines(''));
    expect(await answers(a)).toBe(0);
    await expectReach(world, a, b);
    const file = (option: string): string =>
      world.file('next.yaml', `name: netdev\ncontrol: ${world.control('netdev')}\n${lines(option)}`);
    await give(sw, `apply -c ${file(', host: true')}`);
    // What is the host's is flooded to no guest, also when the interface gets another MAC.
    const wire = await sniff(world, b, 'icmp and not dst 198.18.0.2');
    await expectAnswers(a);
    await world.ip(host, 'link set p1 address 02:00:00:00:00:77');
    await world.ip(a.netns, 'neigh flush all');
    await until('the entry has followed', async () => (await sw.fdb()).some(isEntry('02:00:00:00:00:77')));
    await expectAnswers(a);
    await wire.rests();
    await wire.stop();
    expect(wire.packets).toEqual([]);
    await expectReach(world, a, b);
    await give(sw, `apply -c ${file('')}`);
    expect(await answers(a)).toBe(0);
    await give(sw, 'link del p1');
    await expectAnswers(a);
    await give(sw, 'link add p1 master br1 type netdev');
    expect(await answers(a)).toBe(0);
    const { ended } = await sw.stop('SIGKILL');
    expect(ended.signal).toBe('SIGKILL');
    await expectAnswers(a);
    const [{ promiscuity }] = await world.ipJson<{ promiscuity: number }[]>(host, '-d link show dev p1');
    expect(promiscuity).toBe(0);
  });

  test('is not cut off from the network without being asked twice', async () => {
    const a = await cabled(1, 'p1');
    await world.ip(host, `address add ${HOST}/24 dev p1`);
    await world.ip(host, `route add default via ${a.address}`);
    const lines = (option: string): string => `bridges:\n${plainBridge(netdevPort('p1', option))}`;
    const config = world.file('cut.yaml', `name: cut\ncontrol: ${world.control('cut')}\n${lines('')}`);
    const refused = await world.refusedSwitch(host, config);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/p1: .*default route of this host.*host: true.*force: true/);
    const sw = await startWith(world, host, 'netdev', `bridges:\n  br1: {}\n`);
    await expectRefused(sw, 'link add p1 master br1 type netdev', /default route of this host/);
    await give(sw, 'link add p1 master br1 type netdev host on');
    expect(await answers(a)).toBe(2);
    await give(sw, 'link del p1', 'link add p1 master br1 type netdev force on');
    expect(await answers(a)).toBe(0);
    await give(sw, 'link del p1');
    await world.ip(host, 'link add bond0 type bridge');
    await world.ip(host, 'link set bond0 up');
    await world.ip(host, 'link set p1 master bond0');
    await world.ip(host, 'route del default');
    await world.ip(host, 'route add default dev bond0');
    await expectRefused(sw, 'link add p1 master br1 type netdev', /part of bond0/);
  });
});

test('what cannot be attached is refused, with the reason', async () => {
  await cabled(1, 'p1');
  const sw = await startWith(world, host, 'netdev', `bridges:\n${plainBridge(netdevPort('p1'))}`);
  await expectRefused(sw, 'link add p9 master br1 type netdev', /no such interface/);
  await expectRefused(sw, 'link add x master br1 type netdev ifname p1', /NIC of .*p1/);
  await expectRefused(sw, 'link add lo master br1 type netdev', /Ethernet/);
  await expectRefused(sw, 'link add t master br1 type tap ifname p1', /NIC of .*p1/);
  await expectRefused(sw, 'link add t master br1 type netdev netns nosuch', /namespace/);
});

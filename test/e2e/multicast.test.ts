/**
 * The underlay's multicast mode against the kernel's vxlan device: no remote is configured anywhere, the group carries what
 * has no single destination, and who is behind it is learned. Groups are joined and left as ports come and go.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { expectBalanced, expectInTime, LinkWatch, timeToReach } from './faults-support.js';
import { type End, World } from './host-testbed.js';
import { expectNoReach, expectReach, give, linkOf, startWith } from './live-support.js';
import {
  connect,
  type Family,
  GROUPS,
  joinsOn,
  kernelDevice,
  onWire,
  outerOf,
  twoHostsOf,
} from './multicast-support.js';
import { experimentalText, sniff } from './sniffer.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, tapPort } from './topologies.js';
import { BROADCAST, experimentalFrame, inject } from './traffic.js';
import { expectBalance, expectTransfer, MB, makeGuest } from './two-hosts.js';

const VNI = 42;

let world: World;
let hosts: [Host, Host];
let guests: Guest[];

afterEach(() => world.cleanUp());

const families: readonly Family[] = [4, 6];

describe.each(families.map((family) => ({ family })))('IPv$family', ({ family }) => {
  const [group, other] = GROUPS[family];
  /** Of tests that have one family in the short run. */
  const one = cases(families, 1).filter((each) => each === family);

  beforeEach(async () => {
    world = new World();
    hosts = await twoHostsOf(world, family);
    guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
  });

  /** YAML of a vxlan port in the group. */
  const groupPort = (name: string, id: number): string =>
    `      ${name}: { type: vxlan, id: ${id}, group: "${group}", dev: eth0, local: "${hosts[0].address}" }\n`;

  const peerOf = (id = VNI, to = group, into?: string): Promise<Guest> => {
    const place = { id, to: `group ${to} dev eth0`, addresses: ['198.18.0.9/24'] };
    return kernelDevice(world, hosts[1], into === undefined ? place : { ...place, into });
  };

  function start(bridges: string, workers = 1): Promise<RunningSwitch> {
    return startWith(world, hosts[0].netns, 'host1', `workers: ${workers}\nbridges:\n${bridges}`);
  }

  /**
   * Who asks for a MAC while nobody can hear it asks again after 100 ms, in place of a second: what is timed is the switch.
   * The guests speak IPv4 on either underlay.
   */
  async function askOften(underlay: readonly End[], overlay: readonly End[]): Promise<void> {
    const set = ({ netns, ifname }: End, table: string): Promise<string> =>
      world.ip(netns, `ntable change name ${table} dev ${ifname} retrans 100`);
    for (const end of underlay) await set(end, family === 4 ? 'arp_cache' : 'ndisc_cache');
    for (const end of overlay) await set(end, 'arp_cache');
  }

  test.each(family === 4 ? cases([{ workers: 2 }, { workers: 1 }], 1) : [{ workers: 1 }])(
    'ping and TCP both ways, the group for what is flooded and the learned VTEP for the rest; workers: $workers',
    async ({ workers }) => {
      const peer = await peerOf();
      const sw = await start(plainBridge(tapPort('tap0', guests[0]), groupPort('vxlan0', VNI)), workers);
      // Pings that are sent at once may leave as one superframe, which a capture would count once, and as a long one.
      await world.cutTrains(hosts[0]);
      const sniffer = await sniff(world, hosts[0], 'udp dst port 4789 and less 200');
      await expectReach(world, guests[0], peer);
      await expectReach(world, peer, guests[0]);
      expect(await sw.fdb()).toContainEqual(
        expect.objectContaining({ mac: peer.mac, ifname: 'vxlan0', dst: hosts[1].address, state: 'dynamic' }),
      );
      const own = (isFlooded: boolean): ReturnType<typeof outerOf>[] =>
        sniffer.packets
          .map(outerOf)
          .filter(({ source, inner }) => source === onWire(hosts[0].address) && ((inner[0] & 1) === 1) === isFlooded);
      // Two pings, and two answers; a capture may tell of them late.
      await until('its own pings and answers were captured', () => own(false).length >= 4);
      const [flooded, unicast] = [own(true), own(false)];
      expect(flooded.length).toBeGreaterThan(0);
      for (const outer of flooded) expect(outer).toMatchObject({ destination: onWire(group), ttl: 1, vni: VNI });
      for (const outer of unicast)
        expect(outer).toMatchObject({ destination: onWire(hosts[1].address), ttl: 64, vni: VNI });
      await world.cutTrains(hosts[0], false);
      for (const [from, to] of [
        [guests[0], peer],
        [peer, guests[0]],
      ])
        await expectTransfer(world, from, to, 20 * MB, `group ${group}, ${from === peer ? 'from' : 'to'} the kernel`);
      // The guest's NIC got its MTU without anyone's doing.
      const [nic] = await world.ipJson<{ mtu: number }[]>(guests[0].netns, 'link show dev eth0');
      expect(nic.mtu).toBe(family === 4 ? 1450 : 1430);
      await expectBalance(sw);
    },
  );

  test.each(one)('nothing of its own comes back: no frame twice, no guest behind the tunnel', async () => {
    const sw = await start(
      plainBridge(tapPort('tap0', guests[0]), tapPort('tap1', guests[1]), groupPort('vxlan0', VNI)),
    );
    const peer = await peerOf();
    await expectReach(world, guests[0], peer);
    const seen = await sniff(world, guests[1], 'ether proto 0x88b5');
    const before = (await sw.stats()).links.vxlan0;
    const texts = Array.from({ length: 20 }, (_, number) => `frame ${number}`);
    const frame = { destination: BROADCAST, source: guests[0].mac };
    await inject(world, guests[0], ...texts.map((text) => experimentalFrame({ ...frame, text })));
    await seen.sees('frame 19');
    await quietFor();
    for (const text of texts) expect(seen.experimental(text).length, text).toBe(1);
    const after = (await sw.stats()).links.vxlan0;
    expect(after.tx_packets - before.tx_packets).toBeGreaterThanOrEqual(20);
    // The peer may have something to say of its own accord; twenty frames it has not.
    expect(after.rx_packets - before.rx_packets).toBeLessThan(5);
    expect((await sw.fdb()).filter(({ mac }) => mac === guests[0].mac).map(({ ifname }) => ifname)).toEqual(['tap0']);
  });

  test.each(one)('VNIs on one group share the join, and each has its own frames; SIGTERM leaves', async () => {
    // Both guests have one address: whose peer answers tells the VNI.
    const twin = { ...guests[1], address: guests[0].address };
    const bridges =
      plainBridge(tapPort('tap0', guests[0]), groupPort('vxlan0', VNI)) +
      plainBridge(tapPort('tap1', twin), groupPort('vxlan1', VNI + 1)).replace('br1', 'br2');
    const sw = await start(bridges);
    expect(joinsOn(sw, group)).toBe(1);
    const peers = [await peerOf(VNI), await peerOf(VNI + 1, group, await world.netns('far'))];
    const eyes = await Promise.all(peers.map((peer) => sniff(world, peer, 'ether proto 0x88b5')));
    await world.cutTrains(hosts[0]);
    const wire = await sniff(world, hosts[0], 'udp dst port 4789 and less 200');
    for (const [number, guest] of [guests[0], twin].entries()) {
      const text = `of ${VNI + number}`;
      await inject(world, guest, experimentalFrame({ destination: BROADCAST, source: guest.mac, text }));
      await eyes[number].sees(text);
      await until('it is on the wire', () =>
        wire.packets.map(outerOf).some(({ inner }) => experimentalText(inner) === text),
      );
    }
    // And the other way: a frame of each peer to the guest of its VNI.
    const own = await Promise.all([guests[0], twin].map((guest) => sniff(world, guest, 'ether proto 0x88b5')));
    for (const [number, peer] of peers.entries()) {
      const text = `to ${VNI + number}`;
      await inject(world, peer, experimentalFrame({ destination: BROADCAST, source: peer.mac, text }));
      await own[number].sees(text);
    }
    await quietFor();
    for (const number of [0, 1]) {
      expect(eyes[number].experimental(`of ${VNI + number}`).length).toBe(1);
      expect(eyes[number].experimental(`of ${VNI + 1 - number}`).length).toBe(0);
      expect(own[number].experimental(`to ${VNI + number}`).length).toBe(1);
      expect(own[number].experimental(`to ${VNI + 1 - number}`).length).toBe(0);
      const sent = wire.packets.map(outerOf).filter(({ inner }) => experimentalText(inner) === `of ${VNI + number}`);
      expect(sent).toEqual([expect.objectContaining({ vni: VNI + number, destination: onWire(group), ttl: 1 })]);
    }

    // The first that goes does not take the other's join along.
    await give(sw, 'link del vxlan0');
    expect(joinsOn(sw, group)).toBe(1);
    await expectReach(world, twin, peers[1]);
    await give(sw, 'link del vxlan1');
    expect(joinsOn(sw, group)).toBe(0);
    const vxlan = `type vxlan id ${VNI} group ${group} dev eth0 local ${hosts[0].address}`;
    await give(sw, `link add vxlan0 master br1 ${vxlan}`);
    expect(joinsOn(sw, group)).toBe(1);

    // Another program keeps the namespace in sight once the switch has gone.
    const [{ pid }] = [world.spawn(hosts[0].netns, ['sleep', '60'])];
    await until('it is there', () => joinsAt(pid) === 1);
    const { ended } = await sw.stop();
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    expect(joinsAt(pid)).toBe(0);
    function joinsAt(at: number): number {
      return joinsOn({ program: { pid: at } } as RunningSwitch, group);
    }
  });

  test.each(one)('the group is changed while the switch runs', async () => {
    const sw = await start(
      plainBridge(tapPort('tap0', guests[0]), tapPort('tap1', guests[1]), groupPort('vxlan0', VNI)),
    );
    const peer = await peerOf(VNI, other);
    await expectNoReach(world, guests[0], peer);
    await give(sw, `link set vxlan0 type vxlan group ${other}`);
    expect([joinsOn(sw, group), joinsOn(sw, other)]).toEqual([0, 1]);
    expect(await linkOf(sw, 'vxlan0')).toMatchObject({ operstate: 'UP', group: other, dev: 'eth0' });
    await expectReach(world, guests[0], peer);
    await expectReach(world, peer, guests[1]);
    expectBalanced(await settledStats(sw));
  });

  async function expectManyVnis(): Promise<void> {
    const vlans = [{ vid: '2-3', tunnel_info: `${VNI}-${VNI + 1}` }];
    const access = (vid: number): string => `        vlans: [{ vid: ${vid}, pvid: true, untagged: true }]\n`;
    const port = { type: 'vxlan', vlan_tunnel: true, vlans, group, dev: 'eth0', local: hosts[0].address };
    const twin = { ...guests[1], address: guests[0].address };
    const sw = await start(
      `  br1:\n    vlan_filtering: true\n    ports:\n${tapPort('tap0', guests[0])}${access(2)}${tapPort('tap1', twin)}${access(3)}` +
        `      vxlan0: ${JSON.stringify(port)}\n`,
    );
    expect(joinsOn(sw, group)).toBe(1);
    const far = { id: VNI + 1, to: `group ${group} dev eth0`, addresses: ['198.18.0.10/24'] };
    const peers = [await peerOf(VNI), await kernelDevice(world, hosts[1], { ...far, into: await world.netns('far') })];
    await expectReach(world, guests[0], peers[0]);
    await expectReach(world, twin, peers[1]);
    await expectNoReach(world, guests[0], peers[1]);
    await expectNoReach(world, twin, peers[0]);
  }

  test('a group of each VNI, given while the switch runs: joined, flooded to, and left', async () => {
    const vlans = [{ vid: '2-3', tunnel_info: `${VNI}-${VNI + 1}` }];
    const access = (vid: number): string => `        vlans: [{ vid: ${vid}, pvid: true, untagged: true }]\n`;
    const port = { type: 'vxlan', vlan_tunnel: true, vlans, dev: 'eth0', local: hosts[0].address };
    const twin = { ...guests[1], address: guests[0].address };
    const sw = await start(
      `  br1:\n    vlan_filtering: true\n    ports:\n${tapPort('tap0', guests[0])}${access(2)}${tapPort('tap1', twin)}${access(3)}` +
        `      vxlan0: ${JSON.stringify(port)}\n`,
    );
    const far = { id: VNI + 1, to: `group ${other} dev eth0`, addresses: ['198.18.0.10/24'] };
    const peers = [await peerOf(VNI), await kernelDevice(world, hosts[1], { ...far, into: await world.netns('far') })];
    await give(sw, `vni add dev vxlan0 vni ${VNI} group ${group}`, `vni add dev vxlan0 vni ${VNI + 1} group ${other}`);
    expect([joinsOn(sw, group), joinsOn(sw, other)]).toEqual([1, 1]);
    await expectReach(world, guests[0], peers[0]);
    await expectReach(world, peers[1], twin);
    await expectNoReach(world, guests[0], peers[1]);
    const [row] = JSON.parse(await give(sw, 'vni show dev vxlan0 -d --json'));
    expect(row.vnis.map(({ vni, group: own }: { vni: number; group: string }) => [vni, own])).toEqual([
      [VNI, group],
      [VNI + 1, other],
    ]);
    for (const { stats } of row.vnis) {
      expect(stats.rx_pkts).toBeGreaterThan(0);
      expect(stats.tx_pkts).toBeGreaterThan(0);
    }
    await give(sw, `vni add dev vxlan0 vni ${VNI + 1}`);
    expect([joinsOn(sw, group), joinsOn(sw, other)]).toEqual([1, 0]);
    await expectReach(world, guests[0], peers[0]);
    await give(sw, `vni del dev vxlan0 vni ${VNI}`);
    expect(joinsOn(sw, group)).toBe(0);
    expectBalanced(await settledStats(sw));
  });

  // What the port does with its VNIs does not depend on the outer header.
  if (family === 4) test('a tunnel port with many VNIs, on a filtering bridge', expectManyVnis);

  test('the device of the group is deleted and made again: it is joined again, and frames pass in time', async () => {
    const sw = await start(
      plainBridge(tapPort('tap0', guests[0]), tapPort('tap1', guests[1]), groupPort('vxlan0', VNI)),
    );
    const links = new LinkWatch(sw);
    try {
      await peerOf();
      await world.ip(hosts[0].netns, 'link del eth0');
      expectInTime(await links.until('vxlan0', 'DOWN'), 'the port says that it is down');
      expect((await links.row('vxlan0'))?.fault).toMatch(/there is no device eth0/);
      await expectReach(world, guests[0], guests[1]);
      await connect(world, hosts);
      const over = performance.now();
      const peer = await kernelAgain();
      await askOften(hosts, [guests[0], peer]);
      expectInTime(await timeToReach(world, guests[0], peer, over), 'the peer answers');
      await links.until('vxlan0', 'UP');
      expect(joinsOn(sw, group)).toBe(1);
      await expectReach(world, peer, guests[1]);
    } finally {
      await links.stop();
    }
  });

  /** The peer's device went with the cable that it was made for, or is deaf on it. */
  async function kernelAgain(): Promise<Guest> {
    await world.exec(hosts[1].netns, ['ip', 'link', 'del', `vx${VNI}`]);
    return peerOf();
  }

  test.each(one)('the device is replaced at once by one of the same MAC: it is joined again', async () => {
    const sw = await start(plainBridge(tapPort('tap0', guests[0]), groupPort('vxlan0', VNI)));
    await peerOf();
    const [{ address }] = await world.ipJson<{ address: string }[]>(hosts[0].netns, 'link show dev eth0');
    const far = `peer name eth0 netns ${hosts[1].netns}`;
    const words = ['link del eth0', `link add eth0 address ${address} type veth ${far}`, 'link set eth0 up'];
    const own = `${hosts[0].address}/${family === 4 ? '24' : '64 nodad'}`;
    const batch = [...words, `address add dev eth0 ${own}`].join('\n');
    await world.ip(hosts[0].netns, `-batch ${world.file('replace.batch', `${batch}\n`)}`);
    await world.ip(hosts[1].netns, 'link set eth0 up');
    await world.address(hosts[1], `${hosts[1].address}/${family === 4 ? 24 : 64}`);
    const over = performance.now();
    const peer = await kernelAgain();
    await askOften(hosts, [guests[0], peer]);
    expectInTime(await timeToReach(world, peer, guests[0], over), 'the guest answers the peer');
    expect(joinsOn(sw, group)).toBe(1);
  });
});

test.each(cases(families, 1))(
  'a group of a device that cannot carry it is waited for, what is no group is refused, and nothing stays open (IPv%d)',
  async (family) => {
    world = new World();
    hosts = await twoHostsOf(world, family);
    const [{ netns, address }, other] = hosts;
    const port = (group: string, dev: string): string =>
      `  br1: { ports: { vxlan0: { type: vxlan, id: 7, group: "${group}", dev: ${dev}, local: "${address}" } } }\n`;
    const refused = await world.refusedSwitch(netns, world.config('host1', port(other.address, 'eth0')));
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringMatching(/multicast/) });
    const waits = async (dev: string): Promise<unknown> => {
      const sw = await world.startSwitch(netns, `waits-${dev}`, port(GROUPS[family][0], dev));
      const row = await linkOf(sw, 'vxlan0');
      expect(joinsOn(sw, GROUPS[family][0])).toBe(0);
      await sw.stop();
      expect(row?.operstate).toBe('DOWN');
      return row?.fault;
    };
    expect(await waits('eth9')).toContain('eth9');
    await world.ip(netns, 'link set eth0 multicast off');
    expect(await waits('eth0')).toContain('multicast on');
  },
);

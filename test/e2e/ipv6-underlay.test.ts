/**
 * The underlay over IPv6 against the kernel's vxlan device: everything that IPv4 has, UDP checksums of zero in both
 * directions, and the larger header in the guests' MTU.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { expectReach, give, startWith } from './live-support.js';
import { kernelDevice, onWire, outerOf, twoHostsOf } from './multicast-support.js';
import { sniff } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import { access, filteringBridge, type Guest, type Host, plainBridge, tapPort } from './topologies.js';
import { BROADCAST, experimentalFrame, inject, ping, udpEcho } from './traffic.js';
import { expectBalance, expectTransfer, MB } from './two-hosts.js';

const VNI = 42;
const BYTES = 10 * MB;

let world: World;
let hosts: [Host, Host];
let guest: Guest & { address6: string };

beforeEach(async () => {
  world = new World();
  hosts = await twoHostsOf(world, 6);
  const netns = await world.netns('guest1', { ipv6: true });
  guest = { netns, ifname: 'eth0', address: '198.18.0.1', address6: 'fd00:42::1', mac: '02:00:00:00:00:01' };
});

afterEach(() => world.cleanUp());

interface PortOptions {
  remotes: readonly string[];
  kind: 'id' | 'vlan_tunnel';
  checksum: boolean;
  workers?: number;
}

function start({ remotes, kind, checksum, workers = 1 }: PortOptions): Promise<RunningSwitch> {
  const carried = kind === 'id' ? { id: VNI } : { vlan_tunnel: true, vlans: [{ vid: 7, tunnel_info: VNI }] };
  const port = { type: 'vxlan', local: hosts[0].address, remotes, udpcsum: checksum, ...carried };
  const vxlan = `      vxlan0: ${JSON.stringify(port)}\n`;
  const bridges =
    kind === 'id'
      ? plainBridge(tapPort('tap0', guest), vxlan)
      : filteringBridge(tapPort('tap0', guest, access(7)), vxlan);
  return startWith(world, hosts[0].netns, 'host1', `workers: ${workers}\nbridges:\n${bridges}`);
}

/** The kernel's device, which sends to the switch and takes datagrams without a checksum; `zero`: it sends them, too. */
async function kernelPeer(zero: boolean): Promise<Guest & { address6: string }> {
  const peer = await kernelDevice(world, hosts[1], {
    id: VNI,
    to: `remote ${hosts[0].address}`,
    addresses: ['198.18.0.9/24', 'fd00:42::9/64'],
    more: `${zero ? 'udp6zerocsumtx' : 'noudp6zerocsumtx'} udp6zerocsumrx`,
  });
  return { ...peer, address6: 'fd00:42::9' };
}

async function mtuOf({ netns, ifname }: Guest): Promise<number> {
  const [nic] = await world.ipJson<{ mtu: number }[]>(netns, `link show dev ${ifname}`);
  return nic.mtu;
}

const ports = [
  { kind: 'vlan_tunnel', checksum: false, workers: 2 },
  { kind: 'id', checksum: true, workers: 1 },
  { kind: 'id', checksum: false, workers: 1 },
  { kind: 'vlan_tunnel', checksum: true, workers: 1 },
] as const;
describe.each(cases<(typeof ports)[number]>(ports, 1))(
  '$kind, UDP checksums: $checksum, workers: $workers',
  ({ kind, checksum, workers }) => {
    test('ping, TCP and UDP each way, and what stands in the outer headers', async () => {
      const sw = await start({ remotes: [hosts[1].address], kind, checksum, workers });
      const peer = await kernelPeer(!checksum);
      expect(await mtuOf(guest)).toBe(1430);
      // One by one, as on a cable: the checksum of a train is not in the capture.
      for (const host of hosts) await world.cutTrains(host);
      const wire = await sniff(world, hosts[1], 'udp dst port 4789 and less 300');
      const ways = [
        [guest, peer],
        [peer, guest],
      ] as const;
      for (const [from, to] of ways) {
        await expectReach(world, from, to);
        await expectReach(world, from, { address: to.address6 });
      }
      // The largest frame, whole.
      expect(await ping(world, guest.netns, peer.address, { size: 1402, whole: true })).toMatchObject({ received: 3 });
      // Each way two pings and two answers of either family.
      await wire.rests(16);
      await wireIs(wire.packets.map(outerOf));
      for (const host of hosts) await world.cutTrains(host, false);

      for (const [from, to] of ways) {
        const label = `${kind}, checksums ${checksum}, ${from === peer ? 'from' : 'to'} the kernel`;
        await expectTransfer(world, from, to, BYTES, label);
        await expectTransfer(world, from, { ...to, address: to.address6 }, 5 * MB, `${label}, IPv6 inside`);
        const echoed = await udpEcho(world, from.netns, to.netns, to.address, { size: 1402, count: 10 });
        expect(echoed).toEqual({ equal: 10, different: 0, lost: 0 });
      }
      const learned = (await sw.fdb()).filter(({ mac }) => mac === peer.mac);
      expect(learned).toEqual([expect.objectContaining({ ifname: 'vxlan0', dst: hosts[1].address, state: 'dynamic' })]);
      await expectBalance(sw);
    });

    async function wireIs(outers: readonly ReturnType<typeof outerOf>[]): Promise<void> {
      for (const [number, host] of hosts.entries()) {
        const sent = outers.filter(({ source }) => source === onWire(host.address));
        expect(sent.length).toBeGreaterThan(4);
        for (const outer of sent)
          expect(outer).toMatchObject({ destination: onWire(hosts[1 - number].address), vni: VNI, ttl: 64 });
        // A checksum that the veth leaves to its other end is a sum of the pseudo-header, and not zero.
        expect(sent.map((outer) => outer.checksum === 0)).toEqual(sent.map(() => !checksum));
      }
    }
  },
);

test('a flood list by unicast: each remote gets one copy, also of those that are appended and taken back', async () => {
  const remotes = [hosts[1].address, '2001:db8::22'];
  await world.address(hosts[1], '2001:db8::22/64');
  await world.address(hosts[1], '2001:db8::33/64');
  const sw = await start({ remotes, kind: 'id', checksum: true });
  const wire = await sniff(world, hosts[1], 'udp dst port 4789 and less 300');
  const expectCopies = async (text: string, to: readonly string[]): Promise<void> => {
    const copies = (): string[] =>
      wire.packets
        .map(outerOf)
        .filter(({ inner }) => inner.includes(text))
        .map(({ destination }) => destination)
        .sort();
    await inject(world, guest, experimentalFrame({ destination: BROADCAST, source: guest.mac, text }));
    await until('the copies are on the wire', () => copies().length >= to.length);
    await quietFor(300);
    expect(copies()).toEqual(to.map(onWire).sort());
  };
  await expectCopies('first', remotes);
  await give(sw, 'fdb append 00:00:00:00:00:00 dev vxlan0 dst 2001:db8::33');
  await expectCopies('second', [...remotes, '2001:db8::33']);
  await give(sw, `fdb del 00:00:00:00:00:00 dev vxlan0 dst ${remotes[1]}`);
  await expectCopies('third', [remotes[0], '2001:db8::33']);
  const rows = (await sw.fdb()).filter(({ mac }) => mac === '00:00:00:00:00:00');
  expect(rows.map(({ dst }) => dst).sort()).toEqual([remotes[0], '2001:db8::33'].sort());
});

test('a VTEP that nobody named is not let in, and is counted', async () => {
  const sw = await start({ remotes: ['2001:db8::77'], kind: 'id', checksum: true });
  const peer = await kernelPeer(false);
  await inject(world, peer, experimentalFrame({ destination: BROADCAST, source: peer.mac, text: 'stranger' }));
  await until('it is counted', async () => (await sw.stats()).drops.vtep_unknown > 0);
  expect((await sw.fdb()).some(({ mac }) => mac === peer.mac)).toBe(false);
  await give(sw, `link set vxlan0 type vxlan remote ${hosts[1].address}`);
  await expectReach(world, guest, peer);
});

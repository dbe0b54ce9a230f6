/**
 * Bridges with vlan_protocol 802.1ad beside those of Debian's kernel in a virtual machine, in the long form only: customers with VLAN
 * interfaces of their own, a trunk with service tags, and the same through a VNI. The kernel of this host may lack all of it.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { KernelVm } from './kernel-vm.js';
import { move, type Place } from './places.js';
import { sniff } from './sniffer.js';
import { type RunningSwitch, settledStats } from './switch.js';
import type { Host } from './topologies.js';
import { expectBalance, MB } from './two-hosts.js';

const NETDEV = 'vnet2';
/** VLANs of the customer. */
const CUSTOMER = [10, 20];
const PEER_MAC = '02:00:00:00:00:02';

let machines: World;
let host: Host;
let machine: KernelVm;
let world: World;

beforeAll(async () => {
  machines = new World();
  host = { netns: await machines.netns('host'), ifname: 'vnet0', address: '192.0.2.1' };
  machine = await KernelVm.boot(machines, host, machines.path('eth1.net'), NETDEV);
}, 600_000);

afterAll(() => machines?.cleanUp());

beforeEach(() => {
  world = new World();
});

afterEach(async () => {
  await world.cleanUp();
  await machine?.try('ip link delete p1');
  await machine?.reset();
}, 300_000);

async function start(...ports: string[]): Promise<RunningSwitch> {
  const bridge = '  br1:\n    vlan_filtering: true\n    vlan_protocol: 802.1ad\n    ports:\n';
  const sw = await world.startSwitch(host.netns, 'service', `${bridge}${ports.join('')}`);
  await until('the machine is attached', async () => (await sw.links()).every(({ operstate }) => operstate !== 'DOWN'));
  return sw;
}

const address = (vid: number, number: number): string => `198.18.${vid}.${number}`;

/** A place for each VLAN of the customer, behind a NIC of the machine: a VLAN interface there, 4 bytes of MTU below it. */
async function customerAt(nic: string, number: number, mtu = 1446): Promise<Record<number, Place>> {
  const places: Record<number, Place> = {};
  for (const vid of CUSTOMER) {
    const netns = `c${number}v${vid}`;
    places[vid] = await machine.place(netns);
    await machine.do(
      `ip link add link ${nic} name c${vid} type vlan id ${vid}`,
      `ip link set c${vid} netns ${netns}`,
      `ip -n ${netns} link set c${vid} mtu ${mtu} up`,
      `ip -n ${netns} address add ${address(vid, number)}/24 dev c${vid}`,
    );
  }
  return places;
}

/** Every VLAN of the customer reaches the far end, by pings of full size and TCP, and no other VLAN. */
async function expectReach(one: Record<number, Place>, two: Record<number, Place>, payload = 1446 - 28): Promise<void> {
  for (const vid of CUSTOMER) {
    await until(`VLAN ${vid} is there`, async () => (await one[vid].ping(address(vid, 2), 1)) === 1, 30_000);
    expect(await one[vid].ping(address(vid, 2), 5, `-s ${payload}`)).toBe(5);
    expect(await two[vid].ping(address(vid, 1), 5, `-s ${payload}`)).toBe(5);
    const { sent, received } = await move(one[vid], two[vid], address(vid, 2), 5 * MB);
    expect(received).toEqual({ bytes: 5 * MB, sha256: sent });
  }
}

describe('customers on a bridge of 802.1ad', () => {
  test('a trunk has service tags outside of the tags of the customer', async () => {
    const sw = await start(
      `      vm1: { type: qemu, connect: ${machines.path('eth1.net')}, vlans: [{ vid: 100 }] }\n`,
      `      ${NETDEV}: { type: netdev, vlans: [{ vid: 100, pvid: true, untagged: true }] }\n`,
    );
    // At the trunk the machine is a provider's bridge of its own, with the customer behind it.
    await machine.do(
      'ip link add br0 type bridge vlan_filtering 1 vlan_protocol 802.1ad vlan_default_pvid 0 mcast_snooping 0',
      'ip link set br0 up',
      'ip link set eth1 master br0',
      'bridge vlan add dev eth1 vid 100',
      'ip link add p1 type veth peer name w1',
      'ip link set p1 master br0 up',
      'ip link set w1 up',
      'bridge vlan add dev p1 vid 100 pvid untagged',
    );
    const wire = await sniff(world, { netns: host.netns, ifname: NETDEV }, 'not arp', 64);
    const one = await customerAt('w1', 1);
    const two = await customerAt('eth2', 2);
    await expectReach(one, two);
    await wire.rests(40);
    await wire.stop();
    // The customer sees its own tags only.
    const types = new Set(wire.packets.map(({ hex }) => hex.slice(24, 32)));
    expect([...types].sort()).toEqual(['8100000a', '81000014']);
    await expectBalance(sw);
    expect((await settledStats(sw)).drops).toEqual({});
  });

  test('q_in_vni.sh: ping_ipv4, local to remote: the tags of the customer are in the VNI, those of the service are not', async () => {
    const sw = await start(
      `      ${NETDEV}: { type: netdev, vlans: [{ vid: 100, pvid: true, untagged: true }] }\n`,
      `      vx: { type: vxlan, id: 1000, local: ${host.address}, remotes: [${machine.address}], vlans: [{ vid: 100, pvid: true, untagged: true }] }\n`,
    );
    await machine.do(
      'ip link add br0 type bridge vlan_filtering 1 vlan_protocol 802.1ad vlan_default_pvid 0 mcast_snooping 0',
      'ip link set br0 up',
      `ip link add vx100 type vxlan id 1000 local ${machine.address} remote ${host.address} dstport 4789`,
      `ip link set vx100 address ${PEER_MAC} master br0 up`,
      'bridge vlan add dev vx100 vid 100 pvid untagged',
      'ip link add p1 type veth peer name w1',
      'ip link set p1 master br0 up',
      'ip link set w1 up',
      'bridge vlan add dev p1 vid 100 pvid untagged',
    );
    const wire = await sniff(world, host, 'udp port 4789', 64);
    const one = await customerAt('eth2', 1);
    const two = await customerAt('w1', 2);
    await expectReach(one, two);
    await wire.rests(40);
    await wire.stop();
    const tags = wire.vxlan.map(({ inner, vni }) => `${vni} ${inner.toString('hex', 12, 16)}`);
    expect([...new Set(tags)].sort()).toEqual(['1000 8100000a', '1000 81000014']);
    await expectBalance(sw);
    expect((await settledStats(sw)).drops).toEqual({});
  });

  test('VLANs of the service mapped to VNIs keep the tags of the customer with inner_vlan keep', async () => {
    const sw = await start(
      `      ${NETDEV}: { type: netdev, vlans: [{ vid: 100, pvid: true, untagged: true }] }\n`,
      `      vx: { type: vxlan, vlan_tunnel: true, inner_vlan: keep, local: ${host.address}, remotes: [${machine.address}], vlans: [{ vid: 100, tunnel_info: 1000 }] }\n`,
    );
    await machine.do(
      'ip link add br0 type bridge vlan_filtering 1 vlan_protocol 802.1ad vlan_default_pvid 0 mcast_snooping 0',
      'ip link set br0 up',
      `ip link add vx type vxlan external learning local ${machine.address} dstport 4789`,
      `ip link set vx address ${PEER_MAC} master br0 up`,
      'bridge link set dev vx vlan_tunnel on',
      // Linux maps no VNI of a tagged frame, which has the PVID of the port then.
      'bridge vlan add dev vx vid 100 pvid',
      'bridge vlan add dev vx vid 100 tunnel_info id 1000',
      `bridge fdb append 00:00:00:00:00:00 dev vx dst ${host.address} src_vni 1000`,
      'ip link add p1 type veth peer name w1',
      'ip link set p1 master br0 up',
      'ip link set w1 up',
      'bridge vlan add dev p1 vid 100 pvid untagged',
    );
    const one = await customerAt('eth2', 1);
    const two = await customerAt('w1', 2);
    await expectReach(one, two);
    await expectBalance(sw);
    expect((await settledStats(sw)).drops).toEqual({});
  });
});

/**
 * geneve ports beside the geneve device of Debian's kernel in a virtual machine, in the long form only. The underlay is a TAP of this
 * host's kernel with all offloads: TCP crosses it in superframes, both ways.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { KernelVm } from './kernel-vm.js';
import { type Flow, HostPlace, move, type Place } from './places.js';
import { type Packet, sniff } from './sniffer.js';
import { command, type RunningSwitch, settledStats } from './switch.js';
import { access, filteringBridge, type Guest, type Host, plainBridge, tapPort } from './topologies.js';
import { BROADCAST } from './traffic.js';
import { expectBalance, MB } from './two-hosts.js';

const OWN_MAC = '02:00:00:00:00:01';
const PEER_MAC = '02:00:00:00:00:02';
const [OWN, PEER] = ['198.18.0.1', '198.18.0.2'];
const COUNT = 2000;
/** Between two frames of a sender, in microseconds. */
const GAP = 700;

let machines: World;
let host: Host;
let machine: KernelVm;
let world: World;

beforeAll(async () => {
  machines = new World();
  host = { netns: await machines.netns('host'), ifname: 'vnet0', address: '192.0.2.1' };
  machine = await KernelVm.boot(machines, host, machines.path('eth1.net'), 'vnet2');
}, 600_000);

afterAll(() => machines?.cleanUp());

beforeEach(() => {
  world = new World();
});

afterEach(async () => {
  await world.cleanUp();
  await machine?.reset();
}, 300_000);

const whole = (flow: number, received: number): Flow => ({ flow, received, twice: 0, late: 0 });

/** A guest, and a port that is told with further keys. */
async function start(port: string, vlans?: string): Promise<{ sw: RunningSwitch; here: Place; guest: Guest }> {
  const guest: Guest = { netns: await world.netns('guest'), ifname: 'eth0', address: OWN, mac: OWN_MAC };
  const gnv = `      gnv0: { type: geneve, local: ${host.address}, remotes: [${machine.address}], ${port} }\n`;
  const bridge = vlans === undefined ? plainBridge : filteringBridge;
  const sw = await world.startSwitch(host.netns, 'geneve', bridge(tapPort('tap0', guest, vlans), gnv));
  return { sw, here: new HostPlace(world, guest.netns), guest };
}

/** A geneve device of the machine in a namespace of its own, whose datagrams are those of the machine's. */
async function device(words: string): Promise<Place> {
  const place = await machine.place('g');
  await machine.do(
    `ip link add gnv type geneve ${words}`,
    'ip link set gnv netns g',
    `ip -n g link set gnv address ${PEER_MAC} mtu 1450 up`,
    `ip -n g address add ${PEER}/24 dev gnv`,
  );
  return place;
}

async function expectBytes(one: [Place, string], two: [Place, string], bytes: number): Promise<void> {
  for (const [[from], [to, address]] of [
    [one, two],
    [two, one],
  ]) {
    const began = performance.now();
    const { sent, received } = await move(from, to, address, bytes);
    expect(received).toEqual({ bytes, sha256: sent });
    console.log(`${bytes / MB} MB to ${address}: equal hashes after ${Math.round(performance.now() - began)} ms`);
  }
}

const headerOf = ({ payload = '' }: Packet): string => payload.slice(0, 16);

test.each(['udpcsum', 'noudpcsum'])('ping, broadcast and TCP each way, with its %s', async (udpcsum) => {
  const { sw, here } = await start('id: 100');
  const there = await device(`id 100 remote ${host.address} dstport 6081 ${udpcsum}`);
  const wire = await sniff(world, host, 'udp port 6081', 64);
  await until('it is there', async () => (await here.ping(PEER, 1)) === 1, 30_000);
  expect(await here.ping(PEER, 10)).toBe(10);
  expect(await there.ping(OWN, 10)).toBe(10);
  await wire.rests(40);
  await wire.stop();
  expect(new Set(wire.packets.map(headerOf))).toEqual(new Set(['0000655800006400']));

  const [atHere, atThere] = [await here.count('eth0'), await there.count('gnv')];
  await Promise.all([
    here.send('eth0', BROADCAST, OWN_MAC, '-', 1, COUNT, GAP),
    there.send('gnv', BROADCAST, PEER_MAC, '-', 2, COUNT, GAP),
  ]);
  expect(await atHere()).toEqual([whole(2, COUNT)]);
  expect(await atThere()).toEqual([whole(1, COUNT)]);
  expect(await sw.fdb()).toContainEqual(
    expect.objectContaining({ mac: PEER_MAC, ifname: 'gnv0', dst: machine.address, vni: 100 }),
  );
  await expectBytes([here, OWN], [there, PEER], 20 * MB);
  await expectBalance(sw);
  expect((await settledStats(sw)).drops).toEqual({});
});

test('with options of a collect_md device, which are skipped, and VLANs mapped to VNIs', async () => {
  const vlans = '[{ vid: 2, tunnel_info: 100 }, { vid: 3, tunnel_info: 101 }]';
  const { sw, here, guest } = await start(`vlan_tunnel: true, vlans: ${vlans}`, access(2));
  const there = await device('external dstport 6081');
  await machine.do(
    `ip -n g neigh replace ${OWN} lladdr ${OWN_MAC} dev gnv nud permanent`,
    'ip -n g route flush dev gnv',
    `ip -n g route add 198.18.0.0/24 encap ip id 100 dst ${host.address} geneve_opts 0x0102:3:deadbeef,0x0102:0x7f:0011223344556677 dev gnv`,
  );
  await world.ip(guest.netns, `neigh replace ${PEER} lladdr ${PEER_MAC} dev eth0 nud permanent`);
  const wire = await sniff(world, host, 'src host 192.0.2.2 and udp port 6081', 64);
  await until('it is there', async () => (await there.ping(OWN, 1)) === 1, 30_000);
  expect(await there.ping(OWN, 10)).toBe(10);
  expect(await here.ping(PEER, 10)).toBe(10);
  await wire.rests(21);
  await wire.stop();
  // Five words of options: two headers, one word and two of data.
  expect(new Set(wire.packets.map(headerOf))).toEqual(new Set(['0500655800006400']));
  await expectBytes([here, OWN], [there, PEER], 5 * MB);
  await expectBalance(sw);
  expect((await settledStats(sw)).drops).toEqual({});

  // VNI 101 is the other VLAN, which the guest has not; VNI 102 is nobody's.
  for (const [vni, reason] of [
    [101, 'no_destination'],
    [102, 'vni_unknown'],
  ] as const) {
    await machine.do(`ip -n g route replace 198.18.0.0/24 encap ip id ${vni} dst ${host.address} dev gnv`);
    expect(await there.ping(OWN, 3, '-w 3')).toBe(0);
    expect((await settledStats(sw)).drops).toMatchObject({ [reason]: 3 });
  }
  await expectBalance(sw);
});

test('of another VNI or remote the kernel takes nothing, and a second device at another port is one more tunnel', async () => {
  const { sw, here } = await start('id: 100, dstport: 6082');
  const there = await device(`id 100 remote ${host.address} dstport 6082`);
  await until('it is there', async () => (await here.ping(PEER, 1)) === 1, 30_000);
  await expectBytes([here, OWN], [there, PEER], 2 * MB);
  expect(await command('-s', sw.control, 'link', 'set', 'gnv0', 'type', 'geneve', 'id', '101')).toMatchObject({
    status: 0,
  });
  expect(await here.ping(PEER, 2, '-w 2')).toBe(0);
  expect(await command('-s', sw.control, 'link', 'set', 'gnv0', 'type', 'geneve', 'id', '100')).toMatchObject({
    status: 0,
  });
  await until('it is back', async () => (await here.ping(PEER, 1)) === 1, 30_000);
  await expectBalance(sw);
});

/**
 * overtap beside the kernel of Debian in a virtual machine, in the long form only: one vxlan device for many VLANs on a bridge that
 * filters, an underlay in a VRF, a bad underlay (netem), and VLAN interfaces at trunk ports. Where QEMU is missing the tests fail, and
 * say which package has it.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { type End, World } from './host-testbed.js';
import { KernelVm } from './kernel-vm.js';
import { type Flow, HostPlace, move, type Place } from './places.js';
import { sniff, type Vxlan } from './sniffer.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { access, filteringBridge, type Guest, type Host, tapPort, tunnelPort } from './topologies.js';
import { BROADCAST } from './traffic.js';
import { expectBalance, MB } from './two-hosts.js';

const VLANS = [2, 3];
/** The guests of one side have one MAC in both VLANs: a VLAN, or a VNI, has entries of its own. */
const OWN_MAC = '02:00:00:00:00:01';
const PEER_MAC = '02:00:00:00:00:02';
const own = (vid: number): string => `198.18.0.1${vid}`;
const peer = (vid: number): string => `198.18.0.2${vid}`;
const NETDEV = 'vnet2';
/** Between two frames of a sender, in microseconds. */
const GAP = 700;

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
  await machine?.reset();
}, 300_000);

interface Scene {
  sw: RunningSwitch;
  /** Guests of overtap and of the machine in a VLAN. */
  here: Record<number, Place>;
  there: Record<number, Place>;
  taps: Record<number, End>;
}

/** Guests in VLANs 2 and 3 on both sides. @param device further words of the machine's vxlan device @param port further lines of overtap's */
async function oneVxlanManyVlans(device = '', port = ''): Promise<Scene> {
  const scene: Scene = { here: {}, there: {}, taps: {} } as Scene;
  const ports: string[] = [];
  for (const vid of VLANS) {
    const guest: Guest = { netns: await world.netns(`g${vid}`), ifname: 'eth0', address: own(vid), mac: OWN_MAC };
    ports.push(tapPort(`tap${vid}`, guest, access(vid)));
    scene.here[vid] = new HostPlace(world, guest.netns);
    scene.taps[vid] = guest;
  }
  const tunnel = tunnelPort(host.address, [machine.address], { 2: 2, 3: 3 });
  scene.sw = await world.startSwitch(host.netns, 'peer', filteringBridge(...ports, tunnel + port));
  await machine.do(
    'ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0 mcast_snooping 0',
    // iproute2 makes such a device without learning unless told otherwise.
    `ip link add vx type vxlan external learning local ${machine.address} dstport 4789 ${device}`,
    'ip link set vx master br0',
    'bridge link set dev vx vlan_tunnel on',
    'ip link set br0 up',
    'ip link set vx up',
  );
  for (const vid of VLANS) scene.there[vid] = await machineGuest(vid);
  return scene;
}

/** A guest of the machine's bridge in a VLAN, which has the VNI of the same number. */
async function machineGuest(vid: number): Promise<Place> {
  const place = await machine.place(`g${vid}`);
  await machine.do(
    `bridge vlan add dev vx vid ${vid}`,
    `bridge vlan add dev vx vid ${vid} tunnel_info id ${vid}`,
    `bridge fdb append 00:00:00:00:00:00 dev vx dst ${host.address} src_vni ${vid}`,
    `ip link add p${vid} type veth peer name eth0 netns g${vid}`,
    `ip link set p${vid} master br0`,
    `bridge vlan add dev p${vid} vid ${vid} pvid untagged`,
    `ip link set p${vid} up`,
    `ip -n g${vid} link set eth0 address ${PEER_MAC} mtu 1450 up`,
    `ip -n g${vid} address add ${peer(vid)}/24 dev eth0`,
  );
  return place;
}

/** Every guest reaches that of its VLAN, from both sides, and nobody in the other VLAN. */
async function expectReach({ here, there }: Scene): Promise<void> {
  for (const vid of VLANS) {
    await until(`VLAN ${vid} is there`, async () => (await here[vid].ping(peer(vid), 1)) === 1, 30_000);
    expect(await here[vid].ping(peer(vid), 10)).toBe(10);
    expect(await there[vid].ping(own(vid), 10)).toBe(10);
    const other = VLANS.find((one) => one !== vid) as number;
    expect(await here[vid].ping(peer(other), 2, '-w 2')).toBe(0);
    expect(await there[vid].ping(own(other), 2, '-w 2')).toBe(0);
  }
}

/** Bytes over TCP from one place to another, and back, with equal hashes. */
async function expectBytes(label: string, one: [Place, string], two: [Place, string], bytes: number): Promise<void> {
  for (const [[from], [to, address]] of [
    [one, two],
    [two, one],
  ]) {
    const began = performance.now();
    const { sent, received } = await move(from, to, address, bytes);
    expect(received).toEqual({ bytes, sha256: sent });
    console.log(
      `${label}, ${bytes / MB} MB to ${address}: equal hashes after ${Math.round(performance.now() - began)} ms`,
    );
  }
}

const whole = (flow: number, received: number): Flow => ({ flow, received, twice: 0, late: 0 });

describe('one vxlan device for many VLANs', () => {
  const COUNT = 5000;

  /** What a datagram says of its VLAN: addresses and numbers of flows end with it. */
  function vlanIn({ inner }: Vxlan): number | undefined {
    const type = inner.readUInt16BE(12);
    if (type === 0x0800) return inner.readUInt8(14 + 15) % 10;
    if (type === 0x0806) return inner.readUInt8(14 + 17) % 10;
    if (type === 0x88b5) return inner.readUInt32BE(14 + 4) % 10;
    return undefined;
  }

  /** Both know the MACs of both sides, in each VLAN, with its VNI. */
  async function expectEntries({ sw }: Scene): Promise<void> {
    const ours = await sw.fdb();
    const theirs = await machine.json<object[]>('bridge fdb show');
    const expectRow = (rows: object[], row: object): void => expect(rows).toContainEqual(expect.objectContaining(row));
    for (const vlan of VLANS) {
      expectRow(ours, { mac: OWN_MAC, vlan, ifname: `tap${vlan}` });
      expectRow(ours, { mac: PEER_MAC, vlan, ifname: 'vxlan0', dst: machine.address, vni: vlan });
      expectRow(theirs, { mac: PEER_MAC, vlan, ifname: `p${vlan}` });
      expectRow(theirs, { mac: OWN_MAC, vlan, ifname: 'vx' });
      expectRow(theirs, { mac: OWN_MAC, ifname: 'vx', dst: host.address, src_vni: vlan });
    }
  }

  /** Frames for the machine that its TAP had no room for: a fault of the test bed. */
  async function lostByHost(): Promise<number> {
    const [{ stats64 }] = await world.ipJson<{ stats64: { tx: { dropped: number } } }[]>(
      host.netns,
      `-s link show dev ${host.ifname}`,
    );
    return stats64.tx.dropped;
  }

  /** Numbered frames of all four guests: each comes once, in order, to the guest of its VLAN and to nobody else. */
  async function expectFrames({ here, there }: Scene, toPeer: string, toOwn: string): Promise<void> {
    const counters = [];
    for (const vid of VLANS)
      counters.push({ vid, here: await here[vid].count('eth0'), there: await there[vid].count('eth0') });
    await Promise.all(
      VLANS.flatMap((vid) => [
        here[vid].send('eth0', toPeer, OWN_MAC, '-', vid, COUNT, GAP),
        there[vid].send('eth0', toOwn, PEER_MAC, '-', 10 + vid, COUNT, GAP),
      ]),
    );
    expect(await lostByHost(), 'frames for which QEMU was too slow').toBe(0);
    for (const counter of counters) {
      expect(await counter.here()).toEqual([whole(10 + counter.vid, COUNT)]);
      expect(await counter.there()).toEqual([whole(counter.vid, COUNT)]);
    }
  }

  test('each VLAN has its VNI, and nothing crosses', async () => {
    const scene = await oneVxlanManyVlans();
    const wire = await sniff(world, host, 'udp port 4789', 64);
    await expectReach(scene);
    await wire.rests(80);
    await wire.stop();
    for (const datagram of wire.vxlan) {
      expect(datagram).toMatchObject({ flags: 8, reserved: 0 });
      expect(vlanIn(datagram), datagram.inner.toString('hex')).toBe(datagram.vni);
    }
    await expectEntries(scene);

    const before = (await settledStats(scene.sw)).links.vxlan0;
    await expectFrames(scene, BROADCAST, BROADCAST);
    await expectFrames(scene, PEER_MAC, OWN_MAC);
    const { links, drops } = await settledStats(scene.sw);
    expect(links.vxlan0.rx_packets - before.rx_packets).toBe(2 * VLANS.length * COUNT);
    expect(links.vxlan0.tx_packets - before.tx_packets).toBe(2 * VLANS.length * COUNT);
    expect(drops).toEqual({});

    for (const vid of VLANS)
      await expectBytes(`VLAN ${vid}`, [scene.here[vid], own(vid)], [scene.there[vid], peer(vid)], 10 * MB);
    await expectBalance(scene.sw);
  });
});

describe('a tag inside of a VNI, by which a guest would change VLANs', () => {
  const COUNT = 50;
  /** VLAN 2, and in it VLAN 3. */
  const TAGS = '8100000281000003';

  /** Sends such frames from both sides in VLAN 2. @returns what came in VLANs 2 and 3 here and there */
  async function exchange({ here, there }: Scene): Promise<Record<'here' | 'there', Record<number, Flow[]>>> {
    const counters = await Promise.all([here, there].flatMap((side) => VLANS.map((vid) => side[vid].count('eth0'))));
    await here[2].send('eth0', BROADCAST, OWN_MAC, TAGS, 1, COUNT, 1000);
    await there[2].send('eth0', BROADCAST, PEER_MAC, TAGS, 2, COUNT, 1000);
    // A receiver ends only after something has come.
    for (const vid of VLANS) {
      await here[vid].send('eth0', BROADCAST, OWN_MAC, '-', 8, 1, 0);
      await there[vid].send('eth0', BROADCAST, PEER_MAC, '-', 9, 1, 0);
    }
    const [here2, here3, there2, there3] = await Promise.all(counters.map((told) => told()));
    return { here: { 2: here2, 3: here3 }, there: { 2: there2, 3: there3 } };
  }

  test('overtap neither sends nor takes it', async () => {
    const scene = await oneVxlanManyVlans();
    await expectReach(scene);
    expect(await exchange(scene)).toEqual({
      here: { 2: [whole(9, 1)], 3: [whole(9, 1)] },
      there: { 2: [whole(8, 1)], 3: [whole(8, 1)] },
    });
    expect((await settledStats(scene.sw)).drops).toMatchObject({ inner_vlan_tagged: 2 * COUNT });
    await expectBalance(scene.sw);
  });

  test('with inner_vlan: keep it is payload to overtap, and the VLAN to Linux', async () => {
    const scene = await oneVxlanManyVlans('', '        inner_vlan: keep\n');
    await expectReach(scene);
    expect(await exchange(scene)).toEqual({
      here: { 2: [whole(2, COUNT), whole(9, 1)], 3: [whole(9, 1)] },
      there: { 2: [whole(8, 1)], 3: [whole(1, COUNT), whole(8, 1)] },
    });
    await expectBalance(scene.sw);
  });
});

describe('an underlay in a VRF', () => {
  test('its vxlan device reaches overtap by the table of the VRF', async () => {
    await machine.do(
      'ip link add vrf-u type vrf table 10',
      'ip link set vrf-u up',
      'ip link set eth0 master vrf-u',
      // The way of the main table leads nowhere.
      `ip route add unreachable ${host.address}/32`,
    );
    await machine.knowHost();
    const scene = await oneVxlanManyVlans('dev eth0');
    await expectReach(scene);
    for (const vid of VLANS)
      await expectBytes(`VLAN ${vid}, VRF`, [scene.here[vid], own(vid)], [scene.there[vid], peer(vid)], 5 * MB);
    await expectBalance(scene.sw);
    expect((await scene.sw.stats()).drops).toEqual({});
  });
});

describe('a bad underlay', () => {
  /** What netem says of its frames, on the way to the host and from it. */
  async function netem(): Promise<Record<'out' | 'in', { packets: number; drops: number }>> {
    const [out, into] = await Promise.all(
      ['eth0', 'ifb0'].map((dev) =>
        machine.json<{ packets: number; drops: number }[]>(`tc -s qdisc show dev ${dev} root`),
      ),
    );
    return { out: out[0], in: into[0] };
  }

  /** Sets what it does to both ways; its counters begin anew. */
  const setNetem = (words: string): Promise<string> =>
    machine.do(
      'tc qdisc delete dev eth0 root 2>/dev/null; tc qdisc delete dev ifb0 root 2>/dev/null; true',
      ...['eth0', 'ifb0'].map((dev) => `tc qdisc add dev ${dev} root netem limit 100000 ${words}`),
    );

  const COUNT = 10_000;

  /** Numbered datagrams both ways at once. @returns what came, and what netem and overtap counted */
  async function exchange({ sw, here, there }: Scene, words: string) {
    await setNetem(words);
    const before = (await settledStats(sw)).links.vxlan0;
    const atHost = await here[2].count(7000);
    const atMachine = await there[2].count(7000);
    await Promise.all([here[2].send(peer(2), 7000, 1, COUNT, GAP), there[2].send(own(2), 7000, 2, COUNT, GAP)]);
    const [[out], [into]] = [await atHost(), await atMachine()];
    const after = (await settledStats(sw)).links.vxlan0;
    const counted = await netem();
    console.log(`netem ${words}:`, JSON.stringify([out, into]));
    // What netem let pass is what overtap received; what overtap sent came to netem.
    expect(after.rx_packets - before.rx_packets).toBe(counted.out.packets);
    return [
      { flow: out, netem: counted.out, sent: COUNT },
      { flow: into, netem: counted.in, sent: after.tx_packets - before.tx_packets },
    ];
  }

  test('loss, delay, jitter, reordering and duplicates: every datagram is accounted for, TCP completes', async () => {
    await machine.do(
      'ip link set ifb0 up',
      'tc qdisc add dev eth0 ingress',
      'tc filter add dev eth0 ingress matchall action mirred egress redirect dev ifb0',
    );
    const scene = await oneVxlanManyVlans();
    await expectReach(scene);
    for (const [vid, guest] of Object.entries(scene.taps)) {
      await world.ip(guest.netns, `neigh replace ${peer(Number(vid))} lladdr ${PEER_MAC} dev eth0 nud permanent`);
      await machine.do(`ip -n g${vid} neigh replace ${own(Number(vid))} lladdr ${OWN_MAC} dev eth0 nud permanent`);
    }

    for (const { flow, netem: counted, sent } of await exchange(scene, 'loss 1% delay 20ms 5ms reorder 5%')) {
      expect(sent).toBe(COUNT);
      expect(flow.received + counted.drops).toBe(COUNT);
      expect(flow.received).toBe(counted.packets);
      expect(flow.twice).toBe(0);
      expect(counted.drops).toBeGreaterThan(COUNT / 1000);
      expect(flow.late).toBeGreaterThan(COUNT / 100);
    }
    for (const { flow, netem: counted, sent } of await exchange(scene, 'delay 20ms 5ms duplicate 2%')) {
      expect(sent).toBe(COUNT);
      expect(flow.received).toBe(COUNT);
      expect(counted.drops).toBe(0);
      expect(flow.twice).toBe(counted.packets - COUNT);
      expect(flow.twice).toBeGreaterThan(COUNT / 500);
    }
    await setNetem('loss 1% delay 20ms 5ms reorder 5% duplicate 1%');
    for (const vid of VLANS)
      await expectBytes(`VLAN ${vid}, netem`, [scene.here[vid], own(vid)], [scene.there[vid], peer(vid)], 2 * MB);
    await expectBalance(scene.sw);
  });
});

describe('VLAN interfaces of the kernel at trunk ports', () => {
  const TAGGED = [10, 20];
  const NICS = [
    { nic: 'eth1', kind: 'qemu', number: 1 },
    { nic: 'eth2', kind: 'netdev', number: 2 },
  ];
  /** Of the guest of the VLAN at a TAP, and of the VLAN interface of a NIC. */
  const tapAddress = (vid: number): string => `198.18.${vid}.9`;
  const tapMac = (vid: number): string => `02:00:00:00:01:${String(vid).padStart(2, '0')}`;
  const nicAddress = (vid: number, number: number): string => `198.18.${vid}.${number}`;
  const TRUNK = '[{ vid: 1, pvid: true, untagged: true }, { vid: 10 }, { vid: 20 }]';

  let sw: RunningSwitch;
  const guests: Record<number, Place> = {};
  let watched: End;

  /** A switch with both trunks, guests in VLANs 1, 10 and 20, and a TAP that has all VLANs with their tags. */
  async function startTrunks(): Promise<void> {
    const ports: string[] = [];
    for (const vid of [1, ...TAGGED]) {
      const netns = await world.netns(`v${vid}`);
      ports.push(
        tapPort(`tap${vid}`, { netns, ifname: 'eth0', address: tapAddress(vid), mac: tapMac(vid) }, access(vid)),
      );
      guests[vid] = new HostPlace(world, netns);
    }
    watched = { netns: await world.netns('all'), ifname: 'eth0' };
    const all = { ...watched, address: '198.18.99.9', mac: '02:00:00:00:01:99' };
    ports.push(tapPort('all', all, '[{ vid: 1 }, { vid: 10 }, { vid: 20 }]'));
    ports.push(`      vm1: { type: qemu, connect: ${machines.path('eth1.net')}, vlans: ${TRUNK} }\n`);
    ports.push(`      ${NETDEV}: { type: netdev, vlans: ${TRUNK} }\n`);
    sw = await world.startSwitch(host.netns, 'trunks', filteringBridge(...ports));
    await until('the machine is attached', async () =>
      (await sw.links()).every(({ operstate }) => operstate !== 'DOWN'),
    );
  }

  test.each(NICS)('$kind: tagged traffic of two VLANs, priority tags', async ({ nic, number }) => {
    await startTrunks();
    const mac = `52:54:00:00:00:1${number}`;
    for (const vid of TAGGED) {
      const place = await machine.place(`v${vid}`);
      await machine.do(
        `ip link add link ${nic} name ${nic}.${vid} type vlan id ${vid} egress-qos-map 0:3`,
        `ip link set ${nic}.${vid} netns v${vid}`,
        `ip -n v${vid} link set ${nic}.${vid} up`,
        `ip -n v${vid} address add ${nicAddress(vid, number)}/24 dev ${nic}.${vid}`,
      );
      expect(await place.ping(tapAddress(vid), 10)).toBe(10);
      expect(await guests[vid].ping(nicAddress(vid, number), 10)).toBe(10);

      const there = await place.count(`${nic}.${vid}`);
      const here = await guests[vid].count('eth0');
      await Promise.all([
        place.send(`${nic}.${vid}`, BROADCAST, mac, '-', 1, 2000, GAP),
        guests[vid].send('eth0', mac, tapMac(vid), '-', 2, 2000, GAP),
      ]);
      expect(await there()).toEqual([whole(2, 2000)]);
      expect(await here()).toEqual([whole(1, 2000)]);
      await expectBytes(
        `VLAN ${vid} of ${nic}`,
        [guests[vid], tapAddress(vid)],
        [place, nicAddress(vid, number)],
        10 * MB,
      );
    }

    // A priority tag is none: the PVID's VLAN has the frame, with its PCP.
    await machine.do(`ip link add link ${nic} name ${nic}.0 type vlan id 0 egress-qos-map 0:5`);
    const wire = await sniff(world, watched, 'vlan');
    const untagged = await guests[1].count('eth0');
    const priority = await machine.place('priority');
    await machine.do(`ip link set ${nic}.0 netns priority`, `ip -n priority link set ${nic}.0 up`);
    await priority.send(`${nic}.0`, BROADCAST, mac, '-', 3, 50, 1000);
    expect(await untagged()).toEqual([whole(3, 50)]);
    await wire.rests(50);
    expect(wire.packets.map(({ hex }) => hex.slice(24, 36))).toEqual(Array(50).fill('8100a00188b5'));
    await wire.stop();
    await expectBalance(sw);
    expect((await sw.stats()).drops).toEqual({});
  });

  test('802.1ad with 802.1Q in it passes from one trunk to the other as it is', async () => {
    await startTrunks();
    const places: [Place, string][] = [];
    for (const { nic, number } of NICS) {
      const place = await machine.place(nic);
      await machine.do(
        `ip link add link ${nic} name ${nic}.s type vlan proto 802.1ad id 100`,
        `ip link set ${nic}.s up`,
        `ip link add link ${nic}.s name ${nic}.c type vlan id 10`,
        `ip link set ${nic}.c netns ${nic}`,
        `ip -n ${nic} link set ${nic}.c mtu 1492 up`,
        `ip -n ${nic} address add ${nicAddress(50, number)}/24 dev ${nic}.c`,
      );
      places.push([place, nicAddress(50, number)]);
    }
    const [[one, oneAddress], [two, twoAddress]] = places;
    const wire = await sniff(world, { netns: host.netns, ifname: NETDEV }, 'not arp', 64);
    expect(await one.ping(twoAddress, 10, '-s 1464')).toBe(10);
    expect(await two.ping(oneAddress, 10, '-s 1464')).toBe(10);
    await wire.rests(40);
    await wire.stop();
    const frames = wire.packets.filter(({ hex }) => hex.startsWith('88a800648100000a0800', 24));
    expect(frames.map(({ length }) => length)).toEqual(Array(40).fill(1514));
    await expectBytes('QinQ', places[0], places[1], 5 * MB);
    await expectBalance(sw);
    expect((await sw.stats()).drops).toEqual({});

    // Above the MTU a packet socket has room for a tag of 802.1Q, not for one of 802.1ad.
    for (const { nic } of NICS) await machine.do(`ip -n ${nic} link set ${nic}.c mtu 1496`);
    expect(await one.ping(twoAddress, 3, '-s 1468 -w 3')).toBe(0);
    expect((await settledStats(sw)).drops).toEqual({ mtu_exceeded: 3 });
    expect(await two.ping(oneAddress, 3, '-s 1464')).toBe(3);
    // Two tags above the MTU are one too many for every port.
    for (const { nic } of NICS) await machine.do(`ip -n ${nic} link set ${nic}.c mtu 1500`);
    expect(await two.ping(oneAddress, 3, '-s 1472 -w 3')).toBe(0);
    expect((await settledStats(sw)).drops).toEqual({ mtu_exceeded: 6 });
    await expectBalance(sw);
  });

  test('Linux lets two tags above the MTU pass on a bridge that does not filter VLANs, and one on a bridge that does', async () => {
    await machine.do('ip link add br0 type bridge mcast_snooping 0', 'ip link set br0 up');
    const places: Place[] = [];
    for (const { nic, number } of NICS) {
      places.push(await machine.place(nic));
      await machine.do(
        `ip link add p${number} type veth peer name eth0 netns ${nic}`,
        `ip link set p${number} master br0 up`,
        `ip -n ${nic} link set eth0 up`,
        `ip -n ${nic} link add link eth0 name outer type vlan proto 802.1ad id 100`,
        `ip -n ${nic} link set outer up`,
        `ip -n ${nic} link add link outer name inner type vlan id 10`,
        `ip -n ${nic} link set inner up`,
        `ip -n ${nic} address add ${nicAddress(50, number)}/24 dev inner`,
      );
    }
    expect(await places[0].ping(nicAddress(50, 2), 3, '-s 1472')).toBe(3);
    await machine.do('ip link set br0 type bridge vlan_filtering 1');
    expect(await places[0].ping(nicAddress(50, 2), 3, '-s 1472 -w 3')).toBe(0);
    expect(await places[0].ping(nicAddress(50, 2), 3, '-s 1468')).toBe(3);
  });
});

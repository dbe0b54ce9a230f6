/**
 * One process after the other runs a switch: no guest notices. TCP connections live on, datagrams arrive once and in order, tables
 * and counters continue, and no NIC changes. Whatever a new process does wrong, the old one goes on.
 */
import { chmodSync, existsSync, readFileSync, readlinkSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FdbRow } from '../../src/api/api.js';
import { createClient } from '../../src/client/client.js';
import { describe as describeEnd, type Ended, type Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { cases, long } from '../long.js';
import { know } from './faults-support.js';
import { dial } from './frame-peers.js';
import { World } from './host-testbed.js';
import { Bystanders, clientOf, expectNoReach, expectReach, give, linkOf, startWith } from './live-support.js';
import { kernelDevice } from './multicast-support.js';
import { command, OVERTAP, overtap, RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { BROADCAST, experimentalFrame, inject, tool } from './traffic.js';
import { expectBalance, makeGuest, succeed, VNI } from './two-hosts.js';

const UPGRADES = long(200, 2);
/** Bytes a second of each TCP connection, and datagrams a second. */
const PACE = 2_000_000;
const RATE = 500;
const GROUP = '239.1.2.3';

let world: World;
let hosts: [Host, Host];
let guests: Guest[];
let peer: Guest;

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
  const addresses = ['198.18.0.9/24'];
  peer = await kernelDevice(world, hosts[1], { id: VNI, to: `remote ${hosts[0].address}`, addresses });
});

afterEach(() => world.cleanUp());

function start(settings = '', more = ''): Promise<RunningSwitch> {
  const taps = guests.map((guest, index) => tapPort(`tap${index}`, guest));
  const bridges = plainBridge(...taps, singlePort(hosts[0].address, [hosts[1].address], VNI));
  return startWith(world, hosts[0].netns, 'host1', `${settings}bridges:\n${bridges}${more}`);
}

const pidOf = async (sw: RunningSwitch): Promise<number> => (await clientOf(sw).get('/v1/info')).pid;

/** @returns milliseconds in which nobody forwarded */
async function upgrade(sw: RunningSwitch): Promise<number> {
  const before = await pidOf(sw);
  const answer = await createClient(sw.control, { deadlineMs: 60_000 }).post('/v1/upgrade', {});
  expect(answer.pid).not.toBe(before);
  expect(await pidOf(sw)).toBe(answer.pid);
  return answer.gap_ms;
}

interface Stream {
  sender: Program;
  receiver: Program;
}

async function stream(from: Guest, to: Guest): Promise<Stream> {
  const receiver = world.spawn(to.netns, tool('paced', 'receive', to.address));
  const { port } = JSON.parse(await receiver.line('the receiver listens', () => true)) as { port: number };
  const sender = world.spawn(from.netns, tool('paced', 'send', to.address, port, PACE));
  await sender.line('bytes flow', () => true);
  return { sender, receiver };
}

/** Ends the stream, and expects that all bytes have come by the one connection. @returns the longest time without any */
async function expectWhole({ sender, receiver }: Stream): Promise<number> {
  const sent = (await sender.stop('SIGTERM')).ended;
  expect(sent.status, describeEnd(sent)).toBe(0);
  const { bytes, sha256 } = JSON.parse(sent.stdout.trim().split('\n').at(-1) ?? '') as {
    bytes: number;
    sha256: string;
  };
  const last = await receiver.line('the receiver tells its hash', (line) => line.includes('sha256'));
  const got = JSON.parse(last) as { bytes: number; gap: number };
  expect(got).toMatchObject({ bytes, sha256 });
  expect(bytes).toBeGreaterThan(0);
  return got.gap;
}

interface Nic {
  ifindex: number;
  ifname: string;
  address: string;
  mtu: number;
  flags: string[];
}

const nicOf = async ({ netns, ifname }: Guest): Promise<Nic> =>
  (await world.ipJson<Nic[]>(netns, `-details link show dev ${ifname}`))[0];

/** Rows without what time changes. */
const placesOf = (rows: readonly FdbRow[]): string[] =>
  rows.map(({ updated: _, ...row }) => JSON.stringify(row)).sort();

describe('upgrades', () => {
  test.each(cases([{ workers: 2 }, { workers: 1 }], 1))(
    `workers: $workers; ${UPGRADES} in a row under TCP in three directions: no connection is lost, accounts continue`,
    async ({ workers }) => {
      const sw = await start(`workers: ${workers}\n`);
      // A switch with tunnel GSO has a TAP of its own beside the underlay's NIC (otgso0), as each process has.
      const monitors = [...guests, hosts[0]].map(({ netns, ifname }) =>
        world.spawn(netns, ['ip', 'monitor', 'link', 'dev', ifname]),
      );
      await expectReach(world, guests[0], peer);
      await expectReach(world, guests[1], guests[0]);
      await expectReach(world, guests[1], peer);
      const nics = await Promise.all(guests.map(nicOf));
      const before = placesOf(await sw.fdb());
      const streams = [
        await stream(guests[0], peer),
        await stream(peer, guests[1]),
        await stream(guests[1], guests[0]),
      ];
      const datagrams = await Bystanders.begin(world, guests[0], guests[1], RATE);
      const gaps: number[] = [];
      for (let number = 0; number < UPGRADES; number++) gaps.push(await upgrade(sw));
      const waits = await Promise.all(streams.map(expectWhole));
      await datagrams.expectAll();
      gaps.sort((a, b) => a - b);
      console.log(
        `${UPGRADES} upgrades, ${workers} workers: frames waited ${gaps[gaps.length >> 1]} ms (median), ${gaps[Math.floor(gaps.length * 0.95)]} ms (95 %), at most ${gaps.at(-1)} ms; ` +
          `longest time without a datagram ${datagrams.gap} ms, without TCP data ${Math.max(...waits)} ms`,
      );
      await expectBalance(sw);
      const { links, drops } = await settledStats(sw);
      // Every frame of the datagrams and of their way back is counted, through all processes.
      expect(links.tap0.rx_packets).toBeGreaterThan(UPGRADES);
      expect(drops).toEqual({});
      expect(placesOf(await sw.fdb())).toEqual(before);
      expect(await Promise.all(guests.map(nicOf))).toEqual(nics);
      expect(monitors.flatMap(({ lines }) => lines)).toEqual([]);
    },
  );

  test('keep what was learned, what was changed at run time, and what is counted, exactly', async () => {
    const other = `  br2:
    vlan_filtering: true
    vlan_default_pvid: 7
    host_port: true
    ports:
      up: { type: patch, peer: down }
  br3:
    ports:
      down: { type: patch, peer: up }
      gone: { type: tap, netns: ${world.path('nowhere')}, ifname: eth0 }
      any: { type: vxlan, id: 77, local: ${hosts[0].address}, accept_vteps: any, neigh_suppress: true }
`;
    const sw = await start('', other);
    await give(
      sw,
      'link add late type bridge',
      `fdb add 02:00:00:00:00:77 dev vxlan0 dst ${hosts[1].address} extern_learn`,
      'fdb add 02:00:00:00:00:78 dev tap1 master dynamic',
      'neigh add 198.18.9.9 lladdr 02:00:00:00:00:79 dev any',
      'mdb add dev br1 port tap0 grp 239.9.9.9 permanent',
      'link set tap0 type tap isolated on',
      'link set tap0 type tap isolated off',
      'log-level debug',
    );
    // A VTEP that nobody has named is learned, with who is behind it.
    const addresses = ['198.18.7.1/24'];
    const stranger = await kernelDevice(world, hosts[1], { id: 77, to: `remote ${hosts[0].address}`, addresses });
    await world.exec(hosts[1].netns, ['ping', '-c', '1', '-W', '1', '198.18.7.2']);
    await expectReach(world, guests[0], peer);
    await expectReach(world, guests[0], guests[1]);
    await joinGroup(sw);
    const ageIn = (rows: readonly FdbRow[]): number => rows.find(({ mac }) => mac === stranger.mac)?.updated ?? -1;
    await until('an entry has an age', async () => ageIn(await sw.fdb()) >= 2);
    // Otherwise their kernels ask once more, some seconds after the ping, and that would be counted.
    const [one, two] = guests;
    for (const [at, to] of [
      [one, two],
      [one, peer],
      [two, one],
      [peer, one],
    ])
      await know(world, at.netns, at.ifname, to);
    await settledStats(sw);
    const [fdb, stats, mdb, neigh, config, links] = await everything(sw);
    expect(placesOf(fdb).join()).toContain('02:00:00:00:00:77');
    const learned = { mac: stranger.mac, ifname: 'any', dst: hosts[1].address, state: 'dynamic' };
    expect(fdb).toContainEqual(expect.objectContaining(learned));
    expect(stats.links.any.remotes?.[hosts[1].address].rx_packets).toBeGreaterThan(0);
    expect(mdb.mdb.map(({ grp }) => grp).sort()).toEqual([GROUP, '239.9.9.9']);
    await upgrade(sw);
    const [fdb2, stats2, mdb2, neigh2, config2, links2] = await everything(sw);
    expect(placesOf(fdb2)).toEqual(placesOf(fdb));
    expect(ageIn(fdb2)).toBeGreaterThanOrEqual(ageIn(fdb));
    const { control: _, ...counted } = stats;
    expect(stats2).toMatchObject(counted);
    const untimed = (rows: readonly { timer?: number }[]): string[] =>
      rows.map(({ timer: __, ...row }) => JSON.stringify(row)).sort();
    expect({ mdb: untimed(mdb2.mdb), router: untimed(mdb2.router) }).toEqual({
      mdb: untimed(mdb.mdb),
      router: untimed(mdb.router),
    });
    const timer = mdb2.mdb.find(({ grp }) => grp === GROUP)?.timer ?? 0;
    expect(timer).toBeLessThanOrEqual(mdb.mdb.find(({ grp }) => grp === GROUP)?.timer ?? 0);
    expect(timer).toBeGreaterThan(200);
    const bindings = (rows: typeof neigh): string[] =>
      rows.map(({ updated: __, ...row }) => JSON.stringify(row)).sort();
    expect(bindings(neigh2)).toEqual(bindings(neigh));
    expect(bindings(neigh).join()).toContain('198.18.7.1');
    expect(config2).toEqual(config);
    expect(links2).toEqual(links);
    expect(await sw.json('log-level')).toEqual({ level: 'debug' });
    // The next process goes on from the restored state alike, and changes find what they name.
    await upgrade(sw);
    await give(sw, `fdb del 02:00:00:00:00:77 dev vxlan0 dst ${hosts[1].address}`, 'link del late', 'link del tap1');
    await expectReach(world, guests[0], peer);
    // The former process may still be ending, and has the device until then.
    await until('the NIC is gone', async () => (await world.nics(guests[1].netns)).length === 0);
    await expectBalance(sw);
  });

  test('keep what only control sets: Q-in-Q, Geneve, queriers, blocked ports, nexthops, locked entries, isolation', async () => {
    const asking = await makeGuest(world, 3);
    const [c0, c1] = [0, 1].map((at) => ({ netns: hosts[0].netns, ifname: `c${at}` }));
    await world.veth(c0, c1);
    const others = `  br2:
    vlan_filtering: true
    vlan_protocol: 802.1ad
    fdb_local_vlan_0: true
    host_port: true
    mcast_querier: true
    ports:
      gnv: { type: geneve, id: 9, local: ${hosts[0].address}, remotes: [${hosts[1].address}], vlans: [{ vid: 100 }, { vid: 200 }] }
      cust:
        type: patch
        peer: core
        cvlan_map: ["10-19:100", "20:200"]
        vlans: [{ vid: 1, pvid: true, untagged: true }, { vid: 100, untagged: true, isolated: true }, { vid: 200, untagged: true }]
        locked: true
        mab: true
        hairpin: true
        group_fwd_mask: 0x4000
        neigh_suppress: true
        neigh_forward_grat: false
        fdb: [{ mac: "02:00:00:00:00:70", vlan: 100, sticky: true, activity_notify: true }]
  br3:
    ports:
      core: { type: patch, peer: cust }
      c0: { type: netdev }
      c1: { type: netdev }
${tapPort('tap2', asking)}nexthops: [{ id: 1, via: 192.0.2.2 }, { id: 2, via: 192.0.2.3 }, { id: 10, group: [{ id: 1 }, { id: 2, weight: 3 }] }]
`;
    const sw = await start('', others);
    await give(
      sw,
      'link set tap1 type bridge_slave backup_port vxlan0 backup_nhid 10',
      'fdb add 02:00:00:00:00:71 dev vxlan0 nhid 10 static',
      'vlan set dev gnv vid 200 isolated on',
    );
    // Its question goes round by the cable until one end is blocked, and comes to the locked port.
    const settled = await until('a port is blocked, and a MAC waits', async () => {
      await world.exec(asking.netns, ['ping', '-c', '1', '-W', '1', '198.18.0.77']);
      const [fdb, links] = [await sw.fdb(), await sw.links()];
      const own = links.find(({ ifname }) => ifname === 'br2')?.address ?? '';
      // What br2's host says later, of itself or as a querier, is then known to br3.
      await world.exec(hosts[0].netns, tool('frames', 'br2', BROADCAST, own, 1, 1000));
      const has = (address: string, port: string): FdbRow | undefined =>
        fdb.find(({ mac, ifname }) => mac === address && ifname === port);
      const waits = has(asking.mac, 'cust')?.flags.includes('locked') === true && has(own, 'core') !== undefined;
      return waits && links.some(({ loop_with }) => loop_with !== undefined) ? links : undefined;
    });
    expect(settled.filter(({ loop_with }) => loop_with !== undefined)).toHaveLength(1);
    const client = clientOf(sw);
    const listings = async () => {
      const [fdb, , mdb, , config, links] = await everything(sw);
      const [vlans, nexthops] = [await client.get('/v1/vlans'), await client.get('/v1/nexthops')];
      return { fdb: placesOf(fdb), groups: mdb.mdb.map(({ grp }) => grp).sort(), config, links, vlans, nexthops };
    };
    const before = await listings();
    await upgrade(sw);
    expect(await listings()).toEqual(before);
    await upgrade(sw);
    expect(await listings()).toEqual(before);
    // The new process does what these say.
    await give(sw, `fdb replace ${asking.mac} dev cust vlan 1 static`, 'link set cust type bridge_slave mab off');
    const rows = (await sw.fdb()).filter(({ ifname }) => ifname === 'cust');
    expect(rows.flatMap(({ flags }) => flags)).toEqual(['sticky']);
    expect(rows.map(({ mac }) => mac).sort()).toEqual(['02:00:00:00:00:70', asking.mac].sort());
  });

  test('keep ports of all kinds: interfaces, virtual machines at their sockets, datagram sockets', async () => {
    const cabled = await makeGuest(world, 3);
    await world.veth(cabled, { netns: hosts[0].netns, ifname: 'nd' });
    await world.ip(cabled.netns, `link set ${cabled.ifname} address ${cabled.mac}`);
    await world.address(cabled, `${cabled.address}/24`);
    const socket = world.path('vm.sock');
    const bridges = `  br1:
    ports:
${tapPort('tap0', guests[0])}      nd: { type: netdev }
      vm: { type: qemu, listen: ${socket} }
      tn: { type: tun, ifname: tun0, addresses: [198.18.0.4/24] }
      later: { type: qemu, listen: ${world.path('later.sock')} }
      near: { type: udp, local: "127.0.0.1:10001", remote: "127.0.0.1:10002" }
  br2:
    ports:
${tapPort('tap1', guests[1])}      far: { type: udp, local: "127.0.0.1:10002", remote: "127.0.0.1:10001" }
`;
    const sw = await startWith(world, hosts[0].netns, 'host1', `bridges:\n${bridges}`);
    const vm = await dial(socket);
    let sent = 0;
    /** A frame each way, and everyone else. */
    const expectAll = async (): Promise<void> => {
      const ip = { netns: hosts[0].netns, address: '198.18.0.4' };
      for (const guest of [cabled, guests[1], ip]) await expectReach(world, guests[0], guest);
      await expectReach(world, ip, guests[1]);
      const text = `number ${++sent}`;
      const from = { destination: '52:54:00:00:00:01', source: guests[0].mac };
      vm.send(experimentalFrame({ destination: guests[0].mac, source: from.destination, text: 'here' }));
      await until('the machine is known', async () => (await sw.fdb('dev vm')).length > 0);
      await inject(world, guests[0], experimentalFrame({ ...from, text: `${text};` }));
      await until('the machine gets a frame', () => vm.texts.includes(text));
    };
    try {
      await until('the machine is connected', async () => (await linkOf(sw, 'vm'))?.operstate === 'UP');
      await expectAll();
      // A port that was opened again is shown last until the next start.
      const linksOf = async (): Promise<string[]> => (await sw.links()).map((link) => JSON.stringify(link)).sort();
      const links = await linksOf();
      for (let number = 0; number < 2; number++) {
        await upgrade(sw);
        await expectAll();
      }
      expect(vm.texts).toHaveLength(3);
      expect(await linksOf()).toEqual(links);
      // The host's stack still gets nothing from the interface, and one that comes later finds its socket.
      const late = await dial(world.path('later.sock'));
      await until('the late one is connected', async () => (await linkOf(sw, 'later'))?.operstate === 'UP');
      late.close();
      await expectBalance(sw);
    } finally {
      vm.close();
    }
    process.kill(await pidOf(sw), 'SIGTERM');
    await until('the sockets are removed', () => !existsSync(socket) && !existsSync(world.path('later.sock')));
  });

  /** A guest joins a group, in a VLAN with a querier. */
  async function joinGroup(sw: RunningSwitch): Promise<void> {
    // A general query of IGMPv2 (RFC 2236) with the Router Alert option, to be answered within a fifth of a second.
    const ethernet = `01005e000001${guests[1].mac.replaceAll(':', '')}0800`;
    const query = `${ethernet}4600002000000000010200000a000002e0000001940400001102eefd00000000`;
    await inject(world, guests[1], ipChecksum(query).padEnd(120, '0'));
    // One report, and none again within a second of the first: that would be counted meanwhile.
    await succeed(world, guests[0].netns, ['sysctl', '-qw', 'net.ipv4.igmp_qrv=1']);
    const joiner = world.spawn(guests[0].netns, tool('group', 'join', GROUP, guests[0].address, guests[0].ifname));
    await joiner.line('the guest has joined', () => true);
    await until('the group is known', async () =>
      (await clientOf(sw).get('/v1/mdb')).mdb.some(({ grp }) => grp === GROUP),
    );
    await until('the router is known', async () => (await clientOf(sw).get('/v1/mdb')).router.length > 0);
  }
});

/** Sets the checksum of an IPv4 header of 24 bytes behind an Ethernet header. */
function ipChecksum(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  let sum = 0;
  for (let at = 14; at < 38; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  bytes.writeUInt16BE(~sum & 0xffff, 24);
  return bytes.toString('hex');
}

async function everything(sw: RunningSwitch) {
  const client = clientOf(sw);
  return Promise.all([
    sw.fdb(),
    sw.stats(),
    client.get('/v1/mdb'),
    client.get('/v1/neigh'),
    client.get('/v1/config'),
    client.get('/v1/links?details=1'),
  ]);
}

describe('a new process that fails', () => {
  /** The switch forwards, in the same process, and can still be upgraded. */
  async function expectUnharmed(sw: RunningSwitch, pid: number, datagrams: Bystanders): Promise<void> {
    expect(await pidOf(sw)).toBe(pid);
    await expectReach(world, guests[0], peer);
    // Changes wait no longer, and a NIC is where it was.
    await give(sw, 'link set tap0 type tap isolated on', 'link set tap0 type tap isolated off');
    await datagrams.expectAll();
    expect(await world.nics(guests[0].netns)).toEqual([guests[0].ifname]);
    await upgrade(sw);
    await expectReach(world, guests[0], guests[1]);
    await expectBalance(sw);
  }

  const half = async (sw: RunningSwitch, ...words: (string | number)[]): Promise<Program> => {
    const program = world.spawn(hosts[0].netns, tool('half-taker', sw.control, ...words));
    await program.line('it has come so far', () => true, 40_000);
    return program;
  };

  test('is killed or closes at each step: the old one goes on, without loss', async () => {
    const sw = await start();
    const pid = await pidOf(sw);
    const datagrams = await Bystanders.begin(world, guests[0], guests[1], RATE);
    const refusals = (): number => sw.log().filter(({ msg }) => msg.startsWith('the switch was not taken over')).length;
    for (const end of cases(['die', 'close'], 1)) {
      for (const steps of [0, 1, 2, 3, 4]) {
        const before = refusals();
        const program = await half(sw, steps, end);
        await program.ended;
        await until(`the switch says so after step ${steps}`, () => refusals() === before + 1);
        await until('the next one is not refused', async () => (await pidOf(sw)) === pid);
      }
    }
    await expectUnharmed(sw, pid, datagrams);
  });

  test('hangs while the switch stands still: it is killed, and the old one goes on, without loss', async () => {
    const sw = await start();
    const pid = await pidOf(sw);
    // What a guest's NIC and a receiver's socket hold for two seconds.
    const datagrams = await Bystanders.begin(world, guests[0], guests[1], 100);
    const { signal } = await (await half(sw, 4, 'hang')).ended;
    expect(signal).toBe('SIGKILL');
    await expectUnharmed(sw, pid, datagrams);
  });

  test('talks nonsense, asks for another version, or comes second: it is refused', async () => {
    const sw = await start();
    const pid = await pidOf(sw);
    const datagrams = await Bystanders.begin(world, guests[0], guests[1], RATE);
    const old = await half(sw, 0, 'close', 'take-over:0');
    expect(old.output).toContain('the versions differ too much');
    for (const end of ['junk', 'huge']) {
      const told = (): number => sw.log().filter(({ pid: of, reason }) => of !== pid && reason !== undefined).length;
      const before = told();
      const program = await half(sw, 1, end);
      await until(`the switch says so of ${end}`, () => told() > before);
      program.signal('SIGKILL');
      await program.ended;
    }
    const first = await half(sw, 1, 'hang');
    expect((await half(sw, 0, 'close')).output).toMatch(/takes the switch over already/);
    const refused = await overtap('-s', sw.control, 'upgrade');
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('takes the switch over already') });
    first.signal('SIGKILL');
    await first.ended;
    await until('the switch is free', () => sw.log().at(-1)?.msg.startsWith('the switch was not taken over'));
    await expectUnharmed(sw, pid, datagrams);
  });

  test.each(cases([4, 1], 1))('does not outlive the switch, which is ended meanwhile (step %i)', async (steps) => {
    const sw = await start();
    const taker = await half(sw, steps, 'hang');
    const { ended } = await sw.stop();
    expect(ended.status, describeEnd(ended)).toBe(0);
    expect(sw.log().at(-1)?.msg).toBe('stopped');
    expect(ended.stdout).toContain('the switch was not taken over');
    taker.signal('SIGKILL');
    await taker.ended;
    expect(await world.nics(guests[0].netns)).toEqual([]);
    expect(existsSync(sw.control)).toBe(false);
  });

  test('does not start: the command tells why', async () => {
    // The program is what a link leads to, as a package manager would replace it.
    const link = world.path('overtap');
    symlinkSync(OVERTAP, link);
    const config = world.config('host1', plainBridge(...guests.map((guest, index) => tapPort(`tap${index}`, guest))));
    const sw = new RunningSwitch(
      world.spawn(hosts[0].netns, [process.execPath, link, 'run', '-c', config]),
      world.control('host1'),
    );
    await sw.ready();
    const pid = await pidOf(sw);
    const refusedBecause = async (reason: RegExp): Promise<void> => {
      const ended: Ended = await command('-s', sw.control, 'upgrade');
      expect(ended.status, describeEnd(ended)).toBe(1);
      expect(ended.stderr).toMatch(reason);
      expect(ended.stderr).toMatch(/the switch goes on/);
      expect(await pidOf(sw)).toBe(pid);
      await expectReach(world, guests[0], guests[1]);
    };
    unlinkSync(link);
    await refusedBecause(/Cannot find module/);
    writeFileSync(link, 'process.stderr.write("overtap: the native addon cannot be loaded\\n"); process.exit(1);');
    await refusedBecause(/the native addon cannot be loaded/);
    writeFileSync(link, 'process.kill(process.pid, "SIGKILL");');
    await refusedBecause(/SIGKILL/);
    unlinkSync(link);
    symlinkSync(OVERTAP, link);
    const text = readFileSync(config, 'utf8');
    writeFileSync(config, 'bridges: 5\n');
    await refusedBecause(/bridges: expected a mapping/);
    writeFileSync(config, text);
    await upgrade(sw);
    await expectReach(world, guests[0], guests[1]);
  });
});

test('an attached interface goes along, silenced as it was, and its guest loses no datagram', async () => {
  const wired = await makeGuest(world, 3);
  await world.veth(wired, { netns: hosts[0].netns, ifname: 'p3' });
  await world.address(wired, `${wired.address}/24`);
  await world.ip(hosts[0].netns, 'address add 198.18.0.33/24 dev p3');
  const sw = await start('workers: 2\n', '      p3: { type: netdev }\n');
  await expectReach(world, guests[0], wired);
  // What looks for the host's address forgets all neighbours but this one, and datagrams would wait for its MAC.
  await world.ip(
    wired.netns,
    `neigh replace ${guests[0].address} dev ${wired.ifname} lladdr ${guests[0].mac} nud permanent`,
  );
  const streams = await Bystanders.begin(world, wired, guests[0], RATE);
  // Superframes, beside the datagrams.
  const tcp = await stream(wired, guests[0]);
  for (let i = 0; i < 3; i++) {
    await upgrade(sw);
    await expectNoReach(world, wired, { address: '198.18.0.33' });
  }
  await expectWhole(tcp);
  await streams.expectAll();
  expect((await linkOf(sw, 'p3'))?.rx_missed).toBe(0);
  await expectReach(world, guests[1], wired);
  await expectBalance(sw);
});

test('the old process is killed in the middle: the new one goes on with the devices and the configuration', async () => {
  const sw = await start();
  await expectReach(world, guests[0], peer);
  const nics = await Promise.all(guests.map(nicOf));
  const old = sw.program.pid;
  // It stops when it has answered, before it can send all.
  const taker = world.spawn(hosts[0].netns, [process.execPath, OVERTAP, 'run', '-c', configOf(sw), '--take-over']);
  await until('the new process has the descriptors of the NICs', () => tapsOf(taker.pid) >= guests.length);
  process.kill(old, 'SIGKILL');
  await taker.line(
    'the new process forwards',
    (line) => line.includes('"msg":"ready"') || line.includes('taken over'),
    30_000,
  );
  await until('it answers', async () => (await pidOf(sw).catch(() => old)) === taker.pid);
  await expectReach(world, guests[0], peer);
  await expectReach(world, guests[1], guests[0]);
  expect(await Promise.all(guests.map(nicOf))).toEqual(nics);
  expect((await taker.stop('SIGTERM')).ended.status).toBe(0);
  expect(await world.nics(guests[0].netns)).toEqual([]);
});

test('by hand: a process of the same user; and there must be a switch', async () => {
  // Everybody may use the socket, but descriptors are more than that.
  const sw = await start('control_mode: "0666"\n');
  const file = configOf(sw);
  chmodSync(dirname(sw.control), 0o711);
  const other = await world.exec(hosts[0].netns, [
    ...['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
    ...tool('half-taker', sw.control, 0, 'close'),
  ]);
  expect(other.stdout, describeEnd(other)).toContain(
    'only a process of the same user (uid 0) may take the switch over',
  );
  const taker = world.spawn(hosts[0].netns, [process.execPath, OVERTAP, 'run', '-c', file, '--take-over']);
  await taker.line('the new process forwards', (line) => line.includes('"msg":"ready"'), 30_000);
  expect((await sw.program.ended).status).toBe(0);
  await expectReach(world, guests[0], peer);
  expect((await taker.stop('SIGTERM')).ended.status).toBe(0);
  // The NICs are this process's own: they go with it.
  expect(await world.nics(guests[0].netns)).toEqual([]);
  const none = await world.exec(hosts[0].netns, [process.execPath, OVERTAP, 'run', '-c', file, '--take-over']);
  expect(none).toMatchObject({ status: 1, stderr: expect.stringContaining('no switch answers') });
});

const configOf = (sw: RunningSwitch): string => sw.control.replace(/\.sock$/, '.yaml');

/** Descriptors of TAPs that a process has. */
function tapsOf(pid: number): number {
  let taps = 0;
  for (let fd = 0; fd < 400; fd++) {
    try {
      if (readlinkSync(`/proc/${pid}/fd/${fd}`) === '/dev/net/tun') taps++;
    } catch {
      // Not open.
    }
  }
  return taps;
}

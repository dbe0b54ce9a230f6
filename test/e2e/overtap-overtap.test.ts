/**
 * Two hosts, one vxlan port for VLAN 2 and 3 on each: what guests can do, that the VLANs never meet, and what the wire
 * carries, as read by libpcap and tcpdump.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { must } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { dump, macOf, type Sniffer, sniff, vlanOf } from './sniffer.js';
import { accounts, type RunningSwitch, settledStats } from './switch.js';
import { access, filteringBridge, type Guest, type Host, tapPort, tunnelPort, twoHosts } from './topologies.js';
import { BROADCAST, experimentalFrame, inject, ping, transfer, udpEcho } from './traffic.js';

const MB = 1_000_000;
const MAPPING = { 2: 2, 3: 3 };

const world = new World();
let hosts: [Host, Host];
let switches: RunningSwitch[];
/** By host (0, 1) and VLAN: guests[0][2] is the guest of host 1 in VLAN 2. */
let guests: Record<2 | 3, Guest>[];
let trunk: Guest;

async function makeGuest(host: number, vlan: number): Promise<Guest> {
  return {
    netns: await world.netns(`h${host + 1}-ns${vlan}`),
    ifname: `tap${vlan - 1}_1`,
    address: `100.0.${vlan - 1}.${host + 1}`,
    mac: `02:00:00:00:0${vlan}:0${host + 1}`,
  };
}

beforeAll(async () => {
  hosts = await twoHosts(world);
  guests = [];
  for (const host of [0, 1]) guests.push({ 2: await makeGuest(host, 2), 3: await makeGuest(host, 3) });
  trunk = {
    netns: await world.netns('trunk'),
    ifname: 'trunk0',
    address: '203.0.113.1',
    mac: '02:00:00:00:99:01',
  };
  const ports = (host: number): string[] => [
    tapPort('tap1_0', guests[host][2], access(2)),
    tapPort('tap2_0', guests[host][3], access(3)),
    tunnelPort(hosts[host].address, [hosts[1 - host].address], MAPPING),
  ];
  switches = await Promise.all([
    world.startSwitch(
      hosts[0].netns,
      'host1',
      filteringBridge(...ports(0), tapPort('trunk', trunk, '[{ vid: 2 }, { vid: 3 }]')),
    ),
    world.startSwitch(hosts[1].netns, 'host2', filteringBridge(...ports(1))),
  ]);
});

afterAll(() => world.cleanUp());

describe('guests of one VLAN', () => {
  test.each([2, 3] as const)('ping each other across the hosts in VLAN %i', async (vlan) => {
    for (const host of [0, 1]) {
      const result = await ping(world, guests[host][vlan].netns, guests[1 - host][vlan].address);
      expect(result, result.output).toMatchObject({ sent: 3, received: 3, duplicates: 0 });
    }
  });

  test('have NICs of 1450 bytes by themselves, and fill them', async () => {
    for (const host of [0, 1]) {
      const { netns, ifname } = guests[host][2];
      expect(await world.ipJson(netns, `link show ${ifname}`)).toMatchObject([
        { mtu: 1450, flags: expect.arrayContaining(['UP', 'LOWER_UP']) },
      ]);
    }
    const full = await ping(world, guests[0][2].netns, guests[1][2].address, { size: 1450 - 28, whole: true });
    expect(full.received, full.output).toBe(3);
  });

  test.each([
    { from: 0, vlan: 2 as const, megabytes: 100 },
    { from: 1, vlan: 2 as const, megabytes: 100 },
    { from: 0, vlan: 3 as const, megabytes: 10 },
    { from: 1, vlan: 3 as const, megabytes: 10 },
  ])('move $megabytes MB over TCP in VLAN $vlan, from host $from', async ({ from, vlan, megabytes }) => {
    const receiver = guests[1 - from][vlan];
    const result = await transfer(world, guests[from][vlan].netns, receiver.netns, receiver.address, megabytes * MB);
    expect(result.received).toEqual({ bytes: megabytes * MB, sha256: result.sent.sha256 });
    console.log(`overtap to overtap, VLAN ${vlan}, ${megabytes} MB: ${result.megabitsPerSecond} Mb/s`);
  });
});

describe('VLAN 2 and VLAN 3', () => {
  /** Routes and neighbours that make a guest send straight to those of the other VLAN. */
  async function forceTheWay(): Promise<void> {
    for (const host of [0, 1]) {
      for (const [vlan, other] of [
        [2, 3],
        [3, 2],
      ] as const) {
        const { netns, ifname } = guests[host][vlan];
        await world.ip(netns, `route add 100.0.${other - 1}.0/24 dev ${ifname}`);
        for (const target of [guests[0][other], guests[1][other]])
          await world.ip(netns, `neigh replace ${target.address} lladdr ${target.mac} dev ${ifname} nud permanent`);
      }
    }
  }

  test('never meet, routes and static neighbours or not', async () => {
    await forceTheWay();
    const sniffers = new Map<Guest, Sniffer>();
    for (const host of [0, 1]) {
      for (const vlan of [2, 3] as const) {
        const others = [guests[0][(5 - vlan) as 2 | 3], guests[1][(5 - vlan) as 2 | 3]].map(
          ({ mac }) => `ether src ${mac}`,
        );
        const filter = `${others.join(' or ')} or ether proto 0x88b5`;
        sniffers.set(guests[host][vlan], await sniff(world, guests[host][vlan], filter));
      }
    }

    const attempts = [0, 1].flatMap((host) =>
      ([2, 3] as const).flatMap((vlan) =>
        [0, 1].map((there) => ({ from: guests[host][vlan], to: guests[there][(5 - vlan) as 2 | 3] })),
      ),
    );
    const before = await Promise.all(switches.map((sw) => sw.stats()));
    const results = await Promise.all(attempts.map(({ from, to }) => ping(world, from.netns, to.address)));
    for (const result of results) expect(result.received, result.output).toBe(0);
    const after = await Promise.all(switches.map((sw) => sw.stats()));
    for (const [host, { links }] of after.entries()) {
      // Three pings to each of two guests did go into the switch.
      for (const tap of ['tap1_0', 'tap2_0'])
        expect(links[tap].rx_packets - before[host].links[tap].rx_packets).toBeGreaterThanOrEqual(6);
    }
    const names = new Map<Guest, string>();
    for (const [host, pair] of guests.entries()) {
      for (const vlan of [2, 3] as const) {
        const from = pair[vlan];
        names.set(from, `vlan ${vlan} host ${host}`);
        await inject(world, from, frame(from, BROADCAST, `vlan ${vlan} host ${host}`));
      }
    }

    // The broadcasts came last and by the same ways: each guest has those of its own VLAN, and nothing of the other's.
    for (const [host, pair] of guests.entries()) {
      for (const vlan of [2, 3] as const) {
        const sniffer = sniffers.get(pair[vlan]) as Sniffer;
        await sniffer.sees(`vlan ${vlan} host ${1 - host}`);
        const strangers = guests.map((each) => each[(5 - vlan) as 2 | 3].mac);
        const seen = sniffer.packets.map(({ hex }) => macOf.source(Buffer.from(hex, 'hex')));
        expect(
          seen.filter((mac) => strangers.includes(mac)),
          names.get(pair[vlan]),
        ).toEqual([]);
        await sniffer.stop();
      }
    }
  });

  test('reach a trunk port with their tags, and take frames from it by their tags', async () => {
    const atTrunk = await sniff(world, trunk, 'ether proto 0x88b5 or vlan');
    const atGuests = await Promise.all(
      [2, 3].map((vlan) => sniff(world, guests[1][vlan as 2 | 3], 'ether proto 0x88b5 or vlan')),
    );
    for (const vlan of [2, 3] as const) {
      const from = guests[1][vlan];
      await inject(world, from, frame(from, BROADCAST, `to the trunk in ${vlan}`));
      await atTrunk.sees(`to the trunk in ${vlan}`);
      expect(atTrunk.experimental(`to the trunk in ${vlan}`).map(vlanOf)).toEqual([vlan]);
    }
    for (const vlan of [2, 3]) await inject(world, trunk, frame(trunk, BROADCAST, `from the trunk in ${vlan}`, vlan));
    for (const [index, vlan] of [2, 3].entries()) {
      await atGuests[index].sees(`from the trunk in ${vlan}`);
      expect(atGuests[index].experimental(`from the trunk in ${vlan}`).map(vlanOf)).toEqual([undefined]);
      expect(atGuests[index].experimental(`from the trunk in ${5 - vlan}`)).toEqual([]);
    }
    await Promise.all([atTrunk, ...atGuests].map((sniffer) => sniffer.stop()));
  });

  test('a tag that the trunk is no member of is refused and counted', async () => {
    const before = (await switches[0].stats()).links.trunk.drops;
    await inject(world, trunk, frame(trunk, BROADCAST, 'in no VLAN of ours', 4), frame(trunk, BROADCAST, 'untagged'));
    const after = (await settledStats(switches[0])).links.trunk.drops;
    expect((after.vlan_not_allowed ?? 0) - (before.vlan_not_allowed ?? 0)).toBe(1);
    expect((after.no_pvid ?? 0) - (before.no_pvid ?? 0)).toBe(1);
  });
});

describe('the wire', () => {
  beforeAll(async () => {
    for (const host of hosts) await world.cutTrains(host);
  });

  afterAll(async () => {
    for (const host of hosts) await world.cutTrains(host, false);
  });

  test('carries the mapped VNIs, zeros in all reserved bits, and a source port for each flow', async () => {
    const sniffer = await sniff(world, hosts[0], 'udp dst port 4789');
    const flows = [2, 3, 2, 3, 2, 3].map((vlan) => {
      const [from, to] = guests.map((pair) => pair[vlan as 2 | 3]);
      return udpEcho(world, from.netns, to.netns, to.address, { size: 200, count: 5 });
    });
    for (const result of await Promise.all(flows)) expect(result).toEqual({ equal: 5, different: 0, lost: 0 });
    const isIpv4 = (inner: Buffer): boolean => inner.readUInt16BE(12) === 0x0800;
    const datagrams = (): number => sniffer.vxlan.filter(({ inner }) => isIpv4(inner)).length;
    await until('all datagrams and answers were seen', () => datagrams() >= 6 * 5 * 2);
    const seen = sniffer.vxlan;
    await sniffer.stop();

    const vniOfMac = new Map(guests.flatMap((pair) => ([2, 3] as const).map((vlan) => [pair[vlan].mac, vlan])));
    const portsOfFlow = new Map<string, Set<number>>();
    for (const { packet, flags, reserved, vni, inner } of seen) {
      const { ip, udp } = packet;
      expect({ flags, reserved, vni }).toEqual({ flags: 0x08, reserved: 0, vni: vniOfMac.get(macOf.source(inner)) });
      // TTL: that of the route, since none is configured; DF: unset is the default, and nothing is ever fragmented.
      expect(ip).toMatchObject({ ttl: 64, df: false, mf: false });
      expect(udp?.source).toBeGreaterThanOrEqual(32_768);
      expect(udp?.source).toBeLessThanOrEqual(61_000);
      if (!isIpv4(inner)) continue;
      const flow = inner.toString('hex', 26, 38); // addresses and ports
      portsOfFlow.set(flow, (portsOfFlow.get(flow) ?? new Set()).add(udp?.source ?? 0));
    }
    expect(new Set(seen.map(({ vni }) => vni))).toEqual(new Set([2, 3]));
    expect(portsOfFlow.size).toBeGreaterThanOrEqual(12);
    for (const ports of portsOfFlow.values()) expect(ports.size).toBe(1);
    expect(new Set([...portsOfFlow.values()].flatMap((ports) => [...ports])).size).toBeGreaterThan(2);
  });

  test('tcpdump finds every inner checksum right, and no datagram over 1500 bytes', async () => {
    const file = world.path('wire.pcap');
    const capture = await dump(world, hosts[0], file, ['udp', 'port', '4789']);
    for (const [from, to] of [
      [0, 1],
      [1, 0],
    ]) {
      const receiver = guests[to][2];
      const { sent, received } = await transfer(world, guests[from][2].netns, receiver.netns, receiver.address, 4 * MB);
      expect(received.sha256).toBe(sent.sha256);
    }
    // Of 8 MB, as much as is asked for below.
    const said = await capture.stop(7.5 * MB);

    const text = await must(['tcpdump', '-r', file, '-n', '-vv']);
    const count = (pattern: RegExp): number => text.match(pattern)?.length ?? 0;
    expect(count(/ VXLAN, flags \[I\] \(0x08\), vni 2$/gm), said).toBeGreaterThan(5000);
    expect(count(/cksum 0x[0-9a-f]+ \(correct\)/g), said).toBeGreaterThan(5000);
    expect(text.match(/.*cksum 0x[0-9a-f]+ \(incorrect.*/g) ?? []).toEqual([]);
    const tooLong = await must(['tcpdump', '-r', file, '-n', 'greater', String(1500 + 14 + 1)]);
    expect(tooLong).toBe('');
  });
});

function frame(from: Guest, destination: string, text: string, vlan?: number): string {
  return experimentalFrame({ destination, source: from.mac, text, ...(vlan === undefined ? {} : { vlan }) });
}

describe('overtap --json', () => {
  test('fdb show: the flood list, local and remote entries, by VLAN and VNI', async () => {
    for (const vlan of [2, 3] as const) await ping(world, guests[0][vlan].netns, guests[1][vlan].address, { count: 1 });
    const rows = await switches[0].fdb();
    expect(rows).toContainEqual({
      mac: '00:00:00:00:00:00',
      ifname: 'vxlan0',
      master: 'br1',
      dst: hosts[1].address,
      state: 'permanent',
      flags: ['self'],
      moves: 0,
    });
    for (const vlan of [2, 3] as const) {
      const learned = { master: 'br1', vlan, state: 'dynamic', flags: [], updated: expect.any(Number), moves: 0 };
      const of = (mac: string) => rows.filter((row) => row.mac === mac);
      expect(of(guests[0][vlan].mac)).toEqual([{ mac: guests[0][vlan].mac, ifname: `tap${vlan - 1}_0`, ...learned }]);
      expect(of(guests[1][vlan].mac)).toEqual([
        { mac: guests[1][vlan].mac, ifname: 'vxlan0', vni: vlan, dst: hosts[1].address, ...learned },
      ]);
    }
    const remote = await switches[0].fdb('dev vxlan0 vni 3 dynamic');
    expect(remote.map(({ mac }) => mac)).toEqual([guests[1][3].mac]);
  });

  test('vlan show and tunnelshow: memberships as ranges, and the VLAN to VNI table', async () => {
    const flags = ['PVID', 'Egress Untagged'];
    expect(await switches[0].vlans()).toEqual([
      { ifname: 'tap1_0', vlans: [{ vlan: 2, flags }] },
      { ifname: 'tap2_0', vlans: [{ vlan: 3, flags }] },
      { ifname: 'vxlan0', vlans: [{ vlan: 2, vlanEnd: 3, flags: [] }] },
      { ifname: 'trunk', vlans: [{ vlan: 2, vlanEnd: 3, flags: [] }] },
    ]);
    expect(await switches[0].tunnels()).toEqual([
      { ifname: 'vxlan0', tunnels: [{ vlan: 2, vlanEnd: 3, tunid: 2, tunidEnd: 3 }] },
    ]);
  });

  test('link show: bridge and ports, their state, MTU and MAC', async () => {
    const rows = await switches[0].links();
    const row = (ifname: string) => rows.find((each) => each.ifname === ifname);
    expect(rows.map(({ ifname }) => ifname)).toEqual(['br1', 'tap1_0', 'tap2_0', 'vxlan0', 'trunk']);
    expect(row('br1')).toMatchObject({ type: 'bridge', operstate: 'UP', mtu: 1450, vlan_filtering: true });
    expect(row('tap1_0')).toMatchObject({
      type: 'tap',
      master: 'br1',
      operstate: 'UP',
      mtu: 1450,
      address: guests[0][2].mac,
      netns: guests[0][2].netns,
    });
    expect(row('vxlan0')).toMatchObject({
      type: 'vxlan',
      master: 'br1',
      operstate: 'UP',
      mtu: 1450,
      local: hosts[0].address,
      vlan_tunnel: true,
    });
  });

  test('stats: by link, remote and VNI, and the accounts balance', async () => {
    for (const [index, sw] of switches.entries()) {
      const stats = await settledStats(sw);
      const { in: received, out } = accounts(stats);
      expect(out).toBe(received);
      const other = hosts[1 - index].address;
      const { links, remotes, vnis } = stats;
      expect(Object.keys(vnis).sort()).toEqual(['2', '3']);
      expect(Object.keys(remotes)).toEqual([other]);
      expect(remotes[other]).toEqual(links.vxlan0.remotes?.[other]);
      for (const key of ['rx_packets', 'rx_bytes', 'tx_packets', 'tx_bytes'] as const) {
        expect(links.vxlan0[key]).toBeGreaterThan(0);
        expect(vnis['2'][key] + vnis['3'][key]).toBe(links.vxlan0[key]);
        expect(remotes[other][key]).toBe(links.vxlan0[key]);
      }
      for (const link of Object.values(links)) {
        const dropped = Object.values(link.drops).reduce((sum, count) => sum + count, 0);
        expect(link.rx_dropped + link.tx_dropped).toBe(dropped);
      }
      expect(stats.fdb).toMatchObject({ moved: 0, aged: 0, refused: 0 });
      expect(stats.fdb.entries).toBe((await sw.fdb()).filter(({ mac }) => mac !== '00:00:00:00:00:00').length);
    }
  });
});

/**
 * Superframes that leave whole, in their outer headers, as the kernel's vxlan device sends them: what passes the wire, what is
 * counted, beside a kernel peer, with a firewall or IPsec that comes and goes, over paths that get narrow, and what is left.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases, long } from '../long.js';
import { type End, World } from './host-testbed.js';
import { give } from './live-support.js';
import { kernelDevice, twoHostsOf } from './multicast-support.js';
import { type Sniffer, sniff } from './sniffer.js';
import { accounts, type RunningSwitch, settledStats } from './switch.js';
import { access, filteringBridge, type Guest, type Host, plainBridge, tapPort, twoHosts } from './topologies.js';
import { numbered, ping, tool } from './traffic.js';
import {
  counterOf,
  expectBalance,
  expectTransfer,
  isWhole,
  LONG,
  loseOneInHundred,
  MB,
  makeGuest,
  startPair,
  succeed,
  tunnelGsoLack,
  VNI,
} from './two-hosts.js';

const lack = await tunnelGsoLack();
const NAME = `tunnel GSO${lack === null ? '' : `, left out since the kernel has none: ${lack}`}`;

const OFF = 'offloads: { tunnel_gso: false }\n';
/** How long it may take until who looks at what is sent is noticed, and that nobody does any more (gso-tap/path.c), and a little. */
const NOTICED_MS = 3000;
const FORGOTTEN_MS = 9000;
/** And until it is noticed what a NIC can do. */
const DEVICE_MS = 13_000;
/** Bytes of a transfer whose length shows nothing: some hundreds of superframes. */
const BULK = long(50, 10) * MB;
/** Bytes of a guest's TCP segment, whose MTU is 1450, with timestamps. */
const SEGMENT = 1450 - 20 - 32;
/** Bytes a second of a steady flow. */
const RATE = 8 * MB;

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

/** Datagrams above the underlay's MTU, as they arrive at a host. */
function watch(to: Host, from: Host, megabytes?: number): Promise<Sniffer> {
  return sniff(world, to, `(${LONG}) and src host ${from.address}`, megabytes);
}

/** @returns how many of the datagrams above the MTU hold a whole superframe, and how many are trains */
function kinds({ packets }: Sniffer): { whole: number; trains: number } {
  const whole = packets.filter(isWhole).length;
  return { whole, trains: packets.length - whole };
}

const otgso = async ({ netns }: Host): Promise<string[]> =>
  (await world.nics(netns)).filter((ifname) => ifname.startsWith('otgso'));

/** Ends a capture, of a flow that goes on or of one that has ended. */
async function expectKinds(wire: Sniffer, accept: (found: ReturnType<typeof kinds>) => boolean): Promise<void> {
  // Enough for what is said of most of them.
  await until('datagrams above the MTU were seen', () => wire.packets.length > 50);
  await wire.stop();
  const found = kinds(wire);
  expect(accept(found), JSON.stringify(found)).toBe(true);
}

/** One or the other, but for a few: where segments of one go follow each other, they may be a train all the same. */
const mostlyWhole = ({ whole, trains }: ReturnType<typeof kinds>): boolean => whole > 10 && trains <= whole / 20;
const onlyTrains = ({ whole, trains }: ReturnType<typeof kinds>): boolean => whole === 0 && trains > 10;

interface Pair {
  hosts: [Host, Host];
  guests: [Guest, Guest];
  switches: RunningSwitch[];
}

async function pair(settings = ''): Promise<Pair> {
  const hosts = await twoHosts(world);
  const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
  const switches = await startPair(world, hosts, [[guests[0]], [guests[1]]], [settings, settings]);
  return { hosts, guests, switches };
}

interface Flow {
  /** Bytes that have arrived. */
  bytes(): number;
  /** Ends it; everything has to have arrived, with an equal hash. */
  end(): Promise<void>;
}

/** TCP at a steady pace, until it is ended. */
async function startFlow(from: Guest, to: Guest): Promise<Flow> {
  const receiver = world.spawn(to.netns, tool('paced', 'receive', to.address));
  const { port } = JSON.parse(await receiver.line('the receiver listens', () => true)) as { port: number };
  const sender = world.spawn(from.netns, tool('paced', 'send', to.address, port, RATE));
  await sender.line('the flow begins', (line) => line.includes('sending'));
  const last = (): { bytes: number } => JSON.parse(receiver.lines[receiver.lines.length - 1]) as { bytes: number };
  const bytes = (): number => (receiver.lines.length < 2 ? 0 : last().bytes);
  await until('the flow is under way', () => bytes() > RATE / 10);
  return {
    bytes,
    async end() {
      sender.signal('SIGTERM');
      const hashed = (line: string): boolean => line.includes('sha256');
      const sent = JSON.parse(await sender.line('the sender tells its hash', hashed)) as object;
      const arrived = JSON.parse(await receiver.line('the receiver tells its hash', hashed)) as object;
      expect(arrived).toMatchObject(sent);
    },
  };
}

/** Lets so many seconds' worth of a flow arrive. */
async function goesOn(flow: Flow, seconds: number): Promise<void> {
  const before = flow.bytes();
  await until('the flow goes on', () => flow.bytes() > before + RATE * seconds);
}

describe.skipIf(lack !== null)(NAME, () => {
  describe('between two switches', () => {
    test('a datagram holds one VXLAN header and a TCP payload longer than the MTU', async () => {
      const { hosts, guests, switches } = await pair();
      // Each is counted below: 20 MB are some 300, and that many wait for the capture's turn.
      const wire = await watch(hosts[1], hosts[0], 64);
      await expectTransfer(world, guests[0], guests[1], 20 * MB, 'superframes whole');
      await wire.rests();
      const whole = wire.vxlan.filter(({ packet }) => isWhole(packet));
      console.log(`of datagrams above the MTU: ${JSON.stringify(kinds(wire))}`);
      const payloads: number[] = [];
      for (const { flags, reserved, vni, inner } of whole) {
        expect({ flags, reserved, vni }).toEqual({ flags: 8, reserved: 0, vni: VNI });
        const [ip, tcp] = [inner.subarray(14), inner.subarray(14 + 20)];
        const payload = ip.readUInt16BE(2) - 20 - (tcp.readUInt8(12) >> 4) * 4;
        payloads.push(payload);
      }
      // More than a segment, whose last part may be short; most of them more than the underlay's MTU.
      expect(Math.min(...payloads)).toBeGreaterThan(SEGMENT);
      expect(payloads.filter((bytes) => bytes > 1500).length).toBeGreaterThan(payloads.length / 2);
      await expectKinds(wire, mostlyWhole);
      await expectBalance(...switches);
      // What the switch says of itself is what was seen.
      const counted = async (): Promise<boolean> => (await switches[0].stats()).tunnel_gso === whole.length;
      await until(`the switch counts ${whole.length} whole superframes`, counted);
      expect((await switches[1].stats()).tunnel_gso).toBe(0);
    });

    test('the counters count as they do with tunnel_gso: false', async () => {
      const counted = [];
      const hosts = await twoHosts(world);
      const guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
      for (const settings of ['', OFF]) {
        const switches = await startPair(world, hosts, [[guests[0]], [guests[1]]], [settings, settings]);
        await expectTransfer(world, guests[0], guests[1], BULK, settings === '' ? 'whole' : 'trains');
        const [sender, receiver] = [await settledStats(switches[0]), await settledStats(switches[1])];
        await expectBalance(...switches);
        for (const { drops } of [sender, receiver]) expect(drops).toEqual({});
        const { vxlan0: out, tap0 } = sender.links;
        // A frame that a guest sent is a frame that the tunnel sent, whatever its length.
        expect([out.tx_packets, out.tx_bytes]).toEqual([tap0.rx_packets, tap0.rx_bytes]);
        expect(out.remotes?.[hosts[1].address]?.tx_packets).toBe(out.tx_packets);
        expect(out.vnis?.[VNI]?.tx_packets).toBe(out.tx_packets);
        counted.push({ out, arrived: receiver.links.vxlan0 });
        for (const sw of switches) await sw.stop();
      }
      const [whole, trains] = counted;
      console.log(`sent: ${whole.out.tx_packets}, ${trains.out.tx_packets} frames; arrived: `, [
        ...[whole.arrived.rx_packets, trains.arrived.rx_packets],
      ]);
      // Bytes are the guests' frames, the headers of superframes once: all but the same, however TCP cut its stream.
      expect(Math.abs(whole.out.tx_bytes - trains.out.tx_bytes)).toBeLessThan(BULK * 0.005);
      // What left whole arrives whole, where no card has segmented it; of a train each segment is counted.
      expect(whole.arrived.rx_packets).toBe(whole.out.tx_packets);
      expect(whole.arrived.rx_bytes).toBe(whole.out.tx_bytes);
      expect(trains.arrived.rx_packets).toBeGreaterThanOrEqual(Math.floor(BULK / 1450));
    });

    test('the outer headers are those of the datagrams beside them, also when they are set anew', async () => {
      const hosts = await twoHosts(world);
      const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
      const start = (index: 0 | 1): Promise<RunningSwitch> => {
        const remotes = [hosts[1 - index].address];
        const port = { type: 'vxlan', local: hosts[index].address, id: VNI, remotes, ttl: 9, tos: 184, df: 'set' };
        const bridge = plainBridge(tapPort('tap0', guests[index]), `      vxlan0: ${JSON.stringify(port)}\n`);
        return world.startSwitch(hosts[index].netns, `host${index + 1}`, bridge);
      };
      const switches = [await start(0), await start(1)];
      const expectOuter = async (outer: { ttl: number; tos: number; df: boolean }): Promise<void> => {
        const wire = await sniff(world, hosts[1], `udp dst port 4789 and src host ${hosts[0].address}`);
        await expectTransfer(world, guests[0], guests[1], BULK, JSON.stringify(outer));
        await wire.rests();
        await wire.stop();
        const { packets } = wire;
        const long = packets.filter(({ length }) => length > 1514);
        expect(long.filter(isWhole).length).toBeGreaterThan(10);
        expect(packets.length).toBeGreaterThan(long.length);
        for (const { ip } of packets) expect(ip).toMatchObject({ ...outer, mf: false });
        // One flow has one port, whichever way its frames leave; ARP may have another.
        const tcp = wire.vxlan.filter(({ inner }) => inner.readUInt16BE(12) === 0x0800);
        expect(new Set(tcp.map(({ packet }) => packet.udp?.source)).size).toBe(1);
        expect(new Set(packets.map(({ udp }) => udp?.checksum === 0))).toEqual(new Set([false]));
      };
      await expectOuter({ ttl: 9, tos: 184, df: true });
      await give(switches[0], 'link set vxlan0 type vxlan ttl 7 tos 32 df unset');
      await expectOuter({ ttl: 7, tos: 32, df: false });
    });

    test('a NIC that stops segmenting while TCP flows: the kernel does it, then the switch', async () => {
      const { hosts, guests, switches } = await pair();
      const flow = await startFlow(...guests);
      const before = await watch(hosts[1], hosts[0]);
      await goesOn(flow, 0.5);
      await expectKinds(before, mostlyWhole);
      const off = ['tx-udp_tnl-segmentation', 'off', 'tx-udp_tnl-csum-segmentation', 'off'];
      await succeed(world, hosts[0].netns, ['ethtool', '-K', hosts[0].ifname, ...off]);
      const during = await watch(hosts[1], hosts[0]);
      await until('trains leave', () => kinds(during).trains > 10, DEVICE_MS);
      await during.stop();
      expect(kinds(during).whole).toBe(0);
      await flow.end();
      await expectBalance(...switches);
      for (const sw of switches) expect((await sw.stats()).drops).toEqual({});
    });

    test('small frames and TCP at once: nothing is lost, late or twice', async () => {
      const { guests, switches } = await pair();
      const [one, two] = guests;
      expect((await ping(world, one.netns, two.address)).received).toBe(3);
      const tcp = expectTransfer(world, one, two, long(200, 40) * MB, 'beside numbered datagrams');
      const back = expectTransfer(world, two, one, long(50, 10) * MB, 'beside numbered datagrams, back');
      const datagrams = numbered(world, one.netns, two.netns, two.address, { flows: 4, count: 2000 });
      const [{ received }] = await Promise.all([datagrams, tcp, back]);
      expect(received).toEqual({ received: 8000, late: 0, twice: 0, flows: 4 });
      await expectBalance(...switches);
      for (const sw of switches) expect((await sw.stats()).drops).toEqual({});
    });
  });

  const underlays = [
    { family: 4, checksum: true },
    { family: 6, checksum: true },
    { family: 6, checksum: false },
    { family: 4, checksum: false },
  ] as const;
  describe.each(cases(underlays, 1))(
    'a kernel peer, underlay IPv$family, UDP checksums: $checksum',
    ({ family, checksum }) => {
      test(`${BULK / MB} MB each way, IPv4 and IPv6 inside`, async () => {
        const hosts = await twoHostsOf(world, family);
        const netns = await world.netns('guest1', { ipv6: true });
        const guest = {
          netns,
          ifname: 'eth0',
          address: '198.18.0.1',
          address6: 'fd00:42::1',
          mac: '02:00:00:00:00:01',
        };
        const port = {
          type: 'vxlan',
          local: hosts[0].address,
          id: VNI,
          remotes: [hosts[1].address],
          udpcsum: checksum,
        };
        const bridges = plainBridge(tapPort('tap0', guest), `      vxlan0: ${JSON.stringify(port)}\n`);
        const sw = await world.startSwitch(hosts[0].netns, 'host1', bridges);
        const own = checksum ? 'noudp6zerocsumtx udpcsum' : 'udp6zerocsumtx noudpcsum';
        // Made in a namespace with IPv6, so that the device has it, too.
        const into = await world.netns('guest9', { ipv6: true });
        const peer = await kernelDevice(world, hosts[1], {
          ...{ id: VNI, to: `remote ${hosts[0].address}`, into },
          ...{ addresses: ['198.18.0.9/24', 'fd00:42::9/64'], more: `${own} udp6zerocsumrx` },
        });
        const label = `IPv${family}, checksums ${checksum}`;
        for (const [from, to, inner] of [
          [guest, peer, 'IPv4'],
          [guest, { ...peer, address: 'fd00:42::9' }, 'IPv6'],
        ] as const) {
          const wire = await watch(hosts[1], hosts[0]);
          await expectTransfer(world, from, to, BULK, `to the kernel, ${label}, inner ${inner}`);
          await wire.rests();
          await expectKinds(wire, mostlyWhole);
        }
        await expectTransfer(world, peer, guest, BULK, `from the kernel, ${label}`);
        const to6 = { ...guest, address: guest.address6 };
        await expectTransfer(world, peer, to6, BULK, `from the kernel, ${label}, inner IPv6`);
        await expectBalance(sw);
      });
    },
  );

  describe('who looks at what the host sends', () => {
    /** Counts the VXLAN datagrams that pass a hook. */
    const rules = (hook: string, family = 'inet'): string => `table ${family} watch {
  chain passing {
    type filter hook ${hook} priority 0;
    udp dport 4789 counter accept
  }
}
`;
    const load = (host: Host, text: string): Promise<string> =>
      succeed(world, host.netns, ['nft', '-f', world.file('watch.nft', text)]);
    const unload = ({ netns }: Host): Promise<string> =>
      succeed(world, netns, ['nft', 'delete', 'table', 'inet', 'watch']);
    const offloadLine = (sw: RunningSwitch) => sw.log().find(({ offload }) => offload === 'tunnel_gso');

    test.each(cases(['output', 'postrouting'], 1))('a rule at %s that comes and goes while TCP flows', async (hook) => {
      const { hosts, guests, switches } = await pair();
      const flow = await startFlow(...guests);
      const before = await watch(hosts[1], hosts[0]);
      await goesOn(flow, 0.5);
      await expectKinds(before, mostlyWhole);

      await load(hosts[0], rules(hook));
      const bytesSeen = async (): Promise<number> => (await counterOf(world, hosts[0].netns, 'watch')).bytes;
      await until('the rule sees the flow', async () => (await bytesSeen()) > RATE / 10, NOTICED_MS);
      // From now on it sees all of it.
      const [seen, arrived] = [await bytesSeen(), flow.bytes()];
      const during = await watch(hosts[1], hosts[0]);
      await goesOn(flow, 2);
      await expectKinds(during, onlyTrains);
      expect((await bytesSeen()) - seen).toBeGreaterThan((flow.bytes() - arrived) * 0.9);

      await unload(hosts[0]);
      const after = await watch(hosts[1], hosts[0]);
      await until('superframes leave whole again', () => kinds(after).whole > 10, FORGOTTEN_MS);
      await after.stop();
      await flow.end();
      await expectBalance(...switches);
      for (const sw of switches) expect((await sw.stats()).drops).toEqual({});
    });

    test('a rule that loses one in a hundred loses them: the transfer arrives all the same', async () => {
      const { hosts, guests } = await pair();
      await expectTransfer(world, guests[0], guests[1], BULK, 'before the loss');
      const lost = await loseOneInHundred(world, hosts[0].netns, 'output');
      const wire = await watch(hosts[1], hosts[0]);
      const flow = await startFlow(...guests);
      const latest = (): typeof wire.packets => wire.packets.slice(-10);
      const noticed = (): boolean => latest().length === 10 && !latest().some(isWhole);
      await until('superframes leave by the socket', noticed, NOTICED_MS + 3000);
      await flow.end();
      await wire.stop();
      const before = await lost();
      await expectTransfer(world, guests[0], guests[1], long(100, 40) * MB, '1 % lost on its way out');
      console.log(`datagrams lost on the way out: ${(await lost()) - before}`);
      expect((await lost()) - before).toBeGreaterThan(0);
    });

    const tables = [
      { what: 'a rule at input', table: rules('input'), used: true },
      { what: 'a table of IPv4', table: rules('output', 'ip'), used: false },
      { what: 'a table of IPv6', table: rules('postrouting', 'ip6'), used: false },
      { what: 'masquerading', table: rules('postrouting', 'ip').replace('filter hook', 'nat hook'), used: false },
      { what: 'a rule at forward', table: rules('forward'), used: true },
      { what: 'a chain without a hook', table: 'table inet watch { chain aside { counter accept; }; }\n', used: true },
    ];
    test.each(cases(tables, 1))('at start, $what: used: $used', async ({ table, used }) => {
      const hosts = await twoHosts(world);
      const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
      await load(hosts[0], table);
      const [first, second] = await startPair(world, hosts, [[guests[0]], [guests[1]]]);
      expect(await first.logged('what is used', ({ msg }) => msg === 'engine')).toMatchObject({ tunnel_gso: 'auto' });
      if (used) expect(offloadLine(first)).toBeUndefined();
      else expect(offloadLine(first)).toMatchObject({ level: 30, reason: expect.stringContaining('firewall') });
      expect(offloadLine(second)).toBeUndefined();
      const wire = await watch(hosts[1], hosts[0]);
      await expectTransfer(world, guests[0], guests[1], BULK, used ? 'whole' : 'trains');
      await wire.rests();
      await expectKinds(wire, used ? mostlyWhole : onlyTrains);
    });

    test('IPsec, even for others, at start and afterwards', async () => {
      const hosts = await twoHosts(world);
      const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
      const policy = 'src 198.51.100.0/24 dst 203.0.113.0/24 dir out';
      await world.ip(hosts[0].netns, `xfrm policy add ${policy} action block`);
      const [first] = await startPair(world, hosts, [[guests[0]], [guests[1]]]);
      expect(offloadLine(first)).toMatchObject({ level: 30, reason: expect.stringContaining('IPsec') });
      const wire = await watch(hosts[1], hosts[0]);
      await expectTransfer(world, guests[0], guests[1], BULK, 'with a policy');
      await wire.rests();
      await expectKinds(wire, onlyTrains);
      await world.ip(hosts[0].netns, `xfrm policy delete ${policy}`);
      const flow = await startFlow(...guests);
      const after = await watch(hosts[1], hosts[0]);
      await until('superframes leave whole', () => kinds(after).whole > 10, FORGOTTEN_MS);
      await world.ip(hosts[0].netns, `xfrm policy add ${policy} action block`);
      await goesOn(flow, NOTICED_MS / 1000);
      const again = await watch(hosts[1], hosts[0]);
      await goesOn(flow, 1);
      await expectKinds(again, onlyTrains);
      await flow.end();
    });

    test('with tunnel_gso: true they are passed by, and nothing is said', async () => {
      const hosts = await twoHosts(world);
      const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
      await load(hosts[0], rules('output'));
      const settings = 'offloads: { tunnel_gso: true }\n';
      const [first] = await startPair(world, hosts, [[guests[0]], [guests[1]]], [settings, settings]);
      expect(await first.logged('what is used', ({ msg }) => msg === 'engine')).toMatchObject({ tunnel_gso: true });
      expect(offloadLine(first)).toBeUndefined();
      const wire = await watch(hosts[1], hosts[0]);
      await expectTransfer(world, guests[0], guests[1], BULK, 'tunnel_gso: true beside a rule');
      await wire.rests();
      await expectKinds(wire, mostlyWhole);
      expect((await counterOf(world, hosts[0].netns, 'watch')).bytes).toBeLessThan(MB);
    });

    test('a rule of the other host, or of a guest, changes nothing', async () => {
      const { hosts, guests } = await pair();
      await load(hosts[1], rules('output'));
      await load({ ...hosts[0], netns: guests[0].netns }, rules('output'));
      const wire = await watch(hosts[1], hosts[0]);
      await expectTransfer(world, guests[0], guests[1], BULK, 'rules elsewhere');
      await wire.rests();
      await expectKinds(wire, mostlyWhole);
    });
  });

  describe('what the host does otherwise with frames that come in', () => {
    test('another next hop for them: superframes go where the datagrams go', async () => {
      const hosts = await twoHosts(world);
      const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
      const [{ netns }, { address }] = hosts;
      // By the main table nobody is reached; what the host itself sends has a table of its own.
      await world.ip(netns, `route add ${address}/32 via 192.0.2.99 dev eth0 onlink`);
      await world.ip(netns, `route add ${address}/32 dev eth0 src ${hosts[0].address} table 100`);
      await world.ip(netns, 'rule add iif lo lookup 100 pref 50');
      const switches = await startPair(world, hosts, [[guests[0]], [guests[1]]]);
      const flow = await startFlow(...guests);
      await goesOn(flow, 0.5);
      await flow.end();
      await expectBalance(...switches);
    });

    test('steering to other CPUs (RPS): no superframe is sent twice', async ({ skip }) => {
      const hosts = await twoHosts(world);
      const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
      const steer = 'echo 3 >/proc/sys/net/core/rps_default_mask';
      skip((await world.exec(hosts[0].netns, ['sh', '-c', steer])).status !== 0, 'this kernel has no RPS');
      const switches = await startPair(world, hosts, [[guests[0]], [guests[1]]]);
      const wire = await watch(hosts[1], hosts[0]);
      await expectTransfer(world, guests[0], guests[1], BULK, 'with RPS');
      await wire.rests();
      // Either way, but one way: a superframe that the TAP has taken is not sent by the socket, too.
      await expectKinds(wire, (found) => onlyTrains(found) || mostlyWhole(found));
      expect(switches[0].log().filter(({ level }) => level > 30)).toEqual([]);
      await expectBalance(...switches);
    });
  });

  describe('VLANs', () => {
    /** Guests in VLAN 7 of filtering bridges; `vlans` is the tunnel's membership. */
    async function tagged(vxlan: object): Promise<Pair> {
      const hosts = await twoHosts(world);
      const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
      const start = (index: number): Promise<RunningSwitch> => {
        const remotes = [hosts[1 - index].address];
        const port = `      vxlan0: ${JSON.stringify({ type: 'vxlan', local: hosts[index].address, remotes, ...vxlan })}\n`;
        const bridge = filteringBridge(tapPort('tap0', guests[index], access(7)), port);
        return world.startSwitch(hosts[index].netns, `host${index + 1}`, bridge);
      };
      return { hosts, guests, switches: await Promise.all([start(0), start(1)]) };
    }

    test('with a tag in the tunnel, TCP leaves in trains of tagged frames', async () => {
      const { hosts, guests, switches } = await tagged({ id: VNI, vlans: [{ vid: 7 }] });
      const wire = await watch(hosts[1], hosts[0]);
      await expectTransfer(world, guests[0], guests[1], BULK, 'tagged in the tunnel');
      await wire.rests();
      for (const { inner } of wire.vxlan) expect([inner.readUInt16BE(12), inner.readUInt16BE(14)]).toEqual([0x8100, 7]);
      await expectKinds(wire, onlyTrains);
      await expectBalance(...switches);
    });

    test('of a VLAN with a VNI of its own, superframes leave whole', async () => {
      const { hosts, guests, switches } = await tagged({ vlan_tunnel: true, vlans: [{ vid: 7, tunnel_info: 77 }] });
      const wire = await watch(hosts[1], hosts[0]);
      await expectTransfer(world, guests[0], guests[1], BULK, 'VLAN mapped to a VNI');
      await wire.rests();
      for (const { vni, inner } of wire.vxlan) expect([vni, inner.readUInt16BE(12)]).toEqual([77, 0x0800]);
      await expectKinds(wire, mostlyWhole);
      await expectBalance(...switches);
    });

    test('of a guest, tagged by itself, TCP arrives', async ({ skip }) => {
      const { guests, switches, hosts } = await pair();
      const probe = ['ip', 'link', 'add', 'link', 'lo', 'name', 'probe', 'type', 'vlan', 'id', '7'];
      const { status } = await world.exec(await world.netns('vlan'), probe);
      skip(status !== 0, 'this kernel has no VLAN devices');
      const own: Guest[] = [];
      for (const [index, guest] of guests.entries()) {
        await world.ip(guest.netns, 'link add link eth0 name eth0.7 type vlan id 7');
        await world.ip(guest.netns, 'link set eth0.7 mtu 1446 up');
        const vlan = { ...guest, ifname: 'eth0.7', address: `198.18.7.${index + 1}` };
        await world.address(vlan, `${vlan.address}/24`);
        own.push(vlan);
      }
      const wire = await watch(hosts[1], hosts[0]);
      await expectTransfer(world, own[0], own[1], BULK, 'tagged by the guest');
      await wire.rests();
      expect(kinds(wire).whole).toBe(0);
      await expectBalance(...switches);
    });
  });

  describe('a path that gets narrow in the middle of a transfer', () => {
    const NARROW = 1300;
    const FRAGMENTS = { 4: 'ip[6:2] & 0x3fff != 0', 6: 'ip6[6] == 44' };

    interface Path {
      hosts: [Host, Host];
      legs: End[];
    }

    /** Two hosts and a router, whose NICs take no superframes: behind it single datagrams pass. */
    async function path(family: 4 | 6): Promise<Path> {
      const ipv6 = family === 6;
      const router = await world.netns('router', { ipv6 });
      const forward = ipv6 ? 'ipv6/conf/all/forwarding' : 'ipv4/ip_forward';
      await succeed(world, router, ['sh', '-c', `echo 1 >/proc/sys/net/${forward}`]);
      const net = (number: number): string => (ipv6 ? `fd00:9:${number}::` : `10.9.${number}.`);
      const hosts: Host[] = [];
      const legs: End[] = [];
      for (const number of [1, 2]) {
        const host = { netns: await world.netns(`h${number}`, { ipv6 }), ifname: 'eth0', address: `${net(number)}2` };
        const leg = { netns: router, ifname: `to${number}` };
        await world.veth(host, leg);
        await world.address(host, `${host.address}/${ipv6 ? 64 : 24}`);
        await world.address(leg, `${net(number)}1/${ipv6 ? 64 : 24}`);
        await world.ip(host.netns, `${ipv6 ? '-6 ' : ''}route add default via ${net(number)}1`);
        const plain = ['tx-udp-segmentation', 'tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation'];
        const words = ['generic-segmentation-offload', ...plain].flatMap((feature) => [feature, 'off']);
        await succeed(world, router, ['ethtool', '-K', leg.ifname, ...words]);
        hosts.push(host);
        legs.push(leg);
      }
      return { hosts: hosts as [Host, Host], legs };
    }

    const underlays = [
      { family: 4, options: { df: 'set' } },
      { family: 4, options: { df: 'inherit' } },
      { family: 6, options: {} },
    ] as const;
    test.each(cases<(typeof underlays)[number]>(underlays, 1))(
      'underlay IPv$family, $options',
      async ({ family, options }) => {
        const { hosts, legs } = await path(family);
        const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
        const switches = await Promise.all(
          hosts.map((host, index) => {
            const remotes = [hosts[1 - index].address];
            const port = { type: 'vxlan', local: host.address, id: VNI, remotes, ...options };
            const bridge = plainBridge(tapPort('tap0', guests[index]), `      vxlan0: ${JSON.stringify(port)}\n`);
            return world.startSwitch(host.netns, `host${index + 1}`, bridge);
          }),
        );
        const fragments = await sniff(world, legs[1], FRAGMENTS[family]);
        // At the router's first leg superframes arrive as they left.
        const near = await sniff(world, legs[0], `(${LONG}) and src host ${hosts[0].address}`);
        const flow = await startFlow(...guests);
        await goesOn(flow, 0.5);
        await until('superframes leave whole', () => kinds(near).whole > 10);

        for (const { netns, ifname } of [legs[1], hosts[1]]) await world.ip(netns, `link set ${ifname} mtu ${NARROW}`);
        const far = await sniff(world, legs[1], `udp dst port 4789 and greater ${NARROW + 14 + 1}`);
        const any = await sniff(world, legs[1], 'udp dst port 4789 and greater 1200');
        await goesOn(flow, 1);
        // Superframes whose segments fit leave whole again.
        const later = await sniff(world, legs[0], `(${LONG}) and src host ${hosts[0].address}`);
        await until('superframes leave whole on the narrow path', () => kinds(later).whole > 10, 10_000);
        await flow.end();
        expect(far.packets).toEqual([]);
        expect(fragments.packets).toEqual([]);
        expect(any.packets.length).toBeGreaterThan(1000);
        for (const sw of switches) {
          const { in: received, out } = accounts(await settledStats(sw));
          expect(out).toBe(received);
        }
      },
    );
  });

  describe('its TAPs', () => {
    const WORKERS = 'workers: 2\n';

    test.each(cases(['SIGKILL', 'SIGTERM'] as const, 1))(
      'are one an engine that needs it, and gone after %s',
      async (signal) => {
        const { hosts, guests, switches } = await pair(WORKERS);
        for (const host of hosts) expect(await otgso(host)).toEqual([]);
        const transfers = [0, 1, 0, 1].map((from, stream) =>
          expectTransfer(world, guests[from], guests[1 - from], BULK, `2 engines, stream ${stream}`),
        );
        await Promise.all(transfers);
        await expectBalance(...switches);
        // By chance all flows of a host may have been one engine's.
        const made = await Promise.all(hosts.map(otgso));
        for (const names of made) expect([1, 2]).toContain(names.length);
        // Traffic goes on while it ends.
        const program = world.spawn(guests[0].netns, ['ping', '-f', '-q', guests[1].address]);
        const { ended } = await switches[0].stop(signal);
        expect(ended).toMatchObject(signal === 'SIGTERM' ? { status: 0, stderr: '' } : { signal });
        await until('its TAPs are gone', async () => (await world.nics(hosts[0].netns)).join() === 'eth0');
        expect(await otgso(hosts[1])).toEqual(made[1]);
        await program.stop('SIGINT');
        await switches[1].stop();
        expect(await world.nics(hosts[1].netns)).toEqual(['eth0']);
      },
    );

    test('are not made where they are switched off', async () => {
      const { hosts } = await pair(OFF);
      for (const host of hosts) expect(await otgso(host)).toEqual([]);
    });

    test('one that is deleted is done without, and that is said', async () => {
      const { hosts, guests, switches } = await pair();
      const flow = await startFlow(...guests);
      const [ifname] = await otgso(hosts[0]);
      await world.ip(hosts[0].netns, `link delete ${ifname}`);
      const line = await switches[0].logged('it is lost', ({ offload }) => offload === 'tunnel_gso');
      expect(line).toMatchObject({ level: 40, msg: 'offload failed and is not used any more' });
      const wire = await watch(hosts[1], hosts[0]);
      await goesOn(flow, 0.5);
      await flow.end();
      await expectKinds(wire, onlyTrains);
      await expectBalance(...switches);
      for (const sw of switches) expect((await sw.stats()).drops).toEqual({});
    });
  });
});

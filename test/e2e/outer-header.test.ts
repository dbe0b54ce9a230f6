/**
 * What is around a frame on the wire: every field of the outer headers, for every option of a vxlan port that has a say in it,
 * over IPv4 and IPv6. Frames are put on a guest's NIC by libpcap and read off the underlay by libpcap.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { give } from './live-support.js';
import { DF, type Outer, readOuter } from './outer-headers.js';
import { type Sniffer, sniff } from './sniffer.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, tapPort } from './topologies.js';
import { inject, transfer } from './traffic.js';
import { succeed } from './two-hosts.js';

const MB = 1_000_000;
const MAC = { guest: '02:00:00:00:00:01', other: '02:00:00:00:00:02' };
const FAMILIES = [4, 6] as const;
type Family = (typeof FAMILIES)[number];

let world: World;
let hosts: [Host, Host];
let guest: Guest;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

async function build(family: Family): Promise<void> {
  const make = async (number: 1 | 2): Promise<Host> => {
    const address = family === 4 ? `192.0.2.${number}` : `fd00:9:0:0:0:0:0:${number}`;
    return { netns: await world.netns(`h${number}`, { ipv6: family === 6 }), ifname: 'eth0', address };
  };
  hosts = [await make(1), await make(2)];
  await world.veth(...hosts);
  for (const host of hosts) {
    await world.address(host, `${host.address}/${family === 4 ? 24 : 64}`);
    // Else a checksum is left to the other end of the cable, which does not look at it.
    await succeed(world, host.netns, ['ethtool', '-K', host.ifname, 'tx-checksum-ip-generic', 'off']);
  }
  guest = { netns: await world.netns('guest'), ifname: 'eth0', address: '198.18.0.1', mac: MAC.guest };
}

/** Host 1's switch; `options`: of its vxlan port, as a YAML flow mapping's entries. */
function startSwitch(options = '', id = 42): Promise<RunningSwitch> {
  const [own, peer] = hosts;
  const settings = `type: vxlan, local: "${own.address}", id: ${id}, remotes: ["${peer.address}"]`;
  const port = `      vxlan0: { ${settings}${options === '' ? '' : `, ${options}`} }\n`;
  return world.startSwitch(own.netns, 'host1', plainBridge(tapPort('tap0', guest), port));
}

interface Inner {
  version?: Family;
  tos?: number;
  df?: boolean;
  /** Of IPv6. */
  label?: number;
  port?: number;
}

/** A frame of 58 bytes, by hand: UDP from one guest to another who is not known, so that it is flooded. */
function frame({ version = 4, tos = 0, df = false, label = 0, port = 1000 }: Inner): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const link = `${MAC.other}${MAC.guest}`.replaceAll(':', '');
  const addresses4 = 'c6120001c6120002';
  const head = (checksum: number): string =>
    `45${hex(tos, 2)}002c0000${df ? '4000' : '0000'}4011${hex(checksum, 4)}${addresses4}`;
  const bytes = Buffer.from(head(0), 'hex');
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += bytes.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  if (version === 4) return `${link}0800${head(~sum & 0xffff)}${hex(port, 4)}138800180000${'aa'.repeat(16)}`;
  const addresses6 = `20010db8${'0'.repeat(23)}120010db8${'0'.repeat(23)}2`;
  return `${link}86dd6${hex(tos, 2)}${hex(label, 5)}00043b40${addresses6}${hex(port, 4)}1388`;
}

/** What became of each of these frames on the wire, in order. */
async function outerOf(sniffer: Sniffer, ...frames: string[]): Promise<Outer[]> {
  await inject(world, guest, ...frames);
  const seen = (): Outer[] => sniffer.packets.filter(({ length }) => length <= 128).map(readOuter);
  const of = (inner: string): Outer | undefined => seen().find((outer) => outer.inner === inner);
  await until('all frames are on the wire', () => frames.every((inner) => of(inner) !== undefined));
  return frames.map((inner) => of(inner) as Outer);
}

/** The default fields of the datagrams from host 1 to host 2. */
function expected(family: Family, more: Partial<Outer>): object {
  const [own, peer] = hosts;
  return {
    family,
    faults: [],
    source: own.address,
    destination: peer.address,
    ttl: 64,
    tos: 0,
    label: 0,
    fragment: 0,
    destinationPort: 4789,
    checksum: 'right',
    vxlan: '0800000000002a00',
    ...more,
    sourcePort: expect.any(Number),
    inner: expect.any(String),
  };
}

/** Each datagram by itself: a train that left as one superframe would be longer than all that is looked at. */
async function wire(port = 4789): Promise<Sniffer> {
  await world.cutTrains(hosts[0]);
  return sniff(world, hosts[1], `udp dst port ${port}`);
}

describe.each(FAMILIES)('over IPv%i', (family) => {
  const set = family === 4 ? DF : 0;

  test('as it is by default: the TTL of the host, no DSCP, DF clear, a checksum', async () => {
    await build(family);
    await startSwitch();
    const [outer] = await outerOf(await wire(), frame({ tos: 0xb8, df: true }));
    expect(outer).toEqual(expected(family, {}));
    expect(outer.sourcePort).toBeGreaterThanOrEqual(32_768);
    expect(outer.sourcePort).toBeLessThanOrEqual(61_000);
  });

  test('ttl, tos, df set, dstport and VNI as configured', async () => {
    await build(family);
    await startSwitch('ttl: 9, tos: 184, df: set, dstport: 8472', 0xfedcba);
    const options = { ttl: 9, fragment: set, destinationPort: 8472, vxlan: '08000000fedcba00' };
    const outer = await outerOf(await wire(8472), ...[0, 1, 2, 3].map((ecn) => frame({ tos: 0x28 | ecn })));
    // 0xb8 with the inner ECN; CE becomes ECT(0).
    expect(outer).toEqual([0xb8, 0xb9, 0xba, 0xba].map((tos) => expected(family, { ...options, tos })));
  });

  test.runIf(family === 6)(
    'flowlabel: of every datagram, changed at any time, from either kind of source port',
    async () => {
      await build(family);
      const own = await startSwitch('flowlabel: 0x12345, tos: inherit');
      const sniffer = await wire();
      const labelled = async (port: number, label: number): Promise<void> => {
        // Others have the inner type of service beside the label, and one train of datagrams has one label.
        const frames = [0, 0, 0xb8, 0xb8].map((tos, i) => frame({ port: port + i, tos }));
        const outer = await outerOf(sniffer, ...frames);
        expect(outer).toEqual([0, 0, 0xb8, 0xb8].map((tos) => expected(family, { tos, label })));
      };
      await labelled(1000, 0x12345);
      await give(own, 'link set vxlan0 type vxlan flowlabel 0xfffff');
      await labelled(1010, 0xfffff);
      await give(own, 'link set vxlan0 type vxlan flowlabel 0');
      await labelled(1020, 0);
      await give(own, 'link set vxlan0 type vxlan flowlabel 1 srcport 4789 4789');
      await labelled(1030, 1);
      await give(own, 'link set vxlan0 type vxlan flowlabel 0');
      await labelled(1040, 0);
    },
  );

  test.runIf(family === 6)('flowlabel inherit: that of each inner IPv6 packet, and none of IPv4', async () => {
    await build(family);
    const own = await startSwitch('flowlabel: inherit');
    const sniffer = await wire();
    const labels = [0xabcde, 0xabcde, 0xfffff, 0, 1];
    const all = async (wanted: readonly number[], port: number, tos = 0): Promise<void> => {
      const six = labels.map((label, i) => frame({ version: 6, tos: 0x28, label, port: port + i }));
      const outer = await outerOf(sniffer, ...six, frame({ port }));
      expect(outer).toEqual(wanted.map((label, i) => expected(family, { tos: i < labels.length ? tos : 0, label })));
    };
    await all([...labels, 0], 1000);
    // All by one socket: a label is that of its message, not of the remote.
    await give(own, 'link set vxlan0 type vxlan tos inherit srcport 4789 4789');
    await all([...labels, 0], 1010, 0x28);
    await give(own, 'link set vxlan0 type vxlan flowlabel 0x12345');
    await all(new Array<number>(6).fill(0x12345), 1020, 0x28);
    await give(own, 'link set vxlan0 type vxlan flowlabel inherit srcport 32768 61000');
    await all([...labels, 0], 1030, 0x28);
    await give(own, 'link set vxlan0 type vxlan flowlabel 0');
    await all(new Array<number>(6).fill(0), 1040, 0x28);
  });

  // Of inner IPv6 once, over either: the type of service is read apart from the outer family.
  test.each(cases(family === 4 ? FAMILIES : ([6, 4] as const), 1 + (family === 4 ? 1 : 0)))(
    'tos inherit, with all four of ECN, of inner IPv%i',
    async (version) => {
      await build(family);
      await startSwitch('tos: inherit');
      const outer = await outerOf(await wire(), ...[0, 1, 2, 3].map((ecn) => frame({ version, tos: 0x68 | ecn })));
      expect(outer).toEqual([0x68, 0x69, 0x6a, 0x6a].map((tos) => expected(family, { tos })));
    },
  );

  test('df inherit: as the inner packet has it, and always for IPv6', async () => {
    await build(family);
    await startSwitch('df: inherit, srcport: [5000, 5063]');
    const outer = await outerOf(await wire(), frame({ df: true }), frame({ df: false }), frame({ version: 6 }));
    expect(outer).toEqual([set, 0, set].map((fragment) => expected(family, { fragment })));
    for (const { sourcePort } of outer) expect(sourcePort >= 5000 && sourcePort <= 5063).toBe(true);
  });

  test.each(cases(FAMILIES, 1).filter((one) => one === family))(
    'srcport: within the range, spread, and the same for all frames of a flow',
    async () => {
      await build(family);
      await startSwitch('srcport: [5000, 5003]');
      const sniffer = await wire();
      const ports = Array.from({ length: 32 }, (_, flow) => 2000 + flow);
      // The same flow with another type of service is another frame to look for.
      const frames = [0, 0x10, 0x20].flatMap((tos) => ports.map((port) => frame({ port, tos })));
      const outer = await outerOf(sniffer, ...frames);
      const used = outer.map(({ sourcePort }) => sourcePort);
      expect([...new Set(used)].sort()).toEqual([5000, 5001, 5002, 5003]);
      expect(used.slice(32, 64)).toEqual(used.slice(0, 32));
      expect(used.slice(64)).toEqual(used.slice(0, 32));
    },
  );

  test('udpcsum off: zero', async () => {
    await build(family);
    await startSwitch('udpcsum: false');
    const [outer] = await outerOf(await wire(), frame({}));
    expect(outer).toEqual(expected(family, { checksum: 'none' }));
  });

  const once = cases(FAMILIES, 1).filter((one) => one === family);
  test.each(once)('gbp: the policy ID of the port, and any from the kernel, with reserved_bits drop', async () => {
    await build(family);
    const [own, peer] = hosts;
    const zero = family === 6 ? ' udp6zerocsumrx' : '';
    const device = `link add vx0 type vxlan id 42 remote ${own.address} local ${peer.address} dstport 4789${zero} gbp`;
    await world.ip(peer.netns, device);
    await world.ip(peer.netns, 'link set vx0 up');
    await world.address({ netns: peer.netns, ifname: 'vx0' }, '198.18.0.2/24');
    const sw = await startSwitch('gbp: true, gbp_id: 0x1234, reserved_bits: drop');
    const [sniffer, back] = [await wire(), await sniff(world, own, 'udp dst port 4789')];
    // The kernel's device takes what the switch sends, and sends the mark of a packet as its policy ID.
    await succeed(world, peer.netns, ['ping', '-s', '8', '-c', '2', '-W', '2', '-m', String(0xabcd), '198.18.0.1']);
    await succeed(world, guest.netns, ['ping', '-s', '8', '-c', '2', '-W', '2', '198.18.0.2']);
    const headers = ({ packets }: Sniffer, from: Host): string[] =>
      packets
        .filter(({ length }) => length <= 128)
        .map(readOuter)
        .flatMap(({ source, vxlan }) => (source === from.address ? [vxlan] : []));
    await until('the policy of the kernel was seen', () => headers(back, peer).includes('8800abcd00002a00'));
    await until('the policy of the switch was seen', () => headers(sniffer, own).length >= 4);
    expect([...new Set(headers(sniffer, own))]).toEqual(['8800123400002a00']);
    expect((await settledStats(sw)).drops.vxlan_reserved_bits ?? 0).toBe(0);
  });

  const kernels = [
    { name: 'udpcsum off', options: 'udpcsum: false', kernel: family === 6 ? 'udp6zerocsumrx' : '', port: 4789 },
    { name: 'tos inherit', options: 'tos: inherit', kernel: 'tos inherit', port: 4789 },
    { name: 'another dstport', options: 'dstport: 8472', kernel: '', port: 8472 },
    { name: 'df inherit', options: 'df: inherit', kernel: family === 6 ? '' : 'df inherit', port: 4789 },
  ];
  test.each(cases(kernels, family === 4 ? 2 : 1))(
    'a kernel peer takes it: TCP with equal hashes, $name',
    async ({ options, kernel, port }) => {
      await build(family);
      const [own, peer] = hosts;
      const device = `link add vx0 type vxlan id 42 remote ${own.address} local ${peer.address} dstport ${port} ${kernel}`;
      await world.ip(peer.netns, device.trim());
      await world.ip(peer.netns, 'link set vx0 up');
      await world.address({ netns: peer.netns, ifname: 'vx0' }, '198.18.0.2/24');
      await startSwitch(options);
      for (const [from, to, address] of [
        [guest.netns, peer.netns, '198.18.0.2'],
        [peer.netns, guest.netns, '198.18.0.1'],
      ]) {
        const { sent, received } = await transfer(world, from, to, address, 5 * MB);
        expect(received).toEqual({ bytes: 5 * MB, sha256: sent.sha256 });
      }
    },
  );
});

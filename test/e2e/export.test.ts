/** sFlow and IPFIX from a real switch to Debian's nfcapd and pmacct, and a collector that is not there. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { LONG } from '../long.js';
import { World } from './host-testbed.js';
import { sniff } from './sniffer.js';
import { accounts, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { ping } from './traffic.js';
import { makeGuest, succeed, VNI } from './two-hosts.js';

const PINGS = 20;
const IPFIX = 4739;
const SFLOW = 6343;

let world: World;
let hosts: [Host, Host];
let guests: [Guest, Guest];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
});

afterEach(() => world.cleanUp());

async function startBoth(settings: string) {
  const start = (index: 0 | 1, more: string) => {
    const [own, far] = [hosts[index], hosts[1 - index]];
    const ports = [tapPort('tap0', guests[index]), singlePort(own.address, [far.address], VNI)];
    return world.startSwitch(own.netns, `host${index + 1}`, `${plainBridge(...ports)}${more}`);
  };
  const [first] = await Promise.all([start(0, settings), start(1, '')]);
  return first;
}

/** Whether a program in the namespace of a host has the UDP port. */
async function listens({ netns }: Host, port: number): Promise<boolean> {
  const sockets = await succeed(world, netns, ['cat', '/proc/net/udp', '/proc/net/udp6']);
  return sockets.includes(`:${port.toString(16).toUpperCase()} `);
}

/** Of a daemon of pmacct that prints what it has each second; IPFIX has the VNI in an element that pmacct has no name for. */
function pmacct(isSflow: boolean, port: number, file: string): string {
  const keys = 'src_host, dst_host, proto';
  const own = isSflow
    ? `sfacctd_port: ${port}\naggregate: ${keys}\n`
    : `nfacctd_port: ${port}\naggregate: ${keys}, segment\naggregate_primitives: ${world.file('primitives', 'name=segment field_type=351 len=8 semantics=u_int\n')}\n`;
  return `${own}daemonize: false
plugins: print
print_refresh_time: 1
print_output: json
print_output_file: ${file}
print_output_file_append: true
`;
}

interface Accounted {
  ip_src: string;
  ip_dst: string;
  ip_proto: string;
  packets: number;
  bytes: number;
  segment?: string;
}

/** What pmacct has printed of ICMP. */
function printed(file: string): Accounted[] {
  if (!existsSync(file)) return [];
  const rows = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return rows.map((row) => JSON.parse(row) as Accounted).filter(({ ip_proto }) => ip_proto === 'icmp');
}

/** Sums of its intervals by addresses. */
function accounted(file: string): string[] {
  const sums = new Map<string, { packets: number; bytes: number }>();
  for (const { ip_src, ip_dst, ip_proto, packets, bytes } of printed(file)) {
    const key = `${ip_src} ${ip_dst} ${ip_proto}`;
    const sum = sums.get(key) ?? { packets: 0, bytes: 0 };
    sums.set(key, { packets: sum.packets + packets, bytes: sum.bytes + bytes });
  }
  return [...sums].map(([key, { packets, bytes }]) => `${key} ${packets} ${bytes}`).sort();
}

const vnisIn = (file: string): string[] => [...new Set(printed(file).map(({ segment = '' }) => segment))];

describe('exports', () => {
  // nfcapd is installed for the long tests.
  test.each(LONG ? [''] : [])('nfcapd has each frame of a flow, by its inner addresses', async () => {
    const [, far] = hosts;
    const folder = world.path('flows');
    mkdirSync(folder);
    const collector = world.spawn(far.netns, ['nfcapd', '-p', String(IPFIX), '-w', folder, '-t', '3600']);
    await until('nfcapd listens', async () => {
      return (await succeed(world, far.netns, ['cat', '/proc/net/udp', '/proc/net/udp6'])).includes(
        `:${IPFIX.toString(16).toUpperCase()}`,
      );
    });
    const sflow = await sniff(world, far, 'udp dst port 6343');
    const ipfix = await sniff(world, far, `udp dst port ${IPFIX}`);
    const sw = await startBoth(`sflow: ['${far.address}:6343']
sflow_sampling: 1
sflow_polling: 1
ipfix: ['${far.address}:${IPFIX}']
ipfix_sampling: 1
ipfix_inactive_timeout: 1
`);
    await until('templates and counters have come', () => sflow.packets.length > 0 && ipfix.packets.length > 0);
    const before = ipfix.packets.length;
    const { received } = await ping(world, guests[0].netns, guests[1].address, { count: PINGS });
    expect(received).toBe(PINGS);
    await until('the flows have come', () => ipfix.packets.length > before);
    // A switch that stops exports what it has left.
    await sw.stop();
    await collector.stop('SIGTERM');
    const listed = await succeed(world, far.netns, [
      'nfdump',
      '-R',
      folder,
      '-q',
      '-N',
      '-A',
      'srcip,dstip,proto',
      '-o',
      'fmt:%sa %da %pr %pkt %byt',
      'proto icmp',
    ]);
    const rows = listed
      .trim()
      .split('\n')
      .map((row) => row.trim().split(/\s+/).join(' '))
      .sort();
    const [one, two] = guests.map(({ address }) => address);
    expect(rows).toEqual([`${one} ${two} 1 ${PINGS} ${PINGS * 84}`, `${two} ${one} 1 ${PINGS} ${PINGS * 84}`]);
  });

  // Of pmacct, which is installed for the long tests.
  test.each(LONG ? ['sfacctd', 'nfacctd'] : [])('%s of pmacct has each frame of a flow', async (name) => {
    const isSflow = name === 'sfacctd';
    const [, far] = hosts;
    const port = isSflow ? SFLOW : IPFIX;
    const file = world.path('flows.json');
    const collector = world.spawn(far.netns, [name, '-f', world.file('pmacct.conf', pmacct(isSflow, port, file))]);
    await until(`${name} listens`, async () => listens(far, port));
    const exported = await sniff(world, far, `udp dst port ${port}`);
    const sw = await startBoth(
      isSflow
        ? `sflow: ['${far.address}:${port}']\nsflow_sampling: 1\nsflow_polling: 1\n`
        : `ipfix: ['${far.address}:${port}']\nipfix_sampling: 1\nipfix_inactive_timeout: 1\n`,
    );
    await until('templates or counters have come', () => exported.packets.length > 0);
    const { received } = await ping(world, guests[0].netns, guests[1].address, { count: PINGS });
    expect(received).toBe(PINGS);
    await sw.stop();
    const [one, two] = guests.map(({ address }) => address);
    // A sample of sFlow has the length on the wire, with Ethernet's header and checksum.
    const bytes = isSflow ? 14 + 84 + 4 : 84;
    const flow = (from: string, to: string) => `${from} ${to} icmp ${PINGS} ${PINGS * bytes}`;
    await until('both flows are accounted', () => accounted(file).length >= 2);
    await collector.stop('SIGINT');
    expect(accounted(file)).toEqual([flow(one, two), flow(two, one)]);
    // layer2SegmentId: VXLAN, and the VNI.
    if (!isSflow) expect(vnisIn(file)).toEqual([String((0x01n << 56n) | BigInt(VNI))]);
  });

  test('to a collector that is not there, or whose port is closed, cost the switch nothing', async () => {
    const [own, far] = hosts;
    // ICMP port unreachable; no route; no neighbour.
    const collectors = `['${far.address}:9', '203.0.113.1:9', '192.0.2.77:9']`;
    const sw = await startBoth(
      `sflow: ${collectors}\nsflow_sampling: 1\nsflow_polling: 1\nipfix: ${collectors}\nipfix_sampling: 1\nipfix_cache: 16\nipfix_inactive_timeout: 1\n`,
    );
    const refused = await sniff(world, own, 'icmp[icmptype] == icmp-unreach');
    expect(await ping(world, guests[0].netns, guests[1].address, { count: PINGS })).toMatchObject({ received: PINGS });
    await until('the far host has refused some', () => refused.packets.length > 0);
    await world.ip(own.netns, 'link set eth0 down');
    await world.ip(own.netns, 'link set eth0 up');
    await until(
      'guests reach each other',
      async () => (await ping(world, guests[0].netns, guests[1].address, { count: 1 })).received === 1,
    );
    const { in: received, out } = accounts(await settledStats(sw));
    expect(out).toBe(received);
    expect((await sw.stop()).ended.status).toBe(0);
  });
});

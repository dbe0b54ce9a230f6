/**
 * Hosts and sandboxes that refuse parts of the kernel: the switch starts and does without, and traffic flows. The other end is
 * the kernel's vxlan device.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LinkRow } from '../../src/api/api.js';
import type { Diagnosis } from '../../src/doctor/check.js';
import { until } from '../../src/lab/testbed/wait.js';
import { selfTest } from '../../src/port/self-test.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { compileRefusals, type Part, type Refusal, refusedSoFar, refusing, startConfined } from './refuse.js';
import { NOBODY } from './service-sandbox.js';
import { OVERTAP, overtap, type RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { numbered, ping } from './traffic.js';
import { expectTransfer, kernelPeer, MB, makeGuest, VNI } from './two-hosts.js';

const { ioUring } = selfTest();
const PROCESS = new URL('../../dist/port/process.js', import.meta.url).href;

let folder: string;
let library: string;
let world: World;
let hosts: [Host, Host];
let guest: Guest;
let peer: Guest;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-refuse-'));
  library = compileRefusals(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guest = await makeGuest(world, 1);
  peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.9');
});
afterEach(() => world.cleanUp());

const refusedLog = (): string => world.path('refused');

/** YAML of a switch with these NICs. */
function settingsOf(nic: string, more = ''): string {
  return `${plainBridge(nic, singlePort(hosts[0].address, [hosts[1].address], VNI))}${more}`;
}

/** A switch for which the kernel refuses parts. */
function start(refusals: readonly Refusal[], settings = settingsOf(tapPort('tap0', guest))): Promise<RunningSwitch> {
  const config = world.config('confined', settings);
  return startConfined(world, hosts[0].netns, 'confined', config, refusing(library, refusals, refusedLog()));
}

async function expectTraffic(label: string): Promise<void> {
  const { received, output } = await ping(world, guest.netns, peer.address, { count: 2 });
  expect(received, output).toBe(2);
  await expectTransfer(world, guest, peer, 2 * MB, label);
  await expectTransfer(world, peer, guest, 2 * MB, label);
}

/** Each refusal has one line of the log, and its costs. */
function expectSaid(sw: RunningSwitch, refusals: readonly Refusal[]): void {
  const met = refusals.map((refusal) => refusal.replace(/=.*/, '') as Known);
  const hidden = met.includes('IPV6') ? OVER_IPV6 : [];
  expect(refusedSoFar(refusedLog())).toEqual(expect.arrayContaining(met.filter((part) => !hidden.includes(part))));
  const lines = sw.log().filter(({ msg }) => /doing without$/.test(msg));
  for (const part of met) {
    if (hidden.includes(part)) continue;
    // Without the header no superframe could be told from a frame.
    if (part === 'TUNSETOFFLOAD' && met.includes('IFF_VNET_HDR')) continue;
    const said = lines.filter((line) => [line.part, line.offload].includes(WORDS[part].log));
    expect(said, part).toHaveLength(1);
    expect(String(said[0].reason)).not.toBe('');
    expect(String(said[0].costs)).not.toBe('');
  }
}

/** The doctor lists each with what it costs and what to do. */
async function expectListed(refusals: readonly Refusal[]): Promise<void> {
  const words = [...refusing(library, refusals, world.path('by-doctor')), process.execPath, OVERTAP];
  const ended = await world.exec(hosts[0].netns, [...words, '--json', 'doctor', '--host']);
  const { checks } = JSON.parse(ended.stdout) as Diagnosis;
  const hidden = refusals.some((refusal) => refusal.startsWith('IPV6=') || refusal === 'IPV6') ? OVER_IPV6 : [];
  for (const refusal of refusals.filter((one) => !hidden.includes(one))) {
    const { doctor } = WORDS[refusal.replace(/=.*/, '') as Known];
    const check = checks.find((one) => one.level !== 'ok' && `${one.subject}: ${one.finding}`.includes(doctor));
    expect(check?.remedy, `${doctor} in ${ended.stdout}`).toMatch(/\w/);
  }
}

/** The word of the log, and what the doctor says. */
const WORDS: Record<Exclude<Part, Silent>, { log: string; doctor: string }> = {
  IFF_VNET_HDR: { log: 'vnet_header', doctor: 'no virtio-net header' },
  IFF_MULTI_QUEUE: { log: 'IFF_MULTI_QUEUE', doctor: 'IFF_MULTI_QUEUE refused' },
  TUNSETPERSIST: { log: 'TUNSETPERSIST', doctor: 'TUNSETPERSIST refused' },
  TUNSETOFFLOAD: { log: 'tso', doctor: 'no TSO from TAPs' },
  TUNSETVNETHDRSZ: { log: 'TUNSETVNETHDRSZ', doctor: 'TUNSETVNETHDRSZ refused' },
  TUNGETDEVNETNS: { log: 'TUNGETDEVNETNS', doctor: 'TUNGETDEVNETNS refused' },
  UDP_SEGMENT: { log: 'udp_segment', doctor: 'no UDP_SEGMENT' },
  UDP_GRO: { log: 'udp_gro', doctor: 'no UDP_GRO' },
  SO_RCVBUFFORCE: { log: 'SO_RCVBUFFORCE', doctor: 'net.core.rmem_max' },
  IPV6: { log: 'IPv6 sockets', doctor: 'IPv6 sockets refused' },
  NETLINK: { log: 'netlink sockets', doctor: 'netlink sockets refused' },
  SETNS: { log: 'setns', doctor: 'setns refused' },
  IP_RECVTOS: { log: 'IP_RECVTOS', doctor: 'IP_RECVTOS refused' },
  IPV6_RECVTCLASS: { log: 'IPV6_RECVTCLASS', doctor: 'IPV6_RECVTCLASS refused' },
  UDP_NO_CHECK6_RX: { log: 'UDP_NO_CHECK6_RX', doctor: 'UDP_NO_CHECK6_RX refused' },
  IP_MULTICAST_ALL: { log: 'IP_MULTICAST_ALL', doctor: 'IP_MULTICAST_ALL refused' },
  SO_ATTACH_FILTER: { log: 'SO_ATTACH_FILTER', doctor: 'SO_ATTACH_FILTER refused' },
  IP_MTU_DISCOVER: { log: 'IP_MTU_DISCOVER', doctor: 'IP_MTU_DISCOVER refused' },
  IPV6_MTU_DISCOVER: { log: 'IPV6_MTU_DISCOVER', doctor: 'IPV6_MTU_DISCOVER refused' },
  IP_MTU: { log: 'IP_MTU', doctor: 'IP_MTU refused' },
  SO_REUSEPORT: { log: 'SO_REUSEPORT', doctor: 'SO_REUSEPORT refused' },
  SO_BINDTODEVICE: { log: 'SO_BINDTODEVICE', doctor: 'SO_BINDTODEVICE refused' },
  IP_TTL: { log: 'IP_TTL', doctor: 'IP_TTL refused' },
  RECVMMSG: { log: 'recvmmsg', doctor: 'recvmmsg refused' },
  SO_NO_CHECK: { log: 'SO_NO_CHECK', doctor: 'SO_NO_CHECK refused' },
  TCX: { log: 'tcx', doctor: 'tcx refused' },
  PACKET_RX_RING: { log: 'packet_ring', doctor: 'no PACKET_RX_RING' },
};
/** No line of the log: not refused together with others, or without any effect. */
type Silent = 'IO_URING' | 'IO_URING_LATER' | 'TUN' | 'TUNGETVNETHDRSZ' | 'IPV6_AUTOFLOWLABEL' | 'SO_DOMAIN';
type Known = keyof typeof WORDS;
/** Options of IPv6 sockets, which nobody asks for where there are none. */
const OVER_IPV6: readonly Refusal[] = ['IPV6_RECVTCLASS', 'UDP_NO_CHECK6_RX', 'IPV6_MTU_DISCOVER'];

/** With a guest in a namespace of its own; without setns that one sets its NIC up, below. */
const PARTS = (Object.keys(WORDS) as Known[]).filter((part) => part !== 'SETNS');
/** As sandboxes put it, too. */
const BY_EPERM: Refusal[] = [
  ...(['TUNSETOFFLOAD=EPERM', 'TUNGETDEVNETNS=EPERM', 'TUNSETPERSIST=ENOTTY', 'IPV6=EPERM'] as const),
  ...(['IP_RECVTOS=EPERM', 'IP_MULTICAST_ALL=ENOSYS', 'IP_MTU_DISCOVER=EPERM', 'SO_ATTACH_FILTER=EINVAL'] as const),
  'RECVMMSG=EPERM',
];
const PAIRS = PARTS.flatMap((one, at) => PARTS.slice(at + 1).map((other): Refusal[] => [one, other]));
const ROWS = [...PARTS, ...BY_EPERM].map((refusal): Refusal[] => [refusal]);

describe.each([
  { kind: 'alone', rows: cases(ROWS, 5) },
  { kind: 'in pairs', rows: cases(PAIRS, 1) },
])('refused $kind', ({ rows }) => {
  test.each(rows.map((refusals) => ({ refusals })))('$refusals', async ({ refusals }) => {
    const sw = await start(refusals);
    expectSaid(sw, refusals);
    await Promise.all([expectTraffic(refusals.join(' ')), expectListed(refusals)]);
  });
});

/** What the switch shows of a port. */
async function linkOf(sw: RunningSwitch, name: string): Promise<LinkRow | undefined> {
  return (await sw.links()).find(({ ifname }) => ifname === name);
}

test('setns refused: a guest names its NIC and sets it up, which the switch sees', async () => {
  const sw = await start(['SETNS']);
  expectSaid(sw, ['SETNS']);
  const [{ address, mtu }] = await world.ipJson<{ address: string; mtu: number }[]>(guest.netns, 'link show eth0');
  expect([address, mtu]).toEqual([guest.mac, 1450]);
  expect((await linkOf(sw, 'tap0'))?.operstate).toBe('DOWN');
  await world.ip(guest.netns, 'link set eth0 name lan0');
  await world.ip(guest.netns, `addr add ${guest.address}/24 dev lan0`);
  await world.ip(guest.netns, 'link set lan0 up');
  expect(await linkOf(sw, 'tap0')).toMatchObject({ operstate: 'UP', nic: 'lan0', address: guest.mac, mtu: 1450 });
  await Promise.all([expectTraffic('setns refused'), expectListed(['SETNS'])]);
  expect((await sw.stop()).ended.status).toBe(0);
  expect(await world.nics(guest.netns)).toEqual([]);
});

test('io_uring refused: said, and a warning only where it is asked for', async ({ skip }) => {
  skip(!ioUring, 'no io_uring here');
  for (const [offloads, level] of [
    ['', 30],
    ['offloads: { io_uring: true }\n', 40],
  ] as const) {
    const sw = await start(['IO_URING'], settingsOf(tapPort('tap0', guest), offloads));
    const said = sw.log().filter(({ offload }) => offload === 'io_uring');
    expect(said).toMatchObject([{ level, reason: expect.stringContaining('not permitted') }]);
    expect(sw.log().find(({ msg }) => msg === 'engine')).toMatchObject({ io_uring: false });
    await expectTraffic('io_uring refused');
    expect((await sw.stop()).ended.status).toBe(0);
  }
});

test('io_uring refused later: said once, and nothing is lost', async ({ skip }) => {
  skip(!ioUring, 'no io_uring here');
  const sw = await start(['IO_URING_LATER']);
  expect(sw.log().find(({ msg }) => msg === 'engine')).toMatchObject({ io_uring: true });
  const count = 4000;
  const { sent, received } = await numbered(world, guest.netns, peer.netns, peer.address, { flows: 4, count });
  const drops = JSON.stringify((await sw.stats()).drops);
  expect(received, drops).toMatchObject({ received: sent.sent, twice: 0, late: 0, flows: 4 });
  await expectTraffic('io_uring refused later');
  await sw.logged('that it is not used any more', ({ offload }) => offload === 'io_uring');
  await expectTraffic('without io_uring');
  expect(sw.log().filter(({ offload }) => offload === 'io_uring')).toHaveLength(1);
});

test('IPv6 sockets refused by a filter: a port over IPv6 waits, the others have traffic', async () => {
  const over6 = '  br2:\n    ports:\n      vxlan6: { type: vxlan, local: "2001:db8::1", id: 43 }\n';
  const sw = await start(['IPV6=EPERM'], settingsOf(tapPort('tap0', guest), over6));
  expect(await linkOf(sw, 'vxlan6')).toMatchObject({
    operstate: 'DOWN',
    fault: expect.stringContaining('opens no IPv6 sockets (EPERM)'),
  });
  expect(await ping(world, guest.netns, peer.address)).toMatchObject({ sent: 3, received: 3 });
});

test.each<{ refusals: Refusal[]; answers: number }>([
  { refusals: ['TCX'], answers: 3 },
  { refusals: ['PACKET_RX_RING', 'SO_ATTACH_FILTER', 'SO_DOMAIN', 'RECVMMSG'], answers: 0 },
])('$refusals refused: an interface is attached all the same', async ({ refusals, answers }) => {
  const { netns } = hosts[0];
  await world.veth(guest, { netns, ifname: 'p1' });
  await world.ip(guest.netns, 'link set eth0 mtu 1450');
  await world.address(guest, `${guest.address}/24`);
  await world.ip(netns, 'address add 198.18.0.33/24 dev p1');
  const sw = await start(refusals, settingsOf('      p1: { type: netdev }\n', 'workers: 2\n'));
  // A silenced host is of use to the configuration: its absence is a warning.
  const said = sw.log().filter(({ part }) => part === 'tcx');
  expect(said.map(({ level }) => level)).toEqual(answers > 0 ? [40] : []);
  expect((await ping(world, guest.netns, '198.18.0.33')).received).toBe(answers);
  await Promise.all([expectTraffic(`${refusals.join(', ')} refused`), expectListed(answers > 0 ? refusals : [])]);
});

test('netlink refused: the addresses of the host are known all the same', async () => {
  const netns = await world.netns('addresses', { ipv6: true });
  await world.veth({ netns, ifname: 'eth0' }, { netns, ifname: 'eth1' });
  for (const address of ['192.0.2.7/24', '192.0.2.8/24', '2001:db8::7/64']) {
    await world.address({ netns, ifname: 'eth0' }, address);
  }
  const script = `import('${PROCESS}').then(({ hostAddresses }) => console.log(JSON.stringify(hostAddresses())))`;
  const list = async (refusals: Refusal[]): Promise<string[]> => {
    const words = refusing(library, refusals, refusedLog());
    const { stdout } = await world.exec(netns, [...words, process.execPath, '-e', script]);
    const rows = JSON.parse(stdout) as Record<string, unknown>[];
    return rows.map(({ ifname, address, up }) => `${ifname} ${address} ${up}`).sort();
  };
  const [all, plain] = [await list([]), await list(['NETLINK'])];
  expect(all).toEqual(expect.arrayContaining(['eth0 192.0.2.8 true', 'eth0 2001:db8::7 true', 'lo 127.0.0.1 true']));
  expect(plain).toEqual(all);
  expect(refusedSoFar(refusedLog())).toEqual(['NETLINK']);
});

/** Starts a switch as a user without capabilities, in whose sight /dev/net/tun is `node`; tap0 of the host belongs to that user. */
async function startPowerless(node: string, settings: string): Promise<RunningSwitch> {
  const { netns } = hosts[0];
  guest = { ...guest, netns, ifname: 'tap0' };
  await world.ip(netns, `tuntap add dev tap0 mode tap user ${NOBODY}`);
  await world.ip(netns, 'link set tap0 mtu 1450 up');
  await world.address(guest, `${guest.address}/24`);
  const config = world.config('confined', settings);
  chownSync(dirname(config), NOBODY, NOBODY);
  const powerless = [
    'setpriv',
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    '--bounding-set=-all',
    '--',
  ];
  const script = 'mount --bind "$0" /dev/net/tun && exec "$@"';
  const mounted = ['unshare', '-m', '--propagation', 'slave', 'sh', '-c', script, node];
  const sw = await startConfined(world, netns, 'confined', config, [...mounted, ...powerless]);
  expect(sw.log().filter(({ part, level }) => part === 'making TAPs' && level === 40)).toHaveLength(1);
  return sw;
}

const OWN_TAP = '      tap0: { type: tap }\n';

/** A device file like /dev/net/tun. */
function tunNode(mode: '600' | '666'): string {
  const node = join(folder, `tun-${mode}`);
  execFileSync('mknod', ['-m', mode, node, 'c', '10', '200']);
  return node;
}

test('no capabilities: a TAP that was made for the user is used as it is', async () => {
  const sw = await startPowerless(tunNode('666'), settingsOf(OWN_TAP));
  expect(sw.log().find(({ msg }) => msg === 'engine')).toMatchObject({ vnet_header: true, tso: true });
  await expectTraffic('no capabilities');
  expect((await sw.stop()).ended.status).toBe(0);
  expect(await world.nics(hosts[0].netns)).toEqual(['eth0', 'tap0']);
});

test('/dev/net/tun of another user: tunnels are joined all the same, and the TAP waits for the right', async () => {
  const vxlan = (id: number): string =>
    `      vxlan${id}: { type: vxlan, local: ${hosts[0].address}, id: ${id}, remotes: [${hosts[1].address}] }\n`;
  const second = `  br2:\n    ports:\n      b: { type: patch, peer: a }\n${vxlan(VNI + 1)}`;
  const first = plainBridge(OWN_TAP, '      a: { type: patch, peer: b }\n', vxlan(VNI));
  const node = tunNode('600');
  const sw = await startPowerless(node, `${first}${second}`);
  expect(await linkOf(sw, 'tap0')).toMatchObject({ operstate: 'DOWN', fault: expect.stringContaining('chmod 0666') });
  const far = { ...guest, netns: await world.netns('far'), ifname: 'vx1', address: '198.18.0.8' };
  const { address: local, netns } = hosts[1];
  const device = `type vxlan id ${VNI + 1} remote ${hosts[0].address} local ${local} dstport 4789`;
  await world.ip(netns, `link add vx1 ${device}`);
  await world.ip(netns, `link set vx1 netns ${far.netns}`);
  await world.ip(far.netns, 'link set vx1 up');
  await world.address(far, `${far.address}/24`);
  expect(await ping(world, far.netns, peer.address)).toMatchObject({ sent: 3, received: 3 });
  await expectTransfer(world, far, peer, 2 * MB, 'no TAP');

  chmodSync(node, 0o666);
  await until('the TAP comes up', async () => (await linkOf(sw, 'tap0'))?.operstate === 'UP');
  expect(await ping(world, guest.netns, peer.address)).toMatchObject({ sent: 3, received: 3 });
});

test('/dev/net/tun of another user, and nothing but TAPs: the start is refused with its remedy, which the doctor knows too', async () => {
  const before = refusing(library, ['TUN'], refusedLog());
  const config = world.config('confined', settingsOf(tapPort('tap0', guest)));
  const [refused, listed] = await Promise.all([
    world.refusedSwitch(hosts[0].netns, config, before),
    world.exec(hosts[0].netns, [...before, process.execPath, OVERTAP, 'doctor', '--host']),
  ]);
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('"chmod 0666 /dev/net/tun"')]);
  expect([listed.status, listed.stdout]).toEqual([1, expect.stringMatching(/^FAIL .*"chmod 0666 \/dev\/net\/tun"/m)]);
});

test('all refused together: the host itself has traffic, by one thread, and nothing stays behind', async () => {
  const all = Object.keys(WORDS) as Known[];
  guest = { ...guest, netns: hosts[0].netns, ifname: 'tap0' };
  const addresses = `addresses: [${guest.address}/24, 198.18.1.1/24]`;
  const nic = `      tap0: { type: tap, mac: "${guest.mac}", persist: true, ${addresses} }\n`;
  // Without netlink it cannot be moved, and without setns not be made there.
  const other = `      tap1: { type: tap, netns: ${await world.netns('other')} }\n`;
  const sw = await start(all, settingsOf(`${nic}${other}`, 'workers: 3\n'));
  expect((await linkOf(sw, 'tap1'))?.fault).toContain('CAP_SYS_ADMIN');
  expectSaid(sw, all);
  const engine = sw.log().find(({ msg }) => msg === 'engine');
  expect(engine).toMatchObject({
    workers: 1,
    vnet_header: false,
    tso: false,
    udp_segment: false,
    udp_gro: false,
    packet_ring: false,
  });
  await Promise.all([expectTraffic('all refused'), expectListed(all)]);
  expect(await world.ip(guest.netns, '-o addr show tap0')).toMatch(/198\.18\.1\.1\/24/);
  const again = await overtap('-s', sw.control, 'apply', '-c', world.path('confined.yaml'));
  expect([again.status, again.stderr]).toEqual([0, '']);
  expect((await sw.stop()).ended.status).toBe(0);
  expect(await world.nics(guest.netns)).toEqual(['eth0']);
});

/**
 * Hosts and sandboxes that refuse parts of the kernel: the switch starts and does without, and traffic flows. The other end is
 * the kernel's vxlan device.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/doctor/check.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { compileRefusals, type Part, type Refusal, refusedSoFar, refusing, startConfined } from './refuse.js';
import { OVERTAP, overtap, type RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { ping } from './traffic.js';
import { expectTransfer, kernelPeer, MB, makeGuest, VNI } from './two-hosts.js';

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
  return startConfined(world, hosts[0].netns, 'confined', settings, refusing(library, refusals, refusedLog()));
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
  expect(refusedSoFar(refusedLog())).toEqual(expect.arrayContaining(met));
  const lines = sw.log().filter(({ msg }) => /doing without$/.test(msg));
  for (const part of met) {
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
  for (const refusal of refusals) {
    const { doctor } = WORDS[refusal.replace(/=.*/, '') as Known];
    const check = checks.find((one) => one.level !== 'ok' && `${one.subject}: ${one.finding}`.includes(doctor));
    expect(check?.remedy, `${doctor} in ${ended.stdout}`).toMatch(/\w/);
  }
}

/** The word of the log, and what the doctor says. */
const WORDS: Record<Exclude<Part, 'TUN' | 'TUNGETVNETHDRSZ'>, { log: string; doctor: string }> = {
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
};
type Known = keyof typeof WORDS;

/** With a guest in a namespace of its own; without setns that one sets its NIC up, below. */
const PARTS = (Object.keys(WORDS) as Known[]).filter((part) => part !== 'SETNS');
/** As sandboxes put it, too. */
const BY_EPERM: Refusal[] = ['TUNSETOFFLOAD=EPERM', 'TUNGETDEVNETNS=EPERM', 'TUNSETPERSIST=ENOTTY', 'IPV6=EPERM'];
const PAIRS = PARTS.flatMap((one, at) => PARTS.slice(at + 1).map((other): Refusal[] => [one, other]));
const ROWS = [...PARTS, ...BY_EPERM].map((refusal): Refusal[] => [refusal]);

describe.each([
  { kind: 'alone', rows: cases(ROWS, 4) },
  { kind: 'in pairs', rows: cases(PAIRS, 1) },
])('refused $kind', ({ rows }) => {
  test.each(rows.map((refusals) => ({ refusals })))('$refusals', async ({ refusals }) => {
    const sw = await start(refusals);
    expectSaid(sw, refusals);
    await Promise.all([expectTraffic(refusals.join(' ')), expectListed(refusals)]);
  });
});

test('setns refused: a guest sets its NIC up itself', async () => {
  const sw = await start(['SETNS']);
  expectSaid(sw, ['SETNS']);
  const [{ address, mtu }] = await world.ipJson<{ address: string; mtu: number }[]>(guest.netns, 'link show eth0');
  expect([address, mtu]).toEqual([guest.mac, 1450]);
  await world.ip(guest.netns, `addr add ${guest.address}/24 dev eth0`);
  await world.ip(guest.netns, 'link set eth0 up');
  await Promise.all([expectTraffic('setns refused'), expectListed(['SETNS'])]);
  expect((await sw.stop()).ended.status).toBe(0);
  expect(await world.nics(guest.netns)).toEqual([]);
});

test('all refused together: the host itself has traffic, by one thread, and nothing stays behind', async () => {
  const all = Object.keys(WORDS) as Known[];
  guest = { ...guest, netns: hosts[0].netns, ifname: 'tap0' };
  const addresses = `addresses: [${guest.address}/24, 198.18.1.1/24]`;
  const nic = `      tap0: { type: tap, mac: "${guest.mac}", persist: true, ${addresses} }\n`;
  const sw = await start(all, settingsOf(nic, 'workers: 3\n'));
  expectSaid(sw, all);
  const engine = sw.log().find(({ msg }) => msg === 'engine');
  expect(engine).toMatchObject({ workers: 1, vnet_header: false, tso: false, udp_segment: false, udp_gro: false });
  await Promise.all([expectTraffic('all refused'), expectListed(all)]);
  expect(await world.ip(guest.netns, '-o addr show tap0')).toMatch(/198\.18\.1\.1\/24/);
  const again = await overtap('-s', sw.control, 'apply', '-c', world.path('confined.yaml'));
  expect([again.status, again.stderr]).toEqual([0, '']);
  expect((await sw.stop()).ended.status).toBe(0);
  expect(await world.nics(guest.netns)).toEqual(['eth0']);
});

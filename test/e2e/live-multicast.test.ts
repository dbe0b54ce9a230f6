/**
 * IGMP and MLD snooping with the sockets of real guests: a querier asks, who joined a group gets its frames and nobody
 * else does, on TAPs and behind the tunnel, where the report of a kernel peer has come through.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MdbAnswer } from '../../src/api/api.js';
import type { Program } from '../../src/lab/testbed/program.js';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { clientOf, give, startWith } from './live-support.js';
import { type Sniffer, sniff } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, threeHosts } from './topologies.js';
import { inject, tool } from './traffic.js';
import { makeGuest, VNI } from './two-hosts.js';

const GROUP = '239.1.2.3';
const GROUP6 = 'ff05::1:3';

let world: World;
let hosts: [Host, Host, Host];
/** The sender, the one that joins, and one that does not. */
let guests: (Guest & { address6: string })[];
/** Kernel vxlan devices behind the tunnel: the first joins, the second does not. */
let peers: Guest[];
let sw: RunningSwitch;
/** Of `watch`. */
let wires: Sniffer[];

beforeEach(async () => {
  world = new World();
  hosts = await threeHosts(world);
  guests = [];
  for (const number of [1, 2, 3]) {
    const guest = await makeGuest(world, number);
    // One that takes IPv6 too.
    await world.exec(guest.netns, [
      'sh',
      '-c',
      'for f in all default; do echo 0 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done',
    ]);
    guests.push({ ...guest, address6: `fd00::${number}` });
  }
  const [own, ...others] = hosts;
  const remotes = others.map(({ address }) => address);
  const fast = '        mcast_fast_leave: true\n';
  const taps = guests.map((guest, number) => tapPort(`tap${number + 1}`, guest) + fast);
  const bridges = plainBridge(...taps, singlePort(own.address, remotes, VNI));
  sw = await startWith(world, own.netns, 'host1', `bridges:\n${bridges}`);
  peers = [];
  for (const [number, host] of others.entries()) peers.push(await vxlanDevice(host, number));
});

afterEach(() => world.cleanUp());

async function vxlanDevice({ netns, address }: Host, number: number): Promise<Guest> {
  const peer = { netns, ifname: 'vx0', address: `198.18.0.${number + 8}`, mac: `02:00:00:00:00:9${number}` };
  const words = `link add vx0 address ${peer.mac} type vxlan id ${VNI} remote ${hosts[0].address} local ${address} dstport 4789`;
  await world.ip(netns, words);
  await world.ip(netns, 'link set vx0 up');
  await world.address(peer, `${peer.address}/24`);
  return peer;
}

const hex = (...bytes: number[]): string => Buffer.from(bytes).toString('hex');

/** RFC 1071, over an even number of bytes. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/** A general query of IGMPv2 (RFC 2236) that is to be answered within a fifth of a second, as a frame. */
function igmpQuery(from: Guest): string {
  const igmp = Buffer.from('11020000' + '00000000', 'hex');
  igmp.writeUInt16BE(checksum(igmp), 2);
  const source = from.address.split('.').map(Number);
  // With the Router Alert option; 32 bytes in all.
  const ip = Buffer.from(`46c0002000000000${'0102'}0000${hex(...source)}${hex(224, 0, 0, 1)}94040000`, 'hex');
  ip.writeUInt16BE(checksum(ip), 10);
  return `01005e000001${from.mac.replaceAll(':', '')}0800${ip.toString('hex')}${igmp.toString('hex')}`.padEnd(120, '0');
}

/** The same of MLDv1 (RFC 2710), from the guest's link-local address. */
function mldQuery(from: Guest): string {
  const source = `fe80${'0'.repeat(26)}${from.mac.slice(-2)}`;
  const destination = `ff02${'0'.repeat(27)}1`;
  const mld = Buffer.from(`8200000000c80000${'0'.repeat(32)}`, 'hex');
  const pseudo = Buffer.from(`${source}${destination}${'00000018'}${'0000003a'}`, 'hex');
  mld.writeUInt16BE(checksum(Buffer.concat([pseudo, mld])), 2);
  // A Hop-by-Hop header with Router Alert and padding; then 24 bytes of MLD.
  const ip = `60000000${'0020'}0001${source}${destination}`;
  const options = '3a00050200000100';
  return `333300000001${from.mac.replaceAll(':', '')}86dd${ip}${options}${mld.toString('hex')}`;
}

function mdb(): Promise<MdbAnswer> {
  return clientOf(sw).get('/v1/mdb');
}

/** The kernels of the guests join groups of their own beside it. */
async function membersOf(group: string): Promise<MdbAnswer['mdb']> {
  return (await mdb()).mdb.filter(({ grp }) => grp === group);
}

async function join(member: Guest, group: string): Promise<Program> {
  const address = group.includes(':') ? '::' : member.address;
  const program = world.spawn(member.netns, tool('group', 'join', group, address, member.ifname));
  await program.line('the group is joined', (line) => line.includes('joined'));
  return program;
}

async function send(group: string, text: string): Promise<void> {
  const [{ netns, address, ifname }] = guests;
  const ended = await world.exec(netns, tool('group', 'send', group, address, ifname, text));
  expect(ended.status, ended.stderr).toBe(0);
}

const received = (program: Program, text: string): number =>
  program.lines.filter((line) => line.includes(`"${text}"`)).length;

/** Starts to look for frames of a group at the TAPs, by the guest's NIC, and at the remotes, by what comes out of their tunnel. */
async function watch(group: string): Promise<void> {
  wires = [];
  for (const place of [...guests.slice(1), ...peers])
    wires.push(await sniff(world, place, `udp and dst host ${group}`));
}

/** Sends a text of its own to the group. @returns which places saw it: the second guest, the third, the first peer, the second */
async function whoGets(group: string, text: string, member?: Program): Promise<boolean[]> {
  await send(group, text);
  if (member !== undefined) await until(`"${text}" arrives`, () => received(member, text) === 1);
  await quietFor(400); // a capture tells late where others are at work
  const bytes = Buffer.from(text).toString('hex');
  return wires.map(({ packets }) => packets.some(({ hex }) => hex.includes(bytes)));
}

test.each([
  { group: GROUP, query: igmpQuery },
  { group: GROUP6, query: mldQuery },
])('$group', async ({ group, query }) => {
  const [, guest, third] = guests;
  await watch(group);
  const member = await join(guest, group);
  const dev = { dev: 'br1', grp: group };
  await until('the report is heard', async () => (await membersOf(group)).length > 0);
  // Without a querier nobody can know all members: it is flooded.
  expect(await whoGets(group, 'unasked', member)).toEqual([true, true, true, true]);

  await inject(world, third, query(third));
  await until('the querier is heard', async () => (await mdb()).router.some(({ port }) => port === 'tap3'));
  // The querier's port gets everything, as that of a router.
  await until('the answers are in', async () => {
    const gets = await whoGets(group, `asked ${performance.now()}`);
    return JSON.stringify(gets) === JSON.stringify([true, true, false, false]);
  });
  expect(await membersOf(group)).toMatchObject([{ ...dev, port: 'tap2', state: 'temp', timer: expect.any(Number) }]);
  await give(sw, 'link set tap3 type bridge_slave mcast_router 0');
  expect(await whoGets(group, 'member alone', member)).toEqual([true, false, false, false]);

  // By hand, and away again.
  await give(sw, `mdb add dev br1 port tap3 grp ${group} permanent`);
  const [shown] = await sw.json<MdbAnswer[]>(`mdb show grp ${group}`);
  expect(shown.mdb).toContainEqual(expect.objectContaining({ ...dev, port: 'tap3', state: 'permanent' }));
  expect(await whoGets(group, 'by hand', member)).toEqual([true, true, false, false]);
  await give(sw, `mdb del dev br1 port tap3 grp ${group}`);

  await member.stop('SIGTERM');
  await until('the member has left', async () => (await membersOf(group)).length === 0);
  expect(await whoGets(group, 'nobody')).toEqual([false, false, false, false]);
});

test('behind the tunnel the remote that reported gets the group, and no other', async () => {
  const [, guest, third] = guests;
  const [peer] = peers;
  await watch(GROUP);
  const member = await join(peer, GROUP);
  const dst = hosts[1].address;
  await until("the remote's report is heard", async () => (await membersOf(GROUP)).some((row) => row.dst === dst));
  await inject(world, third, igmpQuery(third));
  await give(sw, 'link set tap3 type bridge_slave mcast_router 0');
  await until('the answers are in', async () => {
    const gets = await whoGets(GROUP, `asked ${performance.now()}`);
    return JSON.stringify(gets) === JSON.stringify([false, false, true, false]);
  });
  expect(await membersOf(GROUP)).toMatchObject([{ dev: 'br1', port: 'vxlan0', grp: GROUP, dst, state: 'temp' }]);
  expect(await whoGets(GROUP, 'remote alone', member)).toEqual([false, false, true, false]);

  // A guest that joins too gets its copy beside the remote.
  const local = await join(guest, GROUP);
  await until("the guest's report is heard", async () => (await membersOf(GROUP)).length === 2);
  expect(await whoGets(GROUP, 'both', local)).toEqual([true, false, true, false]);
  await give(sw, `mdb del dev br1 port vxlan0 grp ${GROUP} dst ${dst}`);
  expect(await whoGets(GROUP, 'local alone', local)).toEqual([true, false, false, false]);
});

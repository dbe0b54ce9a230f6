/**
 * NICs belong to their owner: a TAP that was there before stays, one that is made gets the same MAC at each start, and a host
 * port's entries follow the MAC that somebody gives its NIC.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describe, must } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { clientOf, expectReach, expectRefused, give, linkOf, startWith } from './live-support.js';
import { OVERTAP, type RunningSwitch } from './switch.js';
import { filteringBridge, type Guest, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { kernelPeer, makeGuest, VNI } from './two-hosts.js';

let world: World;
let host: string;
let guest: Guest;

beforeEach(async () => {
  world = new World();
  host = await world.netns('host');
  guest = await makeGuest(world, 1);
});

afterEach(() => world.cleanUp());

const withoutMac = (port: string): string => port.replace(/ +mac:.*\n/, '');

interface TapRow {
  linkinfo: { info_data: { persist: boolean } };
  address: string;
}

async function isPersistent(netns: string, ifname: string): Promise<boolean> {
  const rows = await world.ipJson<TapRow[]>(netns, `-d link show dev ${ifname}`);
  return rows[0].linkinfo.info_data.persist;
}

async function macOf(netns: string, ifname: string): Promise<string> {
  return (await world.ipJson<TapRow[]>(netns, `link show dev ${ifname}`))[0].address;
}

// ---- somebody else's TAP ----

async function startOverForeign(): Promise<RunningSwitch> {
  await world.ip(guest.netns, 'tuntap add dev eth0 mode tap multi_queue');
  await world.ip(guest.netns, 'link set eth0 address 02:00:00:00:0f:01 alias mine');
  return startWith(world, host, 'host1', `bridges:\n${plainBridge(withoutMac(tapPort('t1', guest)))}`);
}

async function expectKept(): Promise<void> {
  expect(await isPersistent(guest.netns, 'eth0')).toBe(true);
  expect(await macOf(guest.netns, 'eth0')).toBe('02:00:00:00:0f:01');
}

test('a TAP that somebody else has made is there after the end, a kill, and the next end', async () => {
  const sw = await startOverForeign();
  await expectKept();
  await give(sw, 'link set t1 type tap persist on', 'link set t1 type tap persist off');
  await sw.stop('SIGKILL');
  const again = await startWith(world, host, 'host1', `bridges:\n${plainBridge(withoutMac(tapPort('t1', guest)))}`);
  await expectKept();
  await again.stop();
  await expectKept();
});

test('it is there when its port is deleted, by a command and by a file', async () => {
  const sw = await startOverForeign();
  await give(sw, 'link del t1');
  await expectKept();
  await give(sw, `link add t1 type tap netns ${guest.netns} ifname eth0 master br1`);
  await until('it is in use', async () => (await linkOf(sw, 't1'))?.operstate === 'UP');
  const file = world.file('none.yaml', `name: host1\ncontrol: ${sw.control}\nbridges: { br1: {} }\n`);
  await must([process.execPath, OVERTAP, '-s', sw.control, 'apply', '-c', file]);
  await expectKept();
});

test('it is there after a start that fails, and a change that is refused; what these had made is not', async () => {
  const own = await makeGuest(world, 3);
  await world.ip(guest.netns, 'tuntap add dev eth0 mode tap');
  await world.ip(guest.netns, 'link set eth0 address 02:00:00:00:0f:01');
  // In the switch's own namespace: what a guest does in its own is waited out.
  await world.ip(host, 'link add taken type veth peer name far');
  const persist = '        persist: true\n';
  const ports = [withoutMac(tapPort('t1', guest)), tapPort('own', own) + persist];
  const config = world.config('host1', plainBridge(...ports, '      taken: { type: tap, ifname: taken }\n'));
  const refused = await world.refusedSwitch(host, config);
  expect(refused.status, describe(refused)).toBe(1);
  await expectKept();
  expect(await world.nics(own.netns)).toEqual([]);

  const sw = await startWith(world, host, 'host1', 'bridges: { br1: {} }\n');
  const file = world.config('host1', plainBridge(...ports, '      taken: { type: tap, ifname: taken }\n'));
  await expectRefused(sw, `apply -c ${file}`, /taken/);
  await expectKept();
  expect(await world.nics(own.netns)).toEqual([]);
});

test('a persistent TAP of its own is known again: "persist: false" and a deletion take it away', async () => {
  const lines = (persist: boolean): string =>
    `bridges:\n${plainBridge(`${withoutMac(tapPort('t1', guest))}        persist: ${persist}\n`)}`;
  const first = await startWith(world, host, 'host1', lines(true));
  const mac = await macOf(guest.netns, 'eth0');
  await first.stop();
  const second = await startWith(world, host, 'host1', lines(true));
  expect(await macOf(guest.netns, 'eth0')).toBe(mac);
  await give(second, 'link del t1');
  expect(await world.nics(guest.netns)).toEqual([]);
  await give(second, `link add t1 type tap netns ${guest.netns} ifname eth0 master br1 persist on`);
  await second.stop('SIGKILL');
  const third = await startWith(world, host, 'host1', lines(false));
  expect(await macOf(guest.netns, 'eth0')).toBe(mac);
  await third.stop();
  expect(await world.nics(guest.netns)).toEqual([]);
});

// ---- MAC addresses ----

test('a NIC without "mac" has the same one at each start, and when it is made anew; each port another', async () => {
  const other = await makeGuest(world, 2);
  const ports = [guest, other].map((one, number) => withoutMac(tapPort(`t${number}`, one)));
  const lines = `bridges:\n${filteringBridge(...ports).replace('    ports:', '    host_port: true\n    ports:')}`;
  const macs = (): Promise<string[]> =>
    Promise.all([macOf(guest.netns, 'eth0'), macOf(other.netns, 'eth0'), macOf(host, 'br1')]);
  const first = await startWith(world, host, 'host1', lines);
  const before = await macs();
  expect(new Set(before).size).toBe(3);
  expect(before.filter((mac) => !/^.[26ae]:/.test(mac))).toEqual([]);
  await world.ip(guest.netns, 'link del eth0');
  await until('it is made anew', async () => (await world.nics(guest.netns)).length === 1);
  await until('it is up', async () => (await linkOf(first, 't0'))?.operstate === 'UP');
  expect(await macs()).toEqual(before);
  await first.stop();
  const second = await startWith(world, host, 'host1', lines);
  expect(await macs()).toEqual(before);
  await second.stop();
  await startWith(world, host, 'host2', lines);
  const others = await macs();
  expect(others.filter((mac) => before.includes(mac))).toEqual([]);
});

/** Permanent entries of a link, as "MAC vlan". */
async function permanent(sw: RunningSwitch, ifname: string): Promise<string[]> {
  const rows = (await sw.fdb(`dev ${ifname}`)).filter(({ state }) => state === 'permanent');
  return rows.map(({ mac, vlan }) => `${mac} ${vlan ?? ''}`.trim()).sort();
}

test("the entries of a bridge's host port follow the MAC of its NIC, in each VLAN", async () => {
  const vlans = '[{ vid: 1, pvid: true, untagged: true }, { vid: 20 }]';
  const bridge = filteringBridge(tapPort('t1', guest)).replace(
    '    ports:',
    `    host_port: true\n    addresses: ["198.18.0.50/24"]\n    vlans: ${vlans}\n    ports:`,
  );
  const sw = await startWith(world, host, 'host1', `bridges:\n${bridge}`);
  await expectReach(world, guest, { address: '198.18.0.50' });
  const before = await macOf(host, 'br1');
  expect(await permanent(sw, 'br1')).toEqual([`${before} 1`, `${before} 20`]);
  await world.ip(host, 'link set br1 address 02:00:00:00:0a:01');
  await until('the new one is known', async () => (await permanent(sw, 'br1'))[0] === '02:00:00:00:0a:01 1');
  expect(await permanent(sw, 'br1')).toEqual(['02:00:00:00:0a:01 1', '02:00:00:00:0a:01 20']);
  expect((await sw.fdb()).filter(({ mac }) => mac === before)).toEqual([]);
  expect(await linkOf(sw, 'br1')).toMatchObject({ address: '02:00:00:00:0a:01' });
  await sw.logged('the change', ({ port, mac }) => port === 'br1' && mac === '02:00:00:00:0a:01');
  await expectRefused(sw, 'fdb replace 02:00:00:00:0a:01 dev t1 vlan 1 master static', /address of br1 itself/);
  await world.ip(guest.netns, 'neigh flush all');
  await expectReach(world, guest, { address: '198.18.0.50' });
});

test("those of a vxlan port's host port, too: what comes from its MAC by the tunnel is its own", async () => {
  const hosts = await twoHosts(world);
  const peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.99');
  const port = singlePort(hosts[0].address, [hosts[1].address], VNI).replace(
    ' }',
    ', host_port: true, addresses: ["198.18.0.50/24"] }',
  );
  const sw = await startWith(world, hosts[0].netns, 'host1', `bridges:\n${plainBridge(port)}`);
  await expectReach(world, peer, { address: '198.18.0.50' });
  await world.ip(hosts[0].netns, 'link set vxlan0 address 02:00:00:00:0b:01');
  await until('the new one is known', async () => {
    const rows = await sw.fdb();
    return rows.some(({ mac, state }) => mac === '02:00:00:00:0b:01' && state === 'permanent');
  });
  await world.ip(peer.netns, 'neigh flush all');
  await expectReach(world, peer, { address: '198.18.0.50' });
  const own = async (): Promise<number> => (await sw.stats()).drops.source_is_own ?? 0;
  const before = await own();
  await world.ip(peer.netns, `link set ${peer.ifname} address 02:00:00:00:0b:01`);
  await world.exec(peer.netns, ['ping', '-n', '-c', '1', '-W', '1', '198.18.0.50']);
  expect(await own()).toBeGreaterThan(before);
  const rows = await clientOf(sw).get('/v1/links');
  expect(rows.find(({ ifname }) => ifname === 'vxlan0')).toMatchObject({ address: '02:00:00:00:0b:01' });
});

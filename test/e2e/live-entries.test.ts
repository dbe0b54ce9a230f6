/**
 * VLANs, tunnel mappings, FDB entries, flood lists and neighbours that are put in and taken out while the switch runs, by
 * the command line: their effect on guests and a kernel peer, and what the listings tell.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FdbRow, NeighRow } from '../../src/api/api.js';
import { know } from './faults-support.js';
import { World } from './host-testbed.js';
import { expectNoReach, expectReach, give, startWith } from './live-support.js';
import { sniff } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import { filteringBridge, type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { experimentalFrame, inject } from './traffic.js';
import { kernelPeer, makeGuest, VNI } from './two-hosts.js';

let world: World;
let hosts: [Host, Host];
let guests: Guest[];
let peer: Guest;

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2), await makeGuest(world, 3)];
  peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.9');
});

afterEach(() => world.cleanUp());

const reaches = (from: Guest, to: Guest): Promise<void> => expectReach(world, from, to);
const doesNotReach = (from: Guest, to: Guest): Promise<void> => expectNoReach(world, from, to);

function start(bridges: string): Promise<RunningSwitch> {
  return startWith(world, hosts[0].netns, 'host1', `bridges:\n${bridges}`);
}

const taps = (): string[] => guests.map((guest, number) => tapPort(`tap${number + 1}`, guest));

test('vlan add and del: membership, PVID, ranges, and the mapping to VNIs', async () => {
  const tunnel = `      vxlan0: { type: vxlan, local: ${hosts[0].address}, vlan_tunnel: true, remotes: [${hosts[1].address}] }\n`;
  const sw = await start(filteringBridge(...taps(), tunnel));
  await reaches(guests[0], guests[1]);
  await give(sw, 'vlan add vid 10 dev tap1 pvid untagged');
  expect(await sw.json('vlan show dev tap1')).toEqual([
    {
      ifname: 'tap1',
      vlans: [
        { vlan: 1, flags: ['Egress Untagged'] },
        { vlan: 10, flags: ['PVID', 'Egress Untagged'] },
      ],
    },
  ]);
  await doesNotReach(guests[0], guests[1]);
  await give(sw, 'vlan add vid 10 dev tap2 pvid untagged');
  await reaches(guests[0], guests[1]);

  await doesNotReach(guests[0], peer);
  await give(sw, `vlan add dev vxlan0 vid 10-19 tunnel_info id ${VNI}-${VNI + 9}`);
  expect(await sw.tunnels()).toEqual([
    { ifname: 'vxlan0', tunnels: [{ vlan: 10, vlanEnd: 19, tunid: VNI, tunidEnd: VNI + 9 }] },
  ]);
  await reaches(guests[0], peer);
  await reaches(peer, guests[1]);
  expect(await sw.fdb('dev vxlan0 dynamic')).toMatchObject([
    { mac: peer.mac, ifname: 'vxlan0', master: 'br1', vlan: 10, vni: VNI, dst: hosts[1].address, state: 'dynamic' },
  ]);

  await give(sw, `vlan del dev vxlan0 vid 10 tunnel_info id ${VNI}`);
  expect(await sw.tunnels()).toEqual([
    { ifname: 'vxlan0', tunnels: [{ vlan: 11, vlanEnd: 19, tunid: VNI + 1, tunidEnd: VNI + 9 }] },
  ]);
  // The mapping's entries go with it.
  expect(await sw.fdb('dev vxlan0 dynamic')).toEqual([]);
  await doesNotReach(guests[0], peer);
  await give(sw, `vlan add dev vxlan0 vid 10 tunnel_info id ${VNI}`);
  await reaches(guests[0], peer);

  await give(sw, 'vlan add dev tap3 vid 20-29', 'vlan del dev tap3 vid 23-25', 'vlan del dev tap1 vid 10');
  expect((await sw.vlans()).find(({ ifname }) => ifname === 'tap3')?.vlans).toEqual([
    { vlan: 1, flags: ['PVID', 'Egress Untagged'] },
    { vlan: 20, vlanEnd: 22, flags: [] },
    { vlan: 26, vlanEnd: 29, flags: [] },
  ]);
  await doesNotReach(guests[0], guests[1]);
  expect((await sw.stats()).links.tap1.drops.no_pvid).toBeGreaterThan(0);
});

test('fdb add, replace, get, del and flush on TAPs', async () => {
  const sw = await start(plainBridge(...taps()));
  const [{ mac: own }, { mac }] = guests;
  // They ask for each other's MACs at no time of their own choosing, by which what was flushed would be learned again.
  await know(world, guests[0].netns, guests[0].ifname, guests[1]);
  await know(world, guests[1].netns, guests[1].ifname, guests[0]);
  const rowsOf = (row: FdbRow): Partial<FdbRow> => ({ ifname: row.ifname, state: row.state, flags: row.flags });
  const get = async (): Promise<Partial<FdbRow>[]> => (await sw.json<FdbRow[]>(`fdb get ${mac}`)).map(rowsOf);
  await reaches(guests[0], guests[1]);
  const [dynamic] = await sw.json<FdbRow[]>(`fdb get ${mac}`);
  expect(dynamic).toMatchObject({ mac, ifname: 'tap2', master: 'br1', state: 'dynamic', flags: [], moves: 0 });
  expect(dynamic.updated).toBeLessThan(30);

  // What is pinned to another port goes there, and nowhere else.
  await give(sw, `fdb replace ${mac} dev tap3 master static sticky`);
  expect(await get()).toEqual([{ ifname: 'tap3', state: 'static', flags: ['sticky'] }]);
  const sniffer = await sniff(world, guests[2], `ether proto 0x88b5 and ether dst ${mac}`);
  await inject(world, guests[0], experimentalFrame({ destination: mac, source: own, text: 'pinned' }));
  await sniffer.sees('pinned');
  await sniffer.stop();
  await doesNotReach(guests[0], guests[1]);
  expect(await get()).toEqual([{ ifname: 'tap3', state: 'static', flags: ['sticky'] }]);

  await give(sw, `fdb replace ${mac} dev tap2 master static`);
  expect(await get()).toEqual([{ ifname: 'tap2', state: 'static', flags: [] }]);
  await reaches(guests[0], guests[1]);

  // A flush takes the learned ones; the others when they are named.
  expect((await sw.fdb('dynamic')).map((row) => row.mac)).toEqual([own]);
  expect(await give(sw, 'fdb flush br br1')).toMatch(/\b1\b/);
  expect((await sw.fdb()).map((row) => row.mac)).toEqual([mac]);
  await give(sw, 'fdb flush dev tap2 state static');
  expect(await sw.fdb()).toEqual([]);
  await reaches(guests[0], guests[1]);
  expect(await get()).toEqual([{ ifname: 'tap2', state: 'dynamic', flags: [] }]);
  await give(sw, `fdb del ${mac} dev tap2`);
  expect(await get().catch(() => [])).toEqual([]);

  await give(sw, 'fdb add 02:00:00:00:0a:01 dev tap1', 'fdb add 02:00:00:00:0a:02 dev tap1 dynamic extern_learn');
  expect((await sw.fdb('dev tap1')).map((row) => [row.mac, row.state, row.flags, 'updated' in row])).toEqual(
    expect.arrayContaining([
      ['02:00:00:00:0a:01', 'permanent', [], false],
      ['02:00:00:00:0a:02', 'dynamic', ['extern_learn'], true],
    ]),
  );
});

test('the flood list at run time, and an entry with a destination', async () => {
  const sw = await start(plainBridge(tapPort('tap1', guests[0]), singlePort(hosts[0].address, [], VNI)));
  const zero = '00:00:00:00:00:00';
  await doesNotReach(guests[0], peer);
  expect((await sw.stats()).drops.no_destination).toBeGreaterThan(0);
  const append = `fdb append ${zero} dev vxlan0 dst ${hosts[1].address}`;
  await give(sw, append);
  const listed = { mac: zero, ifname: 'vxlan0', master: 'br1', dst: hosts[1].address };
  expect(await sw.fdb('dev vxlan0')).toMatchObject([listed]);
  await reaches(guests[0], peer);
  // One that is there already changes nothing.
  await give(sw, append);
  expect((await sw.fdb('dev vxlan0')).filter(({ mac }) => mac === zero)).toMatchObject([listed]);

  await give(sw, `fdb del ${zero} dev vxlan0 dst ${hosts[1].address}`, 'fdb flush dev vxlan0');
  expect(await sw.fdb('dev vxlan0')).toEqual([]);
  await world.ip(guests[0].netns, 'neigh flush all');
  await doesNotReach(guests[0], peer);

  // With the peer's MAC known to guest and switch no flood is needed; without an entry for it, its answers would not come in.
  await world.ip(guests[0].netns, `neigh add ${peer.address} lladdr ${peer.mac} dev eth0 nud permanent`);
  await give(sw, `fdb add ${peer.mac} dev vxlan0 dst ${hosts[1].address} static`);
  expect(await sw.fdb('dev vxlan0')).toMatchObject([{ mac: peer.mac, dst: hosts[1].address, state: 'static' }]);
  await reaches(guests[0], peer);
});

test('neighbours are listed as they were put in', async () => {
  const sw = await start(plainBridge(tapPort('tap1', guests[0]), singlePort(hosts[0].address, [], VNI)));
  const neighbours = async (): Promise<NeighRow[]> =>
    (await sw.json<NeighRow[]>('neigh show')).sort((a, b) => a.dst.localeCompare(b.dst));
  const lladdr = '02:00:00:00:0a:01';
  await give(
    sw,
    `neigh add 198.18.0.77 lladdr ${lladdr} dev vxlan0`,
    `neigh add fd00::77 lladdr ${lladdr} dev vxlan0 router nud reachable`,
    'neigh replace 198.18.0.77 lladdr 02:00:00:00:0a:02 dev vxlan0',
  );
  expect(await neighbours()).toMatchObject([
    { dst: '198.18.0.77', lladdr: '02:00:00:00:0a:02', vni: VNI, ifname: 'vxlan0', state: 'permanent' },
    { dst: 'fd00::77', lladdr, vni: VNI, ifname: 'vxlan0', state: 'permanent', origin: 'manual', router: true },
  ]);
  await give(sw, 'neigh del 198.18.0.77 dev vxlan0');
  expect(await neighbours()).toMatchObject([{ dst: 'fd00::77' }]);
  // They go with their port.
  await give(sw, 'link del vxlan0');
  expect(await neighbours()).toEqual([]);
});

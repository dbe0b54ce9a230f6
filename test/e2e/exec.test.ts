/**
 * `overtap exec`: unmodified ip and bridge create, change and list links of the switch that the kernel does not have; their output has
 * the keys that it has for devices of the kernel, and frames go where the commands say.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { preloadLibrary } from '../../src/exec/native-files.js';
import { type Ended, must, run } from '../../src/lab/testbed/program.js';
import { inNamespace } from '../../src/lab/testbed/testbed.js';
import { World } from './host-testbed.js';
import { give, linkOf, startWith } from './live-support.js';
import { OVERTAP, type RunningSwitch } from './switch.js';
import { twoHosts } from './topologies.js';

const PROGRAM = fileURLToPath(new URL('hostile/exec-program.c', import.meta.url));

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

const exec = (netns: string, ...words: string[]): Promise<Ended> =>
  run(inNamespace(netns, [process.execPath, OVERTAP, 'exec', ...words]));

/** Runs a script under `overtap exec`. @returns its output @throws Error when a line of it fails */
async function script(sw: RunningSwitch, netns: string, lines: string): Promise<string> {
  const ended = await exec(netns, '-s', sw.control, '--', 'sh', '-ec', lines);
  if (ended.status !== 0) throw new Error(`${ended.stdout}${ended.stderr}`);
  return ended.stdout;
}

async function json<T>(sw: RunningSwitch, netns: string, line: string): Promise<T> {
  return JSON.parse(await script(sw, netns, line)) as T;
}

/** A switch without any bridge. */
const emptySwitch = (netns: string, name: string): Promise<RunningSwitch> =>
  startWith(world, netns, name, 'bridges: {}');

/** Adds a guest on a veth, whose other end stays in the host. */
const guestLines = (guest: string, address: string): string => `
ip link add v0 type veth peer name e0 netns ${guest}
ip -n ${guest} addr add ${address}/24 dev e0
ip -n ${guest} link set e0 up
ip link set v0 up master br0`;

test('two hosts that only ip and bridge have set up carry the frames of their guests', async () => {
  const hosts = await twoHosts(world);
  const guests = [await world.netns('g1'), await world.netns('g2')];
  for (const [at, host] of hosts.entries()) {
    const sw = await emptySwitch(host.netns, `h${at}`);
    const far = hosts[1 - at]?.address;
    await script(
      sw,
      host.netns,
      `ip link add br0 up type bridge vlan_filtering 1
       ip link add vxlan0 type vxlan external local ${host.address} dstport 4789
       ip link set vxlan0 up master br0
       bridge link set dev vxlan0 vlan_tunnel on
       bridge vlan add dev vxlan0 vid 2
       bridge vlan add dev vxlan0 vid 2 tunnel_info id 102
       bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst ${far} src_vni 102
       ${guestLines(guests[at] as string, `198.18.0.${at + 1}`)}
       bridge vlan add dev v0 vid 2 pvid untagged
       bridge vlan del dev v0 vid 1`,
    );
  }
  await must(inNamespace(guests[0] as string, ['ping', '-c', '3', '-i', '0.2', '-W', '5', '198.18.0.2']));
});

test('a link is shown, changed and deleted as one of the kernel', async () => {
  const netns = await world.netns('h');
  const sw = await emptySwitch(netns, 'one');
  const shown = await script(
    sw,
    netns,
    `ip link add name vx0 up type vxlan id 77 remote 192.0.2.9 nolearning dstport 4789
     ip link add br0 type bridge
     ip link set vx0 master br0
     ip l s vx0 down
     ip -d link show dev vx0
     bridge fdb show dev vx0`,
  );
  expect(shown).toMatch(/vx0: <.*> mtu .* master br0 state DOWN/);
  expect(shown).toContain('vxlan id 77 remote 192.0.2.9 srcport');
  expect(shown).toContain('dstport 4789 nolearning ttl auto');
  expect(shown).toContain('00:00:00:00:00:00 dst 192.0.2.9 self permanent');
  expect(await linkOf(sw, 'vx0')).toMatchObject({
    type: 'vxlan',
    master: 'br0',
    id: 77,
    up: false,
    accept_vteps: 'any',
  });
  const more =
    'ip link add vx1 type vxlan id 78 dstport 4788 remote 2001:db8::9 flowlabel 0x12345 gbp; ip -d link show dev vx1';
  expect(await script(sw, netns, more)).toMatch(/ remote 2001:db8::9 .* flowlabel 0x12345 .* gbp /);
  expect(await linkOf(sw, 'vx1')).toMatchObject({ flowlabel: 0x12345, gbp: true });
  await script(sw, netns, 'ip link del vx1; ip link del vx0; ip link del br0');
  expect(await sw.json('link show')).toEqual([]);
  expect(await world.nics(netns)).toEqual([]);
});

test('what is refused has a text and the status of the kernel', async () => {
  const netns = await world.netns('h');
  const sw = await emptySwitch(netns, 'one');
  await script(sw, netns, 'ip link add br0 type bridge');
  const rows: [string, number, string][] = [
    ['ip link add br0 type bridge', 2, 'exists'],
    [
      'ip link set br0 type bridge nf_call_iptables 1',
      2,
      'overtap has no nf_call_iptables on a bridge; leave this option out',
    ],
    ['ip link add vx0 type vxlan external gpe', 2, 'overtap has no vxlan device with gpe'],
    ['ip link add vx0 type vxlan id 5 remote 192.0.2.9 flowlabel 7', 2, 'IPv4 has no flow label'],
    ['ip link show nosuch', 1, 'does not exist'],
    ['bridge fdb add 02:00:00:00:00:01 dev br0 master vlan 7', 255, 'VLAN'],
    ['ip link set br0 name br1', 2, ''],
    [
      'ip link add vx9 type vxlan external; ip link set vx9 type vxlan external vnifilter',
      2,
      'delete vx9 and add it anew',
    ],
    ['ip link add hp-0a1b2c3d type bridge', 2, 'overtap exec has names such as hp-0a1b2c3d for itself'],
    ["ip link add 'a@b' type bridge", 2, 'choose another name'],
    ['brctl addbr hp-0a1b2c3d', 1, 'Invalid argument'],
    ['ip link set vx9 type vxlan novnifilter', 2, 'delete vx9 and add it anew'],
  ];
  for (const [line, status, text] of rows) {
    const ended = await exec(netns, '-s', sw.control, 'sh', '-c', line);
    if (text !== '') expect(`${line}: ${ended.stderr}`).toContain(text);
    if (text !== '') expect(ended.status).toBe(status);
  }
});

interface KernelLink {
  ifname: string;
  linkinfo?: { info_data?: object; info_slave_data?: object };
}

/** Paths of all keys of a value. */
function keysOf(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => keysOf(one, `${at}[]`));
  if (typeof value !== 'object' || value === null) return [at];
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, `${at}.${key}`));
}

const uniqueKeys = (value: unknown): string[] => [...new Set(keysOf(value))].sort();

test('listings have the keys of those of the kernel for the same commands', async () => {
  const [ours, theirs] = [await world.netns('ours'), await world.netns('theirs')];
  const sw = await emptySwitch(ours, 'one');
  const setup = `ip link add br0 up type bridge
    ip link add vx0 up type vxlan id 42 local 127.0.0.1 dstport 4789
    ip link set vx0 up master br0
    ip link add v0 up type veth peer name v1
    ip link set v0 master br0
    bridge fdb append 00:00:00:00:00:00 dev vx0 dst 127.0.0.9
    bridge fdb add 02:00:00:00:00:01 dev vx0 dst 127.0.0.8
    bridge fdb add 02:00:00:00:00:02 dev v0 master static
    bridge mdb add dev br0 port v0 grp 239.1.1.1 permanent
    bridge mdb add dev br0 port v0 grp 239.1.1.2 permanent src 192.0.2.1`;
  await script(sw, ours, setup);
  await must(inNamespace(theirs, ['sh', '-ec', setup]));
  const both = async <T>(line: string): Promise<[T, T]> => [
    await json<T>(sw, ours, line),
    JSON.parse(await must(inNamespace(theirs, line.split(' ')))) as T,
  ];
  for (const name of ['br0', 'vx0', 'v0']) {
    const [[mine], [kernels]] = await both<KernelLink[]>(`ip -j -d link show ${name}`);
    // A kernel that filters VLANs says more of a bridge, as the switch does: this one may not.
    const own = uniqueKeys(mine).filter((key) => !key.includes('.vlan_'));
    expect([name, own]).toEqual([name, uniqueKeys(kernels).filter((key) => !key.includes('.vlan_'))]);
  }
  for (const line of ['bridge -j link show', 'bridge -j -d link show']) {
    const [mine, kernels] = await both<unknown[]>(line);
    expect([line, uniqueKeys(mine)]).toEqual([line, uniqueKeys(kernels)]);
  }
  for (const line of ['bridge -j mdb show', 'bridge -j -d mdb show']) {
    const [[own], [theirs]] = await both<{ mdb: { grp: string }[] }[]>(line);
    // Other groups are those that the hosts have joined.
    const added = (all: { mdb: { grp: string }[] } | undefined) => all?.mdb.filter(({ grp }) => /^239/.test(grp));
    expect([line, uniqueKeys(added(own))]).toEqual([line, uniqueKeys(added(theirs))]);
  }
  const [mine, kernels] = await both<{ mac: string; ifname: string }[]>('bridge -j fdb show');
  const rows = (all: { mac: string; ifname: string }[]) =>
    all.filter(({ mac }) => /^0[02]:00:00/.test(mac)).sort((a, b) => (a.mac < b.mac ? -1 : 1));
  expect(rows(mine)).toEqual(rows(kernels));
});

test('namespaces are hosts: one command reaches the switch of each', async () => {
  const [a, b] = [await world.netns('a'), await world.netns('b')];
  const switches = [await emptySwitch(a, 'a'), await emptySwitch(b, 'b')];
  const [one, other] = switches as [RunningSwitch, RunningSwitch];
  const ended = await exec(
    a,
    '-s',
    one.control,
    'sh',
    '-ec',
    `ip link add br7 type bridge; ip -n ${b} link add br8 type bridge; ip netns exec ${b} ip link add br9 type bridge`,
  );
  expect(ended).toMatchObject({ status: 0, stderr: '' });
  const names = async (sw: RunningSwitch) =>
    (await sw.json<{ ifname: string }[]>('link show')).map(({ ifname }) => ifname);
  expect(await names(one)).toEqual(['br7']);
  expect(await names(other)).toEqual(['br8', 'br9']);
});

test('a namespace without a switch keeps its kernel, and gets no bridge by mistake', async () => {
  const [a, empty] = [await world.netns('a'), await world.netns('b')];
  const sw = await emptySwitch(a, 'a');
  await script(sw, a, `ip -n ${empty} link add x0 type veth peer name x1`);
  const ended = await exec(a, '-s', sw.control, 'ip', '-n', empty, 'link', 'add', 'br0', 'type', 'bridge');
  expect(ended.status).toBe(2);
  expect(ended.stderr).toContain('no switch runs in this network namespace');
  const old = await exec(a, '-s', sw.control, 'ip', 'netns', 'exec', empty, 'brctl', 'addbr', 'br0');
  expect(old).toMatchObject({ status: 1, stderr: expect.stringContaining('not supported') });
  expect(await world.nics(empty)).not.toContain('br0');
  expect(await world.nics(empty)).toEqual(expect.arrayContaining(['x0', 'x1']));
});

test('sockets that are closed, shared and filled as few programs do', async () => {
  const netns = await world.netns('h');
  const sw = await emptySwitch(netns, 'one');
  const program = world.path('program');
  const flags = ['-O1', '-D_GNU_SOURCE', '-pthread'];
  execFileSync(process.env.CC ?? 'cc', [...flags, '-o', program, PROGRAM]);
  for (const word of ['reused', 'forks', 'overrun', 'monitors', 'copies', 'hears']) {
    expect(`${word}: ${(await exec(netns, '-s', sw.control, program, word)).status}`).toBe(`${word}: 0`);
  }
  expect((await sw.links()).map(({ ifname }) => ifname).sort()).toEqual([
    'by-mmsg',
    'by-read',
    'by-readv',
    'heard',
    'late',
  ]);
});

test('what overtap exec has begun and not finished is not done by the kernel', async () => {
  const netns = await world.netns('h');
  const socket = world.path('socket');
  const server = createServer((connection) => connection.once('data', () => connection.destroy()));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const env = [`OVERTAP_EXEC=${socket}`, `LD_PRELOAD=${preloadLibrary()}`];
  const ended = await run(inNamespace(netns, ['env', ...env, 'ip', 'link', 'add', 'br0', 'type', 'bridge']));
  server.close();
  expect(ended.stderr).toMatch(/connection abort/i);
  expect(await world.nics(netns)).toEqual([]);
});

test('status, batch files and shells', async () => {
  const netns = await world.netns('h');
  const sw = await emptySwitch(netns, 'one');
  expect((await exec(netns, '-s', sw.control, 'sh', '-c', 'exit 7')).status).toBe(7);
  expect((await exec(netns, '-s', sw.control, 'sh', '-c', 'kill -ALRM $$')).status).toBe(142);
  expect((await exec(netns, '-s', '/tmp/nothing.sock', 'true')).status).toBe(3);
  const batch = world.path('batch');
  writeFileSync(batch, 'link add br0 type bridge\nlink set br0 up\nlink show br0\n');
  const shell = await run(
    inNamespace(netns, [process.execPath, OVERTAP, '-s', sw.control, 'shell', '-c', `ip -b ${batch}`]),
  );
  expect(shell.stdout).toContain('br0: <BROADCAST,MULTICAST,UP');
});

test('two hosts with an address on the vxlan device itself', async () => {
  const hosts = await twoHosts(world);
  const switches: RunningSwitch[] = [];
  for (const [at, host] of hosts.entries()) {
    const sw = await emptySwitch(host.netns, `h${at}`);
    switches.push(sw);
    await script(
      sw,
      host.netns,
      `ip link add vxlan0 type vxlan id 42 remote ${hosts[1 - at]?.address} local ${host.address} dstport 4789
       ip addr add 10.0.42.${at + 1}/24 dev vxlan0
       ip link set vxlan0 up`,
    );
  }
  const [host] = hosts;
  const [sw] = switches as [RunningSwitch];
  await must(inNamespace(host.netns, ['ping', '-c', '3', '-i', '0.2', '-W', '5', '10.0.42.2']));
  expect(await script(sw, host.netns, 'ip -br link; bridge fdb show dev vxlan0')).toMatch(
    /^lo .*\n.*\nvxlan0 +UNKNOWN .*UP[\s\S]*dst 192.0.2.2 self/,
  );
  await script(sw, host.netns, 'ip link del vxlan0');
  expect(await sw.json('link show')).toEqual([]);
});

test('multicast groups, and nexthops of FDB entries', async () => {
  const netns = await world.netns('h');
  const sw = await emptySwitch(netns, 'one');
  const shown = await json<[{ mdb: object[] }]>(
    sw,
    netns,
    `ip link add br0 up type bridge
     ip link add v0 up type veth peer name v1
     ip link set v1 up
     ip link set v0 master br0
     bridge mdb add dev br0 port v0 grp 239.1.1.1 permanent
     bridge mdb add dev br0 port v0 grp ff05::7 temp
     bridge -j -d mdb`,
  );
  await give(sw, 'link add vx0 type vxlan id 7 dstport 4789 local 127.0.0.1');
  await give(sw, 'link set vx0 master br0', 'mdb add dev vx0 port vx0 grp 239.1.1.2 permanent dst 192.0.2.9');
  const [far] = await json<[{ mdb: object[] }]>(sw, netns, 'bridge -j -d mdb show dev vx0');
  expect(far.mdb).toEqual([
    expect.objectContaining({ dev: 'vx0', port: 'vx0', grp: '239.1.1.2', state: 'permanent', protocol: 'static' }),
  ]);
  const added = { dev: 'br0', port: 'v0', protocol: 'static', flags: [] };
  expect(shown[0].mdb).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ ...added, grp: '239.1.1.1', state: 'permanent' }),
      expect.objectContaining({ ...added, grp: 'ff05::7', state: 'temp' }),
    ]),
  );
  await script(sw, netns, 'bridge mdb del dev br0 port v0 grp 239.1.1.1');
  expect(await script(sw, netns, 'bridge mdb')).not.toContain('239.1.1.1');
  const nexthops = await script(
    sw,
    netns,
    `ip link add br1 up type bridge
     ip link add vx1 master br1 up type vxlan id 8 dstport 4790 local 127.0.0.1
     ip nexthop add id 1 via 192.0.2.1 fdb
     ip nexthop add id 2 via 192.0.2.2 fdb
     ip nexthop add id 10 group 1/2 fdb
     bridge fdb add 02:00:00:00:00:01 dev vx1 nhid 10
     ip nexthop
     ip nexthop get id 10
     bridge fdb show dev vx1`,
  );
  expect(nexthops).toMatch(/id 1 via 192.0.2.1 scope link fdb *\n/);
  expect(nexthops.match(/id 10 group 1\/2 fdb/g)).toHaveLength(2);
  expect(nexthops).toContain('02:00:00:00:00:01 nhid 10 self permanent');
  expect(await script(sw, netns, 'ip nexthop del id 10; bridge fdb show dev vx1')).not.toContain('nhid');
});

interface Counted {
  vid: number;
  rx_packets: number;
}

test('VNIs, options of VLANs, and counters of both', async () => {
  const [netns, guest] = [await world.netns('h'), await world.netns('g')];
  const sw = await emptySwitch(netns, 'one');
  const shown = await script(
    sw,
    netns,
    `ip link add br0 up type bridge vlan_filtering 1 mcast_vlan_snooping 1
     ip link add vx0 master br0 up type vxlan external vnifilter local 127.0.0.1 dstport 4789
     ${guestLines(guest, '198.18.0.1')}
     bridge vni add dev vx0 vni 110-112
     bridge vlan add dev vx0 vid 10-12 tunnel_info id 110-112
     bridge vlan add dev v0 vid 10 pvid untagged
     bridge vni add dev vx0 vni 110 remote 127.0.0.9
     bridge vlan set dev v0 vid 10 mcast_router 2
     bridge vlan global set dev br0 vid 10 mcast_querier 1 mcast_query_interval 6000
     ip netns exec ${guest} ping -c 1 -W 1 198.18.0.2 > /dev/null || true
     bridge -j -s vni show dev vx0
     bridge -j -s vlan
     bridge -j -d -s vlan show dev v0
     bridge -j vlan global show dev br0
     bridge -j -s -d vlan show dev vx0
     bridge vni delete dev vx0 vni 112
     bridge -j vni`,
  );
  const [vnis, vlans, details, globals, far, less] = shown
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line)[0]) as Record<string, object[]>[];
  expect(vnis?.vnis).toHaveLength(3);
  expect(vnis?.vnis?.[0]).toMatchObject({ vni: 110, remote: '127.0.0.9' });
  // The words of iproute2, in its order (print_vnifilter_entry_stats).
  expect(Object.keys((vnis?.vnis?.[0] as { stats: object } | undefined)?.stats ?? {})).toEqual(
    ['rx_', 'tx_'].flatMap((way) => ['bytes', 'pkts', 'drops', 'errors'].map((what) => way + what)),
  );
  expect(less).toEqual({ ifname: 'vx0', vnis: [{ vni: 110, remote: '127.0.0.9' }, { vni: 111 }] });
  expect(vlans).toMatchObject({ ifname: 'br0', vlans: [{ vid: 1 }] });
  const [, ten] = (details?.vlans ?? []) as [object, Counted];
  expect(ten).toMatchObject({ vlan: 10, flags: ['PVID', 'Egress Untagged'], state: 'forwarding', mcast_router: 2 });
  expect(ten.rx_packets).toBeGreaterThan(0);
  const sent = far?.vlans?.find((row) => 'vlan' in row && row.vlan === 10) as { tx_packets: number };
  expect(sent.tx_packets).toBeGreaterThan(0);
  expect(globals?.vlans).toContainEqual(
    expect.objectContaining({ vlan: 10, mcast_querier: 1, mcast_query_interval: 6000, mcast_snooping: 1 }),
  );
  const rows = await json<{ ifname: string; vlans: Counted[] }[]>(sw, netns, 'bridge -j -s vlan show dev v0');
  expect(rows[0]?.vlans.find(({ vid }) => vid === 10)?.rx_packets).toBeGreaterThanOrEqual(ten.rx_packets);
});

test('monitors tell what the switch does', async () => {
  const netns = await world.netns('h');
  const sw = await emptySwitch(netns, 'one');
  const [links, entries, groups] = [world.path('links'), world.path('entries'), world.path('groups')];
  const told = await script(
    sw,
    netns,
    `ip monitor link > ${links} & A=$!
     bridge monitor fdb > ${entries} & B=$!
     stdbuf -oL bridge monitor mdb > ${groups} & C=$!
     sleep 1
     ip link add br0 up type bridge
     ip link add vx0 up type vxlan id 7 dstport 4789
     ip link set vx0 master br0
     ip link add v0 up type veth peer name v1
     ip link set v0 master br0
     bridge fdb add 02:00:00:00:00:01 dev vx0 dst 192.0.2.1
     bridge fdb add 02:00:00:00:00:02 dev v0 master static
     bridge mdb add dev br0 port v0 grp 239.1.1.1 permanent
     bridge mdb del dev br0 port v0 grp 239.1.1.1
     ip link del vx0
     for i in $(seq 50); do
       grep -q Deleted.*vx0 ${links} && grep -q dev.v0 ${entries} && grep -q Deleted.*239 ${groups} && break
       sleep 0.1
     done
     kill $A $B $C
     cat ${links} ${entries} ${groups}`,
  );
  expect(told).toMatch(/\d{10}: vx0: <.*master br0 /);
  expect(told).toMatch(/Deleted \d{10}: vx0/);
  expect(told).toContain('02:00:00:00:00:01 dev vx0 dst 192.0.2.1 self permanent');
  expect(told).toContain('02:00:00:00:00:02 dev v0 master br0 static');
  expect(told).toMatch(/^dev br0 port v0 grp 239.1.1.1 /m);
  expect(told).toMatch(/^Deleted dev br0 port v0 grp 239.1.1.1 /m);
});

test('what a killed one leaves, the next one removes', async () => {
  const netns = await world.netns('h');
  const sw = await emptySwitch(netns, 'one');
  const temporary = world.path('tmp');
  mkdirSync(temporary);
  const program = ['env', `TMPDIR=${temporary}`, process.execPath, OVERTAP, 'exec', '-s', sw.control, '--'];
  await run(inNamespace(netns, [...program, 'sh', '-c', 'kill -9 $PPID']));
  const left = readdirSync(temporary);
  expect(left).toHaveLength(1);
  // Long enough ago that it is not one in the making.
  utimesSync(join(temporary, left[0] as string), 0, 0);
  await must(inNamespace(netns, [...program, 'true']));
  expect(readdirSync(temporary)).toEqual([]);
});

test('brctl', async () => {
  const netns = await world.netns('h');
  const sw = await emptySwitch(netns, 'one');
  const shown = await script(
    sw,
    netns,
    `brctl addbr br0
     ip link add v0 up type veth peer name v1
     ip link add vxlan21 type vxlan id 100 dstport 8472
     brctl addif br0 v0
     brctl addif br0 vxlan21
     brctl addif br0 v0 2>&1 || true
     brctl setfd br0 5
     brctl setageing br0 100
     bridge fdb add 02:00:00:00:00:02 dev v0 master static
     brctl showmacs br0
     brctl showstp br0
     brctl show`,
  );
  expect(shown).toContain("device v0 is already a member of a bridge; can't add it to bridge br0");
  expect(shown).toMatch(/\n +1\t02:00:00:00:00:02\tno\t/);
  expect(shown).toMatch(/bridge forward delay\t +5.00\n ageing time\t\t +100.00\n/);
  expect(shown).toMatch(/\nv0 \(1\)\n port id\t\t8001\t/);
  expect(await linkOf(sw, 'br0')).toMatchObject({ forward_delay: 500, ageing_time: 100 });
  await script(sw, netns, 'bridge link set dev v0 state 4');
  expect(await linkOf(sw, 'v0')).toMatchObject({ state: 'blocking' });
  await script(sw, netns, 'bridge link set dev v0 state 3');
  expect(await linkOf(sw, 'v0')).toMatchObject({ state: 'forwarding' });
  await script(sw, netns, 'brctl stp br0 on');
  const late = await script(sw, netns, 'bridge link set dev v0 state 4 2>&1 || true');
  expect(late).toContain('the spanning tree of br0 says the states of its ports');
  expect(await linkOf(sw, 'br0')).toMatchObject({ stp_state: true });
  expect(shown).toMatch(/\nbr0\t+8000\.[0-9a-f]{12}\tno\t+v0\n\t+vxlan21\n/);
  expect(await linkOf(sw, 'v0')).toMatchObject({ type: 'netdev', master: 'br0' });
  await script(sw, netns, 'brctl delif br0 v0; brctl delbr br0; ip link del vxlan21');
  expect(await sw.json('link show')).toEqual([]);
  expect(await world.nics(netns)).toEqual(expect.arrayContaining(['v0', 'v1']));
});

const LINES = 200;
/**
 * Most milliseconds of CPU time for all of them: of the programs, of `overtap exec` and of the switch. A start of Node for each line would
 * take 20,000 or more; an idle machine takes 2,000 to 3,000.
 */
const MOST_CPU_MS = 15_000;

/** CPU time so far in milliseconds: of this switch, and of the children that have ended (proc(5), 100 ticks a second). */
function cpuMs(sw: RunningSwitch): number {
  const fields = (pid: number | 'self'): number[] =>
    readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
      .map(Number);
  const [own, children] = [fields(sw.program.pid), fields('self')];
  return (
    10 *
    ([11, 12].reduce((sum, at) => sum + (own[at] ?? 0), 0) + [13, 14].reduce((sum, at) => sum + (children[at] ?? 0), 0))
  );
}

test('200 lines cost little more than 200 starts of a program', async () => {
  const netns = await world.netns('h');
  const sw = await emptySwitch(netns, 'one');
  const lines = [
    'ip link add br0 up type bridge vlan_filtering 1',
    'ip link add vx0 master br0 up type vxlan external local 127.0.0.1',
  ];
  for (let vid = 2; lines.length < LINES; vid++) {
    lines.push(`bridge vlan add dev vx0 vid ${vid} tunnel_info id ${vid + 100}`);
    lines.push(`bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.9 src_vni ${vid + 100}`);
  }
  const [begun, cpu] = [performance.now(), cpuMs(sw)];
  await script(sw, netns, lines.join('\n'));
  const [taken, spent] = [performance.now() - begun, cpuMs(sw) - cpu];
  console.log(`${LINES} lines: ${Math.round(taken)} ms, ${spent} ms of CPU time`);
  expect(spent).toBeLessThan(MOST_CPU_MS);
});

/**
 * `overtap exec` as people use it: words in the wrong order, names that are there already, programs that are older than netlink. What
 * scripts rely on is that of the kernel: states of new links, texts and statuses of refusals, messages of monitors.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Ended, run } from '../../src/lab/testbed/program.js';
import { inNamespace } from '../../src/lab/testbed/testbed.js';
import { World } from './host-testbed.js';
import { linkOf, startWith } from './live-support.js';
import { OVERTAP, type RunningSwitch } from './switch.js';

let world: World;
let netns: string;
let sw: RunningSwitch;

beforeEach(async () => {
  world = new World();
  netns = await world.netns('h');
  sw = await startWith(world, netns, 'one', 'bridges: {}');
});

afterEach(() => world.cleanUp());

const exec = (...words: string[]): Promise<Ended> =>
  run(inNamespace(netns, [process.execPath, OVERTAP, 'exec', '-s', sw.control, '--', ...words]));

/** Runs a script of which each line has to succeed. */
async function script(lines: string): Promise<string> {
  const { status, stdout, stderr } = await exec('sh', '-ec', lines);
  expect(status, `${stdout}${stderr}`).toBe(0);
  return stdout;
}

/** Status and output of a command that is refused. */
async function refused(line: string): Promise<[number | null, string]> {
  const { status, stderr } = await exec('sh', '-c', line);
  return [status, stderr.trim()];
}

interface Shown {
  ifname: string;
  flags: string[];
  mtu: number;
  address: string;
}

const links = async (words = ''): Promise<Shown[]> => JSON.parse(await script(`ip -j link show ${words}`)) as Shown[];

async function isUp(name: string): Promise<boolean> {
  const [link] = await links(`dev ${name}`);
  return link?.flags.includes('UP') === true;
}

/** Sets flags of a device by ioctl, as ifconfig does. */
const ifconfig = (name: string, flags: number): string => `python3 -c '
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH22x", b"${name}", ${flags}))'`;

test('new links are down until they are set up, however that is said', async () => {
  await script(`
    ip link add br0 type bridge vlan_filtering 1
    ip link add br1 up type bridge
    brctl addbr br2
    ip link add link br0 name br0.10 type vlan id 10
    ip link add vx0 type vxlan id 7 dstport 4789 local 127.0.0.1 remote 127.0.0.9
    ip addr add 198.18.0.1/24 dev vx0`);
  for (const name of ['br0', 'br2', 'br0.10', 'vx0']) expect(await isUp(name), name).toBe(false);
  expect(await isUp('br1')).toBe(true);
  await script('ip link set br0 up; ip link set br0.10 up; ip link set vx0 up');
  for (const name of ['br0', 'br0.10', 'vx0']) expect(await isUp(name), name).toBe(true);
  await script(ifconfig('br2', 1));
  expect([await isUp('br2'), (await linkOf(sw, 'br2'))?.up]).toEqual([true, true]);
  await script(ifconfig('br2', 0));
  expect([await isUp('br2'), (await linkOf(sw, 'br2'))?.up]).toEqual([false, false]);
});

test('what is there already, or is not there, is refused in the words of the kernel', async () => {
  await script('ip link add br0 type bridge; ip link add v0 type veth peer name v1; ip link set v0 master br0');
  expect(await refused('ip link add br0 type bridge')).toEqual([2, 'RTNETLINK answers: File exists']);
  await script('bridge fdb add 02:00:00:00:00:01 dev v0 master');
  const [status, text] = await refused('bridge fdb add 02:00:00:00:00:01 dev v0 master');
  expect([status, text]).toEqual([255, expect.stringMatching(/^Error: File exists: .*use replace/)]);
  const [, gone] = await refused('bridge fdb del 02:00:00:00:00:02 dev v0 master');
  expect(gone).toMatch(/^Error: No such file or directory: .*fdb show dev v0/);
});

test('a VLAN that is not there is deleted without a word', async () => {
  await script(`
    ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0
    ip link add v0 type veth peer name v1
    ip link set v0 master br0
    ip link add vx0 type vxlan external dstport 4789 local 127.0.0.1
    ip link set vx0 master br0
    bridge vlan del dev v0 vid 1
    bridge vlan del dev v0 vid 2-9
    bridge vlan del dev br0 vid 1 self
    bridge vlan del dev vx0 vid 5 tunnel_info id 5`);
  expect((await refused('bridge vlan del dev v0 vid 5000'))[0]).toBe(255);
});

test('links of the switch keep name and namespace; a port keeps its name, and leaves its bridge for another namespace', async () => {
  const guest = await world.netns('g');
  await script('ip link add br0 type bridge; ip link add v0 type veth peer name v1; ip link set v0 master br0');
  expect(await refused('ip link set br0 name br9')).toEqual([2, expect.stringContaining('overtap renames no link')]);
  expect(await refused(`ip link set br0 netns ${guest}`)).toEqual([
    2,
    expect.stringContaining('stays in its namespace'),
  ]);
  expect(await refused('ip link set v0 name v9')).toEqual([2, expect.stringContaining('ip link set v0 nomaster')]);
  expect((await links()).map(({ ifname }) => ifname).sort()).toEqual(['br0', 'lo', 'v0', 'v1']);
  await script(`ip link set v0 netns ${guest}`);
  expect(await world.nics(guest)).toEqual(['v0']);
  expect((await sw.json<{ ifname: string }[]>('link show')).map(({ ifname }) => ifname)).toEqual(['br0']);
  await script('ip link set v1 name v9');
});

test('brctl deletes no bridge that is up, and makes none of the kernel', async () => {
  await script('brctl addbr br0; ip link set br0 up');
  expect(await refused('brctl delbr br0')).toEqual([1, "bridge br0 is still up; can't delete it"]);
  expect((await refused('brctl addbr br0'))[1]).toContain('already exists');
  const other = await world.netns('other');
  expect(await refused(`ip netns exec ${other} brctl addbr br0`)).toEqual([
    1,
    expect.stringContaining('not supported'),
  ]);
  expect(await world.nics(other)).toEqual([]);
  await script('ip link set br0 down; brctl delbr br0');
  expect(await world.nics(netns)).toEqual([]);
});

test('MTU and address of a vxlan device', async () => {
  await script(`
    ip link add vx0 mtu 1400 type vxlan id 7 dstport 4789 local 127.0.0.1 remote 127.0.0.9
    ip link set vx0 mtu 1350
    ip link add vx1 address 02:00:00:00:00:71 mtu 1400 type vxlan id 8 dstport 4789 local 127.0.0.1 remote 127.0.0.9`);
  expect(await links('dev vx1')).toMatchObject([{ address: '02:00:00:00:00:71', mtu: 1400 }]);
  await script('ip link set vx0 address 02:00:00:00:00:70');
  expect(await links('dev vx0')).toMatchObject([{ address: '02:00:00:00:00:70' }]);
});

test('listings by master and kind have no other link', async () => {
  await script(`
    ip link add br0 type bridge
    ip link add v0 type veth peer name v1
    ip link set v0 master br0
    ip link add vx0 type vxlan id 7 dstport 4789 local 127.0.0.1 remote 127.0.0.9`);
  const names = async (words: string): Promise<string[]> => (await links(words)).map(({ ifname }) => ifname);
  expect(await names('master br0')).toEqual(['v0']);
  expect(await names('type bridge')).toEqual(['br0']);
  expect(await names('type vxlan')).toEqual(['vx0']);
  expect((await names('type veth')).sort()).toEqual(['v0', 'v1']);
  expect(await names('master br0 type vxlan')).toEqual([]);
});

test('monitors tell that an interface becomes a port, and that it is none any more', async () => {
  await script('ip link add br0 up type bridge; ip link add v0 type veth peer name v1');
  const program = [process.execPath, OVERTAP, 'exec', '-s', sw.control, '--', 'bridge', 'monitor', 'link'];
  const monitor = world.spawn(netns, program);
  // The monitor hears the kernel from its start on.
  let beats = 0;
  const heard = monitor.line('it listens', (line) => line.includes('mtu 1400'));
  const beat = setInterval(() => {
    beats++;
    run(inNamespace(netns, ['ip', 'link', 'set', 'v1', 'mtu', beats % 2 === 0 ? '1500' : '1400'])).catch(
      () => undefined,
    );
  }, 300);
  await heard.finally(() => clearInterval(beat));
  await script('ip link set v0 master br0');
  await monitor.line('it is a port', (line) => /v0@v1: .* master br0 state \w+ priority 32/.test(line));
  await script('ip link set v0 nomaster');
  await monitor.line('it is none', (line) => /^Deleted .*v0/.test(line));
});

test('a program that is not there has the status of a shell', async () => {
  expect(await refused('true')).toEqual([0, '']);
  const { status, stderr } = await exec('no-such-program');
  expect([status, stderr.trim()]).toEqual([
    127,
    'overtap: cannot start no-such-program: no folder of PATH has such a program',
  ]);
  expect(await exec('/etc/passwd')).toMatchObject({ status: 126, stderr: expect.stringContaining('not executable') });
});

/**
 * Ports whose device is an open descriptor, which the switch inherits: by its number, or by the name that a service manager gave
 * it.
 */
import { chmodSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { giving, startGiven } from './give.js';
import { World } from './host-testbed.js';
import { expectReach, expectRefused, give, linkOf } from './live-support.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, tapPort } from './topologies.js';
import { expectBalance, expectTransfer, MB, makeGuest, succeed } from './two-hosts.js';

let world: World;
let host: string;
let guest: Guest;

beforeEach(async () => {
  world = new World();
  host = await world.netns('host');
  guest = await makeGuest(world, 2);
});

afterEach(() => world.cleanUp());

const config = (...ports: string[]): string =>
  world.config(
    'given',
    `  br1:\n    ports:\n${ports.map((port) => `      ${port}\n`).join('')}${tapPort('tap2', guest)}`,
  );

const ADDRESS = '198.18.0.1';
/** The host itself, by a NIC that is given to the switch. */
const here = (ifname: string): Guest => ({ netns: host, ifname, address: ADDRESS, mac: '' });

async function expectUse(sw: RunningSwitch, ifname: string): Promise<void> {
  await expectReach(world, here(ifname), guest);
  await expectTransfer(world, here(ifname), guest, 5 * MB, `${ifname} as a descriptor`);
  await expectTransfer(world, guest, here(ifname), 5 * MB, `${ifname} as a descriptor, back`);
  await expectBalance(sw);
}

const WAYS = [
  ['5', 'tap:given1:5:v'],
  ['5', 'tap:given1:5:-'],
  ['web', 'tap:given1:3:v:web'],
] as const;

test.each(cases([...WAYS].reverse(), 1))(
  'a TAP as fd %s (%s): the switch finds its name, sets it up and uses it',
  async (fd, device) => {
    const file = config(`p1: { type: tap, fd: ${fd}, addresses: [${ADDRESS}/24], mac: "02:00:00:00:00:77" }`);
    const sw = await startGiven(world, host, file, giving(world, device));
    await expectUse(sw, 'given1');
    expect(await linkOf(sw, 'p1')).toMatchObject({ nic: 'given1', operstate: 'UP', address: '02:00:00:00:00:77' });
    await sw.stop();
    expect(await world.nics(host)).toEqual([]);
  },
);

test('the file of a macvtap, as a socket unit gives it: the network behind its lower NIC', async () => {
  const far = { netns: await world.netns('far'), ifname: 'eth0', address: ADDRESS, mac: '' };
  await world.veth({ netns: host, ifname: 'lower0' }, far);
  await world.address(far, `${ADDRESS}/24`);
  await world.ip(host, 'link add link lower0 name upper0 type macvtap mode passthru');
  await world.ip(host, 'link set upper0 up');
  const device = await succeed(world, host, ['sh', '-c', 'cat /sys/class/net/upper0/macvtap/*/dev']);
  const node = world.path('tap');
  await succeed(world, host, ['mknod', node, 'c', ...device.trim().split(':')]);
  const file = config('p1: { type: tap, fd: uplink }');
  const sw = await startGiven(world, host, file, giving(world, `file:${node}:3:-:uplink`));
  await expectReach(world, far, guest);
  await expectTransfer(world, far, guest, 5 * MB, 'a macvtap');
  await expectTransfer(world, guest, far, 5 * MB, 'a macvtap, back');
  expect(await linkOf(sw, 'p1')).toMatchObject({ nic: 'upper0', operstate: 'UP' });
  await expectBalance(sw);
});

test('two workers, and a device that lives on in another namespace', async () => {
  const far = await world.netns('far');
  const file = `${config(`p1: { type: tap, fd: 5 }`)}`;
  const text = world.file('workers.yaml', `workers: 2\n${await read(file)}`);
  const move = `ip link set given1 netns ${far} && ip -n ${far} addr add ${ADDRESS}/24 dev given1 && exec "$@"`;
  const sw = await startGiven(world, host, text, [...giving(world, 'tap:given1:5:vm'), 'sh', '-c', move, 'sh']);
  const there = { ...here('given1'), netns: far };
  await expectReach(world, there, guest);
  await expectTransfer(world, there, guest, 5 * MB, 'a descriptor of another namespace');
  await expectBalance(sw);
});

test('a device that is gone is not made again, and a running switch takes no descriptor', async () => {
  const file = config(`p1: { type: tap, fd: 5, addresses: [${ADDRESS}/24] }`);
  const sw = await startGiven(world, host, file, giving(world, 'tap:given1:5:v', 'tap:spare:6:v'));
  await expectRefused(sw, 'link add p2 master br1 type tap fd 6', /p2: .*only when the switch starts/);
  await give(sw, 'link set p1 down', 'link set p1 up');
  await expectReach(world, here('given1'), guest);
  await world.ip(host, 'link del given1');
  const lost = await until('the port is down', async () => {
    const row = await linkOf(sw, 'p1');
    return row?.fault === undefined ? undefined : row;
  });
  expect(lost).toMatchObject({ operstate: 'DOWN', fault: expect.stringMatching(/fd 5 .*start the switch again/) });
  expect(await world.nics(host)).toEqual(['spare']);
  await give(sw, 'link del p1');
  await expectRefused(sw, 'link add p1 master br1 type tap fd 5', /only when the switch starts/);
  await expectBalance(sw);
});

describe('descriptors that are refused', () => {
  const REFUSED = [
    ['closed', 'fd: 55', [], /p1: cannot use descriptor 55: .*not open.*start the switch with it/],
    ['a file', 'fd: 5', ['file:/dev/null:5:-'], /p1: cannot use descriptor 5: .*no TAP and no TUN.*\/dev\/net\/tun/],
    ['no device', 'fd: 5', ['file:/dev/net/tun:5:-'], /p1: cannot use descriptor 5: .*has no device.*TUNSETIFF/],
    ['a TUN', 'fd: 5', ['tun:given1:5:v'], /p1: cannot use descriptor 5: .*is a TUN.*use type: tun/],
    ['with packet information', 'fd: 5', ['tap:given1:5:vp'], /descriptor 5.*IFF_NO_PI/],
    ['of another name', 'fd: web', ['tap:given1:3:v:web2'], /p1: .*no.*descriptor named "web".*it has "web2"/],
    [
      'used twice',
      'fd: 3 }\n      p0: { type: tap, fd: web',
      ['tap:given1:3:v:web'],
      /port p. has descriptor 3 already/,
    ],
    [
      'two queues of one NIC, for two ports',
      'fd: 5 }\n      p0: { type: tap, fd: 6',
      ['tap:given1:5:vm', 'tap:given1:6:vm'],
      /p.: descriptor . is the NIC given1, which port p. has already; give each NIC to one port/,
    ],
  ] as const;
  test.each(cases(REFUSED, 3))('%s', async (_what, fd, devices, message) => {
    const file = config(`p1: { type: tap, ${fd} }`);
    const ended = await world.refusedSwitch(host, file, giving(world, ...devices));
    expect({ status: ended.status, message: ended.stderr }).toEqual({
      status: 1,
      message: expect.stringMatching(message),
    });
  });

  test('one queue for two workers', async () => {
    const file = world.file('w.yaml', `workers: 2\n${await read(config('p1: { type: tap, fd: 5 }'))}`);
    const ended = await world.refusedSwitch(host, file, giving(world, 'tap:given1:5:v'));
    expect(ended.stderr).toMatch(/IFF_MULTI_QUEUE, or set workers: 1/);
  });
});

test('without any right: the NIC stays as its owner has set it, and works; host ports wait', async () => {
  chmodSync(world.path(''), 0o777);
  const file = world.config(
    'given',
    `  br1:
    host_port: true
    ports:
      p1: { type: tap, fd: 5, mtu: 1400 }
      p2: { type: tap, fd: 6 }
      vx: { type: vxlan, id: 5, host_port: true, local: 127.0.0.1, remotes: [127.0.0.2] }
      n3: { type: tun, addresses: [198.18.0.9/24] }
`,
  );
  const far = guest.netns;
  // On some hosts everybody may open /dev/net/tun, and the switch would have namespaces of its own.
  const script = `mknod -m 600 "$0" c 10 200; mount --bind "$0" /dev/net/tun; ip addr add ${ADDRESS}/24 dev given1; ip link set given1 up; ip link set given2 netns ${far};
    ip -n ${far} addr add ${guest.address}/24 dev given2; ip -n ${far} link set given2 up;
    exec setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "$@"`;
  const own = ['unshare', '-m', '--propagation', 'slave', 'sh', '-c', script, world.path('tun')];
  const before = [...giving(world, 'tap:given1:5:v', 'tap:given2:6:v'), ...own];
  const sw = await startGiven(world, host, file, before);
  await expectReach(world, here('given1'), guest);
  await expectTransfer(world, here('given1'), guest, 5 * MB, 'as nobody');
  expect(await linkOf(sw, 'p1')).toMatchObject({ operstate: 'UP', mtu: 1500, nic: 'given1' });
  expect(await linkOf(sw, 'br1')).toMatchObject({ operstate: 'DOWN' });
  for (const waiting of ['vx@host', 'n3'])
    expect(await linkOf(sw, waiting)).toMatchObject({
      operstate: 'DOWN',
      fault: expect.stringMatching(/\/dev\/net\/tun/),
    });
  await expectBalance(sw);
});

async function read(path: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  return readFile(path, 'utf8');
}

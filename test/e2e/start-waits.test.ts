/**
 * A start where not all is there yet: a guest's namespace, a local address, a device. Their ports wait, DOWN, with the reason;
 * all else forwards; and each comes up by itself. A command that names what is not there is refused; a file is not.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LinkRow } from '../../src/api/api.js';
import { must } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { expectReach, expectRefused, give, linkOf, startWith } from './live-support.js';
import { OVERTAP, overtap, type RunningSwitch } from './switch.js';
import { type Guest, type Host, tapPort, twoHosts } from './topologies.js';
import { BROADCAST, experimentalFrame, inject } from './traffic.js';
import { expectBalance } from './two-hosts.js';

let world: World;
let hosts: [Host, Host];
/** On host 1: 0 and 1 are there from the start, 2 comes late. On host 2: 3. */
let guests: Guest[];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [];
  for (const number of [1, 2, 3, 4]) {
    const netns = await world.netns(`guest${number}`);
    guests.push({ netns, ifname: 'eth0', address: `198.18.0.${number}`, mac: `02:00:00:00:00:0${number}` });
  }
  await world.deleteNetns(guests[2].netns);
});

afterEach(() => world.cleanUp());

const NIC2 = '      tap0: { type: tap, ifname: late0 }\n';

/** br1: two guests and one that comes late, a tunnel from an address that comes late. br2: tunnels by a device that does. */
function lines(): string {
  const taps = [0, 1, 2].map((number) => tapPort(`tap${number + 1}`, guests[number]));
  const late = `      vxlan1: { type: vxlan, local: 192.0.2.11, id: 42, remotes: [192.0.2.2], fdb: [{ mac: "02:00:00:00:00:04", dst: 192.0.2.2 }] }\n`;
  const group = '      vxlan2: { type: vxlan, dev: late1, group: 239.1.1.1, dstport: 8472, id: 43 }\n';
  return `bridges:\n  br1:\n    ports:\n${taps.join('')}${late}  br2:\n    ports:\n${NIC2}${group}`;
}

async function faults(sw: RunningSwitch): Promise<Record<string, string>> {
  const rows: LinkRow[] = await sw.links();
  const down = rows.filter(({ operstate }) => operstate === 'DOWN');
  return Object.fromEntries(down.map(({ ifname, fault }) => [ifname, fault ?? '']));
}

const comesUp = (sw: RunningSwitch, port: string): Promise<unknown> =>
  until(`${port} comes up`, async () => {
    const row = await linkOf(sw, port);
    return row?.operstate === 'UP' && row.fault === undefined;
  });

const LATE = {
  tap3: /guest3: its network namespace does not exist; create it with "ip netns add .*guest3"/,
  vxlan1: /192\.0\.2\.11.*no device of this host has that address/,
  vxlan2: /there is no device late1/,
};

test('what is there forwards, what is not waits and comes up by itself', async () => {
  const file = world.config('checked', lines().replace('bridges:\n', ''));
  const checked = await world.exec(hosts[0].netns, [process.execPath, OVERTAP, 'check', '-c', file]);
  expect(checked.status, checked.stderr).toBe(0);
  expect(checked.stdout).toContain(': ok: 2 bridges, 6 ports');
  expect(
    checked.stderr
      .trim()
      .split('\n')
      .map((line) => line.replace(/^.*?: /, '')),
  ).toEqual([
    expect.stringMatching(/^bridges\.br1\.ports\.tap3\.netns: warning: .*the port waits for it/),
    expect.stringMatching(/^bridges\.br1\.ports\.vxlan1\.local: warning: .*192\.0\.2\.11; the port waits for it/),
    expect.stringMatching(
      /^bridges\.br2\.ports\.vxlan2\.dev: warning: there is no device "late1"; the port waits for it/,
    ),
  ]);

  const sw = await startWith(world, hosts[0].netns, 'host1', lines());
  const log = sw.log();
  expect(log.find(({ msg }) => msg === 'ready')).toMatchObject({ waiting: 3 });
  const waits = log.filter(({ msg }) => msg === 'port waits');
  expect(Object.fromEntries(waits.map(({ port, fault }) => [port, fault]))).toEqual({
    tap3: expect.stringMatching(LATE.tap3),
    vxlan1: expect.stringMatching(LATE.vxlan1),
    vxlan2: expect.stringMatching(LATE.vxlan2),
  });
  expect(await faults(sw)).toEqual({
    tap3: expect.stringMatching(LATE.tap3),
    vxlan1: expect.stringMatching(LATE.vxlan1),
    vxlan2: expect.stringMatching(LATE.vxlan2),
  });
  await expectReach(world, guests[0], guests[1]);
  // What is flooded goes to the waiting ports, too, and is counted there.
  await inject(world, guests[0], experimentalFrame({ destination: BROADCAST, source: guests[0].mac, text: 'to all' }));
  await until('it is counted', async () => {
    const { links } = await sw.stats();
    return links.tap3.drops.port_down > 0 && links.vxlan1.drops.port_down > 0;
  });

  // A port that waits is changed as others are.
  await give(
    sw,
    'link set vxlan1 type vxlan ttl 9',
    'link set tap3 mtu 1400',
    'fdb append 00:00:00:00:00:00 dev vxlan1 dst 192.0.2.3',
  );

  await must(['ip', 'netns', 'add', guests[2].netns]);
  await comesUp(sw, 'tap3');
  await expectReach(world, guests[2], guests[0]);
  expect(await linkOf(sw, 'tap3')).toMatchObject({ mtu: 1400, address: guests[2].mac });

  await startWith(
    world,
    hosts[1].netns,
    'host2',
    `bridges:\n  br1:\n    ports:\n${tapPort('tap4', guests[3])}${'      vxlan1: { type: vxlan, local: 192.0.2.2, id: 42, remotes: [192.0.2.11] }\n'}`,
  );
  await world.address(hosts[0], '192.0.2.11/24');
  await comesUp(sw, 'vxlan1');
  for (const guest of guests.slice(0, 3)) await expectReach(world, guest, guests[3]);
  const rows = await sw.fdb('dev vxlan1');
  expect(rows.map(({ mac, dst, state }) => `${mac} ${dst} ${state}`).sort()).toEqual([
    '00:00:00:00:00:00 192.0.2.2 permanent',
    '00:00:00:00:00:00 192.0.2.3 permanent',
    '02:00:00:00:00:04 192.0.2.2 static',
  ]);

  await world.veth({ netns: hosts[0].netns, ifname: 'late1' }, { netns: hosts[1].netns, ifname: 'late2' });
  await world.address({ netns: hosts[0].netns, ifname: 'late1' }, '198.51.100.1/24');
  await comesUp(sw, 'vxlan2');
  const joined = await must(['ip', '-n', hosts[0].netns, 'maddress', 'show', 'dev', 'late1']);
  expect(joined).toContain('239.1.1.1');
  expect(await faults(sw)).toEqual({});
  await expectBalance(sw);
});

test('a file may name what is not there, a command may not', async () => {
  const present = `bridges:\n  br1:\n    ports:\n${tapPort('tap1', guests[0])}${tapPort('tap2', guests[1])}`;
  const sw = await startWith(world, hosts[0].netns, 'host1', present);
  expect(sw.log().find(({ msg }) => msg === 'ready')).toMatchObject({ waiting: 0 });
  await expectRefused(sw, `link add tap3 master br1 type tap netns ${guests[2].netns}`, LATE.tap3);
  await expectRefused(sw, 'link add vxlan1 master br1 type vxlan id 42 local 192.0.2.11', LATE.vxlan1);

  const file = world.file('more.yaml', `name: host1\ncontrol: ${sw.control}\n${lines()}`);
  const applied = await overtap('-s', sw.control, 'apply', '-c', file);
  expect(applied.status, applied.stderr).toBe(0);
  expect(applied.stdout).toContain('link add vxlan1');
  expect(applied.stderr).toMatch(
    /^overtap: warning: tap3 waits: .*\novertap: warning: vxlan1 waits: .*\novertap: warning: vxlan2 waits: /,
  );
  await expectReach(world, guests[0], guests[1]);

  // A port that waits goes as others do, and stays no reason to refuse a change of another.
  await give(sw, 'link del vxlan2', 'link set tap1 type bridge_slave learning off');
  await world.address(hosts[0], '192.0.2.11/24');
  await comesUp(sw, 'vxlan1');
  // Away again, and with another file.
  await give(sw, 'link del vxlan1');
  const again = await overtap(
    '-s',
    sw.control,
    'apply',
    '-c',
    world.file('less.yaml', `name: host1\ncontrol: ${sw.control}\n${present}`),
  );
  expect(again.status, again.stderr).toBe(0);
  expect(again.stderr).toBe('');
  expect(await faults(sw)).toEqual({});
  const { ended } = await sw.stop();
  expect({ status: ended.status, stderr: ended.stderr }).toEqual({ status: 0, stderr: '' });
});

test("a guest that has another device of its NIC's name keeps only its own port from coming up", async () => {
  await must(['ip', '-n', guests[0].netns, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'other']);
  const ports = `bridges:\n  br1:\n    ports:\n${tapPort('tap1', guests[0])}${tapPort('tap2', guests[1])}${tapPort('tap4', guests[3])}`;
  const sw = await startWith(world, hosts[0].netns, 'host1', ports);
  expect(await faults(sw)).toEqual({ tap1: expect.stringMatching(/a device of that name is there and is no TAP/) });
  await expectReach(world, guests[1], guests[3]);
  await must(['ip', '-n', guests[0].netns, 'link', 'del', 'eth0']);
  await comesUp(sw, 'tap1');
  await expectReach(world, guests[0], guests[1]);
});

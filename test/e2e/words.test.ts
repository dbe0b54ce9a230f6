/**
 * What people are told, and whether it is true: the true owner of a port or a NIC, the right that is missing, a report of
 * doctor for an ordinary user, output that cannot be written, and the file that the README shows.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describe as describeEnd } from '../../src/lab/testbed/program.js';
import { World } from './host-testbed.js';
import { give, startWith } from './live-support.js';
import { OVERTAP, overtap, type RunningSwitch } from './switch.js';
import { type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { makeGuest } from './two-hosts.js';

const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

let world: World;
let hosts: [Host, Host];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
});

afterEach(() => world.cleanUp());

async function refusal(sw: RunningSwitch, words: string): Promise<string> {
  const ended = await overtap('-s', sw.control, ...words.split(' '));
  expect(ended.status, describeEnd(ended)).toBe(1);
  return ended.stderr;
}

test("a port or a NIC that the switch itself has is not another process's", async () => {
  const guest = await makeGuest(world, 1);
  const vxlan = singlePort(hosts[0].address, [], 42);
  const sw = await startWith(world, hosts[0].netns, 'one', `bridges:\n${plainBridge(tapPort('tap0', guest), vxlan)}`);
  const own = await refusal(sw, 'link add vx1 master br1 type vxlan id 43');
  expect(own).toContain(`another vxlan port of this switch receives there, at ${hosts[0].address}`);
  await give(sw, `link add vx2 master br1 type vxlan id 44 local ${hosts[0].address} dstport 4790 srcport 5000 5001`);
  expect(await refusal(sw, 'link add vx3 master br1 type vxlan id 45 dstport 5000')).toContain(
    'a vxlan port of this switch sends from that port',
  );
  const netns = `/proc/self/root/run/netns/${guest.netns}`;
  expect(await refusal(sw, `link add t9 master br1 type tap netns ${netns} ifname ${guest.ifname}`)).toContain(
    `port tap0 of this switch has the NIC ${guest.ifname} in netns ${netns} already`,
  );
  expect(await refusal(sw, 'fdb append to 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.9 via eth7')).toContain(
    'leave "via eth7" out',
  );
  await give(
    sw,
    'link set vxlan0 type vxlan dev eth0',
    'fdb append to 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.9 via eth0',
  );
});

test('an ordinary user is told which right is missing, and gets the whole report of doctor', async () => {
  const guest = await makeGuest(world, 1);
  const vxlan = singlePort(hosts[0].address, [hosts[1].address], 42);
  const control = world.control('one');
  const file = world.file('one.yaml', `control: ${control}\nbridges:\n${plainBridge(tapPort('tap0', guest), vxlan)}`);
  const text = readFileSync(file, 'utf8');
  const reading = spawnSync(
    'ip',
    ['netns', 'exec', hosts[0].netns, ...NOBODY, process.execPath, OVERTAP, 'doctor', '-c', '-'],
    {
      input: text,
      encoding: 'utf8',
    },
  );
  expect(reading.stderr).toBe('');
  expect(reading.status).toBe(1);
  const subjects = ['rights', `tap0 NIC ${guest.ifname} in ${guest.netns}`, `vxlan0 local ${hosts[0].address}`];
  for (const subject of subjects) expect(reading.stdout).toContain(` ${subject}: `);
  expect(reading.stdout).toMatch(/cannot be looked at: .*run doctor as root/);
  expect(reading.stdout).toMatch(/^\d+ checks: /m);
});

test('a listing that could not be written is no success; a reader that has seen enough is no failure', () => {
  const line = (command: string): { status: number | null; stderr: string } =>
    spawnSync('bash', ['-c', `set -o pipefail; ${command}`], { encoding: 'utf8' });
  const program = `${process.execPath} ${OVERTAP}`;
  const full = line(`${program} --help > /dev/full`);
  expect(full.status).toBe(1);
  expect(full.stderr).toMatch(/^overtap: the output could not be written: ENOSPC.*\n$/);
  const head = line(`${program} --help | head -1 > /dev/null`);
  expect(head).toMatchObject({ status: 0, stderr: '' });
});

test('host1.yaml of the README runs as it is printed', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const printed = /```yaml\n# host1\.yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const guest = await world.netns('ns2');
  const text = printed.replace('netns: ns2', `netns: ${guest}`).replace(/^control: .*\n/, '');
  expect(text).toContain(`netns: ${guest}`);
  const sw = await startWith(world, hosts[0].netns, 'readme', text);
  expect((await sw.links()).map(({ ifname, operstate }) => `${ifname} ${operstate}`)).toEqual([
    'br1 UP',
    'tap1_0 UP',
    'vxlan0 UP',
  ]);
});

/**
 * Starts that have to fail: each says why in one line, ends with the status of the contract, and leaves nothing behind.
 */
import { existsSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Ended } from '../../src/lab/testbed/program.js';
import { World } from './host-testbed.js';
import { overtap, type RunningSwitch, switchCommand } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';

let world: World;
let hosts: [Host, Host];
let guests: [Guest, Guest];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  const makeGuest = async (number: number): Promise<Guest> => ({
    netns: await world.netns(`guest${number}`),
    ifname: 'eth0',
    address: `198.18.0.${number}`,
    mac: `02:00:00:00:00:0${number}`,
  });
  guests = [await makeGuest(1), await makeGuest(2)];
});

afterEach(() => world.cleanUp());

function bridges(guest: Guest, id = 42): string {
  return plainBridge(tapPort('tap0', guest), singlePort(hosts[0].address, [hosts[1].address], id));
}

/** One line on standard error, status 1, never ready. @returns the line */
function expectOneLine(ended: Ended): string {
  expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(ended.stderr).toMatch(/^overtap: /);
  expect(ended.status).toBe(1);
  expect(ended.stdout).not.toContain('ready');
  return ended.stderr.trim();
}

async function expectUnharmed(sw: RunningSwitch): Promise<void> {
  expect(sw.program.running).toBe(true);
  expect((await sw.links()).map(({ ifname, operstate }) => `${ifname} ${operstate}`)).toEqual([
    'br1 UP',
    'tap0 UP',
    'vxlan0 UP',
  ]);
}

describe('a second switch', () => {
  test('on a live control socket is refused, and the first one is unharmed', async () => {
    const first = await world.startSwitch(hosts[0].netns, 'first', bridges(guests[0]));
    const before = statSync(first.control);
    expect(statSync(first.control).mode & 0o777).toBe(0o600);

    const other = plainBridge(tapPort('tap0', guests[1]));
    const config = world.config('second', other, first.control);
    const line = expectOneLine(await world.refusedSwitch(hosts[0].netns, config));
    expect(line).toContain(first.control);
    expect(line).toContain('already');
    expect(await world.nics(guests[1].netns)).toEqual([]);
    const { ino, ctimeMs } = statSync(first.control);
    expect({ ino, ctimeMs }).toEqual({ ino: before.ino, ctimeMs: before.ctimeMs });
    await expectUnharmed(first);
  });

  test('on the same address and port is refused, and its TAP is gone again', async () => {
    const first = await world.startSwitch(hosts[0].netns, 'first', bridges(guests[0]));
    const config = world.config('second', bridges(guests[1], 43));
    const line = expectOneLine(await world.refusedSwitch(hosts[0].netns, config));
    expect(line).toContain('vxlan0');
    expect(line).toContain(`${hosts[0].address}, UDP port 4789`);
    expect(await world.nics(guests[1].netns)).toEqual([]);
    expect(existsSync(world.control('second'))).toBe(false);
    await expectUnharmed(first);
  });

  test('on a TAP that the first one has open is refused', async () => {
    const first = await world.startSwitch(hosts[0].netns, 'first', bridges(guests[0]));
    const config = world.config('second', plainBridge(tapPort('tap0', guests[0])));
    const line = expectOneLine(await world.refusedSwitch(hosts[1].netns, config));
    expect(line).toContain('another process has it open');
    expect(await world.nics(guests[0].netns)).toEqual(['eth0']);
    await expectUnharmed(first);
  });
});

test('a port that a vxlan device of the kernel has is refused, and no TAP is left', async () => {
  await world.ip(hosts[0].netns, 'link add vx0 type vxlan id 7 dstport 4789 local 192.0.2.1 dev eth0');
  await world.ip(hosts[0].netns, 'link set vx0 up');
  const config = world.config('late', bridges(guests[0]));
  const line = expectOneLine(await world.refusedSwitch(hosts[0].netns, config));
  expect(line).toContain('4789');
  expect(line).toContain('vxlan device of the kernel');
  expect(await world.nics(guests[0].netns)).toEqual([]);

  await world.ip(hosts[0].netns, 'link del vx0');
  const again = await world.startSwitch(hosts[0].netns, 'late', bridges(guests[0]));
  await expectUnharmed(again);
});

describe('without the right to open TAPs', () => {
  const POWERLESS = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--'];

  test('a switch says which right is missing: for a TAP of its own namespace', async () => {
    const config = world.config('weak', '  br1:\n    ports:\n      tap0: { type: tap }\n');
    const line = expectOneLine(await world.refusedSwitch(hosts[0].netns, config, POWERLESS));
    expect(line).toContain('tap0');
    expect(line).toContain('CAP_NET_ADMIN');
    expect(await world.nics(hosts[0].netns)).toEqual(['eth0']);
    expect(existsSync(world.control('weak'))).toBe(false);
  });

  test('and for one in the namespace of a guest', async () => {
    const config = world.config('weak', bridges(guests[0]));
    const line = expectOneLine(await world.refusedSwitch(hosts[0].netns, config, POWERLESS));
    expect(line).toMatch(/root|CAP_/);
    expect(await world.nics(guests[0].netns)).toEqual([]);
  });

  test('with that right alone it starts', async () => {
    const config = world.config('enough', '  br1:\n    ports:\n      tap0: { type: tap }\n');
    const only = ['setpriv', '--bounding-set=-all,+net_admin', '--inh-caps=-all', '--'];
    const program = world.spawn(hosts[0].netns, [...only, ...switchCommand(config)]);
    await program.line('the switch logs "ready"', (line) => line.includes('"msg":"ready"'), 20_000);
    expect((await world.nics(hosts[0].netns)).sort()).toEqual(['eth0', 'tap0']);
    expect((await program.stop('SIGTERM')).ended.status).toBe(0);
  });
});

describe('a bad configuration file', () => {
  // The numbers at the end of the lines are the columns of the faults in them.
  const LINES = [
    ['name: host1'],
    ['contrl: /run/overtap/host1.sock', 1],
    ['bridges:'],
    ['  a-bridge-with-a-long-name:', 3],
    ['    ports: {}'],
    ['  br1:'],
    ['    vlan_filtering: perhaps', 21],
    ['    ageing_time: -1', 18],
    ['    ports:'],
    ['      tap0:'],
    ['        type: veth', 15],
    ['      tap1:'],
    ['        type: tap'],
    ['        netns: ote-0-no-such-namespace', 16],
    ['        mac: 02:00:00:00:00', 14],
    ['        addresses: [198.18.0.1]', 21],
    ['        vlans: [{ vid: 4095 }, { vid: 0 }]', 24, 39],
    ['      tap2:'],
    ['        type: tap'],
    ['        mtu: big', 14],
    ['        colour: blue', 9],
    ['      br1:', 7],
    ['        type: tap'],
    ['      vxlan0:'],
    ['        type: vxlan'],
    ['        local: 192.0.2.300', 16],
    ['        dstport: 70000', 18],
    ['        vlan_tunnel: true'],
    ['        ttl: 256', 14],
    ['        srcport: [61000, 32768]', 18],
    ['        remotes: [198.51.100.1, there]', 33],
    ['        vlans:'],
    ['          - { vid: 2, tunnel_info: 16777216 }', 36],
    ['          - { vid: 3, tunnel_info: 30 }'],
    ['          - { vid: 4, tunnel_info: 30 }', 36],
    ['          - { vid: 10-19, tunnel_info: 100-105 }', 40],
    ['      vxlan1:', 7],
    ['        type: vxlan'],
    ['        local: 192.0.2.1'],
    ['      vxlan2:'],
    ['        type: vxlan'],
    ['        id: 5'],
    ['        local: 192.0.2.1'],
    ['        accept_vteps: some', 23],
  ] as const;

  test.each(['run', 'check'])('is refused by "overtap %s" with all of its faults and their places', async (command) => {
    const file = world.file('bad.yaml', `${LINES.map(([text]) => text).join('\n')}\n`);
    const places = LINES.flatMap(([, ...columns], index) => columns.map((column) => `${file}:${index + 1}:${column}`));
    expect(places.length).toBeGreaterThanOrEqual(20);

    const ended = await overtap(command, '-c', file);
    expect(ended.status).toBe(2);
    expect(ended.stdout).toBe('');
    const lines = ended.stderr.trimEnd().split('\n');
    // FILE:LINE:COLUMN: PATH: message
    for (const line of lines) expect(line).toMatch(/^[^:]+:\d+:\d+: [^ ]+: .{10,}$/);
    // Faults first, then warnings, each in the order of the text.
    const placesOf = (some: string[]): unknown[] => some.map((line) => /^[^:]+:\d+:\d+/.exec(line)?.[0]);
    const warned = placesOf(lines.filter((line) => line.includes(': warning: ')));
    expect(warned).toHaveLength(1);
    expect(placesOf(lines)).toEqual([...places.filter((place) => !warned.includes(place)), ...warned]);
  });

  test('that is no YAML, or not there, is refused in the same way', async () => {
    const file = world.file('torn.yaml', 'bridges:\n  br1: { ports: {\n');
    const torn = await overtap('run', '-c', file);
    expect(torn.status).toBe(2);
    expect(torn.stderr).toMatch(/^[^:]+torn\.yaml:\d+:\d+: /);
    const missing = await overtap('run', '-c', world.path('missing.yaml'));
    expect(missing.status).toBe(2);
    expect(missing.stderr).toContain('missing.yaml');
  });
});

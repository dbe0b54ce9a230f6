/** Daemons of a lab beside its switches, with shell scripts in their place: they come up, restart and go with their lab. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Lab } from '../../src/lab/lab.js';
import { bringUp, takeDown } from '../../src/lab/lifecycle.js';
import { frr, gobgpReflector } from '../../src/lab/scenarios/bgp-daemons.js';
import { type Daemon, daemonAgain, endDaemon, needTools } from '../../src/lab/setup/daemons.js';
import { type DaemonRecord, labFolder, loadState } from '../../src/lab/setup/state.js';
import { namespacesOf } from '../../src/lab/setup/topology.js';
import { isRunning } from '../../src/lab/testbed/detached.js';
import { namespaceExists } from '../../src/lab/testbed/namespaces.js';
import { must, run } from '../../src/lab/testbed/program.js';
import { fakeEnvironment, fakeLab } from './fake-lab.js';
import { needRoot, PREFIX, removeFolder, temporaryFolder } from './lab-support.js';

const folder = temporaryFolder();
const environment = fakeEnvironment(folder);
const own = join(labFolder(environment.root, 'fake'), 'one');

const printed: string[] = [];
const print = (line: string): void => void printed.push(line);

beforeAll(needRoot);

afterEach(async () => {
  await takeDown('fake', environment, print);
  printed.length = 0;
});

afterAll(() => removeFolder(folder));

/** Writes its words where it may, and answers once it has. */
const SCRIPT = 'echo "$@" > "$0/words"; touch /run/mine /var/tmp/mine; while :; do sleep 0.1; done';

function daemon(more: Partial<Daemon> = {}): Daemon {
  return {
    name: 'one',
    netns: `${PREFIX}-h2`,
    tools: [{ path: '/bin/sh', package: 'dash' }],
    folder: 'one',
    file: 'one.conf',
    text: 'hello\n',
    command: (at) => ['sh', '-ec', SCRIPT, at],
    question: (at) => ['test', '-e', `${at}/words`],
    ...more,
  };
}

const lab = (...daemons: Daemon[]): Lab => ({ ...fakeLab(), daemons });
const runs = ({ pid, file }: DaemonRecord): boolean => isRunning(pid, file);

function expectNothingLeft({ topology }: Lab, daemons: readonly DaemonRecord[]): void {
  expect(namespacesOf(topology).filter(namespaceExists)).toEqual([]);
  expect(daemons.filter(runs)).toEqual([]);
  expect(existsSync(labFolder(environment.root, 'fake'))).toBe(false);
  for (const path of ['/run/mine', '/var/tmp/mine']) expect(existsSync(path)).toBe(false);
}

test('they come up before the switches, and go with the lab; what they write elsewhere is nowhere', async () => {
  const one = lab(daemon());
  const state = await bringUp(one, environment, print);
  expect(loadState(environment.root, 'fake')).toEqual(state);
  expect(state.daemons.map(runs)).toEqual([true]);
  expect(readFileSync(join(own, 'words'), 'utf8')).toBe(`-f ${join(own, 'one.conf')}\n`);
  expect(readFileSync(join(own, 'one.conf'), 'utf8')).toBe('hello\n');
  expect(printed.join('\n')).toMatch(/one answers \(pid \d+\)[\s\S]*h1 is ready/);
  await takeDown('fake', environment, print);
  expectNothingLeft(one, state.daemons);
});

test('one that a check ends is started again as it was, with further words', async () => {
  const one = lab(daemon());
  const state = await bringUp(one, environment, print);
  const [before] = state.daemons;
  expect(await endDaemon(before, 'SIGKILL')).toBe('killed');
  expect(await endDaemon(before)).toBe('not running');
  await daemonAgain(state, 'one', environment, ['-r']);
  expect(state.daemons).toEqual([{ ...before, pid: expect.any(Number) }]);
  expect(state.daemons.map(runs)).toEqual([true]);
  await expect.poll(() => readFileSync(join(own, 'words'), 'utf8')).toBe(`-f ${join(own, 'one.conf')} -r\n`);
  expect(loadState(environment.root, 'fake')).toEqual(state);
  const [again] = state.daemons;
  await daemonAgain(state, 'one', environment);
  expect(state.daemons).toEqual([again]);
  await expect(daemonAgain(state, 'two', environment)).rejects.toThrow('no daemon two');
  await takeDown('fake', environment, print);
  expectNothingLeft(one, state.daemons);
});

test('its folder is that of its user, who has a daemon of its own there', async () => {
  await bringUp(lab(daemon({ user: 'nobody', question: () => ['true'] })), environment, print).catch(() => undefined);
  // Debian's nobody has no group of that name: `id -g` gives nogroup's number.
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (which) => Number(await must(['id', which, 'nobody']))));
  for (const path of [own, join(own, 'one.conf')]) expect(statSync(path)).toMatchObject({ uid, gid });
});

test('if one ends, its last words are reported, and everything is removed', async () => {
  const one = lab(daemon({ command: () => ['sh', '-ec', 'echo no such peer; exit 3'] }));
  await expect(bringUp(one, environment, print)).rejects.toMatchObject({ code: 'LAB_DAEMON_FAILED' });
  expect(printed.join('\n')).toMatch(/one\/one\.log:\n {2}no such peer/);
  expectNothingLeft(one, []);
});

test('an interrupt while one starts removes everything', async () => {
  const one = lab(daemon({ question: () => ['false'] }));
  const controller = new AbortController();
  const started = bringUp(one, environment, print, controller.signal);
  const daemons = await expect
    .poll(() => loadState(environment.root, 'fake')?.daemons ?? [], { timeout: 20_000 })
    .toHaveLength(1)
    .then(() => loadState(environment.root, 'fake')?.daemons ?? []);
  controller.abort('SIGINT');
  await expect(started).rejects.toMatchObject({ code: 'LAB_INTERRUPTED' });
  expect(daemons).toHaveLength(1);
  expectNothingLeft(one, daemons);
});

describe('where a program is missing', () => {
  const h = { name: 'h', netns: 'h', address: '192.0.2.1' };

  test.each([
    ['FRR', frr(h, [h]), '/usr/lib/frr/zebra, /usr/bin/vtysh, /usr/lib/frr/bgpd', 'frr'],
    ['GoBGP', [gobgpReflector(h, [h])], '/usr/bin/gobgpd, /usr/bin/gobgp', 'gobgpd'],
  ])('the lab with %s says which package to install', (_, daemons, paths, name) => {
    const message = `lab x needs ${paths}, which is missing here; on Debian: apt-get install --no-install-recommends ${name}`;
    expect(() => needTools('x', daemons, () => false)).toThrow(
      expect.objectContaining({ code: 'LAB_LACKS_TOOL', message }),
    );
    expect(() => needTools('x', daemons, () => true)).not.toThrow();
  });

  test('nothing is made', async () => {
    const one = lab(daemon({ tools: [{ path: '/nowhere/bgpd', package: 'frr' }] }));
    await expect(bringUp(one, environment, print)).rejects.toMatchObject({ code: 'LAB_LACKS_TOOL' });
    expect(printed).toEqual([]);
    expectNothingLeft(one, []);
  });
});

test('a host without a switch is joined to the underlay, and has the VTEP of the kernel', async () => {
  const one = fakeLab([], 1);
  const plain = {
    name: 'h2',
    netns: `${PREFIX}-h2`,
    address: '192.0.2.2',
    what: 'a kernel',
    vtep: {
      vni: 77,
      address: '10.0.0.254/24',
      nics: [
        {
          port: 'to-g',
          netns: `${PREFIX}-g`,
          ifname: 'eth1',
          mac: '02:00:00:00:00:07',
          address: '10.0.0.7/24',
          isDown: true,
        },
      ],
    },
  };
  const there = { ...one, topology: { ...one.topology, plainHosts: [plain] } };
  await bringUp(there, environment, print);
  const ip = (netns: string, words: string): Promise<string> => must(['ip', '-n', netns, ...words.split(' ')]);
  expect(await ip(plain.netns, '-d link show vx0')).toMatch(
    /vxlan id 77 local 192\.0\.2\.2 .*nolearning[\s\S]*master br0|master br0[\s\S]*vxlan id 77 local 192\.0\.2\.2 .*nolearning/,
  );
  expect(await ip(plain.netns, 'link show master br0')).toContain('to-g@');
  expect(await ip(`${PREFIX}-g`, 'link show eth1')).toMatch(/state DOWN[\s\S]*02:00:00:00:00:07/);
  const pinged = await run(['ip', 'netns', 'exec', `${PREFIX}-h1`, 'ping', '-c', '1', '-W', '2', '192.0.2.2']);
  expect(pinged.status).toBe(0);
  await takeDown('fake', environment, print);
  expectNothingLeft(there, []);
});

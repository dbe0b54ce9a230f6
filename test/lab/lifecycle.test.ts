import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import type { Lab } from '../../src/lab/lab.js';
import { bringUp, takeDown } from '../../src/lab/lifecycle.js';
import { labFolder, loadState, saveState, switchFiles } from '../../src/lab/setup/state.js';
import { endSwitch, startAgain } from '../../src/lab/setup/switches.js';
import { namespacesOf, segmentConfig } from '../../src/lab/setup/topology.js';
import { isRunning, stopProcess } from '../../src/lab/testbed/detached.js';
import { addNamespace, deleteNamespace, groupsOf, namespaceExists } from '../../src/lab/testbed/namespaces.js';
import { must } from '../../src/lab/testbed/program.js';
import { becomesTrue } from '../../src/lab/testbed/wait.js';
import { fakeEnvironment, fakeLab, type Mode, topology } from './fake-lab.js';
import { needRoot, PREFIX, removeFolder, temporaryFolder } from './lab-support.js';

const folder = temporaryFolder();
const environment = fakeEnvironment(folder);

const printed: string[] = [];
const print = (line: string): void => void printed.push(line);

beforeAll(needRoot);

afterEach(async () => {
  await takeDown('fake', environment, print);
  expect(namespacesOf(topology(3)).filter(namespaceExists)).toEqual([]);
  printed.length = 0;
});

afterAll(() => removeFolder(folder));

/** Whether all namespaces, processes and files of a lab are gone. */
function nothingLeft(lab: Lab, switches: readonly { pid: number; config: string }[]): boolean {
  const namespaces = namespacesOf(lab.topology).filter(namespaceExists);
  const running = switches.filter(({ pid, config }) => isRunning(pid, config));
  return namespaces.length + running.length === 0 && !existsSync(labFolder(environment.root, lab.name));
}

describe('up and down', () => {
  test('two hosts on a veth pair: up creates everything, down removes it', async () => {
    const lab = fakeLab();
    const state = await bringUp(lab, environment, print);
    expect(loadState(environment.root, 'fake')).toEqual(state);
    expect(state.switches.map(({ pid, config }) => isRunning(pid, config))).toEqual([true, true]);
    expect(readFileSync(state.switches[0]?.log as string, 'utf8')).toContain('starting h1');
    expect(await must(['ip', '-n', `${PREFIX}-h1`, 'route', 'get', '192.0.2.2'])).toContain('dev eth0');
    expect(await takeDown('fake', environment, print)).toBe(true);
    expect(nothingLeft(lab, state.switches)).toBe(true);
  });

  test('three hosts reach each other through the router, without a bridge', async () => {
    const lab = fakeLab([], 3);
    await bringUp(lab, environment, print);
    const route = await must(['ip', '-n', `${PREFIX}-h1`, 'route', 'get', '192.0.2.3']);
    expect(route).toContain('via 192.0.2.254 dev eth0 src 192.0.2.1');
    expect(await must(['ip', '-n', `${PREFIX}-net`, 'route', 'get', '192.0.2.3'])).toContain('dev to-h3');
    expect(await must(['ip', '-n', `${PREFIX}-net`, '-d', 'link', 'show'])).not.toContain('bridge');
  });

  test('a lab that is up is not built again, and is left alone', async () => {
    const lab = fakeLab();
    const state = await bringUp(lab, environment, print);
    await expect(bringUp(lab, environment, print)).rejects.toMatchObject({
      code: 'LAB_IS_UP',
      message: expect.stringContaining('overtap lab down fake'),
    });
    expect(state.switches.map(({ pid, config }) => isRunning(pid, config))).toEqual([true, true]);
  });

  test('down of a lab that is not up reports it', async () => {
    expect(await takeDown('fake', environment, print)).toBe(false);
  });

  test('a switch that ignores SIGTERM is killed', async () => {
    const lab = fakeLab(['good', 'stubborn']);
    const state = await bringUp(lab, environment, print);
    await takeDown('fake', environment, print);
    expect(printed.filter((line) => line.includes('was killed'))).toHaveLength(1);
    expect(nothingLeft(lab, state.switches)).toBe(true);
  });
});

describe('hosts that a switch joins', () => {
  const segment = { name: 'net', netns: `${PREFIX}-net` };
  const joined = (modes: Mode[] = []): Lab => {
    const lab = fakeLab(modes, 3);
    const { hosts, stations } = lab.topology;
    return { ...lab, topology: { hosts, stations, segment } };
  };

  test('the joining switch starts first and is ready before the others, and is taken down like them', async () => {
    const lab = joined();
    const state = await bringUp(lab, environment, print);
    expect(state.switches.map(({ host, netns }) => [host, netns])).toEqual([
      ['net', segment.netns],
      ...lab.topology.hosts.map(({ name, netns }) => [name, netns]),
    ]);
    expect(state.switches.every(({ pid, config }) => isRunning(pid, config))).toBe(true);
    const lines = printed.join('\n');
    expect(lines.indexOf('net is ready')).toBeGreaterThan(-1);
    expect(lines.indexOf('net is ready')).toBeLessThan(lines.indexOf('underlay   h1'));
    await takeDown('fake', environment, print);
    expect(nothingLeft(lab, state.switches)).toBe(true);
  });

  test('the configuration of the joining switch has a NIC with an address for each host', () => {
    const { hosts } = fakeLab([], 3).topology;
    const text = segmentConfig(segment, hosts, switchFiles('/run/overtap-lab', 'fake', segment.name));
    const { name, bridges } = parseConfig(text, 'net.yaml', { netnsExists: () => true });
    expect(name).toBe('net');
    expect(bridges[0]?.ports).toMatchObject(
      hosts.map((host) => ({ name: host.name, type: 'tap', netns: host.netns, ifname: 'eth0' })),
    );
    for (const { address } of hosts) expect(text).toContain(`[${address}/24]`);
  });

  test('if a switch ends at once, everything is removed, the joining switch too', async () => {
    const lab = joined(['good', 'fail']);
    await expect(bringUp(lab, environment, print)).rejects.toMatchObject({ code: 'LAB_SWITCH_FAILED' });
    expect(nothingLeft(lab, [])).toBe(true);
  });
});

describe('a switch that a check ends', () => {
  test('is started again as it was, and the state names the new process', async () => {
    const lab = fakeLab();
    const state = await bringUp(lab, environment, print);
    const before = state.switches.map(({ pid }) => pid);
    expect(await endSwitch(state, 'h2')).toBe('ended');
    expect(await endSwitch(state, 'h2')).toBe('not running');
    expect(await endSwitch(state, 'h1', 'SIGKILL')).toBe('killed');
    await startAgain(state, 'h1', environment);
    before[0] = state.switches[0]?.pid as number;

    await startAgain(state, 'h2', environment);
    const [first, second] = state.switches;
    expect(first?.pid).toBe(before[0]);
    expect(second?.pid).not.toBe(before[1]);
    expect(isRunning(second?.pid as number, second?.config as string)).toBe(true);
    expect(loadState(environment.root, 'fake')).toEqual(state);

    // A running switch is left alone.
    await startAgain(state, 'h2', environment);
    expect(state.switches[1]).toEqual(second);
    await takeDown('fake', environment, print);
    expect(nothingLeft(lab, state.switches)).toBe(true);
  });

  test('is found by the name of its host', async () => {
    const state = { lab: 'fake', namespaces: [], switches: [], machines: [], daemons: [] };
    expect(() => endSwitch(state, 'h9')).toThrow('no switch runs on h9');
  });
});

describe('a NIC', () => {
  test('lists the groups that it has joined', async () => {
    const netns = `${PREFIX}-g`;
    await addNamespace(netns);
    const end = { netns, ifname: 'lo' };
    const before = await groupsOf(end);
    await must(['ip', '-n', netns, 'address', 'add', '239.1.1.1/32', 'dev', 'lo', 'autojoin']);
    expect((await groupsOf(end)).filter((group) => !before.includes(group))).toEqual(['239.1.1.1']);
    await must(['ip', '-n', netns, 'address', 'del', '239.1.1.1/32', 'dev', 'lo']);
    expect(await groupsOf(end)).toEqual(before);
    await deleteNamespace(netns);
  });
});

describe('routers and routes of the overlay', () => {
  const routedLab = (via: string): Lab => {
    const lab = fakeLab();
    const [first] = lab.topology.hosts;
    const routes = [{ from: { netns: first.netns, ifname: 'eth0' }, to: '10.77.0.0/24', via }];
    const overlayRouters = [{ netns: `${PREFIX}-r` }];
    return { ...lab, topology: { ...lab.topology, overlayRouters, routes } };
  };

  test('exist when the lab is up, and are removed with it', async () => {
    const lab = routedLab('192.0.2.2');
    const state = await bringUp(lab, environment, print);
    const inside = (netns: string, ...command: string[]) => must(['ip', 'netns', 'exec', netns, ...command]);
    expect((await inside(`${PREFIX}-r`, 'cat', '/proc/sys/net/ipv4/ip_forward')).trim()).toBe('1');
    expect((await inside(`${PREFIX}-r`, 'cat', '/proc/sys/net/ipv4/conf/all/send_redirects')).trim()).toBe('0');
    expect((await inside(`${PREFIX}-h2`, 'cat', '/proc/sys/net/ipv4/ip_forward')).trim()).toBe('0');
    expect(await must(['ip', '-n', `${PREFIX}-h1`, 'route'])).toContain('10.77.0.0/24 via 192.0.2.2 dev eth0');
    await takeDown('fake', environment, print);
    expect(nothingLeft(lab, state.switches)).toBe(true);
  });

  test('if a route cannot be set, everything is removed', async () => {
    const lab = routedLab('203.0.113.1');
    await expect(bringUp(lab, environment, print)).rejects.toMatchObject({ code: 'LAB_COMMAND_FAILED' });
    expect(nothingLeft(lab, [])).toBe(true);
  });
});

describe('failures', () => {
  test('a switch that ends at once: its log is shown and nothing is left', async () => {
    const lab = fakeLab(['good', 'fail']);
    await expect(bringUp(lab, environment, print)).rejects.toMatchObject({
      code: 'LAB_SWITCH_FAILED',
      message: 'the switch of h2 ended with status 4',
    });
    expect(printed.join('\n')).toContain('  cannot open the TAP');
    expect(nothingLeft(lab, [])).toBe(true);
  });

  test('an interrupt while waiting for a switch removes everything', async () => {
    const lab = fakeLab(['silent']);
    const controller = new AbortController();
    const up = bringUp(lab, environment, print, controller.signal);
    const outcome = expect(up).rejects.toMatchObject({ code: 'LAB_INTERRUPTED' });
    const bothStarted = (): boolean => loadState(environment.root, 'fake')?.switches.length === 2;
    expect(await becomesTrue(bothStarted, { limitMs: 15_000 })).toBe(true);
    const switches = loadState(environment.root, 'fake')?.switches ?? [];
    controller.abort('SIGINT');
    await outcome;
    expect(nothingLeft(lab, switches)).toBe(true);
    expect(printed.slice(-2)).toEqual(['up failed: interrupted by SIGINT', 'lab fake is down; nothing is left']);
  });

  test('an existing namespace of another owner is refused and stays', async () => {
    const lab = fakeLab();
    const foreign = `${PREFIX}-h2`;
    await addNamespace(foreign);
    await expect(bringUp(lab, environment, print)).rejects.toMatchObject({ code: 'LAB_NAME_TAKEN' });
    expect(namespaceExists(foreign)).toBe(true);
    expect(namespaceExists(`${PREFIX}-h1`)).toBe(false);
    await deleteNamespace(foreign);
  });

  test('a command that fails names itself and its reason', async () => {
    await expect(must(['ip', '-n', `${PREFIX}-none`, 'link'])).rejects.toMatchObject({
      code: 'LAB_COMMAND_FAILED',
      message: expect.stringMatching(/^ip -n \S+ link: .+/),
    });
    await expect(must(['overtap-no-such-program'])).rejects.toThrow(/missing/);
  });
});

describe('after a crash', () => {
  test('down removes everything in the state file, also when half of it is gone', async () => {
    const lab = fakeLab();
    const state = await bringUp(lab, environment, print);
    const [first] = state.switches;
    await stopProcess(first?.pid as number, first?.config as string);
    await deleteNamespace(`${PREFIX}-g`);
    expect(await takeDown('fake', environment, print)).toBe(true);
    expect(nothingLeft(lab, state.switches)).toBe(true);
  });

  test('another process with the pid of a switch is not touched', async () => {
    const folderOfLab = labFolder(environment.root, 'fake');
    mkdirSync(folderOfLab, { recursive: true });
    const record = { host: 'h1', netns: '', pid: process.pid, config: '/nowhere.yaml', socket: '', log: '' };
    saveState(environment.root, { lab: 'fake', namespaces: [], switches: [record], machines: [], daemons: [] });
    expect(await takeDown('fake', environment, print)).toBe(true);
    expect(printed).toEqual([expect.stringContaining('not running')]);
  });

  test('a folder without a state is removed, and with the last one the folder around them', async () => {
    for (const name of ['fake', 'other']) mkdirSync(labFolder(environment.root, name), { recursive: true });
    expect(await takeDown('fake', environment, print)).toBe(true);
    expect(readdirSync(environment.root)).toEqual(['other']);
    expect(await takeDown('other', environment, print)).toBe(true);
    expect(existsSync(environment.root)).toBe(false);
  });

  test('a damaged state is an error', async () => {
    const folderOfLab = labFolder(environment.root, 'fake');
    mkdirSync(folderOfLab, { recursive: true });
    for (const text of ['{"lab":"fake"', '{"lab":"fake","namespaces":[7],"switches":[]}', '[]']) {
      writeFileSync(join(folderOfLab, 'state.json'), text);
      await expect(takeDown('fake', environment, print)).rejects.toMatchObject({ code: 'LAB_NOT_DOWN' });
    }
    removeFolder(folderOfLab);
  });
});

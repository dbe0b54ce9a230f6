import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/lab/command.js';
import type { Lab } from '../../src/lab/lab.js';
import { bringUp, takeDown } from '../../src/lab/lifecycle.js';
import { addNamespace, deleteNamespace, namespaceExists } from '../../src/lab/namespaces.js';
import { isRunning, stopProcess } from '../../src/lab/processes.js';
import { labFolder, loadState, saveState } from '../../src/lab/state.js';
import { namespacesOf, type Topology } from '../../src/lab/topology.js';
import { becomesTrue } from '../../src/lab/wait.js';
import type { Workshop } from '../../src/lab/workshop.js';
import { needRoot, PREFIX, removeFolder, temporaryFolder } from './help.js';

/** Stands for a switch: writes one line, makes the "socket" that says ready, and ends as its configuration says. */
const FAKE_SWITCH = `
import { readFileSync, writeFileSync } from 'node:fs';
const config = JSON.parse(readFileSync(process.argv[process.argv.indexOf('-c') + 1], 'utf8'));
console.log('starting ' + config.name);
if (config.mode === 'fail') { console.log('cannot open the TAP'); process.exit(4); }
if (config.mode === 'stubborn') process.on('SIGTERM', () => {});
if (config.mode !== 'silent') writeFileSync(config.control, 'ready');
setInterval(() => {}, 1000);
`;

const folder = temporaryFolder();
const program = join(folder, 'fake-switch.mjs');

const topology = (count: number): Topology => {
  const hosts = Array.from({ length: count }, (_, i) => ({
    name: `h${i + 1}`,
    netns: `${PREFIX}-h${i + 1}`,
    address: `192.0.2.${i + 1}`,
  }));
  const station = { name: 'g', netns: `${PREFIX}-g`, ifname: 'eth0', address: '10.0.0.1', host: 'h1', mac: '' };
  const router = { netns: `${PREFIX}-net`, address: '192.0.2.254' };
  return count > 2 ? { hosts, stations: [station], router } : { hosts, stations: [station] };
};

/** A lab whose switches behave as told, by host. */
function fakeLab(modes: string[] = [], count = 2): Lab {
  return {
    name: 'fake',
    summary: 'for tests',
    topology: topology(count),
    config: (host, files) =>
      JSON.stringify({ name: host.name, control: files.socket, mode: modes[Number(host.name.slice(1)) - 1] ?? 'good' }),
    check: async () => {},
  };
}

const workshop: Workshop = {
  root: join(folder, 'lab'),
  switchCommand: [process.execPath, program],
  connect: (socket) => ({
    get: async () => {
      if (!existsSync(socket)) throw new Error('not yet');
      return JSON.parse('{}');
    },
    post: async () => {
      throw new Error('nothing is to be changed');
    },
  }),
};

const printed: string[] = [];
const print = (line: string): void => void printed.push(line);

beforeAll(() => {
  needRoot();
  writeFileSync(program, FAKE_SWITCH);
});

afterEach(async () => {
  await takeDown('fake', workshop, print);
  expect(namespacesOf(topology(3)).filter(namespaceExists)).toEqual([]);
  printed.length = 0;
});

afterAll(() => removeFolder(folder));

/** Whether the namespaces, processes and files of a lab are all gone. */
function nothingLeft(lab: Lab, switches: readonly { pid: number; config: string }[]): boolean {
  const namespaces = namespacesOf(lab.topology).filter(namespaceExists);
  const running = switches.filter(({ pid, config }) => isRunning(pid, config));
  return namespaces.length + running.length === 0 && !existsSync(labFolder(workshop.root, lab.name));
}

describe('up and down', () => {
  test('two hosts on a veth pair: everything is there, then nothing is', async () => {
    const lab = fakeLab();
    const state = await bringUp(lab, workshop, print);
    expect(loadState(workshop.root, 'fake')).toEqual(state);
    expect(state.switches.map(({ pid, config }) => isRunning(pid, config))).toEqual([true, true]);
    expect(readFileSync(state.switches[0]?.log as string, 'utf8')).toContain('starting h1');
    expect(await run('ip', ['-n', `${PREFIX}-h1`, 'route', 'get', '192.0.2.2'])).toContain('dev eth0');
    expect(await takeDown('fake', workshop, print)).toBe(true);
    expect(nothingLeft(lab, state.switches)).toBe(true);
  });

  test('three hosts reach each other through the router, without a bridge', async () => {
    const lab = fakeLab([], 3);
    await bringUp(lab, workshop, print);
    const route = await run('ip', ['-n', `${PREFIX}-h1`, 'route', 'get', '192.0.2.3']);
    expect(route).toContain('via 192.0.2.254 dev eth0 src 192.0.2.1');
    expect(await run('ip', ['-n', `${PREFIX}-net`, 'route', 'get', '192.0.2.3'])).toContain('dev to-h3');
    expect(await run('ip', ['-n', `${PREFIX}-net`, '-d', 'link', 'show'])).not.toContain('bridge');
  });

  test('a lab that is up is not built again, and is left alone', async () => {
    const lab = fakeLab();
    const state = await bringUp(lab, workshop, print);
    await expect(bringUp(lab, workshop, print)).rejects.toMatchObject({
      code: 'LAB_IS_UP',
      message: expect.stringContaining('overtap lab down fake'),
    });
    expect(state.switches.map(({ pid, config }) => isRunning(pid, config))).toEqual([true, true]);
  });

  test('down of what is not up says so', async () => {
    expect(await takeDown('fake', workshop, print)).toBe(false);
  });

  test('a switch that ignores SIGTERM is killed', async () => {
    const lab = fakeLab(['good', 'stubborn']);
    const state = await bringUp(lab, workshop, print);
    await takeDown('fake', workshop, print);
    expect(printed.filter((line) => line.includes('was killed'))).toHaveLength(1);
    expect(nothingLeft(lab, state.switches)).toBe(true);
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

  test('are there once the lab is up, and are taken away with it', async () => {
    const lab = routedLab('192.0.2.2');
    const state = await bringUp(lab, workshop, print);
    const inside = (netns: string, ...command: string[]) => run('ip', ['netns', 'exec', netns, ...command]);
    expect((await inside(`${PREFIX}-r`, 'cat', '/proc/sys/net/ipv4/ip_forward')).trim()).toBe('1');
    expect((await inside(`${PREFIX}-h2`, 'cat', '/proc/sys/net/ipv4/ip_forward')).trim()).toBe('0');
    expect(await run('ip', ['-n', `${PREFIX}-h1`, 'route'])).toContain('10.77.0.0/24 via 192.0.2.2 dev eth0');
    await takeDown('fake', workshop, print);
    expect(nothingLeft(lab, state.switches)).toBe(true);
  });

  test('a route that cannot be set takes everything away again', async () => {
    const lab = routedLab('203.0.113.1');
    await expect(bringUp(lab, workshop, print)).rejects.toMatchObject({ code: 'LAB_COMMAND_FAILED' });
    expect(nothingLeft(lab, [])).toBe(true);
  });
});

describe('failures', () => {
  test('a switch that ends at once: its log is shown and nothing is left', async () => {
    const lab = fakeLab(['good', 'fail']);
    await expect(bringUp(lab, workshop, print)).rejects.toMatchObject({
      code: 'LAB_SWITCH_FAILED',
      message: 'the switch of h2 ended with status 4',
    });
    expect(printed.join('\n')).toContain('  cannot open the TAP');
    expect(nothingLeft(lab, [])).toBe(true);
  });

  test('an interrupt while waiting for a switch takes everything away', async () => {
    const lab = fakeLab(['silent']);
    const controller = new AbortController();
    const up = bringUp(lab, workshop, print, controller.signal);
    const outcome = expect(up).rejects.toMatchObject({ code: 'LAB_INTERRUPTED' });
    expect(await becomesTrue(() => loadState(workshop.root, 'fake')?.switches.length === 2, { limitMs: 5000 })).toBe(
      true,
    );
    const switches = loadState(workshop.root, 'fake')?.switches ?? [];
    controller.abort('SIGINT');
    await outcome;
    expect(nothingLeft(lab, switches)).toBe(true);
  });

  test("a namespace that is somebody else's is refused and stays", async () => {
    const lab = fakeLab();
    const foreign = `${PREFIX}-h2`;
    await addNamespace(foreign);
    await expect(bringUp(lab, workshop, print)).rejects.toMatchObject({ code: 'LAB_NAME_TAKEN' });
    expect(namespaceExists(foreign)).toBe(true);
    expect(namespaceExists(`${PREFIX}-h1`)).toBe(false);
    await deleteNamespace(foreign);
  });

  test('a command that fails names itself and its reason', async () => {
    await expect(run('ip', ['-n', `${PREFIX}-none`, 'link'])).rejects.toMatchObject({
      code: 'LAB_COMMAND_FAILED',
      message: expect.stringMatching(/^ip -n \S+ link: .+/),
    });
    await expect(run('overtap-no-such-program', [])).rejects.toThrow(/missing/);
  });
});

describe('after a crash', () => {
  test('down ends what the state file lists, also when half of it is gone', async () => {
    const lab = fakeLab();
    const state = await bringUp(lab, workshop, print);
    const [first] = state.switches;
    await stopProcess(first?.pid as number, first?.config as string);
    await deleteNamespace(`${PREFIX}-g`);
    expect(await takeDown('fake', workshop, print)).toBe(true);
    expect(nothingLeft(lab, state.switches)).toBe(true);
  });

  test('a process that only has the number of a switch is not touched', async () => {
    const folderOfLab = labFolder(workshop.root, 'fake');
    mkdirSync(folderOfLab, { recursive: true });
    const record = { host: 'h1', netns: '', pid: process.pid, config: '/nowhere.yaml', socket: '', log: '' };
    saveState(workshop.root, { lab: 'fake', namespaces: [], switches: [record] });
    expect(await takeDown('fake', workshop, print)).toBe(true);
    expect(printed).toEqual([expect.stringContaining('not running')]);
  });

  test('a folder without a state is taken away, and with the last one the folder around them', async () => {
    for (const name of ['fake', 'other']) mkdirSync(labFolder(workshop.root, name), { recursive: true });
    expect(await takeDown('fake', workshop, print)).toBe(true);
    expect(readdirSync(workshop.root)).toEqual(['other']);
    expect(await takeDown('other', workshop, print)).toBe(true);
    expect(existsSync(workshop.root)).toBe(false);
  });

  test('a damaged state is said, not guessed at', async () => {
    const folderOfLab = labFolder(workshop.root, 'fake');
    mkdirSync(folderOfLab, { recursive: true });
    for (const text of ['{"lab":"fake"', '{"lab":"fake","namespaces":[7],"switches":[]}', '[]']) {
      writeFileSync(join(folderOfLab, 'state.json'), text);
      await expect(takeDown('fake', workshop, print)).rejects.toMatchObject({ code: 'LAB_NOT_DOWN' });
    }
    removeFolder(folderOfLab);
  });
});

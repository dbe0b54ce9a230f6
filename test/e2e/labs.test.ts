/**
 * The labs by the command line: all in one run, and step by step. Nothing is left of them, and the check of a broken lab fails.
 * The namespaces of labs have fixed names, so no other lab may be up on the machine. Two labs run at a time, since a lab mostly
 * waits.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { describe as described, type Ended, must, Program, run } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { OVERTAP } from './switch.js';

const LABS = [
  'one-vxlan-many-vlans',
  'three-hosts-unicast',
  'multicast-underlay',
  'point-to-point',
  'default-port-8472',
  'dove',
  'two-bridges',
  'anycast-gateway',
  'vlan-tenants',
  'routed',
  'full-mesh',
  'evpn-two-hosts-frr',
  'evpn-reflector',
] as const;
/** With virtual machines, which boot in the long form only. */
const WITH_MACHINES = ['vms-and-containers', 'vms-and-containers-unicast'] as const;
const ROOT = '/run/overtap-lab';
const LAB_LIMIT_MS = 90_000;
const LIMIT_WITH_MACHINES_MS = 600_000;

function lab(...words: string[]): Promise<Ended> {
  return run([process.execPath, OVERTAP, 'lab', ...words], { limitMs: LAB_LIMIT_MS });
}

interface State {
  lab: string;
  namespaces: string[];
  switches: { host: string; pid: number; config: string }[];
}

function state(name: string): State {
  return JSON.parse(readFileSync(`${ROOT}/${name}/state.json`, 'utf8')) as State;
}

/** Namespaces of the unit tests (test/lab/lab-support.ts), which may run at the same time. */
const OF_TESTS = /^ovt-t\d+-/;

/** Names of the labs' namespaces on this machine. */
async function labNamespaces(): Promise<string[]> {
  const rows = JSON.parse((await must(['ip', '-json', 'netns', 'list'])) || '[]') as { name: string }[];
  return rows.map(({ name }) => name).filter((name) => name.startsWith('ovt-') && !OF_TESTS.test(name));
}

/** Pids of the switches of a lab, or of all labs. */
function labSwitches(lab?: string): number[] {
  const folder = lab === undefined ? `${ROOT}/` : `${ROOT}/${lab}/`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0run\0-c\0${folder}`);
      } catch {
        return false; // ended meanwhile
      }
    })
    .map(Number);
}

/** Of `lab run`: there are claims, and all hold. */
function expectProved(ended: Ended): void {
  expect(ended.status, described(ended)).toBe(0);
  const verdicts = ended.stdout.match(/^\s*[\d.]+ s\s+(ok|FAILED)\b.*$/gm) ?? [];
  expect(verdicts.length, ended.stdout).toBeGreaterThanOrEqual(3);
  expect(verdicts.filter((line) => line.includes('FAILED'))).toEqual([]);
  expect(verdicts.some((line) => line.includes(' ok '))).toBe(true);
}

/** Pids of QEMU with files of a lab. */
function labMachines(name: string): string[] {
  const folder = `${ROOT}/${name}/`;
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`path=${folder}`);
    } catch {
      return false; // ended meanwhile
    }
  });
}

/** Pids of daemons of a lab, or of all labs. */
function labDaemons(name = ''): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0-f\0${ROOT}/${name}`);
    } catch {
      return false; // ended meanwhile
    }
  });
}

/** @param name of one lab, while others may be up; without it, of all labs */
async function expectNothingLeft(name?: string): Promise<void> {
  const mine = name === undefined ? '' : `ovt-${name}-`;
  expect((await labNamespaces()).filter((namespace) => namespace.startsWith(mine))).toEqual([]);
  expect(labSwitches(name)).toEqual([]);
  expect(labDaemons(name)).toEqual([]);
  const kept = existsSync(ROOT) ? readdirSync(ROOT) : [];
  expect(kept.filter((folder) => name === undefined || folder === name)).toEqual([]);
}

beforeAll(async () => {
  const up = await labNamespaces();
  if (up.length > 0)
    throw new Error(`a lab is up on this machine (${up.join(', ')}): take it down first (overtap lab down NAME)`);
});

describe('a lab in one go', () => {
  test('lab list names them all', async () => {
    const { status, stdout } = await lab('list');
    expect(status).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/\s+/)[0]),
    ).toEqual([...LABS, ...WITH_MACHINES]);
  });

  test.concurrent.each(LABS)('lab run %s: every claim holds, and nothing is left', async (name) => {
    expectProved(await lab('run', name));
    await expectNothingLeft(name);
  });

  afterAll(() => expectNothingLeft());
});

describe('a lab with virtual machines', () => {
  afterEach(async () => {
    for (const name of WITH_MACHINES) await lab('down', name);
    await expectNothingLeft();
  });

  test.each(cases(WITH_MACHINES, 0))('lab run %s: every claim holds, and nothing is left', async (name) => {
    const ended = await run([process.execPath, OVERTAP, 'lab', 'run', name], { limitMs: LIMIT_WITH_MACHINES_MS });
    expectProved(ended);
    console.log(ended.stdout);
    expect(labMachines(name)).toEqual([]);
    await expectNothingLeft(name);
  });

  const MOMENTS = [
    ['vms-and-containers', 'machines boot', 'h2 is ready'],
    ['vms-and-containers-unicast', 'a machine sends', 'from c2 to vm1'],
    ['vms-and-containers', 'a machine restarts', 'from vm2 to vm1'],
  ] as const;
  test.each(cases(MOMENTS, 0))('%s: Ctrl-C while %s removes everything', async (name, _, line) => {
    const running = new Program([process.execPath, OVERTAP, 'lab', 'run', name]);
    await running.line(line, (one) => one.includes(line), LIMIT_WITH_MACHINES_MS);
    await delay(1000);
    const { ended } = await running.stop('SIGINT', LAB_LIMIT_MS);
    expect(ended.status, described(ended)).toBe(130);
    expect(ended.stdout).toMatch(new RegExp(`lab ${name} is down; nothing is left\\n$`));
    expect(labMachines(name)).toEqual([]);
    await expectNothingLeft(name);
  });

  test('where QEMU is missing, lab run says which package to install, and nothing is made', async () => {
    const tools = mkdtempSync(join(tmpdir(), 'overtap-lab-'));
    for (const tool of ['apt-get', 'dpkg-deb', 'ip']) {
      const [path] = ['/usr/bin', '/usr/sbin', '/bin', '/sbin'].map((at) => join(at, tool)).filter(existsSync);
      symlinkSync(path, join(tools, tool));
    }
    for (const name of WITH_MACHINES) {
      const running = new Program([process.execPath, OVERTAP, 'lab', 'run', name], { env: { PATH: tools } });
      const ended = await running.ended;
      expect(ended.status, described(ended)).toBe(1);
      expect(ended.stderr).toMatch(/apt-get install --no-install-recommends qemu-system-x86\b/);
      expect(ended.stdout).not.toContain('namespaces');
      await expectNothingLeft(name);
    }
    rmSync(tools, { recursive: true });
  });
});

describe('a check that changes its lab', () => {
  // These checks set routes or remotes, or end a switch, and prove claims about the state before.
  const CHANGED = [
    'default-port-8472',
    'two-bridges',
    'vlan-tenants',
    'multicast-underlay',
    'three-hosts-unicast',
    'dove',
    'evpn-two-hosts-frr',
    'evpn-reflector',
  ] as const;

  afterAll(async () => {
    for (const name of CHANGED) await lab('down', name);
    await expectNothingLeft();
  });

  test.concurrent.each(cases(CHANGED, 1))('%s: leaves it as it was, so that it holds a second time', async (name) => {
    const up = await lab('up', name);
    expect(up.status, described(up)).toBe(0);
    for (let round = 0; round < 2; round++) {
      const check = await lab('check', name);
      expect(check.status, described(check)).toBe(0);
    }
    expect((await lab('down', name)).status).toBe(0);
    await expectNothingLeft(name);
  });
});

describe('a lab that is interrupted', () => {
  const INTERRUPTED = [
    ['two-bridges', 'routes are being tried', 'do not reach each other'],
    ['multicast-underlay', 'a switch has ended and is to start again', 'has left the group'],
    ['dove', 'control programs are at work', 'with a control program'],
    ['evpn-reflector', 'the reflector has ended a session', 'ends the session of h1'],
  ] as const;
  test.concurrent.each(cases(INTERRUPTED, 2))(
    '%s: Ctrl-C during a check removes everything',
    async (name, what, claim) => {
      const running = new Program([process.execPath, OVERTAP, 'lab', 'run', name]);
      await running.line(what, (line) => line.includes(claim), LAB_LIMIT_MS);
      const { ended } = await running.stop('SIGINT');
      expect(ended.status, described(ended)).toBe(130);
      expect(ended.stdout).toMatch(new RegExp(`lab ${name} is down; nothing is left\\n$`));
      expect(ended.stderr).toBe('overtap: interrupted by SIGINT\n');
      await expectNothingLeft(name);
    },
  );
});

describe('a lab step by step', () => {
  const NAME = 'one-vxlan-many-vlans';

  afterEach(async () => {
    await lab('down', NAME);
  });

  test('up, check and down', async () => {
    const up = await lab('up', NAME);
    expect(up.status, described(up)).toBe(0);
    expect(state(NAME).namespaces.sort()).toEqual((await labNamespaces()).sort());
    expect(labSwitches().sort()).toEqual(
      state(NAME)
        .switches.map(({ pid }) => pid)
        .sort(),
    );

    const again = await lab('up', NAME);
    expect(again.status).toBe(1);
    expect(again.stderr).toContain('up already');

    const check = await lab('check', NAME);
    expect(check.status, described(check)).toBe(0);
    expect(check.stdout).not.toContain('FAILED');

    const down = await lab('down', NAME);
    expect(down.status, described(down)).toBe(0);
    await expectNothingLeft();
    expect((await lab('down', NAME)).status).toBe(0);
    expect((await lab('check', NAME)).status).toBe(1);
  });

  test('a check of a lab with a dead switch says FAILED and ends with 1', async () => {
    await lab('up', NAME);
    const [victim] = state(NAME).switches;
    process.kill(victim.pid, 'SIGKILL');
    await until('the switch is gone', () => !labSwitches().includes(victim.pid));
    const check = await lab('check', NAME);
    expect(check.status, described(check)).toBe(1);
    expect(check.stdout).toContain('FAILED');

    const down = await lab('down', NAME);
    expect(down.status, described(down)).toBe(0);
    await expectNothingLeft();
  });

  test('a name that no lab has is refused', async () => {
    const ended = await lab('run', 'no-such-lab');
    expect(ended.status).toBe(2);
    for (const name of LABS) expect(ended.stderr).toContain(name);
  });
});

/**
 * What nothing from outside may do to a switch: its log, its descriptors, its control socket, signals. Each test here ended
 * or held up a switch once.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, lstatSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StatsAnswer } from '../../src/api/api.js';
import { must } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { askJson } from '../control/http/server-harness.js';
import { World } from './host-testbed.js';
import { overtap, RunningSwitch, switchCommand } from './switch.js';
import { type Guest, plainBridge, tapPort } from './topologies.js';

/** A machine that others use, too, takes its time. */
const SLOW_MS = 30_000;

let world: World;
let host: string;
let guest: Guest;
let children: ChildProcess[];

beforeEach(async () => {
  world = new World();
  children = [];
  host = await world.netns('host');
  guest = { netns: await world.netns('guest'), ifname: 'eth0', address: '198.18.0.1', mac: '02:00:00:00:00:01' };
});

afterEach(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await world.cleanUp();
});

interface Bare {
  child: ChildProcess;
  control: string;
  /** Exit status or signal. */
  ended: Promise<number | string | null>;
}

/** A switch whose standard output is what the test gives it. Ready when it answers. */
async function start(stdout: number | 'pipe', words: string[] = [], wrap: string[] = []): Promise<Bare> {
  const control = world.control('sw');
  const config = world.config('sw', plainBridge(tapPort('tap0', guest)));
  const [program, ...args] = ['ip', 'netns', 'exec', host, ...wrap, ...switchCommand(config), ...words];
  const child = spawn(program, args, { stdio: ['ignore', stdout, 'pipe'] });
  children.push(child);
  const ended = new Promise<number | string | null>((done) =>
    child.once('exit', (status, signal) => done(status ?? signal)),
  );
  await until('the switch answers', () => existsSync(control), SLOW_MS);
  return { child, control, ended };
}

async function stats(control: string): Promise<StatsAnswer> {
  return (await askJson(control, 'GET', '/v1/stats')).value as StatsAnswer;
}

/** The guest deletes its own NIC, and the switch makes it again, so many times. */
async function deleteNic(times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const before = await until(
      'the NIC is there',
      async () => {
        const shown = await world.exec(guest.netns, ['ip', '-j', 'link', 'show', 'dev', guest.ifname]);
        return shown.status === 0 ? (JSON.parse(shown.stdout) as { ifindex: number }[])[0].ifindex : undefined;
      },
      SLOW_MS,
    );
    expect(before).toBeGreaterThan(0);
    await world.ip(guest.netns, `link del ${guest.ifname}`);
  }
  await until('the NIC is there again', async () => (await world.nics(guest.netns)).includes(guest.ifname), SLOW_MS);
}

const isRunning = ({ child }: Bare): boolean => child.exitCode === null && child.signalCode === null;

describe('a log that', () => {
  test('cannot be written ends nothing, and what is lost is counted', async () => {
    const fd = openSync('/dev/full', 'w');
    const sw = await start(fd);
    closeSync(fd);
    await deleteNic(14);
    expect(isRunning(sw)).toBe(true);
    // Start, and a line down and up for each time.
    await until('the losses are counted', async () => ((await stats(sw.control)).control?.log_lost ?? 0) >= 17);
    expect((await stats(sw.control)).control?.faults).toEqual({});
    sw.child.kill('SIGTERM');
    expect(await sw.ended).toBe(0);
    expect(await world.nics(guest.netns)).toEqual([]);
  });

  test('is a closed pipe ends nothing', async () => {
    const sw = await start('pipe');
    sw.child.stdout?.destroy();
    await deleteNic(3);
    expect(isRunning(sw)).toBe(true);
    sw.child.kill('SIGTERM');
    expect(await sw.ended).toBe(0);
  });

  test('is a pipe that no program reads holds up neither requests nor the end', async () => {
    const fifo = world.path('log');
    await must(['mkfifo', fifo]);
    const both = openSync(fifo, 'r+');
    writeSync(both, 'x'.repeat(64 * 1024)); // it is full
    const sw = await start(both);
    await deleteNic(2);
    expect((await stats(sw.control)).control).toMatchObject({ faults: {} });
    sw.child.kill('SIGTERM');
    expect(await sw.ended).toBe(0);
    expect(existsSync(sw.control)).toBe(false);
    expect(await world.nics(guest.netns)).toEqual([]);
    closeSync(both);
  });
});

describe('descriptors', () => {
  test('are left for the switch, whatever clients take', async () => {
    const sw = await start('pipe', [], ['prlimit', '--nofile=200']);
    const clients = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const socket = connect(sw.control);
        socket.on('error', () => undefined);
        await new Promise<void>((done) => socket.once('connect', done).once('close', () => done()));
        return socket;
      }),
    );
    await deleteNic(2); // it has descriptors to make it again
    expect(isRunning(sw)).toBe(true);
    for (const socket of clients) socket.destroy();
    const after = await until('the switch answers again', () => stats(sw.control).catch(() => undefined));
    expect(after.control?.connections_refused).toBeGreaterThan(100);
    expect(after.control?.faults).toEqual({});
    sw.child.kill('SIGTERM');
    expect(await sw.ended).toBe(0);
  });

  test('links and NICs with the names of what every object has are like others', async () => {
    for (const name of ['constructor', '__proto__', 'toString'])
      await world.ip(host, `link add ${name} type veth peer name p-${name.slice(0, 6)}`);
    const bridges = plainBridge(
      tapPort('constructor', guest),
      tapPort('toString', { ...guest, ifname: 'valueOf', mac: '02:00:00:00:00:02', address: '198.18.0.2' }),
      '      vxlan0: { type: vxlan, id: 42, local: 192.0.2.1, remotes: [192.0.2.2] }\n',
    );
    await world.ip(host, 'link set constructor up');
    await world.ip(host, 'link set p-constr up');
    await world.address({ netns: host, ifname: 'constructor' }, '192.0.2.1/24');
    const sw = await world.startSwitch(host, 'sw', bridges);
    await until('the address goes, and the port is down', async () => {
      await world.exec(host, ['ip', 'address', 'del', '192.0.2.1/24', 'dev', 'constructor']);
      return (await sw.links()).find(({ ifname }) => ifname === 'vxlan0')?.operstate === 'DOWN';
    });
    await world.address({ netns: host, ifname: 'constructor' }, '192.0.2.1/24');
    await until('the port is up again', async () => (await sw.links()).every(({ operstate }) => operstate === 'UP'));
    const stats = await sw.stats();
    expect(stats.control?.faults).toEqual({});
    expect(Object.keys(stats.links)).toEqual(['constructor', 'toString', 'vxlan0']);
    for (const words of ['link set constructor mtu 1400', 'link del toString', 'link add valueOf master br1 type tap'])
      expect(await overtap('-s', sw.control, ...words.split(' ')), words).toMatchObject({ status: 0, stderr: '' });
    for (const words of ['link del hasOwnProperty', 'link set isPrototypeOf up', 'link add __proto__ type bridge'])
      expect(await overtap('-s', sw.control, ...words.split(' ')), words).toMatchObject({ status: 1, stdout: '' });
    expect((await sw.links()).map(({ ifname }) => ifname)).toEqual(['br1', 'constructor', 'vxlan0', 'valueOf']);
    await sw.stop();
  });
});

describe('the log', () => {
  test('has a line for each change, with what asked for it, and its level can be changed', async () => {
    const sw = await world.startSwitch(host, 'sw', plainBridge(tapPort('tap0', guest)));
    const ask = (...words: string[]): Promise<{ status: number | null }> => overtap('-s', sw.control, ...words);
    expect((await ask('link', 'set', 'br1', 'type', 'bridge', 'ageing_time', '60')).status).toBe(0);
    const done = await sw.logged('the change', ({ msg }) => msg === 'changed');
    expect(done).toMatchObject({ level: 30, change: 'link set br1 type bridge ageing_time 60' });
    expect(done.by).toMatch(/^uid 0, pid \d+ \(.+\)$/);

    expect((await ask('fdb', 'add', '02:00:00:00:00:09', 'dev', 'tap9')).status).toBe(1);
    const refused = await sw.logged('the refusal', ({ msg }) => msg === 'change refused');
    expect(refused).toMatchObject({ level: 30, change: 'fdb add 02:00:00:00:00:09 dev tap9' });
    expect(refused.reason).toContain('tap9');

    expect((await ask('apply', '-c', world.path('sw.yaml'), '--dry-run')).status).toBe(0);
    expect((await ask('apply', '-c', world.path('sw.yaml'))).status).toBe(0);
    const applied = await sw.logged('the file', ({ change }) => change === 'apply');
    expect(applied.commands).toEqual(['link set br1 type bridge default ageing_time']);
    expect(sw.log().filter(({ msg }) => msg === 'changed')).toHaveLength(2);

    expect(await ask('log-level')).toMatchObject({ status: 0, stdout: 'info\n' });
    expect(await ask('log-level', 'warn')).toMatchObject({ status: 0, stdout: '' });
    expect(await ask('log-level', 'loud')).toMatchObject({ status: 1 });
    expect(await sw.json('log-level')).toEqual({ level: 'warn' });
    expect((await ask('link', 'set', 'br1', 'type', 'bridge', 'ageing_time', '50')).status).toBe(0);
    await sw.stop();
    const changes = sw.log().filter(({ msg }) => msg.includes('change'));
    expect(changes.at(-1)).toMatchObject({ before: 'info', now: 'warn', msg: 'level of the log changed' });
  });
});

describe('a signal', () => {
  /** Whether anything listens on Node's debugger port in the switch's namespace. */
  async function debuggerIsOpen(): Promise<boolean> {
    return (await world.exec(host, ['ss', '-Hltn', 'sport', '=', ':9229'])).stdout !== '';
  }

  test('SIGUSR1 logs the state and opens no debugger; what one opened before the first line is closed', async () => {
    const config = world.config('sw', plainBridge(tapPort('tap0', guest)));
    const program = world.spawn(host, switchCommand(config));
    const sw = new RunningSwitch(program, world.control('sw'));
    // Node's own listener is there from its first milliseconds (SigCgt of proc_pid_status(5)); before, a signal ends it.
    await until('SIGUSR1 is answered', () => {
      const caught = /^SigCgt:\s+(\w+)/m.exec(readFileSync(`/proc/${program.pid}/status`, 'utf8'))?.[1];
      const isNode = readFileSync(`/proc/${program.pid}/cmdline`, 'latin1').startsWith(process.execPath);
      return isNode && caught !== undefined && (BigInt(`0x${caught}`) & (1n << 9n)) !== 0n;
    });
    while (!sw.log().some(({ msg }) => msg === 'ready')) {
      program.signal('SIGUSR1');
      await delay(1);
    }
    await until('the debugger is closed', async () => !(await debuggerIsOpen()));
    program.signal('SIGUSR1');
    await sw.logged('the state is logged', ({ msg, links }) => msg === 'state' && links === 2);
    expect(await debuggerIsOpen()).toBe(false);
    await sw.stop();
  });

  test('SIGUSR2 changes the level of the log by a step', async () => {
    const sw = await world.startSwitch(host, 'sw', plainBridge(tapPort('tap0', guest)));
    for (const [before, level] of [
      ['info', 'debug'],
      ['debug', 'trace'],
      ['trace', 'info'],
    ]) {
      sw.program.signal('SIGUSR2');
      await sw.logged(`level ${level}`, (line) => line.before === before && line.level === 30 && line.now === level);
    }
    await sw.stop();
  });

  test('SIGHUP applies the file again, and a wrong file changes nothing', async () => {
    const sw = await world.startSwitch(host, 'sw', plainBridge(tapPort('tap0', guest)));
    const file = world.path('sw.yaml');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('br1:', 'br1:\n    ageing_time: 60'));
    sw.program.signal('SIGHUP');
    const applied = await sw.logged('the file is applied', ({ by, msg }) => by === 'SIGHUP' && msg === 'changed');
    expect(applied.commands).toEqual(['link set br1 type bridge ageing_time 60']);
    const links = await sw.links();

    writeFileSync(file, 'bridges: { br1: { colour: red } }');
    sw.program.signal('SIGHUP');
    const refused = await sw.logged('the file is refused', ({ by, reason }) => by === 'SIGHUP' && reason !== undefined);
    expect(refused.reason).toContain(`${file}:1:`);
    expect(await sw.links()).toEqual(links);

    await must(['sh', '-c', 'rm "$0" && mkfifo "$0"', file]);
    sw.program.signal('SIGHUP');
    await sw.logged('a pipe is not waited for', ({ reason }) => `${reason}`.includes('it is a pipe'));
    expect(await sw.links()).toEqual(links);
    await sw.stop();
  });

  test('SIGQUIT ends the switch in order', async () => {
    const sw = await world.startSwitch(host, 'sw', plainBridge(tapPort('tap0', guest)));
    const { ended } = await sw.stop('SIGQUIT');
    expect(ended).toMatchObject({ status: 0, signal: null });
    expect(sw.log().at(-1)?.msg).toBe('stopped');
    expect(existsSync(sw.control)).toBe(false);
    expect(await world.nics(guest.netns)).toEqual([]);
  });
});

describe('a control path that is no socket', () => {
  test('is refused by run and by check, and stays', async () => {
    const precious = world.file('precious', 'data');
    const config = world.config('sw', plainBridge(tapPort('tap0', guest)), precious);
    const check = await overtap('check', '-c', config);
    expect(check.status).toBe(2);
    expect(check.stderr).toContain(`sw.yaml:2:10: control: ${precious} is a file, not a socket`);
    expect(await world.exec(host, switchCommand(config))).toMatchObject({ status: 2, stderr: check.stderr });
    const good = world.config('good', plainBridge(tapPort('tap0', guest)));
    const named = await world.exec(host, [...switchCommand(good), '-s', precious]);
    expect(named).toMatchObject({ status: 1, stdout: '' });
    expect(named.stderr).toContain(`${precious} is a file, not a socket`);
    expect(readFileSync(precious, 'utf8')).toBe('data');
    expect(lstatSync(precious).isFile()).toBe(true);
    expect(await world.nics(guest.netns)).toEqual([]);
  });

  test('check reads no device', async () => {
    expect((await overtap('check', '-c', '/dev/zero')).stderr).toContain('it is a device or a socket, not a file');
  });
});

/**
 * An ordinary user (uid 65534) without any capability: labs and switches run in namespaces of the user's own, other commands of
 * the user reach them from outside, and a host that does not allow it gets a line that says what to do.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { templateOf } from '../../src/lab/file/template.js';
import type { Ended } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { NOBODY } from './service-sandbox.js';
import { OVERTAP, RunningSwitch } from './switch.js';

const USER = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
/** A mount namespace with another /dev/net/tun and, without namespaces of ip(8), a /run that is the host's. */
const MOUNTED = ['unshare', '-m', '--propagation', 'slave', 'sh', '-c', 'mount --bind "$0" /dev/net/tun && exec "$@"'];

let folder: string;
let world: World;
let netns: string;
/** The user's, where sockets are. */
let runtime: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-rootless-'));
  chmodSync(folder, 0o755);
  for (const mode of ['600', '666']) execFileSync('mknod', ['-m', mode, join(folder, `tun-${mode}`), 'c', '10', '200']);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  world = new World();
  netns = await world.netns('host');
  runtime = world.path('runtime');
  mkdirSync(runtime, { mode: 0o700 });
  chownSync(runtime, NOBODY, NOBODY);
  chmodSync(world.path(''), 0o755);
});
afterEach(() => world.cleanUp());

/** The command line of overtap as the user runs it. */
function asUser(
  words: readonly string[],
  { tun = '666', before = [] as readonly string[], env = [] as readonly string[] } = {},
): string[] {
  const program = ['env', `XDG_RUNTIME_DIR=${runtime}`, ...env, process.execPath, OVERTAP, ...words];
  return [...MOUNTED, join(folder, `tun-${tun}`), ...USER, ...before, ...program];
}

const run = (...words: string[]): Promise<Ended> => world.exec(netns, asUser(words));

/** Runs a command of overtap that must succeed. */
async function done(...words: string[]): Promise<string> {
  const ended = await run(...words);
  expect(ended, words.join(' ')).toMatchObject({ status: 0 });
  return ended.stdout;
}

/** Namespaces with the number of a process are those of other tests. */
const expectNothingLeft = (): void => {
  expect(readdirSync(runtime).flatMap((name) => readdirSync(join(runtime, name)))).toEqual([]);
  expect(readdirSync('/run/netns').filter((name) => /^ovt-(?!t\d+-)/.test(name))).toEqual([]);
  expect(readdirSync('/tmp').filter((name) => /^overtap\.\w{6}$/.test(name))).toEqual([]);
};

test('lab run one-vxlan-many-vlans', async () => {
  const { status, stdout, stderr } = await run('lab', 'run', 'one-vxlan-many-vlans');
  expect(stdout).toContain('14 of 14 claims proved');
  expect([status, stderr]).toEqual([
    0,
    expect.stringMatching(/^overtap: not root: the lab is made in user, network and mount/),
  ]);
  expectNothingLeft();
});

test('Ctrl-C during lab run: nothing is left, and the status is 130', async () => {
  const program = world.spawn(netns, asUser(['lab', 'run', 'one-vxlan-many-vlans']));
  await program.line('a switch is ready', (line) => line.includes('is ready'));
  expect((await program.stop('SIGINT')).ended.status).toBe(130);
  expectNothingLeft();
});

test('a lab that is up is checked, shown and taken down by other commands of the user', async () => {
  const up = await done('lab', 'up', 'point-to-point');
  const socket = join(runtime, 'overtap/lab/point-to-point/h1.sock');
  expect(up).toContain(`overtap -s ${socket} fdb show`);
  expect(up).toContain('overtap lab shell h1 --lab point-to-point -- ip neigh');
  expect(await done('lab', 'shell', 'h1', '--', 'ip', '-br', 'link')).toContain('vxlan0');
  expect(await done('lab', 'list')).toMatch(/^point-to-point +up \d+ s /m);
  const checked = await done('lab', 'check', 'point-to-point');
  expect(checked).not.toMatch(/^FAIL/m);
  expect(checked).toMatch(/^ok +10 MB over TCP/m);
  expect(await done('-s', socket, 'fdb', 'show')).toContain('dst 192.0.2.2');
  await done('lab', 'down', 'point-to-point');
  expectNothingLeft();
});

test("a lab of a file, with weather, is the user's own too", async () => {
  const file = world.path('mine.yaml');
  writeFileSync(file, templateOf('mine'));
  chmodSync(file, 0o644);
  expect(await done('lab', 'up', file)).toContain('alice  10.0.10.1/24 on eth0');
  expect(await done('lab', 'shell', 'alice', '--', 'ip', '-br', 'address')).toContain('10.0.10.1/24');
  await done('lab', 'weather', 'alice', 'clear', 'delay', '3ms', 'from', 'alice');
  expect(await done('lab', 'weather')).toContain('alice  alice -> h1: delay 3ms');
  expect(await done('lab', 'check', 'mine')).not.toMatch(/^FAIL/m);
  await done('lab', 'down', file);
  expectNothingLeft();
});

test("root reads no state of labs in /run/overtap, which may be the service's", async () => {
  const state = { lab: 'point-to-point', namespaces: [], switches: [] };
  const script = `mount -t tmpfs tmpfs /run/overtap && mkdir -p /run/overtap/lab/point-to-point
    echo '${JSON.stringify(state)}' >/run/overtap/lab/point-to-point/state.json && exec "$@"`;
  mkdirSync('/run/overtap', { recursive: true });
  const down = [process.execPath, OVERTAP, 'lab', 'down', 'point-to-point'];
  const ended = await world.exec(netns, [
    'unshare',
    '-m',
    '--propagation',
    'private',
    'sh',
    '-c',
    script,
    'sh',
    ...down,
  ]);
  expect(ended).toMatchObject({ status: 0, stdout: 'lab point-to-point is not up\n' });
});

describe('run', () => {
  const TWO = `  br1:
    ports:
      a: { type: tap, ifname: ta, addresses: [198.18.3.1/24] }
      b: { type: tap, ifname: tb, netns: g2, addresses: [198.18.3.2/24] }
`;
  /** Without `control:` the socket is where it is by default. */
  const configOf = (bridges: string): string => {
    const path = world.file('plain.yaml', `bridges:\n${bridges}`);
    chmodSync(path, 0o644);
    return path;
  };

  test('two TAPs, one in a namespace that the user makes: a ping, commands from outside, a reload, an orderly end', async () => {
    const config = configOf(TWO);
    const control = join(runtime, 'overtap/overtap.sock');
    const program = world.spawn(netns, asUser(['run', '-c', config]));
    const sw = new RunningSwitch(program, control);
    await sw.ready();
    const [, enter = ''] = /"(nsenter [^"]*)" enters them/.exec(program.errors) ?? [];
    const inside = (...words: string[]): Promise<Ended> => world.exec(netns, [...USER, ...enter.split(' '), ...words]);
    expect(await inside('ip', 'netns', 'add', 'g2')).toMatchObject({ status: 0, stderr: '' });
    await until('both NICs are there', async () => (await sw.links()).every(({ operstate }) => operstate === 'UP'));
    const pinged = await inside('ping', '-c', '2', '-i', '0.2', '-I', 'ta', '198.18.3.2');
    expect(pinged.stdout).toContain('2 packets transmitted, 2 received');
    // Without -s: the user's own switch is found.
    const rows = JSON.parse(await done('--json', 'fdb', 'show')) as { ifname: string; state: string }[];
    expect(
      rows
        .filter(({ state }) => state === 'dynamic')
        .map(({ ifname }) => ifname)
        .sort(),
    ).toEqual(['a', 'b']);
    const doctor = await run('doctor');
    expect(doctor.stdout).toContain(
      `rights of the switch, process ${program.pid}: DAC_READ_SEARCH, NET_BIND_SERVICE, NET_ADMIN`,
    );
    expect(doctor.stdout).toContain(`run it there: ${enter} overtap`);

    for (const task of readdirSync(`/proc/${program.pid}/task`)) {
      const status = readFileSync(`/proc/${program.pid}/task/${task}/status`, 'utf8');
      expect(status).toMatch(/^CapEff:\s*0000008000283404$/m);
      expect(status).toMatch(/^Uid:\s*65534\s/m);
    }
    await done('link', 'add', 'c', 'master', 'br1', 'type', 'tap', 'ifname', 'tc');
    program.signal('SIGHUP');
    await until('the file is applied again', async () => (await sw.links()).every(({ ifname }) => ifname !== 'c'));
    expect(await world.nics(netns)).toEqual([]);
    const { ended } = await sw.stop('SIGINT');
    expect(ended).toMatchObject({ status: 0 });
    expectNothingLeft();
  });

  test('no NIC to be made: it runs where it is', async () => {
    const config = configOf(
      '  br1:\n    ports:\n      v: { type: vxlan, id: 7, local: 127.0.0.1, remotes: [127.0.0.2] }\n',
    );
    const control = join(runtime, 'overtap/overtap.sock');
    const program = world.spawn(netns, asUser(['run', '-c', config]));
    await new RunningSwitch(program, control).ready();
    expect(program.errors).toBe('');
    expect(existsSync(control)).toBe(true);
    expect(readlinkSync(`/proc/${program.pid}/ns/net`)).toBe(`net:[${statSync(`/run/netns/${netns}`).ino}]`);
  });

  test('a descriptor that the switch was given is there in its namespaces too', async () => {
    const config = configOf('  br1:\n    ports:\n      a: { type: tap, ifname: ta }\n      b: { type: tap, fd: 7 }\n');
    const words = ['sh', '-c', 'exec "$@" 7<>/dev/null', 'sh'];
    const { status, stderr } = await world.exec(netns, asUser(['run', '-c', config], { before: words }));
    expect([status, stderr]).toEqual([1, expect.stringContaining('descriptor 7 is no TAP and no TUN')]);
  });

  test('a /run that cannot be copied: one line says so, and nothing is left', async () => {
    const tools = world.path('tools');
    mkdirSync(tools);
    writeFileSync(join(tools, 'mount'), '#!/bin/sh\ncase "$*" in *rbind*) exit 32;; esac; exec /bin/mount "$@"\n');
    chmodSync(join(tools, 'mount'), 0o755);
    const words = ['run', '-c', configOf(TWO)];
    const { status, stderr } = await world.exec(netns, asUser(words, { env: [`PATH=${tools}:${process.env.PATH}`] }));
    expect([status, stderr]).toEqual([32, expect.stringContaining('overtap: its own /run cannot be made')]);
    expectNothingLeft();
  });

  test('a runtime folder that cannot be is named at once', async () => {
    const env = ['XDG_RUNTIME_DIR=/proc/none'];
    const [lab, plain] = await Promise.all(
      [
        ['lab', 'up', 'point-to-point'],
        ['run', '-c', configOf('  br1: { ports: {} }\n')],
      ].map((words) => world.exec(netns, asUser(words, { env }))),
    );
    const says = '/proc/none/overtap cannot be made (ENOENT)';
    expect([lab.status, lab.stderr]).toEqual([1, expect.stringContaining(says)]);
    expect([plain.status, plain.stderr]).toEqual([1, expect.stringContaining(says)]);
  });

  test("nothing is read in another user's folder of labs", async () => {
    const labs = join(runtime, 'overtap/lab/point-to-point');
    mkdirSync(labs, { recursive: true });
    const planted = { lab: 'point-to-point', namespaces: ['precious'], switches: [] };
    writeFileSync(join(labs, 'state.json'), JSON.stringify(planted));
    for (const words of [
      ['down', 'point-to-point'],
      ['check', 'point-to-point'],
      ['shell', 'h1', '--lab', 'point-to-point'],
      ['weather', '--lab', 'point-to-point'],
    ]) {
      const { status, stderr } = await run('lab', ...words);
      expect([status, stderr], words.join(' ')).toEqual([
        1,
        expect.stringContaining('/overtap belongs to others: set XDG_RUNTIME_DIR'),
      ]);
    }
    expect(await done('lab', 'list')).not.toMatch(/ up /);
    rmSync(join(runtime, 'overtap'), { recursive: true });
  });

  /** Without any user namespace in a user namespace that this test makes. */
  const NO_USERS = [
    ...['unshare', '--user', '--map-current-user', '--keep-caps', 'sh', '-c'],
    'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --ambient-caps=-all -- "$@"',
    'sh',
  ];
  const HOSTS = [
    {
      host: 'without user namespaces',
      options: { before: NO_USERS },
      says: 'user.max_user_namespaces is 0 (unshare: unshare failed: No space left on device); let root do "sysctl -w user.max_user_namespaces=10000"',
    },
    {
      host: 'with a /dev/net/tun of root',
      options: { tun: '600' },
      says: '/dev/net/tun cannot be opened (EACCES); let root do "chmod 0666 /dev/net/tun", as udev has it',
    },
    {
      host: 'without util-linux',
      options: { env: ['PATH=/nowhere'] },
      says: 'there is no unshare(1); install util-linux',
    },
  ];
  test.each(HOSTS)('a host $host: one line says what to do', async ({ options, says }) => {
    const config = configOf(TWO);
    const [lab, refused, doctor] = await Promise.all(
      [
        ['lab', 'run', 'point-to-point'],
        ['run', '-c', config],
        ['doctor', '--host'],
      ].map((words) => world.exec(netns, asUser(words, options))),
    );
    const words = 'labs need root, or namespaces of your own, which are not possible';
    expect([lab.status, lab.stderr]).toEqual([1, `overtap: ${words}: ${says}, or try sudo\n`]);
    const [first, ...rest] = refused.stderr.trim().split('\n');
    expect(first).toBe(`overtap: not root, and namespaces of its own are not possible: ${says}, or run it as root`);
    expect([refused.status, rest]).toEqual([1, [expect.stringMatching(/^overtap: .*cannot open the TAP ta: /)]]);
    expect([doctor.status, doctor.stdout]).toEqual([1, expect.stringContaining(says)]);
    expectNothingLeft();
  });
});

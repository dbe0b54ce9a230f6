import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { controlPathFault } from '../../../src/config/control-path.js';
import { examineSocket, SocketName } from '../../../src/control/http/control-socket.js';
import type { SwitchConfig } from '../../../src/config/types.js';
import { type ControlServer, serve } from '../../../src/control/http/server.js';
import { accessOf } from '../../../src/control/http/socket-access.js';
import { FakeControls, FakeViews } from './server-harness.js';

let folder: string;
let path: string;
const servers: ControlServer[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-socket-'));
  path = join(folder, 'control.sock');
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(at = path): Promise<ControlServer> {
  const server = await serve(at, new FakeViews(), new FakeControls());
  servers.push(server);
  return server;
}

/** A socket as a switch leaves it that was killed. */
function leaveDeadSocket(at = path): void {
  const code = `require('net').createServer().listen(${JSON.stringify(at)}, () => process.kill(process.pid, 'SIGKILL'))`;
  try {
    execFileSync(process.execPath, ['-e', code]);
  } catch {
    // It is killed.
  }
  expect(lstatSync(at).isSocket()).toBe(true);
}

/** Everything that is no socket. */
const others: [string, () => void, string][] = [
  ['a file', () => writeFileSync(path, 'precious'), 'a file'],
  ['a FIFO', () => execFileSync('mkfifo', [path]), 'a FIFO'],
  ['a directory', () => mkdirSync(path), 'a directory'],
  ['a symbolic link to nothing', () => symlinkSync(join(folder, 'nothing'), path), 'a symbolic link'],
  [
    'a symbolic link to a file',
    () => {
      writeFileSync(join(folder, 'file'), 'precious');
      symlinkSync(join(folder, 'file'), path);
    },
    'a symbolic link',
  ],
];

describe('a server that succeeds another one', () => {
  it('takes its path at once, and the former one leaves it there', async () => {
    const former = await open();
    const next = await serve(path, new FakeViews(), new FakeControls(), { succeeds: true });
    servers.push(next);
    const before = lstatSync(path).ino;
    expect(await next.connections()).toBe(0);
    next.takeName();
    expect(lstatSync(path).ino).not.toBe(before);
    expect(readdirSync(folder)).toEqual(['control.sock']);
    await former.close();
    expect(existsSync(path)).toBe(true);
    await next.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves nothing when it does not', async () => {
    await open();
    const before = lstatSync(path).ino;
    const next = await serve(path, new FakeViews(), new FakeControls(), { succeeds: true });
    await next.close();
    expect(readdirSync(folder)).toEqual(['control.sock']);
    expect(lstatSync(path).ino).toBe(before);
  });

  it.each(others)('does not replace %s', async (_what, make, kind) => {
    make();
    const before = lstatSync(path);
    const next = SocketName.beside(path, () => Promise.reject(new Error('it listens')));
    await expect(next).rejects.toThrow(`is ${kind}, not a socket`);
    expect(lstatSync(path).ino).toBe(before.ino);
  });
});

describe('a path that is taken by', () => {
  it.each(others)('%s is refused, and what is there stays', async (_what, make, kind) => {
    make();
    const before = lstatSync(path);
    expect(controlPathFault(path)).toContain(`${path} is ${kind}, not a socket`);
    await expect(examineSocket(path)).rejects.toThrow(`is ${kind}, not a socket`);
    await expect(open()).rejects.toThrow(`is ${kind}, not a socket`);
    const after = lstatSync(path);
    expect([after.ino, after.mode, after.mtimeMs]).toEqual([before.ino, before.mode, before.mtimeMs]);
    if (before.isFile()) expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  it('a living switch is refused, and that one keeps its socket', async () => {
    await open();
    const { ino } = lstatSync(path);
    expect(controlPathFault(path)).toBeNull();
    await expect(examineSocket(path)).rejects.toThrow(`a switch already answers on ${path}`);
    await expect(open()).rejects.toThrow(`a switch already answers on ${path}`);
    expect(lstatSync(path).ino).toBe(ino);
    expect(readdirSync(folder)).toEqual(['control.sock']);
  });

  it('a dead socket is taken over, and only when the server listens', async () => {
    leaveDeadSocket();
    const { ino } = lstatSync(path);
    await examineSocket(path);
    expect(lstatSync(path).ino).toBe(ino);
    await open();
    expect(lstatSync(path).ino).not.toBe(ino);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['control.sock']);
  });
});

it('of many that start at once on a dead socket, one gets the name', async () => {
  leaveDeadSocket();
  const listening: Server[] = [];
  // In one process all would have the same temporary name: they listen elsewhere, and link from there.
  const start = async (i: number): Promise<SocketName> => {
    const own = join(folder, `own${i}`);
    mkdirSync(own);
    return SocketName.claim(path, async (temporary) => {
      const server = createServer();
      listening.push(server);
      await new Promise<void>((done) => server.listen(join(own, 's'), done));
      execFileSync('mv', [join(own, 's'), temporary]);
    });
  };
  const outcomes: PromiseSettledResult<SocketName>[] = [];
  outcomes.push(await start(0).then((value) => ({ status: 'fulfilled', value }) as const));
  for (let i = 1; i < 4; i++) outcomes.push(...(await Promise.allSettled([start(i)])));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
  for (const server of listening) server.close();
});

it('at the end only the own socket is removed', async () => {
  const first = await open();
  rmSync(path);
  await open();
  const { ino } = lstatSync(path);
  await first.close();
  expect(lstatSync(path).ino).toBe(ino);
  const last = await open(join(folder, 'other.sock'));
  rmSync(join(folder, 'other.sock'));
  writeFileSync(join(folder, 'other.sock'), 'precious');
  await last.close();
  expect(readFileSync(join(folder, 'other.sock'), 'utf8')).toBe('precious');
});

describe('a path', () => {
  it('whose directory is not there gets it', async () => {
    const deep = join(folder, 'a', 'b', 'control.sock');
    expect(controlPathFault(deep)).toBeNull();
    await open(deep);
    expect(existsSync(deep)).toBe(true);
  });

  it('in /proc or /sys is refused, at once', async () => {
    for (const kernel of ['/proc/x/y.sock', '/proc/y.sock', '/sys/x/y.sock']) {
      expect(controlPathFault(kernel)).toContain('no socket can be made in');
      await expect(examineSocket(kernel)).rejects.toThrow('no socket can be made in');
      await expect(open(kernel)).rejects.toThrow(/directory|cannot be made|no socket/);
    }
  });

  it('is made while a process of the same number makes another one beside it, as in two PID namespaces', async () => {
    const other = join(folder, 'other.sock');
    const servers = [createServer(), createServer()] as const;
    const listen = (server: Server) => (at: string) => new Promise<void>((done) => server.listen(at, done));
    try {
      await SocketName.claim(path, async (temporary) => {
        await listen(servers[0])(temporary);
        await SocketName.claim(other, listen(servers[1]));
      });
      expect([path, other].every((one) => lstatSync(one).isSocket())).toBe(true);
      expect(readdirSync(folder).sort()).toEqual(['control.sock', 'other.sock']);
    } finally {
      for (const server of servers) server.close();
    }
  });

  it('that leads through a file is refused', async () => {
    writeFileSync(join(folder, 'file'), '');
    const through = join(folder, 'file', 'control.sock');
    expect(controlPathFault(through)).toContain(`${join(folder, 'file')} is a file, not a directory`);
    await expect(examineSocket(through)).rejects.toThrow('not a directory');
  });

  it('is as long as a socket may be, and no longer', async () => {
    const long = join(folder, 'x'.repeat(107 - folder.length - 1));
    expect(controlPathFault(long)).toBeNull();
    await open(long);
    expect(controlPathFault(`${long}x`)).toContain('too long for a socket by 1 bytes');
    expect(controlPathFault('/run/overtap/')).toContain('ends with a slash');
    await expect(examineSocket(`${long}x`)).rejects.toThrow('too long');
  });
});

describe('access to the socket', () => {
  const config = (given: object): SwitchConfig => given as SwitchConfig;

  it("is its owner's, if the configuration says nothing", () => {
    expect(accessOf(config({}))).toEqual({ mode: 0o600, gid: null });
    expect(accessOf(config({ control_mode: '0666' }))).toEqual({ mode: 0o666, gid: null });
  });

  it("is also the group's, if there is one", () => {
    expect(accessOf(config({ control_group: 'daemon' }))).toEqual({ mode: 0o660, gid: 1 });
    expect(accessOf(config({ control_group: 77, control_mode: '0600' }))).toEqual({ mode: 0o600, gid: 77 });
  });

  it('needs a group that exists', () => {
    expect(() => accessOf(config({ control_group: 'no-such-group' }))).toThrow(/this host has no group no-such-group/);
  });

  it('is given before the socket has its name', async () => {
    servers.push(await serve(path, new FakeViews(), new FakeControls(), { access: { mode: 0o660, gid: 1 } }));
    const { mode, gid } = lstatSync(path);
    expect([mode & 0o777, gid]).toEqual([0o660, 1]);
    expect(readdirSync(folder)).toEqual(['control.sock']);
  });

  it.runIf(process.getuid?.() === 0)('that cannot be given is refused, and leaves nothing behind', async () => {
    chmodSync(folder, 0o777);
    process.setegid?.(65_534);
    process.seteuid?.(65_534);
    try {
      const opening = serve(path, new FakeViews(), new FakeControls(), { access: { mode: 0o660, gid: 1 } });
      await expect(opening).rejects.toThrow(/cannot be given to group 1: EPERM/);
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
    }
  });
});

/** Folders of `overtap exec`: those of processes that are gone are removed, and no others. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFolder, preloadable, removeLeft } from '../../src/exec/folder.js';
import { must } from '../../src/lab/testbed/program.js';

const HOUR_S = 3600;

let parent: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'overtap-folder-test-'));
});

afterEach(() => rmSync(parent, { recursive: true, force: true }));

function age(folder: string): void {
  const then = Date.now() / 1000 - HOUR_S;
  utimesSync(folder, then, then);
}

/** The folder of a process that was killed while it listened. */
async function leftFolder(): Promise<string> {
  const { folder, socket } = makeFolder(parent);
  const code = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await expect(must([process.execPath, '-e', code])).rejects.toThrow();
  expect(existsSync(socket)).toBe(true);
  return folder;
}

test('a killed process leaves a folder, which a later start removes with all that is in it', async () => {
  const folder = await leftFolder();
  mkdirSync(join(folder, 'sys-1'));
  writeFileSync(join(folder, 'sys-1', 'file'), '');
  await removeLeft(parent);
  expect(existsSync(folder), 'a folder that may be in the making is left').toBe(true);
  age(folder);
  await removeLeft(parent);
  expect(existsSync(folder)).toBe(false);
});

test('folders whose socket is listened on, of other names, and links stay', async () => {
  const { folder, socket } = makeFolder(parent);
  const server = createServer().listen(socket);
  await new Promise((resolve) => server.once('listening', resolve));
  const others = ['overtap-exec-', 'overtap-exec-more1234', 'overtap-lab-abcdef'].map((name) => join(parent, name));
  for (const path of others) mkdirSync(path);
  const far = await leftFolder();
  const kept = join(parent, 'kept');
  mkdirSync(kept);
  const link = join(parent, 'overtap-exec-linked');
  symlinkSync(kept, link);
  for (const path of [folder, ...others, far, kept]) age(path);
  await removeLeft(parent);
  expect([folder, ...others, kept, link].filter((path) => !existsSync(path))).toEqual([]);
  expect(existsSync(far)).toBe(false);
  server.close();
});

test('a folder that cannot be read is no fault', async () => {
  await removeLeft(join(parent, 'missing'));
});

test('a path that LD_PRELOAD would split is given as that of a link', () => {
  expect(preloadable('/usr/lib/overtap-exec.so', parent)).toBe('/usr/lib/overtap-exec.so');
  const link = preloadable('/home/a b/c:d/overtap-exec.so', parent);
  expect(link).not.toMatch(/[\s:]/);
  expect(readlinkSync(link)).toBe('/home/a b/c:d/overtap-exec.so');
});

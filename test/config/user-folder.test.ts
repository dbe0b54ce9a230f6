import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { defaultSocket, isPrivate, userFolder, userSocket } from '../../src/config/user-folder.js';

const HOSTS = '/run/overtap/overtap.sock';
const uid = process.geteuid?.() ?? 0;
let scratch = '';
const made: string[] = [];

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'overtap-user-'));
  made.push(scratch);
});
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true });
});

test("a user's folder is in the runtime folder, otherwise in /tmp", () => {
  expect(userFolder({ XDG_RUNTIME_DIR: '/run/user/7' }, 7)).toBe('/run/user/7/overtap');
  expect(userFolder({ XDG_RUNTIME_DIR: 'relative' }, 7)).toBe('/tmp/overtap-7');
  expect(userFolder({}, 7)).toBe('/tmp/overtap-7');
  expect(userSocket({}, 7)).toBe('/tmp/overtap-7/overtap.sock');
});

test('a folder that others own, or may write to, or a link is not private', () => {
  const folder = join(scratch, 'overtap');
  expect(isPrivate(folder, uid)).toBe(false);
  mkdirSync(folder, { mode: 0o700 });
  expect(isPrivate(folder, uid)).toBe(true);
  expect(isPrivate(folder, uid + 1)).toBe(false);
  chmodSync(folder, 0o770);
  expect(isPrivate(folder, uid)).toBe(false);
  symlinkSync(scratch, join(scratch, 'link'));
  expect(isPrivate(join(scratch, 'link'), uid)).toBe(false);
});

test("without -s a user's own switch is asked, if there is one, and never one in a folder of others", () => {
  const env = { XDG_RUNTIME_DIR: scratch };
  expect(defaultSocket(env, 0)).toBe(HOSTS);
  expect(defaultSocket(env, 7)).toBe(HOSTS);
  mkdirSync(join(scratch, 'overtap'), { mode: 0o700 });
  writeFileSync(join(scratch, 'overtap/overtap.sock'), '');
  // As root is no ordinary user, the folder is that of another one here.
  expect(defaultSocket(env, uid === 0 ? 7 : uid + 1)).toBe(HOSTS);
  if (uid !== 0) expect(defaultSocket(env, uid)).toBe(join(scratch, 'overtap/overtap.sock'));
});

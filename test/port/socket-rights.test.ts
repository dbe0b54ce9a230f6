/** Group and mode of a socket's file, whose folder another user may write to. */
import { chownSync, linkSync, lstatSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { setSocketRights } from '../../src/port/socket-rights.js';

let folder: string;
let path: string;
let server: Server;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-rights-'));
  path = join(folder, 's');
  server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const rightsOf = (file: string): [mode: number, gid: number] => {
  const { mode, gid } = lstatSync(file);
  return [mode & 0o777, gid];
};

it('are set', () => {
  const gid = process.getegid?.() ?? 0;
  setSocketRights(path, { gid, mode: 0o640 });
  expect(rightsOf(path)).toEqual([0o640, gid]);
  setSocketRights(path, { gid: -1, mode: 0o600 });
  expect(rightsOf(path)).toEqual([0o600, gid]);
});

it.each<[string, () => void]>([
  ['a link that another user has put there', () => symlinkSync(join(folder, 'precious'), path)],
  ['a file', () => linkSync(join(folder, 'precious'), path)],
  ['a socket that has another name too', () => linkSync(join(folder, 'moved'), path)],
])('never those of %s', (_what, replace) => {
  const precious = join(folder, 'precious');
  writeFileSync(precious, '', { mode: 0o600 });
  const before = rightsOf(precious);
  renameSync(path, join(folder, 'moved'));
  replace();
  const moved = rightsOf(join(folder, 'moved'));
  expect(() => setSocketRights(path, { gid: 12, mode: 0o666 })).toThrow(
    expect.objectContaining({ code: 'ESTALE', message: expect.stringContaining('another user writes to its folder') }),
  );
  expect(rightsOf(precious)).toEqual(before);
  expect(rightsOf(join(folder, 'moved'))).toEqual(moved);
});

it.runIf(process.geteuid?.() === 0)("never those of another user's socket", () => {
  chownSync(path, 65534, 65534);
  const before = rightsOf(path);
  expect(() => setSocketRights(path, { gid: -1, mode: 0o666 })).toThrow(/another user writes/);
  expect(rightsOf(path)).toEqual(before);
});

import { mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeFolder } from '../../src/port/folder.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'overtap-folder-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('is made with those around it, and may be there', () => {
  makeFolder(join(root, 'a/b'), 0o700);
  makeFolder(join(root, 'a/b'));
  expect(statSync(join(root, 'a/b')).mode & 0o777).toBe(0o700);
});

// Node's own recursive mkdir never returns there.
it.each(['/proc/none/x', '/proc/self/none', '/dev/null/x', '/sys/none'])('%s is refused at once', (path) => {
  expect(() => makeFolder(path)).toThrow(/ENOENT|ENOTDIR|EPERM|EACCES/);
});

it('a link to nothing is left as it is', () => {
  symlinkSync(join(root, 'nothing'), join(root, 'link'));
  makeFolder(join(root, 'link'));
  expect(() => statSync(join(root, 'nothing'))).toThrow('ENOENT');
});

/** Passwords of BGP sessions: whatever the file is, the control thread does not wait, and no session goes without signatures. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Passwords } from '../../../src/control/evpn/passwords.js';

let folder: string;
const faults: string[] = [];
const passwords = new Passwords((text) => faults.push(text));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'passwords-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text?: string): string {
  const path = join(folder, name);
  if (text !== undefined) writeFileSync(path, text);
  return path;
}

it('takes the first line, without its end', () => {
  expect(passwords.of(file('plain', 'secret\nnot this\n'))).toBe('secret');
  expect(passwords.of(file('dos', 'secret\r\n'))).toBe('secret');
  expect(faults.splice(0)).toEqual([]);
});

it('does not wait for the writer of a pipe, nor read a device for ever', () => {
  execFileSync('mkfifo', [file('pipe')]);
  symlinkSync('/dev/zero', file('device'));
  for (const name of ['pipe', 'device', 'missing']) {
    expect(passwords.of(file(name))).toMatch(/^[0-9a-f]{80}$/);
    expect(faults.splice(0), name).toEqual([expect.stringContaining('password_file')]);
  }
});

it('makes one that nobody knows of a file without one, and keeps to it', () => {
  for (const [name, text] of [
    ['empty', ''],
    ['blank', '\nsecond line\n'],
    ['long', 'é'.repeat(41)],
  ] as const) {
    const given = passwords.of(file(name, text));
    expect(given, name).toMatch(/^[0-9a-f]{80}$/);
    // Another one would be a change of the session.
    expect(passwords.of(file(name)), name).toBe(given);
  }
  expect(faults.splice(0)).toHaveLength(6);
});

it('keeps the password of a file that cannot be read any more, while a neighbour names it', () => {
  const path = file('gone', 'secret\n');
  expect(passwords.of(path)).toBe('secret');
  unlinkSync(path);
  expect(passwords.of(path)).toBe('secret');
  passwords.keep(new Set());
  expect(passwords.of(path)).not.toBe('secret');
});

/** What asks the kernel by netlink, where it does not answer as it should: over a kernel that is none (fake-kernel.c). */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const [EPERM, ETIMEDOUT] = [1, 110];
const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'overtap-netlink-'));
  const sources = ['fake-kernel.c', '../../src/native/netlink.c', '../../src/native/tunnel-guard.c'].map(place);
  // With what npm needs to build the addon.
  const options = ['-std=gnu11', '-D_GNU_SOURCE', '-O0', '-U_FORTIFY_SOURCE', '-o', join(directory, 'fake')];
  execFileSync(process.env.CC ?? 'cc', [...options, ...sources], { stdio: 'pipe' });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The numbers of each line. Whoever waits for ever is ended. */
function run(kernel: string): number[][] {
  const output = execFileSync(join(directory, 'fake'), [kernel], { encoding: 'utf8', timeout: 5000 });
  return output
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
}

test('an answer to the question before is not taken for the one to this', () => {
  expect(run('late')).toEqual([[EPERM]]);
});

test('an answer that does not come is not waited for', () => {
  expect(run('silent')).toEqual([[ETIMEDOUT]]);
});

test.each([
  ['none, where it says so', 'nobody', 0],
  ['somebody, where it does not answer', 'mute', 1],
  ['somebody, where its list ends with an error', 'broken', 1],
  ['somebody, where a message is longer than can be read', 'long', 1],
])('a kernel has %s who looks at what this host sends', (_, kernel, watched) => {
  expect(run(kernel)).toEqual([[watched]]);
});

test('what a kernel does not have is asked for once a minute, or when its module is there', () => {
  // The clock wraps meanwhile; the last look is after the module has come.
  expect(run('absent')).toEqual([
    [1, 1, 0],
    [1, 1, 0],
    [1, 1, 0],
    [2, 2, 0],
    [2, 2, 0],
    [3, 3, 0],
  ]);
});

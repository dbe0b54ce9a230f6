/** Netlink requests with invalid answers: over a simulated kernel (fake-kernel.c). */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { long } from '../long.js';

const [EPERM, ENOBUFS, ETIMEDOUT] = [1, 105, 110];
const READERS = [
  ...['fault.c', 'host/netlink.c', 'host/rtnetlink.c', 'gso-tap/guard.c'],
  ...['host/link-plain.c', 'host/link-state.c', 'host/netns.c'],
].map((name) => `../../src/native/${name}`);
/** Answers with an odd length somewhere, and mutated ones. */
const FUZZED = long(5_000_000, 20_000);
const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
let directory = '';

/** With what npm needs to build the addon. */
function compile(program: string, source: string, ...options: string[]): void {
  const sources = [source, 'fake-kernel.c', ...READERS].map(place);
  const common = ['-std=gnu11', '-D_GNU_SOURCE', '-U_FORTIFY_SOURCE', '-o', join(directory, program)];
  execFileSync(process.env.CC ?? 'cc', [...common, ...options, ...sources], { stdio: 'pipe' });
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'overtap-netlink-'));
  compile('cases', 'fake-kernel-cases.c', '-O0');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function output(program: string, ...words: string[]): string {
  return execFileSync(join(directory, program), words, { encoding: 'utf8', stdio: 'pipe', timeout: 600_000 });
}

/** The numbers of each line. Whoever waits for ever is ended. */
function run(kernel: string): number[][] {
  const text = execFileSync(join(directory, 'cases'), [kernel], { encoding: 'utf8', timeout: 30_000 });
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
}

/** An errno; then whether the socket was connected to the kernel, and how many questions it took. */
test.each([
  ['an answer to the question before is not taken for the one to this', 'late', EPERM, 1],
  ['an answer that does not come is not waited for', 'silent', ETIMEDOUT, 1],
  ['what others say is not taken for an answer', 'others', EPERM, 1],
  ['others that send without end are not read without end', 'flood', ETIMEDOUT, 1],
  ['a question whose answer got lost is asked once more', 'lost', EPERM, 3],
  ['a question whose answers all get lost is given up', 'always lost', ENOBUFS, 3],
])('%s', (_, kernel, number, questions) => {
  expect(run(kernel)).toEqual([[number], [1, questions]]);
});

test.each([
  ['none, where it says so', 'nobody', 0],
  ['somebody, where it does not answer', 'mute', 1],
  ['somebody, where its list ends with an error', 'broken', 1],
  ['somebody, where a message is too short to be read', 'short', 1],
])('a kernel has %s who looks at what this host sends', (_, kernel, watched) => {
  expect(run(kernel)).toEqual([[watched]]);
});

test('a chain that is no base chain looks at nothing, however long it is: what follows is waited for', () => {
  expect(run('long')).toEqual([[1]]);
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

test('of the notices of links only the whole ones of the kernel are read', () => {
  expect(run('notices')).toEqual([
    [1, 1],
    [8, 0],
  ]);
});

test(`${FUZZED} answers that no kernel gives are read within their bounds`, { timeout: 900_000 }, () => {
  compile('fuzz', 'fuzz-netlink.c', '-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all');
  expect(Number(output('fuzz', process.env.OVERTAP_SEED ?? '1', String(FUZZED)))).toBeGreaterThan(FUZZED);
});

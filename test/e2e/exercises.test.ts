/**
 * "Find the fault" by the command line: the lab as it is given is graded wrong with the right reason, mended by the model solution it is
 * solved. The names of these labs are fixed, so their namespaces are in a mount namespace of the test's own.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exerciseNamed } from '../../src/exercise/catalog.js';
import { describe as described, type Ended, Program, run } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { OVERTAP } from './switch.js';

const FOLDER = mkdtempSync(join(tmpdir(), 'overtap-exercises-'));
const LIMIT_MS = 90_000;

/** The exercises, and what the grader says of the lab as it is given. */
const FAULTS: readonly [name: string, reason: RegExp][] = [
  ['mtu', /FAILED the guests have an MTU of 1450: /],
  ['missing-pvid', /FAILED alice reaches bob: .*(\n.*)*drops of h2: no_pvid \d+/],
  ['asymmetric-vlan', /FAILED a broadcast of bob arrives at alice, and at nobody in VLAN 20: /],
  ['flood-list', /FAILED each broadcast of bob arrives once: carol: 10 missing, 0 more than once/],
  ['two-tenants-one-vni', /FAILED the wire carries red in VNI 2 and blue in VNI 3: /],
  ['mac-flapping', /FAILED each broadcast of alice arrives once: .* more than once/],
];

let place: Program;
const started: string[] = [];

beforeAll(async () => {
  const script = 'mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && echo ready && exec sleep infinity';
  place = new Program(['unshare', '-m', '--propagation', 'private', 'sh', '-c', script]);
  await until('a mount namespace', () => place.lines.includes('ready') || null);
});
afterAll(async () => {
  for (const lab of started) await overtap('lab', 'down', lab);
  await place.end();
  rmSync(FOLDER, { recursive: true, force: true });
});

function inside(...words: string[]): Promise<Ended> {
  const env = [`OVERTAP_USER_FOLDER=${FOLDER}`, `XDG_STATE_HOME=${FOLDER}`, 'USER=ann'];
  return run(['nsenter', '-t', String(place.pid), '-m', 'env', ...env, ...words], { limitMs: LIMIT_MS });
}

const overtap = (...words: string[]): Promise<Ended> => inside(process.execPath, OVERTAP, ...words);

async function done(...words: string[]): Promise<string> {
  const ended = await overtap(...words);
  expect(ended.status, described(ended)).toBe(0);
  return ended.stdout;
}

/** Mends the lab as the author would: by commands, or by another file. */
async function mend(name: string, lab: string, file: string): Promise<void> {
  const { folder } = exerciseNamed(name);
  if (name === 'two-tenants-one-vni') {
    copyFileSync(join(folder, 'solution.yaml'), file);
    await done('lab', 'down', lab);
    await done('lab', 'up', file);
    return;
  }
  const script = readFileSync(join(folder, 'solution.sh'), 'utf8').replaceAll(
    /\bovertap (lab|vlan|fdb|link)\b/g,
    (_, word: string) => `${process.execPath} ${OVERTAP} ${word}`,
  );
  const ended = await inside('sh', '-ec', script);
  expect(ended.status, described(ended)).toBe(0);
}

test.each(cases(FAULTS, 1))('%s: wrong as it is given, solved when it is mended', async (name, reason) => {
  const lab = exerciseNamed(name).lab ?? '';
  const file = join(FOLDER, 'overtap', 'exercise', 'ann', name, 'lab.yaml');
  await done('exercise', 'start', name);
  const early = await overtap('exercise', 'check', name);
  expect([early.status, early.stderr]).toEqual([
    2,
    `overtap: lab ${lab} is not up; bring it up: overtap lab up ${file}\n`,
  ]);
  started.push(lab);
  await done('lab', 'up', file);
  const wrong = await overtap('exercise', 'check', name);
  expect(wrong.status, described(wrong)).toBe(1);
  expect(wrong.stdout).toMatch(reason);
  expect(wrong.stdout).toContain(`not solved yet: ${name}; a hint: overtap exercise hint ${name}`);
  await mend(name, lab, file);
  const right = await overtap('exercise', 'check', name);
  expect(right.status, described(right)).toBe(0);
  expect(right.stdout).not.toContain('FAILED');
  expect(right.stdout).toContain(`solved: ${name}`);
  await done('lab', 'down', lab);
  const report = JSON.parse(await done('exercise', 'report', '--json')) as { exercise: string }[];
  expect(report.find(({ exercise }) => exercise === name)).toMatchObject({ attempts: 2, solved: true, student: 'ann' });
});

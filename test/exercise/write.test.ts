/** "Write the stage": the model solutions pass, wrong ones fail with the right reason, and no code of a student harms the grader. */
import { existsSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { StageOptions } from '../../src/exercise/write/stage-process.js';
import { cases, long } from '../long.js';
import { type Classroom, classroom, modelSolution } from './exercise-support.js';

let room: Classroom;
beforeAll(() => {
  room = classroom();
});
afterAll(() => room.remove());

/** Grades a text as the stage of a student. */
async function graded(
  exercise: string,
  text: string,
  file = 'stage.mjs',
  stages?: StageOptions,
): Promise<{ solved: boolean; text: string }> {
  const course = room.course('ann', stages);
  await course.start(exercise, () => undefined);
  writeFileSync(room.file('ann', exercise, file), text);
  return room.check(course, exercise);
}

/** Hidden cases that a model solution meets. */
const CASES = long(40, 8);
const WRITE = ['write-learning', 'write-vlan', 'write-flood'];
const model = (exercise: string): string => modelSolution(exercise, 'solution.mjs');

describe.each(WRITE)('%s', (exercise) => {
  it('is solved by the model solution', async () => {
    const { solved, text } = await graded(exercise, model(exercise), 'stage.mjs', { cases: CASES });
    expect(text).toContain(`ok     ${CASES} hidden cases: the stage does what the data path does`);
    expect(solved).toBe(true);
  });

  it('is not solved by what the student starts with', async () => {
    const { solved, text } = await graded(exercise, modelSolution(exercise, 'stage.mjs'));
    expect(text).toMatch(/FAILED case \d+ of 40: call \d+ of \d+: your stage says "[^"]+", the switch does "[^"]+"/);
    expect(text).toContain('  it got: ');
    expect(text).toContain('  why: ');
    expect(solved).toBe(false);
  });
});

/** A wrong solution: a part of the model that is left out, and a word of the reason. */
const WRONG: readonly [exercise: string, what: string, from: string, to: string, reason: RegExp][] = [
  ['write-learning', 'one table for all VLANs', 'if (destination', 'vlan = 0; if (destination', /the switch does "/],
  ['write-learning', 'no ageing', 'now - known.seen > AGEING', 'false', /the switch does "flood"/],
  ['write-learning', 'a copy back to its port', "known.port === port ? 'drop' : known.port", 'known.port', /"drop"/],
  ['write-learning', 'no link-local addresses', "destination.startsWith('01:80:c2:00:00:0')", 'false', /"drop"/],
  ['write-vlan', 'a priority tag as VLAN 0', 'if (vid === 0) {', 'if (vid === 0 && frame[12] !== 0x81) {', /bytes/],
  ['write-vlan', 'no look at membership', 'vlans.includes(vid) ? vid : ', 'vid ? vid : ', /"vlan_not_allowed"/],
  ['write-vlan', 'no look at the length', "if (frame.length < 18) return 'frame_too_short';", '', /"frame_too_short"/],
  ['write-vlan', 'priority bits in the VID', '& 0x0fff', '& 0xffff', /your stage says/],
  ['write-flood', 'no split horizon', 'name === frame.port || ', '', /your stage says ".*", the switch does/],
  ['write-flood', 'copies between isolated ports', '(isolated && ingress.isolated)', 'false', /isolated/],
  ['write-flood', 'the VLAN in place of the VNI', 'tunnel.vnis[frame.vlan]', 'frame.vlan', /to 192\.0\.2\.\d vni 50/],
  ['write-flood', 'ports that are down', '!up || ', '', /the switch does/],
];

it.each(cases(WRONG, 4))('%s: %s is wrong', async (exercise, _, from, to, reason) => {
  const text = model(exercise);
  expect(text).toContain(from);
  const found = await graded(exercise, text.replace(from, to));
  expect(found.solved).toBe(false);
  expect(found.text).toContain('FAILED case ');
  expect(found.text).toMatch(reason);
});

/** Code that would harm a grader that ran it itself. */
const HARM: readonly [what: string, text: string, reason: RegExp][] = [
  [
    'an exception',
    'export const decide = (fdb, frame) => frame.nothing.here;',
    /it threw TypeError: .*\n.*stage\.mjs:1/,
  ],
  ['no such function', 'export const other = 1;', /exports no function decide/],
  ['no JavaScript', 'export function decide( {', /cannot be loaded: it threw SyntaxError/],
  [
    'another result',
    'export const decide = () => ({ a: 1 });',
    /decide\(\) returned \{"a":1\}; it returns the name of a port/,
  ],
  ['no result', 'export const decide = () => {};', /returned undefined or null/],
  ['a promise', 'export const decide = async () => "flood";', /decide is async/],
  ['an end of the process', 'export const decide = () => process.exit(0);', /ended its process with status 0/],
  [
    'much memory',
    'const all = []; export const decide = () => { for (;;) all.push(new Array(1e5).fill(7)); };',
    /more memory/,
  ],
  ['a large answer', 'export const decide = () => "x".repeat(1e5);', /more than 1 MiB/],
];

describe('code of a student', () => {
  it.each(cases(HARM, 4))('%s ends the grading with a reason', async (_, text, reason) => {
    const found = await graded('write-learning', text);
    expect(found.solved).toBe(false);
    expect(found.text).toMatch(reason);
  });

  it('an endless loop ends by the clock', async () => {
    const found = await graded('write-learning', 'export function decide() { for (;;); }', 'stage.mjs', {
      caseLimitMs: 500,
    });
    expect(found.text).toMatch(/decide\(\) did not come to an end within 0\.5 s: is there an endless loop\?/);
    expect(found.solved).toBe(false);
  });

  it('writes no file and starts no program', async () => {
    const path = `${room.folder}/written`;
    const code = `
      import { writeFileSync } from 'node:fs';
      import { execFileSync } from 'node:child_process';
      for (const act of [() => writeFileSync(${JSON.stringify(path)}, ''), () => execFileSync('touch', [${JSON.stringify(path)}])]) {
        try { act(); } catch (error) { console.log(error.code); }
      }
      export const decide = () => 1;`;
    const found = await graded('write-learning', code);
    expect(found.text).toContain('ERR_ACCESS_DENIED\nERR_ACCESS_DENIED');
    expect(existsSync(path)).toBe(false);
  });

  it('sends no signals: neither the end of the grader, nor SIGUSR1, which opens its debugger', async () => {
    const code = `
      const acts = ['kill', '_kill', '_debugProcess'].map((name) => () => process[name](process.ppid, 0));
      export function decide() {
        for (const act of acts) { try { act(); console.log('done'); } catch (error) { console.log(error.message); } }
        return 1;
      }`;
    const found = await graded('write-learning', code);
    expect(found.text).toContain('a stage sends no signals\n'.repeat(3));
    expect(found.text).not.toContain('done');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('an endless loop ends with a grader that %s ends', async (signal) => {
    const before = process.listeners(signal);
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true); // of this process
    try {
      const grading = graded('write-learning', 'export function decide() { process.stdout.write("x"); for (;;); }');
      await vi.waitFor(() => expect(process.listeners(signal).length).toBe(before.length + 1), 20_000);
      process.listeners(signal).at(-1)?.(signal);
      expect((await grading).text).toContain('was ended by SIGKILL');
      expect(kill).toHaveBeenCalledWith(process.pid, signal);
      expect(process.listeners(signal)).toEqual(before);
    } finally {
      kill.mockRestore();
    }
  });

  it('may be TypeScript where Node runs it, and is told otherwise', async () => {
    const text = model('write-vlan').replace('frame)', 'frame: Uint8Array): number | string');
    const graders = graded('write-vlan', text, 'stage.ts');
    const runs = (process.features as { typescript?: unknown }).typescript === 'strip';
    if (runs) expect((await graders).solved).toBe(true);
    else await expect(graders).rejects.toThrow(/runs no TypeScript; take Node 22.18 or newer, or remove/);
  });
});

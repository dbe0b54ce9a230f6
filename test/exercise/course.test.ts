/** The exercises as data, the state of students, hints and reports. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseLabFile } from '../../src/lab/file/read.js';
import { exerciseNamed, exercises, fileOf, KINDS } from '../../src/exercise/catalog.js';
import { csvOf } from '../../src/exercise/index.js';
import { type Classroom, classroom } from './exercise-support.js';

let room: Classroom;
beforeEach(() => {
  room = classroom();
});
afterEach(() => room.remove());

describe('the exercises', () => {
  it('are twelve in their order, of three kinds', () => {
    const all = exercises();
    expect(all.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(KINDS.map((kind) => all.filter((one) => one.kind === kind).length)).toEqual([6, 3, 3]);
  });

  it.each(exercises())('$name has a task that says what to read, to type, and to reach', (exercise) => {
    const task = fileOf(exercise, 'task.md');
    expect(task.startsWith(`# ${exercise.number}. `)).toBe(true);
    for (const words of ['Read first: docs/internals.md', 'Type', 'Solved: ', `exercise check ${exercise.name}`])
      if (exercise.name !== 'mtu' || !words.startsWith('Read')) expect(task).toContain(words);
    for (const path of task.match(/(src|docs)\/[\w/.-]+\.(ts|md)/g) ?? []) expect(existsSync(path), path).toBe(true);
    expect(readFileSync('docs/course.md', 'utf8')).toContain(exercise.name);
  });

  it.each(exercises().filter(({ kind }) => kind === 'fault'))(
    '$name: hidden checks name what its lab has',
    (exercise) => {
      const lab = fileOf(exercise, 'lab.yaml');
      const hidden = fileOf(exercise, 'hidden.yaml').replace(/^checks:\n/, '');
      expect(parseLabFile(lab, 'lab.yaml').lab).toBe(exercise.lab);
      const both = parseLabFile(`${lab.trimEnd()}\n${hidden}`, 'both.yaml');
      expect(both.checks.length).toBeGreaterThan(3);
      expect(lab).not.toContain(hidden);
      expect(exercise.files).toEqual(['lab.yaml']);
    },
  );
});

describe('a student', () => {
  it('gets files once, and keeps what is written there', async () => {
    const course = room.course('ann');
    const lines: string[] = [];
    await course.start('write-vlan', (line) => lines.push(line));
    const stage = room.file('ann', 'write-vlan', 'stage.mjs');
    expect(lines.join('\n')).toContain(`nano} ${stage}`);
    expect(readdirSync(join(stage, '..')).sort()).toEqual(['stage.d.ts', 'stage.mjs', 'state.json', 'task.md']);
    writeFileSync(stage, 'mine');
    await course.start('write-vlan', (line) => lines.push(line));
    expect(readFileSync(stage, 'utf8')).toBe('mine');
    expect(lines.at(-1)).toMatch(/^You have started this before; your files in .* are as you left them\.$/);
    expect(statSync(join(stage, '..')).mode & 0o077).toBe(0);
    expect(statSync(room.file('ann', 'write-vlan', 'state.json')).mode & 0o077).toBe(0);
  });

  it('who started last is meant, otherwise the user', async () => {
    expect(room.course().student).toBe('someone');
    await room.course('bob').start('mtu', () => undefined);
    expect(room.course().student).toBe('bob');
    expect(room.course('ann').student).toBe('ann');
  });

  it.each(['', '..', '.x', 'a/b', '=1+1', '-x', 'a b', 'x'.repeat(65), 'a\nb'])('cannot be "%s"', (name) =>
    expect(() => room.course(name)).toThrow(/cannot name a student/),
  );

  it('gets hints one by one', async () => {
    const course = room.course('ann');
    await course.start('mtu', () => undefined);
    const seen = [1, 2, 3, 4].map(() => {
      const lines: string[] = [];
      course.hint('mtu', (line) => lines.push(line));
      return lines;
    });
    expect(seen.map((lines) => lines.length)).toEqual([2, 3, 4, 4]);
    expect(seen.map((lines) => lines.at(-1))).toEqual(['(1 of 3)', '(2 of 3)', '(3 of 3)', 'There are no more hints.']);
    expect(course.report()[0]?.hints).toBe(3);
  });

  it('is told what is wrong', async () => {
    const course = room.course('ann');
    await expect(course.start('write-vlann', () => undefined)).rejects.toThrow('did you mean "write-vlan"?');
    await expect(course.start('../mtu', () => undefined)).rejects.toThrow('unknown exercise');
    expect(() => course.hint('mtu', () => undefined)).toThrow(
      'ann has not started mtu; start it: overtap exercise start mtu',
    );
    await course.start('mtu', () => undefined);
    writeFileSync(room.file('ann', 'mtu', 'state.json'), '{');
    expect(() => course.hint('mtu', () => undefined)).toThrow('state.json is damaged');
  });

  it.each([
    ['a device without an end', (path: string) => symlinkSync('/dev/zero', path), 'is no regular file'],
    ['a pipe without a writer', (path: string) => execFileSync('mkfifo', [path]), 'is no regular file'],
    ['a folder', (path: string) => mkdirSync(path), 'is no regular file'],
    ['a link to itself', (path: string) => symlinkSync(path, path), 'cannot be read: ELOOP'],
    ['a large file', (path: string) => writeFileSync(path, Buffer.alloc(300_000)), 'is longer than 262144 bytes'],
  ])('whose answers are %s is told so', async (_, put, told) => {
    const course = room.course('ann');
    await course.start('predict-vlan', () => undefined);
    for (const name of ['answers.txt', 'state.json']) {
      const path = room.file('ann', 'predict-vlan', name);
      rmSync(path, { recursive: true });
      put(path);
      await expect(room.check(course, 'predict-vlan')).rejects.toThrow(`${path} ${told}`);
    }
  });

  it('is told where the pages are that a task names', async () => {
    const lines: string[] = [];
    await room.course('ann').start('mtu', (line) => lines.push(line));
    const folder = /^docs\/ and src\/ are in (.*)$/.exec(lines.at(-2) ?? '')?.[1] ?? '';
    expect(existsSync(join(folder, 'docs/internals.md'))).toBe(true);
  });

  it('has a folder that others cannot write to', async () => {
    await room.course('ann').start('mtu', () => undefined);
    chmodSync(join(room.file('ann', 'mtu', 'x'), '..', '..', '..'), 0o777);
    await expect(room.course('ann').start('mtu', () => undefined)).rejects.toThrow('can be written by others');
  });
});

describe('the report', () => {
  it('has all students, as rows and as CSV', async () => {
    await room.course('bob').start('mtu', () => undefined);
    const ann = room.course('ann', { cases: 3 });
    await ann.start('write-vlan', () => undefined);
    await room.check(ann, 'write-vlan');
    const solution = readFileSync(join(exerciseNamed('write-vlan').folder, 'solution.mjs'), 'utf8');
    writeFileSync(room.file('ann', 'write-vlan', 'stage.mjs'), solution);
    await room.check(ann, 'write-vlan');
    const rows = ann.report();
    expect(rows).toEqual([
      expect.objectContaining({
        student: 'ann',
        exercise: 'write-vlan',
        number: 3,
        attempts: 2,
        hints: 0,
        solved: true,
      }),
      expect.objectContaining({ student: 'bob', exercise: 'mtu', number: 12, attempts: 0, solved: false }),
    ]);
    expect(ann.report('bob').map(({ student }) => student)).toEqual(['bob']);
    expect(ann.list().filter(({ state }) => state !== 'new')).toEqual([
      expect.objectContaining({ name: 'write-vlan', state: 'solved' }),
    ]);
    const [head, first] = csvOf(rows).split('\r\n');
    expect(head).toBe('student,number,exercise,kind,started,attempts,hints,solved,solved_at');
    expect(first).toBe(`ann,3,write-vlan,write,${rows[0]?.started},2,0,true,${rows[0]?.solved_at}`);
  });

  it('holds no formula', () => {
    const row = {
      student: 'a',
      exercise: 'mtu',
      number: 1,
      kind: 'fault',
      attempts: 0,
      hints: 0,
      solved: false,
    } as const;
    expect(csvOf([{ ...row, started: '=HYPERLINK("x")' }]).split('\r\n')[1]).toBe(
      `a,1,mtu,fault,"'=HYPERLINK(""x"")",0,0,false,`,
    );
  });
});

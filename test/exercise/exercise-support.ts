/** Helpers of the exercise tests: a course in a folder of its own, with the runner built from its source. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { Course } from '../../src/exercise/index.js';
import type { StageOptions } from '../../src/exercise/write/stage-process.js';

export interface Classroom {
  readonly folder: string;
  course(student?: string, stages?: StageOptions): Course;
  /** Path of a student's file. */
  file(student: string, exercise: string, name: string): string;
  check(course: Course, name: string): Promise<{ solved: boolean; text: string }>;
  remove(): void;
}

export function classroom(): Classroom {
  const folder = mkdtempSync(join(tmpdir(), 'overtap-exercise-'));
  const program = buildRunner(folder);
  const root = join(folder, 'state');
  return {
    folder,
    course: (student, stages) => new Course({ XDG_STATE_HOME: root, USER: 'someone' }, student, { program, ...stages }),
    file: (student, exercise, name) => join(root, 'overtap', 'exercise', student, exercise, name),
    async check(course, name) {
      const lines: string[] = [];
      const solved = await course.check(name, (line) => lines.push(line));
      return { solved, text: lines.join('\n') };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** So that no stale build is tested. */
function buildRunner(folder: string): string {
  const home = join(folder, 'runner');
  mkdirSync(home);
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };
  const source = readFileSync(new URL('../../src/exercise/write/stage-runner.ts', import.meta.url), 'utf8');
  writeFileSync(join(home, 'stage-runner.js'), ts.transpileModule(source, { compilerOptions: options }).outputText);
  writeFileSync(join(home, 'package.json'), '{"type":"module"}');
  return join(home, 'stage-runner.js');
}

/** The model solution of an exercise of the package. */
export function modelSolution(exercise: string, name: string): string {
  return readFileSync(new URL(`../../exercises/${exercise}/${name}`, import.meta.url), 'utf8');
}

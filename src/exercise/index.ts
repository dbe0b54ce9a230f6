/**
 * The entry of this room: exercises that grade themselves, for `overtap exercise`. Each is a folder of data in the package
 * (`catalog.ts`); what a student does is in a folder of the student's account (`student.ts`); a judge for each kind says what is wrong.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Exercise, ExerciseError, exerciseNamed, exercises, fileOf, type Kind, PACKAGE } from './catalog.js';
import { judgeFault } from './fault.js';
import { judgePredict, predictFiles } from './predict/predict.js';
import { type ReportRow, reportRows } from './report.js';
import { type State, Students } from './student.js';
import type { Verdict } from './verdict.js';
import { judgeStage } from './write/judge.js';
import type { StageOptions } from './write/stage-process.js';

export { ExerciseError, exerciseNames, KIND_WORDS } from './catalog.js';
export { csvOf, type ReportRow } from './report.js';

type Environment = Readonly<Record<string, string | undefined>>;
type Print = (line: string) => void;

export interface ExerciseRow {
  readonly number: number;
  readonly name: string;
  readonly kind: Kind;
  readonly title: string;
  readonly state: 'new' | 'started' | 'solved';
}

/** One student at the exercises of this account. */
export class Course {
  readonly student: string;
  private readonly students: Students;

  /**
   * @param student absent: the one who started an exercise last
   * @param stages of tests
   * @throws ExerciseError
   */
  constructor(
    env: Environment,
    student?: string,
    private readonly stages?: StageOptions,
  ) {
    this.students = new Students(env);
    this.student = this.students.nameOf(student);
  }

  list(): ExerciseRow[] {
    return exercises().map(({ number, name, kind, title }) => {
      const state = this.students.load(this.student, name);
      const word = state === undefined ? 'new' : state.solved === undefined ? 'started' : 'solved';
      return { number, name, kind, title, state: word };
    });
  }

  /** Makes the student's files, and prints the task. @throws ExerciseError for an unknown name */
  async start(name: string, print: Print): Promise<void> {
    const exercise = exerciseNamed(name);
    const isNew = this.students.begin(this.student, name, await this.filesOf(exercise));
    const folder = this.students.folder(this.student, name);
    for (const line of this.taskOf(exercise).trimEnd().split('\n')) print(line);
    print('');
    print(sourcesLine());
    print(
      isNew
        ? `Your files are in ${folder}`
        : `You have started this before; your files in ${folder} are as you left them.`,
    );
  }

  private async filesOf(exercise: Exercise): Promise<Record<string, string>> {
    const given = Object.fromEntries(exercise.files.map((name) => [name, fileOf(exercise, name)]));
    const made = exercise.kind === 'predict' ? await predictFiles(exercise, this.seedOf(exercise)) : {};
    return { 'task.md': this.taskOf(exercise), ...given, ...made };
  }

  /** `$FOLDER` in a text is the student's folder. */
  private taskOf(exercise: Exercise): string {
    return fileOf(exercise, 'task.md').replaceAll('$FOLDER', this.students.folder(this.student, exercise.name));
  }

  private seedOf({ name }: Exercise): string {
    return `${this.student} ${name}`;
  }

  /** The lab that a check needs; undefined: none. @throws ExerciseError when it was not started */
  labOf(name: string): string | undefined {
    const exercise = exerciseNamed(name);
    this.students.begun(this.student, exercise);
    return exercise.lab;
  }

  /** Grades, prints what is wrong, and notes it. @returns whether it is solved @throws ExerciseError, LabError */
  async check(name: string, print: Print): Promise<boolean> {
    const exercise = exerciseNamed(name);
    const state = this.students.begun(this.student, exercise);
    const { verdict, more } = await this.judge(exercise, state, print);
    for (const line of verdict.lines.flatMap((text) => text.split('\n'))) print(line);
    const end = verdict.solved && state.solved === undefined ? { solved: new Date().toISOString() } : {};
    this.students.save({ ...state, ...more, ...end, attempts: state.attempts + 1 });
    print(verdict.solved ? `solved: ${name}` : `not solved yet: ${name}; a hint: overtap exercise hint ${name}`);
    return verdict.solved;
  }

  private async judge(
    exercise: Exercise,
    state: State,
    print: Print,
  ): Promise<{ verdict: Verdict; more?: { rounds: number[] } }> {
    const seed = this.seedOf(exercise);
    const folder = this.students.folder(this.student, exercise.name);
    if (exercise.kind === 'predict') {
      const { verdict, rounds } = await judgePredict(exercise, state, this.students, seed);
      return { verdict, more: { rounds } };
    }
    if (exercise.stage !== undefined)
      return { verdict: await judgeStage(exercise.stage, this.stagePath(state), seed, this.stages) };
    return { verdict: await judgeFault(exercise, folder, print) };
  }

  /** stage.ts where there is one, else stage.mjs. @throws ExerciseError where this Node runs no TypeScript */
  private stagePath(state: State): string {
    const folder = this.students.folder(state.student, state.exercise);
    const typed = join(folder, 'stage.ts');
    if (!existsSync(typed)) {
      this.students.fileOf(state, 'stage.mjs');
      return join(folder, 'stage.mjs');
    }
    this.students.fileOf(state, 'stage.ts');
    if (runsTypeScript()) return typed;
    throw new ExerciseError(
      `Node ${process.version} runs no TypeScript; take Node 22.18 or newer, or remove ${typed} and write stage.mjs`,
    );
  }

  /** Prints the hints so far and the next one. @throws ExerciseError */
  hint(name: string, print: Print): void {
    const exercise = exerciseNamed(name);
    const state = this.students.begun(this.student, exercise);
    const { hints } = exercise;
    const shown = Math.min(state.hints + 1, hints.length);
    for (const [at, text] of hints.slice(0, shown).entries()) print(`${at + 1}. ${text.trim()}`);
    if (state.hints >= hints.length) print('There are no more hints.');
    else print(`(${shown} of ${hints.length})`);
    this.students.save({ ...state, hints: shown });
  }

  /** @param student only this one */
  report(student?: string): ReportRow[] {
    return reportRows(this.students, student);
  }
}

/** Where the pages and files are that tasks say to read. The package of npm has no sources in TypeScript. */
function sourcesLine(): string {
  const has = (name: string): boolean => existsSync(join(PACKAGE, name));
  if (has('src/dataplane')) return `docs/ and src/ are in ${PACKAGE}`;
  return `docs/ is in ${PACKAGE}; src/ comes with the sources of overtap, and no task needs it`;
}

/** Node strips types by itself from 22.18 and 23.6 on. */
function runsTypeScript(): boolean {
  return (process.features as { typescript?: unknown }).typescript === 'strip';
}

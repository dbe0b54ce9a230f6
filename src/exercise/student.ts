/**
 * The folder of exercises: STUDENT/EXERCISE/ with the files that a student works on, and state.json. It outlives logout and restart, so
 * it is in $XDG_STATE_HOME (otherwise ~/.local/state), not among the sockets. Nothing is written outside of it.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isPrivate, userFolder } from '../config/user-folder.js';
import { makeFolder } from '../port/folder.js';
import { type Exercise, ExerciseError } from './catalog.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** No dot or sign first: it is the name of a folder, and a cell of a table. */
const STUDENT = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const STATE = z.object({
  exercise: z.string(),
  student: z.string(),
  started: z.string(),
  attempts: z.int().min(0),
  hints: z.int().min(0),
  solved: z.string().exactOptional(),
  /** predict: how often each case was replaced by a new one. */
  rounds: z.array(z.int()).exactOptional(),
});
export type State = z.output<typeof STATE>;

/** Most of a file that a student has written. */
const MAX_FILE = 256 * 1024;

/** The folders of students on this account. */
export class Students {
  readonly root: string;

  constructor(private readonly env: Environment) {
    const { XDG_STATE_HOME: states, HOME: home } = env;
    if (states?.startsWith('/')) this.root = join(states, 'overtap', 'exercise');
    else if (home?.startsWith('/')) this.root = join(home, '.local', 'state', 'overtap', 'exercise');
    else this.root = join(userFolder(env, process.geteuid?.() ?? 0), 'exercise');
  }

  /** The student that is meant: the one given, the one who started last, or the user. @throws ExerciseError */
  nameOf(given: string | undefined): string {
    const name = given ?? this.last() ?? this.env.USER ?? 'student';
    if (STUDENT.test(name)) return name;
    throw new ExerciseError(
      `"${name.slice(0, 64)}" cannot name a student; give --student 1 to 64 letters, digits, or . _ @ -, a letter or digit first`,
    );
  }

  private last(): string | undefined {
    try {
      return readFileSync(join(this.root, 'last'), 'utf8').trim();
    } catch {
      return undefined;
    }
  }

  folder(student: string, exercise: string): string {
    return join(this.root, student, exercise);
  }

  /** Makes the folder with its first files; files that are there stay. @returns whether it is new @throws ExerciseError */
  begin(student: string, exercise: string, files: Readonly<Record<string, string>>): boolean {
    const folder = this.folder(student, exercise);
    makeFolder(folder, 0o700);
    this.refuseForeign();
    replaceFile(join(this.root, 'last'), `${student}\n`);
    const isNew = this.load(student, exercise) === undefined;
    for (const [name, text] of Object.entries(files))
      if (!existsSync(join(folder, name))) writeFileSync(join(folder, name), text, { flag: 'wx' });
    if (isNew) this.save({ exercise, student, started: new Date().toISOString(), attempts: 0, hints: 0 });
    return isNew;
  }

  /** @throws ExerciseError: another user could have written what is there */
  private refuseForeign(): void {
    const uid = process.geteuid?.() ?? 0;
    if (!existsSync(this.root) || isPrivate(this.root, uid)) return;
    throw new ExerciseError(`${this.root} can be written by others; take their right away: chmod go-w ${this.root}`);
  }

  /** undefined: not started. @throws ExerciseError when the file is damaged */
  load(student: string, exercise: string): State | undefined {
    const path = join(this.folder(student, exercise), 'state.json');
    const text = readSmall(path);
    if (text === undefined) return undefined;
    try {
      return STATE.parse(JSON.parse(text));
    } catch {
      throw new ExerciseError(`${path} is damaged; delete it, and start the exercise again: your files stay`);
    }
  }

  /** @throws ExerciseError when it was not started */
  begun(student: string, { name }: Exercise): State {
    this.refuseForeign();
    const state = this.load(student, name);
    if (state !== undefined) return state;
    throw new ExerciseError(`${student} has not started ${name}; start it: overtap exercise start ${name}`);
  }

  save(state: State): void {
    const path = join(this.folder(state.student, state.exercise), 'state.json');
    replaceFile(path, `${JSON.stringify(state, null, 2)}\n`);
  }

  /** What a student has written. @throws ExerciseError */
  fileOf({ student, exercise }: State, name: string): string {
    const path = join(this.folder(student, exercise), name);
    const text = readSmall(path);
    if (text === undefined)
      throw new ExerciseError(`${path} is not there; get it back: overtap exercise start ${exercise}`);
    return text;
  }

  /** Puts a new version of a file of the exercise in place. */
  replace({ student, exercise }: State, name: string, text: string): void {
    replaceFile(join(this.folder(student, exercise), name), text);
  }

  /** All students who have started something, in order. */
  names(): string[] {
    try {
      const entries = readdirSync(this.root, { withFileTypes: true });
      return entries.flatMap((one) => (one.isDirectory() && STUDENT.test(one.name) ? [one.name] : [])).sort();
    } catch {
      return [];
    }
  }
}

/** A full disk leaves the old file. */
function replaceFile(path: string, text: string): void {
  try {
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (error) {
    rmSync(`${path}.new`, { force: true });
    throw error;
  }
}

/** undefined: it is not there. @throws ExerciseError when it is too long, or no file: a pipe would block, a device may have no end */
function readSmall(path: string): string | undefined {
  const fd = openQuietly(path);
  if (fd === undefined) return undefined;
  try {
    if (!fstatSync(fd).isFile())
      throw new ExerciseError(`${path} is no regular file; put one in its place, or delete it and start again`);
    const bytes = Buffer.alloc(MAX_FILE + 1);
    let length = 0;
    for (let count = -1; count !== 0 && length < bytes.length; length += count)
      count = readSync(fd, bytes.subarray(length));
    if (length <= MAX_FILE) return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
  throw new ExerciseError(`${path} is longer than ${MAX_FILE} bytes; is it the right file?`);
}

/** Without waiting for the writer of a pipe. @returns undefined: it is not there @throws ExerciseError */
function openQuietly(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new ExerciseError(`${path} cannot be read: ${message}`);
  }
}

/**
 * `overtap exercise`: exercises that grade themselves. It owns the words and the exit status; the work is done in src/exercise.
 */
import { Interrupted } from '../../lab/testbed/errors.js';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { alignColumns } from '../format/columns.js';
import { type Subcommands, subcommand } from '../words.js';

type Room = Awaited<ReturnType<Context['rooms']['exercise']>>;
type Course = InstanceType<Room['Course']>;

export const EXERCISE_FAMILY: Subcommands = {
  command: 'exercise',
  here: ['list', 'start', 'check', 'hint', 'report'],
  aliases: { show: 'list', ls: 'list', lst: 'list' },
};

/** The verbs that take the name of an exercise. */
export const EXERCISE_VERBS = ['start', 'check', 'hint'] as const;

export async function run({ context, words, options, help }: Invocation): Promise<number> {
  const verb = subcommand(EXERCISE_FAMILY, words[0]);
  if (verb === 'help') {
    context.print(await help());
    return 0;
  }
  if (options.csv !== undefined && verb !== 'report')
    throw new UsageError(`"--csv" belongs to "exercise report"; usage: overtap exercise ${verb}`);
  const room = await context.rooms.exercise();
  try {
    const course = new room.Course(context.io.env, options.student);
    return await act(room, course, verb, words.slice(1), options, context);
  } catch (error) {
    if (error instanceof Interrupted) {
      context.warn(`overtap: ${error.message}`);
      return error.exitStatus;
    }
    if (!(error instanceof room.ExerciseError)) throw error;
    context.warn(`overtap: ${error.message}`);
    return 2;
  }
}

async function act(
  room: Room,
  course: Course,
  verb: string,
  words: readonly string[],
  options: Invocation['options'],
  context: Context,
): Promise<number> {
  const print = (line: string): void => context.line(line);
  if (verb === 'list' || verb === 'report') {
    if (words.length > 0) throw new UsageError(`"${words[0]}" is one too many; usage: overtap exercise ${verb}`);
    if (verb === 'list') list(room, course, context);
    else report(room, course, options, context);
    return 0;
  }
  const name = nameIn(words, verb);
  if (verb === 'start') await course.start(name, print);
  else if (verb === 'hint') course.hint(name, print);
  else {
    await enterLab(course.labOf(name), context);
    return (await course.check(name, print)) ? 0 : 1;
  }
  return 0;
}

/** Of an ordinary user: into the namespaces of the lab that is graded. Replaces the process, which then comes here again. */
async function enterLab(lab: string | undefined, context: Context): Promise<void> {
  if (lab === undefined) return;
  const { goRootless } = await context.rooms.lab();
  goRootless('check', lab, (line) => context.warn(`overtap: ${line}`));
}

function nameIn(words: readonly string[], verb: string): string {
  const [name, ...more] = words;
  if (name === undefined)
    throw new UsageError(`"exercise ${verb}" needs the name of an exercise: see "overtap exercise list"`);
  if (more.length > 0) throw new UsageError(`"${more[0]}" is one too many; usage: overtap exercise ${verb} NAME`);
  return name;
}

function list({ KIND_WORDS }: Room, course: Course, context: Context): void {
  const rows = course.list();
  if (context.json) context.printJson(rows);
  else
    context.print(
      alignColumns(
        rows.map(({ number, name, kind, title, state }) => [
          String(number),
          name,
          KIND_WORDS[kind],
          state === 'new' ? '' : state,
          title,
        ]),
        ['right', 'left', 'left', 'left', 'left'],
      ),
    );
}

function report({ csvOf }: Room, course: Course, options: Invocation['options'], context: Context): void {
  const rows = course.report(options.student);
  if (options.csv !== undefined) {
    if (context.json) throw new UsageError('give --json or --csv, not both');
    context.io.stdout.write(csvOf(rows));
    return;
  }
  if (context.json) {
    context.printJson(rows);
    return;
  }
  const cells = rows.map(({ student, exercise, attempts, hints, solved, solved_at: at = '' }) => [
    student,
    exercise,
    solved ? 'solved' : 'started',
    `${attempts} checks`,
    `${hints} hints`,
    at.slice(0, 16),
  ]);
  if (cells.length === 0) context.line('nothing was started yet: overtap exercise list');
  else context.print(alignColumns(cells, ['left', 'left', 'left', 'right', 'right', 'left']));
}

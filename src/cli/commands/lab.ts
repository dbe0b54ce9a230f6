/**
 * `overtap lab`: the ready topologies, and labs of one's own. It owns the words and the exit status; the work is done in src/lab.
 */
import { existsSync } from 'node:fs';
import { Interrupted } from '../../lab/testbed/errors.js';
import { nearest } from '../../values/did-you-mean.js';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { alignColumns } from '../format/columns.js';
import { type Subcommands, subcommand } from '../words.js';
import { servePageOfLab } from './page.js';

type LabRoom = Awaited<ReturnType<Context['rooms']['lab']>>;

export const FAMILY: Subcommands = {
  command: 'lab',
  here: ['list', 'up', 'check', 'down', 'run', 'shell', 'graph', 'weather', 'new'],
  aliases: { show: 'list', ls: 'list', lst: 'list' },
};

/** The verbs that take the name or the file of a lab. */
export const LAB_VERBS = ['up', 'check', 'down', 'run', 'graph'] as const;

export async function run({ context, words, options, help }: Invocation): Promise<number> {
  const verb = subcommand(FAMILY, words[0]);
  if (verb === 'help') {
    context.print(await help());
    return 0;
  }
  const room = await context.rooms.lab();
  try {
    return await act(room, verb, words.slice(1), options, context);
  } catch (error) {
    if (error instanceof Interrupted) {
      context.warn(`overtap: ${error.message}`);
      return error.exitStatus;
    }
    if (!isConfigError(error)) throw error;
    context.warn(error.message);
    return 2;
  }
}

/** All faults of a lab file, each with its line. */
function isConfigError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'CONFIG_INVALID';
}

async function act(
  room: LabRoom,
  verb: string,
  words: readonly string[],
  options: Invocation['options'],
  context: Context,
): Promise<number> {
  const { lab } = options;
  const withPage = options.page !== undefined;
  if (withPage && verb !== 'up')
    throw new UsageError(`--page is for "lab up"; a lab that is up: overtap page ${words[0] ?? 'NAME'}`);
  if (lab !== undefined && verb !== 'shell' && verb !== 'weather')
    throw new UsageError(`"--lab" belongs to "lab shell" and "lab weather"; usage: overtap lab ${verb} NAME`);
  switch (verb) {
    case 'list':
      expectWords(words, 0, 'lab list');
      list(room, context);
      return 0;
    case 'new':
      expectWords(words, 1, 'lab new NAME');
      writeExample(room, wantedWord(words[0], 'lab new', 'a name'), context);
      return 0;
    case 'shell':
      return shell(room, words, lab, context);
    case 'weather':
      return weather(room, words, lab, context);
    default:
      return withLab(room, verb, words, context, withPage);
  }
}

function list({ labs, labsUp }: LabRoom, context: Context): void {
  const up = new Map(labsUp().map((one) => [one.name, one]));
  const own = [...up.values()].filter(({ name }) => !labs.some((one) => one.name === name));
  const rows = [...labs, ...own].map(({ name, summary }) => ({ name, summary, up: up.get(name) }));
  if (context.json) {
    context.printJson(
      rows.map(({ name, summary, up: state }) => ({
        name,
        summary,
        ...(state === undefined ? {} : { up: true, ...(state.age === null ? {} : { age: state.age }) }),
      })),
    );
    return;
  }
  const cells = rows.map(({ name, summary, up: state }) => [
    name,
    ...(up.size === 0 ? [] : [state === undefined ? '' : `up ${ageText(state.age)}`]),
    summary,
  ]);
  context.print(alignColumns(cells, up.size === 0 ? ['left', 'left'] : ['left', 'left', 'left']));
}

function ageText(seconds: number | null): string {
  if (seconds === null) return '';
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

async function withLab(
  room: LabRoom,
  verb: string,
  words: readonly string[],
  context: Context,
  withPage: boolean,
): Promise<number> {
  const word = labWord(room, verb, words);
  if (verb === 'graph') {
    context.print(await room.labGraph(word));
    return 0;
  }
  const name = room.labNameOf(word);
  room.goRootless(verb, name, (line) => context.warn(`overtap: ${line}`));
  const print = (line: string): void => context.line(line);
  switch (verb) {
    case 'up':
      await room.labUp(word, print);
      return withPage ? await pageAfter(room, name, context) : 0;
    case 'down':
      await room.labDown(word, print);
      return 0;
    case 'check':
      return (await room.labCheck(word, print)) ? 0 : 1;
    default:
      return (await room.labRun(word, print)) ? 0 : 1;
  }
}

/** The page listens where a browser is: outside of an ordinary user's namespaces. */
async function pageAfter(room: LabRoom, name: string, context: Context): Promise<number> {
  if (!room.isInOwnNamespaces()) return servePageOfLab(context, name, undefined);
  context.warn(`overtap: no browser reaches these namespaces; the page of the lab: overtap page ${name}`);
  return 0;
}

/** The name of a ready lab, of one that is up, or the path of a file. */
function labWord({ labs, labsUp, isLabFile }: LabRoom, verb: string, words: readonly string[]): string {
  const names = labs.map((lab) => lab.name).join(', ');
  const [word] = words;
  if (word === undefined) throw new UsageError(`"lab ${verb}" needs the name of a lab: ${names}`);
  expectWords(words, 1, `lab ${verb} NAME`);
  const isKnown = isLabFile(word) || [...labs, ...labsUp()].some((lab) => lab.name === word);
  if (isKnown) return word;
  if (isLabFile(`${word}.yaml`) && existsSync(`${word}.yaml`))
    throw new UsageError(
      `lab "${word}" is not up, and a lab file is given by its path: overtap lab ${verb} ${word}.yaml`,
    );
  const near = nearest(
    word,
    [...labs, ...labsUp()].map((lab) => lab.name),
  );
  const hint =
    near === undefined ? `the labs are: ${names}; or give the path of a lab file` : `did you mean "${near}"?`;
  throw new UsageError(`unknown lab "${word}"; ${hint}`);
}

function writeExample(room: LabRoom, name: string, context: Context): void {
  const file = room.labNew(name);
  context.line(`${file} is written; edit it, then: overtap lab up ${file}`);
}

/** Replaces this process; only a failure comes back. */
async function shell(
  room: LabRoom,
  words: readonly string[],
  lab: string | undefined,
  context: Context,
): Promise<number> {
  const guest = wantedWord(words[0], 'lab shell', 'the name of a guest');
  const name = lab ?? (await room.labWith(guest));
  room.goRootless('shell', name, (line) => context.warn(`overtap: ${line}`));
  return room.labShell(name, guest, words.slice(1));
}

async function weather(
  room: LabRoom,
  words: readonly string[],
  lab: string | undefined,
  context: Context,
): Promise<number> {
  const name = lab ?? (await room.labWith(undefined));
  const request = room.parseWeather(words);
  room.goRootless('weather', name, (line) => context.warn(`overtap: ${line}`));
  const rows = await room.labWeather(name, request);
  if (context.json) context.printJson(rows);
  else for (const line of room.weatherLines(rows)) context.line(line);
  return 0;
}

function wantedWord(word: string | undefined, command: string, what: string): string {
  if (word === undefined) throw new UsageError(`"${command}" needs ${what}`);
  return word;
}

/** @param words behind the verb */
function expectWords(words: readonly string[], most: number, usage: string): void {
  if (words.length > most) throw new UsageError(`"${words[most]}" is one too many; usage: overtap ${usage}`);
}

/**
 * `overtap lab`: the ready topologies. It owns the words and the exit status; the work is done in src/lab.
 */
import { Interrupted } from '../../lab/testbed/errors.js';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { alignColumns } from '../format/columns.js';
import { type Subcommands, subcommand } from '../words.js';

type LabRoom = Awaited<ReturnType<Context['rooms']['lab']>>;

export const FAMILY: Subcommands = {
  command: 'lab',
  here: ['list', 'up', 'check', 'down', 'run'],
  aliases: { show: 'list', ls: 'list', lst: 'list' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const verb = subcommand(FAMILY, words[0]);
  if (verb === 'help') {
    context.print(await help());
    return 0;
  }
  const room = await context.rooms.lab();
  if (verb === 'list') {
    expectWords(words, 1, 'lab list');
    list(room, context);
    return 0;
  }
  const name = labName(room, verb, words);
  room.goRootless(verb, name, (line) => context.warn(`overtap: ${line}`));
  try {
    return await act(room, verb, name, (line) => context.line(line));
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    context.warn(`overtap: ${error.message}`);
    return error.exitStatus;
  }
}

function list({ labs }: LabRoom, context: Context): void {
  if (context.json) context.printJson(labs.map(({ name, summary }) => ({ name, summary })));
  else
    context.print(
      alignColumns(
        labs.map(({ name, summary }) => [name, summary]),
        ['left', 'left'],
      ),
    );
}

function labName({ labs }: LabRoom, verb: string, words: readonly string[]): string {
  const names = labs.map((lab) => lab.name).join(', ');
  const name = words[1];
  if (name === undefined) throw new UsageError(`"lab ${verb}" needs the name of a lab: ${names}`);
  expectWords(words, 2, `lab ${verb} NAME`);
  if (!labs.some((lab) => lab.name === name)) throw new UsageError(`unknown lab "${name}"; the labs are: ${names}`);
  return name;
}

/** @returns the exit status: 1 when a claim failed */
async function act(room: LabRoom, verb: string, name: string, print: (line: string) => void): Promise<number> {
  switch (verb) {
    case 'up':
      await room.labUp(name, print);
      return 0;
    case 'down':
      await room.labDown(name, print);
      return 0;
    case 'check':
      return (await room.labCheck(name, print)) ? 0 : 1;
    default:
      return (await room.labRun(name, print)) ? 0 : 1;
  }
}

function expectWords(words: readonly string[], most: number, usage: string): void {
  if (words.length > most) throw new UsageError(`"${words[most]}" is one too many; usage: overtap ${usage}`);
}

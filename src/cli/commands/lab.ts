/**
 * `overtap lab`: builds, proves and removes the ready topologies. It owns the words only; the work is the lab room's.
 */
import type { Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { alignColumns } from '../format/columns.js';
import { type Subcommands, subcommand } from '../words.js';

const FAMILY: Subcommands = {
  command: 'lab',
  here: ['list', 'up', 'check', 'down', 'run'],
  aliases: { show: 'list', ls: 'list', lst: 'list' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const verb = subcommand(FAMILY, words[0]);
  if (verb === 'help') {
    context.print(help());
    return 0;
  }
  const room = await context.rooms.lab();
  if (verb === 'list') {
    expectWords(words, 1, 'lab list');
    if (context.json) context.printJson(room.labs.map(({ name, summary }) => ({ name, summary })));
    else
      context.print(
        alignColumns(
          room.labs.map(({ name, summary }) => [name, summary]),
          ['left', 'left'],
        ),
      );
    return 0;
  }

  const names = room.labs.map((lab) => lab.name).join(', ');
  const name = words[1];
  if (name === undefined) throw new UsageError(`"lab ${verb}" needs the name of a lab: ${names}`);
  expectWords(words, 2, `lab ${verb} NAME`);
  if (!room.labs.some((lab) => lab.name === name))
    throw new UsageError(`no lab is called "${name}"; there are: ${names}`);

  const print = (line: string): void => context.line(line);
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

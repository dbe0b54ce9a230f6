/**
 * `overtap completion`: prints the completion script of a shell, and for these scripts the names of the running switch. A
 * switch that does not answer has no names: completion must not print errors into a command line.
 */
import type { LinkRow } from '../../api/api.js';
import { SwitchUnreachable } from '../../client/client.js';
import { fishScript } from '../completion/fish.js';
import { bashScript, zshScript } from '../completion/posix.js';
import { completionTable, NAME_KINDS, type NameKind, SHELLS, type Shell, type Table } from '../completion/table.js';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';

const SCRIPTS: Readonly<Record<Shell, (table: Table) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

const IS_NAMED: Readonly<Record<NameKind, (row: LinkRow) => boolean>> = {
  links: () => true,
  bridges: ({ type }) => type === 'bridge',
  ports: ({ type }) => type !== 'bridge',
};

export async function run({ context, words, commands }: Invocation): Promise<number> {
  const [word, more] = words;
  const shell = SHELLS.find((name) => name === word);
  const kind = NAME_KINDS.find((name) => name === word);
  if (more !== undefined) throw new UsageError(`"completion" takes one word, and "${more}" is one too many`);
  if (shell !== undefined) {
    const { labs } = await context.rooms.lab();
    const { exerciseNames } = await context.rooms.exercise();
    // Not through `print`, which escapes the tabs of the tables.
    context.io.stdout.write(
      SCRIPTS[shell](
        completionTable(
          commands,
          labs.map(({ name }) => name),
          exerciseNames(),
        ),
      ),
    );
  } else if (kind !== undefined) {
    for (const name of await namesOf(context, kind)) context.line(name);
  } else {
    throw new UsageError(`"completion" takes ${[...SHELLS, ...NAME_KINDS].join(', ')}, not "${word ?? ''}"`);
  }
  return 0;
}

async function namesOf(context: Context, kind: NameKind): Promise<string[]> {
  try {
    const client = await context.client();
    return (await client.get('/v1/links')).filter(IS_NAMED[kind]).map(({ ifname }) => ifname);
  } catch (error) {
    if (error instanceof SwitchUnreachable) return [];
    throw error;
  }
}

/** `overtap exec` and `overtap shell`: commands in which the switch answers for its links, as the kernel does for its own. */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SwitchUnreachable } from '../../client/client.js';
import { defaultSocket } from '../../config/user-folder.js';
import { netnsOf, NotStarted, programFault, runCommand, Switches } from '../../exec/index.js';
import { preloadLibrary } from '../../exec/native-files.js';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';

/** Folders of the switches of labs. */
const LABS = '/run/overtap-lab';

export async function run({ context, words }: Invocation): Promise<number> {
  if (words.length === 0) throw new UsageError('"exec" needs a command: overtap exec [--] COMMAND');
  return runIn(context, words);
}

/** A shell, or one line of it with `-c`. */
export async function runShell({ context, words }: Invocation): Promise<number> {
  return runIn(context, [context.io.env.SHELL || '/bin/sh', ...words]);
}

async function runIn(context: Context, command: readonly string[]): Promise<number> {
  const { env } = context.io;
  const named = context.socketOption ?? (env.OVERTAP_CONTROL || undefined);
  const usual = defaultSocket(env, process.geteuid?.());
  const preferred = [...(named === undefined ? [] : [named]), usual];
  const switches = new Switches(preferred, ['/run/overtap', dirname(usual), ...foldersOfLabs()]);
  await expectSwitch(context, switches, named);
  const fault = programFault(command[0] ?? '', env.PATH);
  if (fault !== undefined) context.warn(`overtap: ${fault}; the switch is not asked by it, only by what it starts`);
  try {
    return await runCommand({
      command,
      switches,
      library: preloadLibrary(),
      env,
      warn: (text) => context.warn(`overtap: ${text}`),
      report: (error) => context.warn(`overtap: ${error instanceof Error ? (error.stack ?? error.message) : error}`),
    });
  } catch (error) {
    if (!(error instanceof NotStarted)) throw error;
    context.warn(`overtap: ${error.message}`);
    return error.status;
  }
}

/** Without any switch nothing could be answered. @throws SwitchUnreachable */
async function expectSwitch(context: Context, switches: Switches, named: string | undefined): Promise<void> {
  const all = await switches.all();
  if (named !== undefined && !all.includes(named)) {
    throw new SwitchUnreachable(`no switch answers on ${named}; start one with "overtap run -c FILE"`, named);
  }
  if (all.length === 0) {
    const socket = context.socketOption ?? defaultSocket(context.io.env, process.geteuid?.());
    throw new SwitchUnreachable('no switch runs on this host; start one with "overtap run -c FILE"', socket);
  }
  if (named === undefined) return;
  const here = await switches.of(netnsOf('self'));
  if (here?.client.socketPath === named) return;
  context.warn(
    `overtap: the switch on ${named} runs in another network namespace: only commands that are run there ("ip netns exec") reach it`,
  );
}

function foldersOfLabs(): string[] {
  try {
    return readdirSync(LABS).map((name) => join(LABS, name));
  } catch {
    return [];
  }
}

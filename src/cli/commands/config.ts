/**
 * `overtap config`: prints the configuration of a running switch in the format of a file.
 */
import type { Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { formatConfig } from '../format/config.js';
import { SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = { command: 'config', here: ['show'], aliases: SHOW_ALIASES };

export async function run({ context, words, help }: Invocation): Promise<number> {
  if (subcommand(FAMILY, words[0]) === 'help') {
    context.print(await help());
    return 0;
  }
  if (words.length > 1) throw new UsageError(`"config show": "${words[1]}" is one too many; it takes no words`);
  const client = await context.client();
  const config = await client.get('/v1/config');
  if (context.json) context.printJson(config);
  else context.print(formatConfig(config));
  return 0;
}

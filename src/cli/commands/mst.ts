/**
 * `overtap mst`: shows and changes the states of ports in instances of the spanning tree, in the grammar of `bridge mst`.
 * `requests/mst.ts` converts the words of a change to a request.
 */
import type { Context, Invocation } from '../context.js';
import { formatInstances } from '../format/mst.js';
import { findLink } from '../links.js';
import { MST_GRAMMARS, mstSetting } from '../requests/mst.js';
import { one, parseWords, SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = { command: 'mst', here: ['show', 'set'], aliases: SHOW_ALIASES };

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  const rest = words.slice(1);
  if (name === 'help') context.print(await help());
  else if (name === 'show') await show(context, rest);
  else {
    const client = await context.client();
    await client.post('/v1/vlans', mstSetting(rest));
  }
  return 0;
}

async function show(context: Context, words: readonly string[]): Promise<void> {
  const port = one(parseWords(MST_GRAMMARS.show, words), 'dev');
  const client = await context.client();
  if (port !== undefined) findLink(await client.get('/v1/links'), port);
  const { mst = [] } = await client.get('/v1/vlans');
  const rows = mst.filter((row) => port === undefined || row.ifname === port);
  if (context.json) context.printJson(rows);
  else context.print(formatInstances(rows));
}

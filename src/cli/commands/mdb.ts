/**
 * `overtap mdb`: shows and changes the multicast groups and router ports of bridges, in the grammar of `bridge mdb`.
 * `requests/mdb.ts` converts the words of a change to a request.
 */
import type { MdbAnswer, MdbRequest } from '../../api/api.js';
import type { Context, Invocation } from '../context.js';
import { formatMdb } from '../format/mdb.js';
import { findBridge, findLink } from '../links.js';
import { mdbChange, mdbShow } from '../requests/mdb.js';
import { SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = {
  command: 'mdb',
  here: ['show', 'add', 'del'],
  aliases: { ...SHOW_ALIASES, delete: 'del' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  const rest = words.slice(1);
  if (name === 'help') context.print(await help());
  else if (name === 'show') await show(context, rest);
  else await change(context, mdbChange(name as 'add' | 'del', rest));
  return 0;
}

async function change(context: Context, request: MdbRequest): Promise<void> {
  const client = await context.client();
  await client.post('/v1/mdb', request);
}

async function show(context: Context, words: readonly string[]): Promise<void> {
  const { dev, port, grp, vid } = mdbShow(words);
  const client = await context.client();
  if (dev !== undefined || port !== undefined) {
    const links = await client.get('/v1/links');
    if (dev !== undefined) findBridge(links, dev);
    if (port !== undefined) findLink(links, port);
  }
  const fits = (row: { dev: string; port: string; vid?: number }): boolean =>
    (dev === undefined || row.dev === dev) &&
    (port === undefined || row.port === port) &&
    (vid === undefined || row.vid === vid);
  const answer = await client.get('/v1/mdb');
  const narrowed: MdbAnswer = {
    mdb: answer.mdb.filter((row) => fits(row) && (grp === undefined || row.grp === grp)),
    // A router port belongs to no group, so a listing of one group omits it.
    router: grp === undefined ? answer.router.filter(fits) : [],
  };
  if (context.json) context.printJson(narrowed);
  else context.print(formatMdb(narrowed));
}

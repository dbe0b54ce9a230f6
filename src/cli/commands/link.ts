/**
 * `overtap link`: shows, adds, sets and deletes bridges and ports, in the grammar of `ip link`. `requests/link.ts` converts the words
 * of a change to a request.
 */
import type { LinkRequest } from '../../api/api.js';
import { LINK_TYPES } from '../../config/options/kinds.js';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { formatLinks } from '../format/link.js';
import { findBridge, findLink } from '../links.js';
import { linkAdd, linkDel, linkSet } from '../requests/link.js';
import { type Grammar, one, parseWords, SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = {
  command: 'link',
  here: ['show', 'add', 'del', 'set'],
  aliases: { ...SHOW_ALIASES, delete: 'del' },
};

export const SHOW: Grammar = {
  command: 'link show',
  rules: [
    { word: 'dev', key: 'link', value: 'LINK' },
    { word: 'master', key: 'master', value: 'BR' },
    { word: 'nomaster', key: 'nomaster' },
    { word: 'type', key: 'type', value: 'TYPE' },
    { word: 'up', key: 'up' },
  ],
  rest: { key: 'link', value: 'LINK' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  const rest = words.slice(1);
  if (name === 'help') context.print(await help());
  else if (name === 'show') await show(context, rest);
  else await change(context, name === 'add' ? linkAdd(rest) : name === 'set' ? linkSet(rest) : linkDel(rest));
  return 0;
}

async function change(context: Context, request: LinkRequest): Promise<void> {
  const client = await context.client();
  await client.post('/v1/links', request);
}

async function show(context: Context, words: readonly string[]): Promise<void> {
  const found = parseWords(SHOW, words);
  const wanted = one(found, 'link');
  const master = one(found, 'master');
  const type = one(found, 'type');
  if (type !== undefined && !LINK_TYPES.some((known) => known === type)) {
    throw new UsageError(`"type" takes ${LINK_TYPES.join(', ')}, not "${type}"`);
  }
  const client = await context.client();
  const all = await client.get(context.details ? '/v1/links?details=1' : '/v1/links');
  if (master !== undefined) findBridge(all, master);
  const rows = (wanted === undefined ? all : [findLink(all, wanted)]).filter(
    (row) =>
      (master === undefined || row.master === master) &&
      (!found.has('nomaster') || row.master === undefined) &&
      (type === undefined || row.type === type) &&
      (!found.has('up') || row.operstate === 'UP'),
  );
  if (context.json) context.printJson(rows);
  else context.print(formatLinks(rows));
}

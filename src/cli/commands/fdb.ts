/**
 * `overtap fdb`: shows and changes the forwarding database, in the grammar of `bridge fdb`. `requests/fdb.ts` converts the words to
 * requests.
 */
import type { FdbFlush, FdbRequest, FdbRow } from '../../api/api.js';
import type { SwitchClient } from '../../client/client.js';
import type { Context, Invocation } from '../context.js';
import { NotFoundError } from '../errors.js';
import { formatFdb } from '../format/fdb.js';
import { findBridge, findLink } from '../links.js';
import { type FdbQuery, fdbChange, fdbDel, fdbFlush, fdbGet, fdbShow } from '../requests/fdb.js';
import { SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = {
  command: 'fdb',
  here: ['show', 'add', 'append', 'replace', 'del', 'get', 'flush'],
  aliases: { ...SHOW_ALIASES, delete: 'del' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  const rest = words.slice(1);
  switch (name) {
    case 'show':
      await show(context, fdbShow(rest));
      break;
    case 'get':
      await get(context, fdbGet(rest));
      break;
    case 'add':
    case 'append':
    case 'replace':
      await change(context, fdbChange(name, rest));
      break;
    case 'del':
      await change(context, fdbDel(rest));
      break;
    case 'flush':
      await flush(context, fdbFlush(rest));
      break;
    default:
      context.print(await help());
  }
  return 0;
}

async function change(context: Context, request: FdbRequest): Promise<void> {
  const client = await context.client();
  await client.post('/v1/fdb', request);
}

async function flush(context: Context, request: FdbFlush): Promise<void> {
  const client = await context.client();
  const answer = await client.post('/v1/fdb', request);
  if (context.json) context.printJson(answer);
  else context.line(`removed ${answer.removed} ${answer.removed === 1 ? 'entry' : 'entries'}`);
}

async function show(context: Context, query: FdbQuery): Promise<void> {
  const rows = await ask(await context.client(), query);
  if (context.json) context.printJson(rows);
  else context.print(formatFdb(rows, context.details));
}

async function get(context: Context, query: FdbQuery & { readonly mac: string }): Promise<void> {
  const rows = await ask(await context.client(), query);
  if (rows.length === 0) throw new NotFoundError(`there is no such FDB entry for ${query.mac}`);
  if (context.json) context.printJson(rows);
  else context.print(formatFdb(rows, context.details));
}

async function ask(client: SwitchClient, { dev, br, query }: FdbQuery): Promise<FdbRow[]> {
  if (br !== undefined || dev !== undefined) {
    const links = await client.get('/v1/links');
    if (br !== undefined) findBridge(links, br);
    if (dev !== undefined) findLink(links, dev);
  }
  return client.get(`/v1/fdb${query}` as const);
}

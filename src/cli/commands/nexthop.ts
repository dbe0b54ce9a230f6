/**
 * `overtap nexthop`: shows and changes nexthops of the FDB, in the grammar of `ip nexthop`. `requests/nexthop.ts` converts the words of
 * a change to a request.
 */
import type { NexthopRequest } from '../../api/api.js';
import type { Context, Invocation } from '../context.js';
import { NotFoundError } from '../errors.js';
import { formatNexthops } from '../format/nexthop.js';
import { nexthopChange, nexthopDel, nexthopFlush, nexthopShow } from '../requests/nexthop.js';
import { SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = {
  command: 'nexthop',
  here: ['show', 'get', 'add', 'replace', 'del', 'flush'],
  aliases: { ...SHOW_ALIASES, delete: 'del' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  const rest = words.slice(1);
  if (name === 'help') context.print(await help());
  else if (name === 'show' || name === 'get') await show(context, name, rest);
  else await change(context, requestOf(name, rest));
  return 0;
}

function requestOf(name: string, words: readonly string[]): NexthopRequest {
  if (name === 'del') return nexthopDel(words);
  return name === 'flush' ? nexthopFlush(words) : nexthopChange(name as 'add' | 'replace', words);
}

async function change(context: Context, request: NexthopRequest): Promise<void> {
  const client = await context.client();
  await client.post('/v1/nexthops', request);
}

async function show(context: Context, op: 'show' | 'get', words: readonly string[]): Promise<void> {
  const { id, groups, protocol } = nexthopShow(op, words);
  const client = await context.client();
  const rows = (await client.get('/v1/nexthops')).filter(
    (row) =>
      (id === undefined || row.id === id) &&
      (groups === undefined || row.group !== undefined) &&
      (protocol === undefined || (row.protocol ?? 'unspec') === protocol),
  );
  if (op === 'get' && rows.length === 0) throw new NotFoundError(`there is no nexthop ${id}`);
  if (context.json) context.printJson(rows);
  else context.print(formatNexthops(rows));
}

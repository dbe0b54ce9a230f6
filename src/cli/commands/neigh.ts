/**
 * `overtap neigh`: shows and changes the bindings of ARP/ND suppression, in the grammar of `ip neigh`. `requests/neigh.ts` converts
 * the words of a change to a request.
 */
import type { NeighRequest } from '../../api/api.js';
import type { Context, Invocation } from '../context.js';
import { formatNeigh } from '../format/neigh.js';
import { findLink } from '../links.js';
import { neighChange, neighDel, neighShow } from '../requests/neigh.js';
import { SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = {
  command: 'neigh',
  here: ['show', 'add', 'replace', 'del'],
  aliases: { ...SHOW_ALIASES, delete: 'del' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  const rest = words.slice(1);
  if (name === 'help') context.print(await help());
  else if (name === 'show') await show(context, rest);
  else await change(context, name === 'del' ? neighDel(rest) : neighChange(name as 'add' | 'replace', rest));
  return 0;
}

async function change(context: Context, request: NeighRequest): Promise<void> {
  const client = await context.client();
  await client.post('/v1/neigh', request);
}

async function show(context: Context, words: readonly string[]): Promise<void> {
  const { dst, dev, vlan, vni, state } = neighShow(words);
  const client = await context.client();
  if (dev !== undefined) findLink(await client.get('/v1/links'), dev);
  const rows = (await client.get('/v1/neigh')).filter(
    (row) =>
      (dst === undefined || row.dst === dst) &&
      (dev === undefined || row.ifname === dev) &&
      (vlan === undefined || row.vlan === vlan) &&
      (vni === undefined || row.vni === vni) &&
      (state === undefined || row.state === state),
  );
  if (context.json) context.printJson(rows);
  else context.print(formatNeigh(rows));
}

/**
 * `overtap link`: bridges and ports, their state and options, in the manner of `ip link`. It reads only.
 */
import type { LinkRow } from '../../control/api.js';
import type { Invocation } from '../context.js';
import { formatLinks } from '../format/link.js';
import { findLink } from '../links.js';
import { type Grammar, one, parseWords, SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

const FAMILY: Subcommands = {
  command: 'link',
  here: ['show'],
  aliases: { ...SHOW_ALIASES, delete: 'del' },
  later: ['add', 'del', 'set'],
};

const SHOW: Grammar = {
  command: 'link show',
  rules: [{ word: 'dev', key: 'link', value: 'LINK' }],
  rest: { key: 'link', value: 'LINK' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  if (name === 'help') {
    context.print(help());
    return 0;
  }
  const wanted = one(parseWords(SHOW, words.slice(1)), 'link');
  const client = await context.client();
  const all = await client.get<LinkRow[]>('/v1/links');
  const rows = wanted === undefined ? all : [findLink(all, wanted)];
  if (context.json) context.printJson(rows);
  else context.print(formatLinks(rows));
  return 0;
}

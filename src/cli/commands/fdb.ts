/**
 * `overtap fdb`: the forwarding database in the grammar and words of `bridge fdb`. It reads only.
 */
import type { FdbRow, LinkRow } from '../../control/api.js';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { formatFdb } from '../format/fdb.js';
import { findBridge, findLink } from '../links.js';
import { type Grammar, integer, one, parseWords, SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

const FAMILY: Subcommands = {
  command: 'fdb',
  here: ['show'],
  aliases: { ...SHOW_ALIASES, delete: 'del' },
  later: ['add', 'append', 'replace', 'del', 'get', 'flush'],
};

const STATES = ['dynamic', 'static', 'permanent'];

const SHOW: Grammar = {
  command: 'fdb show',
  rules: [
    { word: 'br', key: 'br', value: 'BR' },
    { word: 'dev', key: 'dev', value: 'PORT' },
    { word: 'brport', key: 'dev', value: 'PORT' },
    { word: 'vlan', key: 'vlan', value: 'VID' },
    { word: 'vni', key: 'vni', value: 'VNI' },
    { word: 'src_vni', key: 'vni', value: 'VNI' },
    { word: 'dynamic', key: 'state', many: true },
    { word: 'static', key: 'state', many: true },
    { word: 'permanent', key: 'state', many: true },
    { word: 'state', key: 'state', value: 'STATE', many: true },
  ],
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  if (name === 'help') context.print(help());
  else await show(context, words.slice(1));
  return 0;
}

async function show(context: Context, words: readonly string[]): Promise<void> {
  const found = parseWords(SHOW, words);
  const bridge = one(found, 'br');
  const port = one(found, 'dev');
  const vlan = integer(found, 'vlan', 1, 4094);
  const vni = integer(found, 'vni', 1, 0xffffff);
  const states = statesOf(found.get('state'));

  const client = await context.client();
  if (bridge !== undefined || port !== undefined) {
    const links = await client.get<LinkRow[]>('/v1/links');
    if (bridge !== undefined) findBridge(links, bridge);
    if (port !== undefined) findLink(links, port);
  }
  const rows = (await client.get<FdbRow[]>('/v1/fdb')).filter(
    (row) =>
      (bridge === undefined || row.master === bridge) &&
      (port === undefined || row.ifname === port) &&
      (vlan === undefined || row.vlan === vlan) &&
      (vni === undefined || row.vni === vni) &&
      (states === undefined || states.includes(row.state)),
  );
  if (context.json) context.printJson(rows);
  else context.print(formatFdb(rows));
}

/** The states asked for; undefined for all of them. */
function statesOf(words: readonly string[] | undefined): readonly string[] | undefined {
  const wrong = words?.find((word) => word !== 'all' && !STATES.includes(word));
  if (wrong !== undefined) throw new UsageError(`"state" takes ${STATES.join(', ')} or all, not "${wrong}"`);
  return words?.includes('all') ? undefined : words;
}

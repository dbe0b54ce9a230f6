/**
 * `overtap vlan`: shows and changes VLAN memberships and the VLAN to VNI table, in the grammar of `bridge vlan`. `requests/vlan.ts`
 * converts the words of a change to a request.
 */
import type { VlansRequest } from '../../api/api.js';
import type { Context, Invocation } from '../context.js';
import { formatGlobals, formatTunnels, formatVlans } from '../format/vlan.js';
import { findLink } from '../links.js';
import { VLAN_GRAMMARS, vlanChange, vlanGlobal, vlanSetting } from '../requests/vlan.js';
import { integer, one, parseWords, SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = {
  command: 'vlan',
  here: ['show', 'tunnelshow', 'add', 'del', 'set', 'global'],
  aliases: { ...SHOW_ALIASES, delete: 'del' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  const rest = words.slice(1);
  if (name === 'help') context.print(await help());
  else if (name === 'add' || name === 'del') await change(context, vlanChange(name, rest));
  else if (name === 'set') await change(context, vlanSetting(rest));
  else if (name === 'global') await runGlobal(context, rest);
  else await show(context, name === 'show' ? name : 'tunnelshow', rest);
  return 0;
}

async function change(context: Context, request: VlansRequest): Promise<void> {
  const client = await context.client();
  await client.post('/v1/vlans', request);
}

async function runGlobal(context: Context, words: readonly string[]): Promise<void> {
  const found = parseWords(VLAN_GRAMMARS.global, words);
  if (one(found, 'verb') === 'set') {
    await change(context, vlanGlobal(words));
    return;
  }
  const bridge = one(found, 'dev');
  const vid = integer(found, 'vid', 1, 4094);
  const client = await context.client();
  if (bridge !== undefined) findLink(await client.get('/v1/links'), bridge);
  const { globals = [] } = await client.get('/v1/vlans');
  const rows = globals
    .filter((row) => bridge === undefined || row.ifname === bridge)
    .map((row) => ({ ...row, vlans: row.vlans.filter((entry) => covers(entry, vid)) }))
    .filter((row) => row.vlans.length > 0);
  if (context.json) context.printJson(rows);
  else context.print(formatGlobals(rows));
}

async function show(context: Context, name: 'show' | 'tunnelshow', words: readonly string[]): Promise<void> {
  const found = parseWords(VLAN_GRAMMARS[name], words);
  const port = one(found, 'dev');
  const vid = integer(found, 'vid', 1, 4094);
  const client = await context.client();
  if (port !== undefined) findLink(await client.get('/v1/links'), port);
  const answer = await client.get('/v1/vlans');
  if (name === 'tunnelshow') {
    const rows = answer.tunnels
      .filter((row) => port === undefined || row.ifname === port)
      .map((row) => ({ ...row, tunnels: row.tunnels.filter((entry) => covers(entry, vid)) }))
      .filter((row) => vid === undefined || row.tunnels.length > 0);
    if (context.json) context.printJson(rows);
    else context.print(formatTunnels(rows));
    return;
  }
  const rows = answer.vlans
    .filter((row) => port === undefined || row.ifname === port)
    .map((row) => ({ ...row, vlans: row.vlans.filter((entry) => covers(entry, vid)) }))
    .filter((row) => vid === undefined || row.vlans.length > 0);
  if (context.json) context.printJson(rows);
  else context.print(formatVlans(rows, context.details));
}

function covers(entry: { vlan: number; vlanEnd?: number }, vid: number | undefined): boolean {
  return vid === undefined || (entry.vlan <= vid && vid <= (entry.vlanEnd ?? entry.vlan));
}

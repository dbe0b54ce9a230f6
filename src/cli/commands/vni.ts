/**
 * `overtap vni`: shows and changes the VNIs of vxlan ports, in the grammar of `bridge vni`. `requests/vni.ts` converts the words of a
 * change to requests.
 */
import type { StatsAnswer, VniRange, VniRow } from '../../api/api.js';
import type { Context, Invocation } from '../context.js';
import { formatVnis, statsOf, type VniListing } from '../format/vni.js';
import { findLink } from '../links.js';
import { VNI_GRAMMARS, vniAdd, vniDel } from '../requests/vni.js';
import { integer, one, parseWords, SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = {
  command: 'vni',
  here: ['show', 'add', 'del'],
  aliases: { ...SHOW_ALIASES, delete: 'del' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  const rest = words.slice(1);
  if (name === 'help') context.print(await help());
  else if (name === 'show') await show(context, rest);
  else {
    const client = await context.client();
    for (const request of name === 'add' ? vniAdd(rest) : vniDel(rest)) await client.post('/v1/vlans', request);
  }
  return 0;
}

async function show(context: Context, words: readonly string[]): Promise<void> {
  const found = parseWords(VNI_GRAMMARS.show, words);
  const port = one(found, 'dev');
  const vni = integer(found, 'vni', 1, 16_777_215);
  const client = await context.client();
  if (port !== undefined) findLink(await client.get('/v1/links'), port);
  const covers = (range: VniRange): boolean =>
    vni === undefined || (range.vni <= vni && vni <= (range.vniEnd ?? range.vni));
  const rows = ((await client.get('/v1/vlans')).vnis ?? [])
    .filter((row) => port === undefined || row.ifname === port)
    .map((row) => ({ ...row, vnis: row.vnis.filter(covers) }))
    .filter((row) => row.vnis.length > 0);
  const listed = context.details ? counted(rows, await client.get('/v1/stats')) : rows;
  if (context.json) context.printJson(listed);
  else context.print(formatVnis(listed));
}

/** One row for each VNI, with its counters. */
function counted(rows: readonly VniRow[], { links }: StatsAnswer): VniListing[] {
  return rows.map(({ ifname, vnis }) => ({
    ifname,
    vnis: vnis.flatMap(({ vni, vniEnd = vni, ...rest }) =>
      Array.from({ length: vniEnd - vni + 1 }, (_, at) => {
        const stats = links[ifname]?.vnis?.[vni + at];
        return { vni: vni + at, ...rest, ...(stats === undefined ? {} : { stats: statsOf(stats) }) };
      }),
    ),
  }));
}

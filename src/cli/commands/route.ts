/** `overtap route`: shows the routes of gateways, in the words of `ip route`. */
import type { Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { formatRoutes } from '../format/route.js';
import { type Grammars, one, parseWords, SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = { command: 'route', here: ['show'], aliases: SHOW_ALIASES };

/** The words of each subcommand. */
export const ROUTE_GRAMMARS = {
  show: {
    command: 'route show',
    rules: [
      { word: 'vrf', key: 'vrf', value: 'NAME' },
      { word: 'table', key: 'table', value: 'all' },
    ],
  },
} as const satisfies Grammars;

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  if (name === 'help') {
    context.print(await help());
    return 0;
  }
  const { vrf, all } = selection(words.slice(1));
  const client = await context.client();
  const rows = (await client.get('/v1/routes')).filter(
    (row) => (vrf === undefined || row.vrf === vrf) && (all || row.type === undefined),
  );
  if (context.json) context.printJson(rows);
  else context.print(formatRoutes(rows));
  return 0;
}

function selection(words: readonly string[]): { vrf: string | undefined; all: boolean } {
  const found = parseWords(ROUTE_GRAMMARS.show, words);
  const table = one(found, 'table');
  if (table !== undefined && table !== 'all')
    throw new UsageError(`"table" takes all, not "${table}"; a routing table is that of a vrf`);
  return { vrf: one(found, 'vrf'), all: table === 'all' };
}

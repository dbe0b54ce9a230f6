/**
 * `overtap stats`: shows traffic and drops by reason, of the switch or of one link.
 */
import type { LinkCounters, StatsAnswer } from '../../api/api.js';
import type { SwitchClient } from '../../client/client.js';
import type { Invocation } from '../context.js';
import { formatLinkStats, formatStats } from '../format/stats.js';
import { findLink } from '../links.js';
import { type Grammar, one, parseWords } from '../words.js';

export const GRAMMAR: Grammar = {
  command: 'stats',
  rules: [{ word: 'dev', key: 'link', value: 'LINK' }],
  rest: { key: 'link', value: 'LINK' },
};

export async function run({ context, words }: Invocation): Promise<number> {
  const wanted = one(parseWords(GRAMMAR, words), 'link');
  const client = await context.client();
  const stats = await client.get('/v1/stats');
  if (wanted === undefined) {
    if (context.json) context.printJson(stats);
    else context.print(formatStats(stats));
    return 0;
  }
  const links = await linksOf(client, stats, wanted);
  if (context.json) context.printJson({ links });
  else context.print(formatLinkStats(links));
  return 0;
}

/** The counters of one link; for a bridge without counters of its own, those of its ports. */
async function linksOf(
  client: SwitchClient,
  stats: StatsAnswer,
  wanted: string,
): Promise<Readonly<Record<string, LinkCounters>>> {
  const own = Object.entries(stats.links).filter(([name]) => name === wanted);
  if (own.length > 0) return Object.fromEntries(own);
  const rows = await client.get('/v1/links');
  findLink(rows, wanted);
  const ports = rows.filter((row) => row.master === wanted).map((row) => row.ifname);
  return Object.fromEntries(Object.entries(stats.links).filter(([name]) => ports.includes(name)));
}

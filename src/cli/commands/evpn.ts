/**
 * `overtap evpn`: shows what the BGP speaker knows, and has it do something at once. `requests/evpn.ts` reads the words.
 */
import type { EvpnRequest, EvpnRouteRow } from '../../api/api.js';
import type { SwitchClient } from '../../client/client.js';
import type { Context, Invocation } from '../context.js';
import { NotFoundError } from '../errors.js';
import {
  formatDistinguisher,
  formatEvpn,
  formatNeighbor,
  formatNeighbors,
  formatRoute,
  formatVni,
  formatVnis,
  ROUTES_HEAD,
} from '../format/evpn.js';
import {
  EVPN_GRAMMARS,
  evpnClear,
  evpnRefresh,
  neighborShow,
  type RouteQuery,
  routeQuery,
  vniShow,
} from '../requests/evpn.js';
import { parseWords, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = {
  command: 'evpn',
  here: ['show', 'routes', 'neighbors', 'vni', 'clear', 'refresh'],
  aliases: { route: 'routes', neighbor: 'neighbors', vnis: 'vni' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  const rest = words.slice(1);
  if (name === 'help') context.print(await help());
  else if (name === 'show') await show(context, rest);
  else if (name === 'routes') await showRoutes(context, routeQuery(rest));
  else if (name === 'neighbors') await showNeighbors(context, neighborShow(rest));
  else if (name === 'vni') await showVnis(context, vniShow(rest));
  else await order(context, name === 'clear' ? evpnClear(rest) : evpnRefresh(rest));
  return 0;
}

async function order(context: Context, request: EvpnRequest): Promise<void> {
  const client = await context.client();
  await client.post('/v1/evpn', request);
}

async function show(context: Context, words: readonly string[]): Promise<void> {
  parseWords(EVPN_GRAMMARS.show, words);
  const answer = await (await context.client()).get('/v1/evpn');
  if (context.json) context.printJson(answer);
  else context.print(formatEvpn(answer));
}

async function showNeighbors(context: Context, wanted: string | undefined): Promise<void> {
  const all = await (await context.client()).get('/v1/evpn/neighbors');
  const rows = wanted === undefined ? all : all.filter(({ address }) => address === wanted);
  if (wanted !== undefined && rows.length === 0) throw new NotFoundError(`there is no BGP neighbour ${wanted}`);
  if (context.json) context.printJson(rows);
  else context.print(wanted === undefined ? formatNeighbors(rows) : formatNeighbor(rows[0]));
}

async function showVnis(context: Context, wanted: number | undefined): Promise<void> {
  const all = await (await context.client()).get('/v1/evpn/vnis');
  const rows = wanted === undefined ? all : all.filter(({ vni }) => vni === wanted);
  if (wanted !== undefined && rows.length === 0) throw new NotFoundError(`VNI ${wanted} does not take part in EVPN`);
  if (context.json) context.printJson(rows);
  else context.print(wanted === undefined ? formatVnis(rows) : rows.map(formatVni).join(''));
}

/** Prints page by page; JSON all at once, as one list. */
async function showRoutes(context: Context, asked: RouteQuery): Promise<void> {
  const client = await context.client();
  const all: EvpnRouteRow[] = [];
  let rd = '';
  let count = 0;
  for await (const rows of pages(client, asked)) {
    count += rows.length;
    if (context.json) {
      for (const row of rows) all.push(row);
      continue;
    }
    let text = rows.length > 0 && rd === '' ? ROUTES_HEAD : '';
    for (const row of rows) {
      if (row.rd !== rd) text += formatDistinguisher(row.rd);
      rd = row.rd;
      text += formatRoute(row);
    }
    context.print(text);
  }
  if (context.json) context.printJson(all);
  else context.line(count === 1 ? '1 path' : `${count} paths`);
}

async function* pages(client: SwitchClient, { query, isOwn }: RouteQuery): AsyncGenerator<EvpnRouteRow[]> {
  let after: number | undefined;
  do {
    if (after !== undefined) query.set('after', String(after));
    const { routes, next } = await client.get(`/v1/evpn/routes?${query}`);
    yield isOwn ? routes.filter(({ neighbor }) => neighbor === undefined) : routes;
    // A page that leads back would never end.
    after = next !== undefined && next > (after ?? 0) ? next : undefined;
  } while (after !== undefined);
}

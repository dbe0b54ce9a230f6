/**
 * `overtap mdb`: shows and changes the multicast groups and router ports of bridges, in the grammar of `bridge mdb`.
 * `requests/mdb.ts` converts the words of a change to a request.
 */
import type { LinkRow, MdbAnswer, MdbRequest, MdbRow } from '../../api/api.js';
import { command } from '../../text/shell.js';
import type { Context, Invocation } from '../context.js';
import { NotFoundError } from '../errors.js';
import { formatMdb, mdbJson } from '../format/mdb.js';
import { findBridge, findLink } from '../links.js';
import { mdbChange, mdbFlush, mdbGet, mdbShow } from '../requests/mdb.js';
import { SHOW_ALIASES, type Subcommands, subcommand } from '../words.js';

export const FAMILY: Subcommands = {
  command: 'mdb',
  here: ['show', 'add', 'replace', 'del', 'get', 'flush'],
  aliases: { ...SHOW_ALIASES, delete: 'del' },
};

export async function run({ context, words, help }: Invocation): Promise<number> {
  const name = subcommand(FAMILY, words[0]);
  const rest = words.slice(1);
  if (name === 'help') context.print(await help());
  else if (name === 'show') await show(context, rest);
  else if (name === 'get') await get(context, rest);
  else if (name === 'flush') await change(context, mdbFlush(rest));
  else await change(context, mdbChange(name as 'add' | 'replace' | 'del', rest));
  return 0;
}

async function change(context: Context, request: MdbRequest): Promise<void> {
  const client = await context.client();
  await client.post('/v1/mdb', request);
}

async function show(context: Context, words: readonly string[]): Promise<void> {
  const { dev, port, grp, src, vid, src_vni } = mdbShow(words);
  const client = await context.client();
  const links = await client.get('/v1/links');
  if (dev !== undefined) findHolder(links, dev);
  if (port !== undefined) findLink(links, port);
  const fits = (row: { dev: string; port: string; vid?: number }): boolean =>
    (dev === undefined || row.dev === dev) &&
    (port === undefined || row.port === port) &&
    (vid === undefined || row.vid === vid);
  const answer = await client.get('/v1/mdb');
  const ofGroup = (row: MdbRow): boolean =>
    (grp === undefined || row.grp === grp) &&
    (src === undefined || row.src === src) &&
    (row.src_vni ?? src_vni) === src_vni;
  print(context, links, {
    mdb: answer.mdb.filter((row) => fits(row) && ofGroup(row)),
    // A router port belongs to no group, so a listing of one group omits it.
    router: grp === undefined && src === undefined && src_vni === undefined ? answer.router.filter(fits) : [],
  });
}

/** What has entries: a bridge, or a vxlan port. @throws as `findBridge` */
function findHolder(links: readonly LinkRow[], dev: string): void {
  const type = links.find(({ ifname }) => ifname === dev)?.type;
  if (type !== 'vxlan' && type !== 'geneve') findBridge(links, dev);
}

/** @throws NotFoundError when there is no such entry */
async function get(context: Context, words: readonly string[]): Promise<void> {
  const { dev, grp, src, vid, src_vni: vni } = mdbGet(words);
  const client = await context.client();
  const links = await client.get('/v1/links');
  findHolder(links, dev);
  const { mdb } = await client.get('/v1/mdb');
  const found = mdb.filter(
    (row) => row.dev === dev && row.grp === grp && row.src === src && row.vid === vid && (row.src_vni ?? vni) === vni,
  );
  if (found.length === 0) {
    const more = Object.entries({ src, vid, src_vni: vni }).filter(([, value]) => value !== undefined);
    const what = [grp, ...more.flat()];
    throw new NotFoundError(`${dev} has no entry ${what.join(' ')}; "${command`mdb show dev ${dev}`}" lists all`);
  }
  print(context, links, { mdb: found, router: [] });
}

function print(context: Context, links: readonly LinkRow[], answer: MdbAnswer): void {
  if (!context.json) {
    context.print(formatMdb(answer, context.details));
    return;
  }
  const bridges = links.filter(({ type }) => type === 'bridge').map(({ ifname }) => ifname);
  context.printJson(mdbJson(answer, bridges));
}

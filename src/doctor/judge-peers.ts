/** Judges the sources of peers of vxlan ports. Pure. */
import type { LinkRow } from '../api/api.js';
import { type Check, fail, ok, warn } from './check.js';

type Source = NonNullable<LinkRow['peer_sources']>[number];

/** @param now milliseconds since 1970 */
export function judgePeers(links: readonly LinkRow[], now: number): Check[] {
  return links.flatMap(({ ifname, peer_sources: sources = [] }) =>
    sources.map((source) => judgeSource(ifname, source, now)),
  );
}

function judgeSource(ifname: string, { source, state, remotes, spoke, fault }: Source, now: number): Check {
  const subject = `${ifname} ${source}`;
  const age =
    spoke === undefined ? 'it has never spoken' : `it last spoke ${Math.round((now - Date.parse(spoke)) / 1000)} s ago`;
  const cause = fault === undefined ? age : `${age}; ${fault}`;
  const remedy = 'see whether it is there and what it says; "overtap link show" has its state';
  if (state === 'failed') return fail(subject, `fails (${cause}): its ${remotes} remotes stay as they were`, remedy);
  if (state === 'lapsed')
    return fail(subject, `has failed for longer than peers_grace (${cause}): its peers were taken back`, remedy);
  if (state === 'starting') return warn(subject, `has not spoken yet (${cause})`, remedy);
  if (fault !== undefined) return warn(subject, `speaks, and part of it cannot be used: ${fault}`, 'mend what it says');
  return ok(subject, `speaks: ${remotes} remotes`);
}

/**
 * Links, two lines each, as in `ip link show`: first the state, then the options, in the words of `link set`. Pure.
 */
import type { LinkRow, PeerSourceRow } from '../../api/api.js';
import type { LinkType } from '../../config/options/kinds.js';
import { OPTION_ROWS } from '../../config/options/table.js';
import { formatOptions } from '../../config/options/words.js';

const FIRST_LINE = new Set(['ifname', 'type', 'master', 'operstate', 'mtu', 'address']);

/** All links, two lines each. */
export function formatLinks(rows: readonly LinkRow[]): string {
  return rows.map(formatLink).join('');
}

function formatLink(row: LinkRow): string {
  const first = [`${row.ifname}:`, 'mtu', String(row.mtu)];
  if (row.master !== undefined) first.push('master', row.master);
  first.push('state', row.operstate);
  const second = row.address === undefined ? [] : ['link/ether', row.address];
  second.push('type', row.type);
  for (const [option, value] of Object.entries(row)) {
    // A configured MAC is also the NIC's `address`.
    if (!FIRST_LINE.has(option) && option !== 'mac') second.push(...optionWords(row.type, option, value));
  }
  const more = (row.peer_sources ?? []).map((source) => `    ${sourceWords(source).join(' ')}\n`);
  return `${first.join(' ')}\n    ${second.join(' ')}\n${more.join('')}${(row.bfd_remotes ?? []).map(remoteLine).join('')}`;
}

/** A source of peers. */
function sourceWords({ source, state, remotes, macs, bindings, spoke, fault }: PeerSourceRow): string[] {
  const counts = Object.entries({ remotes, macs, bindings }).flatMap(([word, count]) =>
    word === 'remotes' || count > 0 ? [word, String(count)] : [],
  );
  const words = ['peers', source, 'state', state, ...counts];
  return [
    ...words,
    ...(spoke === undefined ? [] : ['spoke', spoke]),
    ...(fault === undefined ? [] : ['fault:', fault]),
  ];
}

/** A remote with its session. */
function remoteLine(remote: NonNullable<LinkRow['bfd_remotes']>[number]): string {
  const { address, state, session, remote_session: theirs, diag, interval, detection_time: detection, ups } = remote;
  const words = ['remote', address, 'state', state];
  if (session !== undefined) words.push('bfd', session, 'peer', theirs ?? 'down', 'diag', String(diag ?? 0));
  if (interval !== undefined) words.push('interval', `${interval}ms`, 'detection', `${detection ?? 0}ms`);
  if (ups !== undefined) words.push('ups', String(ups));
  if (remote.damped !== undefined) words.push('damped', `${remote.damped}ms`);
  const { path_mtu: mtu, path_mtu_search: search } = remote;
  if (search !== undefined) words.push('path_mtu', mtu === undefined ? 'unknown' : String(mtu), 'search', search);
  return `    ${words.join(' ')}\n`;
}

/** The words of an option; none for tables (VLANs, entries), which have their own listings. */
function optionWords(type: string, option: string, value: unknown): string[] {
  const rows = Object.hasOwn(OPTION_ROWS, type) ? OPTION_ROWS[type as LinkType] : [];
  if (rows.some((row) => row.key === option)) return formatOptions(type as LinkType, { [option]: value });
  // Facts that are no options, such as the name of the NIC.
  if (typeof value === 'boolean') return [option, value ? 'on' : 'off'];
  return typeof value === 'number' || typeof value === 'string' ? [option, String(value)] : [];
}

/**
 * Links, two lines each, in the manner of `ip link show`: state first, then the options, in the words that would set
 * them. Pure.
 */
import type { LinkRow } from '../../api/api.js';
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
    // The MAC that a NIC was given is the one that it has.
    if (!FIRST_LINE.has(option) && option !== 'mac') second.push(...optionWords(row.type, option, value));
  }
  return `${first.join(' ')}\n    ${second.join(' ')}\n`;
}

/** An option as it would be typed; nothing for tables (VLANs, entries), which have listings of their own. */
function optionWords(type: string, option: string, value: unknown): string[] {
  const rows = Object.hasOwn(OPTION_ROWS, type) ? OPTION_ROWS[type as LinkType] : [];
  if (rows.some((row) => row.key === option)) return formatOptions(type as LinkType, { [option]: value });
  // What is shown beside the options, such as the NIC's name.
  if (typeof value === 'boolean') return [option, value ? 'on' : 'off'];
  return typeof value === 'number' || typeof value === 'string' ? [option, String(value)] : [];
}

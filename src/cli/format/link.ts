/**
 * Links, two lines each, in the manner of `ip link show`: state first, then what was configured. Pure.
 */
import type { LinkRow } from '../../control/api.js';

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
    const text = FIRST_LINE.has(option) ? undefined : optionText(value);
    if (text !== undefined) second.push(option, text);
  }
  return `${first.join(' ')}\n    ${second.join(' ')}\n`;
}

/** An option as it would be typed; undefined for tables (VLANs, entries), which have listings of their own. */
function optionText(value: unknown): string | undefined {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'number' || typeof value === 'string') return String(value);
  if (Array.isArray(value) && value.length > 0) {
    const parts = value.map(optionText);
    return parts.includes(undefined) ? undefined : parts.join(',');
  }
  return undefined;
}

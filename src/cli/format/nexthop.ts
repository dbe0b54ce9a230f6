/** Nexthops as `ip nexthop show` prints them. Pure. */
import type { NexthopRow } from '../../api/api.js';

/** One nexthop as a line, without its newline. */
export function formatNexthop({ id, gateway, group, scope, protocol }: NexthopRow): string {
  const words = ['id', String(id)];
  if (group !== undefined)
    words.push(
      'group',
      group.map((one) => (one.weight === undefined ? `${one.id}` : `${one.id},${one.weight}`)).join('/'),
    );
  if (gateway !== undefined) words.push('via', gateway);
  if (scope !== undefined) words.push('scope', scope);
  if (protocol !== undefined) words.push('proto', protocol);
  return [...words, 'fdb'].join(' ');
}

export function formatNexthops(rows: readonly NexthopRow[]): string {
  return rows.map((row) => `${formatNexthop(row)}\n`).join('');
}

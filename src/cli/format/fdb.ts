/**
 * FDB entries as `bridge fdb show` prints them. Pure.
 */
import type { FdbRow } from '../../control/api.js';

/** One entry as one line, without its newline. */
export function formatFdbRow(row: FdbRow): string {
  const words = [row.mac, 'dev', row.ifname];
  if (row.vlan !== undefined) words.push('vlan', String(row.vlan));
  if (row.dst !== undefined) words.push('dst', row.dst);
  if (row.port !== undefined) words.push('port', String(row.port));
  if (row.vni !== undefined) words.push('src_vni', String(row.vni));
  words.push(...row.flags);
  // `self` says that the entry belongs to the port, which is the opposite of its bridge, as in iproute2's output.
  if (!row.flags.includes('self')) words.push('master', row.master);
  if (row.state !== 'dynamic') words.push(row.state);
  return words.join(' ');
}

/** All entries, a line each. */
export function formatFdb(rows: readonly FdbRow[]): string {
  return rows.map((row) => `${formatFdbRow(row)}\n`).join('');
}

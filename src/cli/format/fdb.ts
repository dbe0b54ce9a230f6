/**
 * FDB entries as `bridge fdb show` prints them. Pure.
 */
import type { FdbRow } from '../../api/api.js';

type Place = Pick<FdbRow, 'mac' | 'ifname' | 'vlan' | 'dst' | 'port' | 'vni' | 'src_vni' | 'nhid'>;

/** Key and destination of an entry: `MAC dev PORT vlan VID dst ADDRESS src_vni VNI`, with `vni` if its frames are sent with another. */
export function entryWords({ mac, ifname, vlan, dst, port, vni, src_vni, nhid }: Place): string[] {
  const words = [mac, 'dev', ifname];
  if (vlan !== undefined) words.push('vlan', String(vlan));
  if (dst !== undefined) words.push('dst', dst);
  if (port !== undefined) words.push('port', String(port));
  if (nhid !== undefined) words.push('nhid', String(nhid));
  if (src_vni !== undefined) words.push('vni', String(vni), 'src_vni', String(src_vni));
  else if (vni !== undefined) words.push('src_vni', String(vni));
  return words;
}

/** One entry as a line, without its newline. */
export function formatFdbRow(row: FdbRow, details = false): string {
  const words = [...entryWords(row), ...row.flags];
  if (row.activity_notify) words.push('activity_notify');
  if (row.inactive) words.push('inactive');
  // As in iproute2's output: `self` is an entry of the port, `master` one of its bridge.
  if (!row.flags.includes('self')) words.push('master', row.master);
  if (row.state !== 'dynamic') words.push(row.state);
  if (row.proto !== undefined) words.push('proto', row.proto);
  if (details && row.updated !== undefined) words.push('used', String(row.updated));
  if (details) words.push('moves', String(row.moves));
  return words.join(' ');
}

/** All entries, one line each. @param details adds the seconds since the last use, and the number of moves */
export function formatFdb(rows: readonly FdbRow[], details = false): string {
  return rows.map((row) => `${formatFdbRow(row, details)}\n`).join('');
}

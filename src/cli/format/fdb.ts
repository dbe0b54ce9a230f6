/**
 * FDB entries as `bridge fdb show` prints them. Pure.
 */
import type { FdbRow } from '../../api/api.js';

type Place = Pick<FdbRow, 'mac' | 'ifname' | 'vlan' | 'dst' | 'port' | 'vni' | 'src_vni'>;

/** Which entry it is and where it leads: `MAC dev PORT vlan VID dst ADDRESS src_vni VNI`, with `vni` where it is sent with another. */
export function entryWords({ mac, ifname, vlan, dst, port, vni, src_vni }: Place): string[] {
  const words = [mac, 'dev', ifname];
  if (vlan !== undefined) words.push('vlan', String(vlan));
  if (dst !== undefined) words.push('dst', dst);
  if (port !== undefined) words.push('port', String(port));
  if (src_vni !== undefined) words.push('vni', String(vni), 'src_vni', String(src_vni));
  else if (vni !== undefined) words.push('src_vni', String(vni));
  return words;
}

/** One entry as one line, without its newline. */
export function formatFdbRow(row: FdbRow, details = false): string {
  const words = [...entryWords(row), ...row.flags];
  // `self` says that the entry belongs to the port, which is the opposite of its bridge, as in iproute2's output.
  if (!row.flags.includes('self')) words.push('master', row.master);
  if (row.state !== 'dynamic') words.push(row.state);
  if (details && row.updated !== undefined) words.push('used', String(row.updated));
  if (details) words.push('moves', String(row.moves));
  return words.join(' ');
}

/** All entries, a line each. @param details with the seconds since each was used, and how often it moved */
export function formatFdb(rows: readonly FdbRow[], details = false): string {
  return rows.map((row) => `${formatFdbRow(row, details)}\n`).join('');
}

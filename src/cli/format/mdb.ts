/**
 * The multicast groups and router ports of bridges as `bridge mdb show` prints them. Pure.
 */
import type { MdbAnswer, MdbRouterRow, MdbRow } from '../../api/api.js';

/** Groups, then router ports, one line each. */
export function formatMdb({ mdb, router }: MdbAnswer): string {
  const lines = [
    ...mdb.map((row) => ['dev', row.dev, 'port', row.port, 'grp', row.grp, ...tail(row, row.state)]),
    ...router.map((row) => ['router', 'dev', row.dev, 'port', row.port, ...tail(row, row.type)]),
  ];
  return lines.map((words) => `${words.join(' ')}\n`).join('');
}

function tail({ dst, vid, timer }: MdbRow | MdbRouterRow, state: string): string[] {
  const words: string[] = [];
  if (dst !== undefined) words.push('dst', dst);
  words.push(state);
  if (vid !== undefined) words.push('vid', String(vid));
  if (timer !== undefined) words.push('timer', String(timer));
  return words;
}

/**
 * Bindings as `ip neigh show` prints them. Pure.
 */
import type { NeighRow } from '../../api/api.js';

/** All bindings, one line each. */
export function formatNeigh(rows: readonly NeighRow[]): string {
  return rows.map((row) => `${formatNeighRow(row)}\n`).join('');
}

function formatNeighRow({ dst, ifname, lladdr, vlan, vni, router, state, origin, updated }: NeighRow): string {
  const words = [dst, 'dev', ifname, 'lladdr', lladdr];
  if (vlan !== undefined) words.push('vlan', String(vlan));
  if (vni !== undefined) words.push('src_vni', String(vni));
  if (router === true) words.push('router');
  words.push(state.toUpperCase());
  if (origin !== undefined && origin !== 'manual') words.push(origin, 'used', String(updated));
  return words.join(' ');
}

/** Routes that have been here before (RFC 4271 section 9.1.2, RFC 4456 section 8). */
import type { PathAttributes } from '../../wire/bgp/route.js';

export type Loop = 'own_as' | 'own_originator' | 'own_cluster';

/** @returns null: no loop */
export function loopOf(value: PathAttributes, asn: number, routerId: string): Loop | null {
  if (value.asPath.some(({ asns }) => asns.includes(asn))) return 'own_as';
  if (value.originatorId === routerId) return 'own_originator';
  return value.clusterList?.includes(routerId) ? 'own_cluster' : null;
}

/** Nexthops as `ip -j nexthop` shows them. */
import type { NexthopRow } from '../../api/api.js';
import type { NexthopConfig } from '../../config/types.js';

export function viewNexthops(nexthops: readonly NexthopConfig[]): NexthopRow[] {
  return nexthops.map(({ id, via, group, protocol }) => ({
    id,
    ...(via === undefined ? {} : { gateway: via, scope: 'link' as const }),
    ...(group === undefined
      ? {}
      : { group: group.map(({ id: one, weight }) => ({ id: one, ...(weight === 1 ? {} : { weight }) })) }),
    ...(protocol === 'unspec' ? {} : { protocol }),
    flags: [],
    fdb: null,
  }));
}

/** Routes as `ip route show` prints them. Pure. */
import type { RouteRow } from '../../api/route.js';

export function formatRoutes(rows: readonly RouteRow[]): string {
  return rows.map((row) => `${formatRoute(row)}\n`).join('');
}

/** One route, without its newline; several ways have a line each, as in iproute2. */
export function formatRoute({ type, dst, vrf, protocol, nexthops }: RouteRow): string {
  const head = [...(type === undefined ? [] : [type]), dst];
  const tail = ['proto', protocol, ...(vrf === undefined ? [] : ['vrf', vrf])];
  if (nexthops.length <= 1) return [...head, ...nexthops.flatMap(wordsOf), ...tail].join(' ');
  return [[...head, ...tail].join(' '), ...nexthops.map((way) => `\tnexthop ${wordsOf(way).join(' ')}`)].join('\n');
}

function wordsOf({ gateway, lladdr, dev }: RouteRow['nexthops'][number]): string[] {
  return [
    ...(gateway === undefined ? [] : ['via', gateway]),
    ...(lladdr === undefined ? [] : ['lladdr', lladdr]),
    'dev',
    dev,
  ];
}

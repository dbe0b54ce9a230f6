/** What a gateway does with a packet, in words: its route, and the MACs and TTL that it goes on with. */
import type { TraceStep } from '../../api/api.js';
import {
  NO_ROUTE,
  ROUTE_LOCAL,
  ROUTE_UNICAST,
  WAY_HOP,
  WAY_KIND,
  WAY_MAC,
  WAY_PORT,
  WAY_VIA,
} from '../../dataplane/state/routes.js';
import { ETHERNET_HEADER, formatMac, macHigh, macLow } from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import { ipVersion, ipv4Ttl } from '../../wire/ipv4.js';
import { ipv6HopLimit } from '../../wire/ipv6.js';
import { prefixTextOf } from '../model/routes.js';
import type { Routed } from '../shadow/shadow.js';
import type { Site } from './site.js';

/** The route that decides. Read before the bridge has the frame. */
export function routeStep({ route, gateway }: Routed, site: Site): TraceStep[] {
  if (route === null) return [];
  const name = site.name(gateway);
  const to = formatAddress(...route.destination);
  const step = (code: string, text: string): TraceStep[] => [{ stage: 'route', code, text: `${name} routes: ${text}` }];
  if (route.length === NO_ROUTE) return step('no_route', `there is no route to ${to}.`);
  if (route.kind === ROUTE_LOCAL) return step('local', `${to} is an address of a gateway of this switch.`);
  const prefix = prefixOf(route);
  if (route.kind !== ROUTE_UNICAST) return step('blackhole', `${to} is in ${prefix}, which leads nowhere.`);
  const ways = route.ways.map((way) => wayText(way, site));
  if (ways.length === 1) return step('route', `${to} is in ${prefix}, ${ways[0]}.`);
  const { chosen } = route;
  if (chosen < 0)
    return step('route', `${to} is in ${prefix}, by none of ${ways.length} ways: their gateways are down.`);
  const others = ways.filter((_, index) => index !== chosen).join('; ');
  const among = `way ${chosen + 1} of ${ways.length} by the hash of its flow; beside it are: ${others}`;
  return step('route', `${to} is in ${prefix}, ${ways[chosen]}, ${among}.`);
}

/** `10.0.20.0/24`, of the route that was found. */
function prefixOf({ destination, length }: NonNullable<Routed['route']>): string {
  const words = destination.map((word, index) => {
    const bits = length - index * 32;
    return bits >= 32 ? word : bits <= 0 ? 0 : word & (-1 << (32 - bits));
  });
  return prefixTextOf(words, length);
}

function wayText(way: Int32Array, site: Site): string {
  const by = site.name(way[WAY_PORT]);
  if (way[WAY_KIND] === WAY_MAC) return `by ${by} to the router at ${formatMac(way[WAY_HOP], way[WAY_HOP + 1])}`;
  if (way[WAY_KIND] !== WAY_VIA) return `on the link of ${by}`;
  const [a, b, c, d] = way.subarray(WAY_HOP, WAY_HOP + 4);
  return `by ${by} to the router ${formatAddress(a, b, c, d)}`;
}

/** The frame that the packet, or what a gateway says about it, has become. */
export function rewrittenStep({ frame, by, isOwn, context }: Routed, site: Site): TraceStep[] {
  if (frame < 0) return [];
  const { view } = context;
  const macs = `to ${macText(frame)}, from ${macText(frame + 6)}`;
  const l3 = frame + ETHERNET_HEADER;
  const isV4 = ipVersion(view, l3) === 4;
  const ttl = isV4 ? `TTL ${ipv4Ttl(view, l3)}` : `hop limit ${ipv6HopLimit(view, l3)}`;
  const what = isOwn ? 'The gateway says something itself' : 'The packet goes on';
  const text = `${what} as a frame of ${site.name(by)}: ${macs}, with ${ttl}.`;
  return [{ stage: 'route', code: isOwn ? 'own' : 'rewritten', text }];

  function macText(at: number): string {
    return formatMac(macHigh(view, at), macLow(view, at));
  }
}

/** What decided, as `overtap route show` lists it. */
export function routeWords({ route, by }: Routed, site: Site): string[] {
  if (route === null || route.length === NO_ROUTE) return [];
  const local = route.kind === ROUTE_LOCAL ? 'local ' : '';
  return [`route ${local}${prefixOf(route)} dev ${site.name(by)}`];
}

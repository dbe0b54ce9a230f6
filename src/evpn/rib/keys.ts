/**
 * What makes two routes the same one: the key fields of the NLRI (RFC 7432 section 7, RFC 9136 section 3.1). Labels, the Ethernet segment and
 * the gateway are no part of it.
 */
import type { EvpnRoute } from '../../wire/bgp/route.js';

/** The key of a route among those of one RD. Of a plain MAC it is the MAC itself, so it costs no text of its own. */
export function keyOf(route: EvpnRoute): string {
  if (route.type === 3) return `3 ${route.tag} ${route.origin}`;
  if (route.type === 5) return `5 ${route.tag} ${route.prefix}`;
  if (route.tag !== 0) return `${route.mac} ${route.ip ?? ''} ${route.tag}`;
  return route.ip === undefined ? route.mac : `${route.mac} ${route.ip}`;
}

/** Whether routes of one key say the same. */
export function isSameRoute(one: EvpnRoute, other: EvpnRoute): boolean {
  if (one.type === 2 && other.type === 2) {
    return one.label === other.label && one.label2 === other.label2 && one.esi === other.esi;
  }
  if (one.type === 5 && other.type === 5) {
    return one.label === other.label && one.gateway === other.gateway && one.esi === other.esi;
  }
  return one.type === other.type;
}

export function compareTexts(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

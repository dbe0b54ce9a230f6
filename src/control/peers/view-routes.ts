/** Routes of gateways, in the words of `ip -j route`. */
import type { RouteRow } from '../../api/route.js';
import { ROUTE_LOCAL, ROUTE_NOWHERE, ROUTE_UNICAST, type Way } from '../../dataplane/state/routes.js';
import { prefixText } from '../../values/route-text.js';
import { formatMac } from '../../wire/ethernet.js';
import { formatAddress, IPV4_MAPPED } from '../../wire/ip-address.js';
import type { SwitchModel } from '../model/model.js';
import type { EngineRoute } from '../model/routes.js';

const MAPPED_BITS = 96;

export interface RouteParts {
  model: SwitchModel;
  routes: Iterable<EngineRoute>;
  vrfOf(number: number): string | undefined;
  /** The source of a route; undefined: the configuration. */
  sourceOf(route: EngineRoute): string | undefined;
}

/** Addresses of gateways and broadcast addresses last, as tables of their own are. */
export function viewRoutes({ model, routes, vrfOf, sourceOf }: RouteParts): RouteRow[] {
  return [...routes]
    .sort((one, other) => orderOf(one) - orderOf(other) || one.vrf - other.vrf)
    .map((route) => {
      const { kind, vrf, ways } = route;
      const name = vrfOf(vrf);
      return {
        ...(kind === ROUTE_LOCAL ? { type: 'local' as const } : {}),
        ...(kind === ROUTE_NOWHERE ? { type: 'blackhole' as const } : {}),
        dst: textOf(route),
        ...(name === undefined ? {} : { vrf: name }),
        protocol: sourceOf(route) ?? (ways.some(({ via }) => via !== undefined) ? 'static' : 'kernel'),
        nexthops: ways.map((way) => viewWay(model, way)),
      };
    });
}

function orderOf({ kind }: EngineRoute): number {
  return kind === ROUTE_UNICAST ? 0 : kind;
}

function viewWay({ portAt }: SwitchModel, { port, via, mac }: Way): RouteRow['nexthops'][number] {
  return {
    ...(via === undefined ? {} : { gateway: addressText(via) }),
    ...(mac === undefined ? {} : { lladdr: formatMac(mac.high, mac.low) }),
    dev: portAt[port]?.name ?? '',
  };
}

function textOf({ words, prefix }: EngineRoute): string {
  const [address = '', length = ''] = prefixTextOf(words, prefix).split('/');
  return Number(length) === (address.includes(':') ? 128 : 32) ? address : prefixText(address, Number(length));
}

/** ADDRESS/LENGTH. @param prefix of 128 bits */
export function prefixTextOf(words: readonly number[], prefix: number): string {
  const isV4 = words[0] === 0 && words[1] === 0 && words[2] === IPV4_MAPPED && prefix >= MAPPED_BITS;
  return `${addressText(words)}/${isV4 ? prefix - MAPPED_BITS : prefix}`;
}

function addressText(words: readonly number[]): string {
  return formatAddress(words[0], words[1], words[2], words[3]);
}

/** Routes of gateways, in the words of `ip -j route`. */
import type { RouteRow } from '../../api/route.js';
import { ROUTE_LOCAL, ROUTE_NOWHERE, ROUTE_UNICAST, type Way } from '../../dataplane/state/routes.js';
import { prefixText } from '../../values/route-text.js';
import { formatMac } from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import type { SwitchModel } from '../model/model.js';
import { type EngineRoute, prefixTextOf } from '../model/routes.js';

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

function addressText(words: readonly number[]): string {
  return formatAddress(words[0], words[1], words[2], words[3]);
}

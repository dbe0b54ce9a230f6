/**
 * `/v1/evpn`: questions to the BGP speaker and its answers as rows, and orders to it. Knows the speaker by `listings.ts` only.
 */
import type {
  EvpnAnswer,
  EvpnNeighborRow,
  EvpnRequest,
  EvpnRouteRow,
  EvpnRoutesAnswer,
  EvpnVniRow,
} from '../../api/api.js';
import { EVPN_PAGE, type EvpnRoutesQuery } from '../../api/evpn.js';
import type { NeighborAnswer, RouteAnswer, VniAnswer } from '../../evpn/contract.js';
import { type AsSegment, type EvpnRoute, NO_ESI, type PathAttributes } from '../../wire/bgp/route.js';
import type { EvpnOrder, EvpnViews } from '../listings.js';
import { HttpRefusal } from './http-refusal.js';

/** What the metrics show of the speaker. */
export interface EvpnFigures {
  neighbors: readonly EvpnNeighborRow[];
  vnis: readonly EvpnVniRow[];
}

/** @throws HttpRefusal 404 when there is no speaker */
function speakerOf(evpn: EvpnViews | null): EvpnViews {
  if (evpn !== null) return evpn;
  throw new HttpRefusal(404, 'not_found', 'this switch has no BGP speaker; add "evpn" to its configuration');
}

export async function askSummary(evpn: EvpnViews | null): Promise<EvpnAnswer> {
  const speaker = speakerOf(evpn);
  const [{ neighbors = [] }, { vnis = [] }] = await Promise.all([
    speaker.ask({ ask: 'neighbors' }),
    speaker.ask({ ask: 'vnis' }),
  ]);
  const sum = <T>(rows: readonly T[], of: (row: T) => number): number => rows.reduce((all, row) => all + of(row), 0);
  return {
    ...{ asn: speaker.asn, router_id: speaker.routerId, listen: speaker.listen },
    neighbors: neighbors.length,
    established: neighbors.filter(({ state }) => state === 'established').length,
    routes_received: sum(neighbors, ({ received }) => received),
    routes_sent: sum(neighbors, ({ sent }) => sent),
    routes_stale: sum(neighbors, ({ stale }) => stale),
    l2vnis: vnis.filter(({ kind }) => kind === 'l2').length,
    l3vnis: vnis.filter(({ kind }) => kind === 'l3').length,
    remotes: new Set(vnis.flatMap(({ remotes }) => remotes)).size,
    local_macs: sum(vnis, ({ localMacs }) => localMacs),
    remote_macs: sum(vnis, ({ remoteMacs }) => remoteMacs),
    duplicates: sum(vnis, ({ duplicates }) => duplicates.length),
  };
}

/** For the metrics; null: the speaker does not answer. */
export async function askForMetrics(evpn: EvpnViews | null): Promise<EvpnFigures | null | undefined> {
  if (evpn === null) return undefined;
  try {
    const [neighbors, vnis] = await Promise.all([askNeighbors(evpn), askVnis(evpn)]);
    return { neighbors, vnis };
  } catch {
    return null;
  }
}

export async function askNeighbors(evpn: EvpnViews | null): Promise<EvpnNeighborRow[]> {
  const { neighbors = [] } = await speakerOf(evpn).ask({ ask: 'neighbors' });
  return neighbors.map(neighborRow);
}

function neighborRow(answer: NeighborAnswer): EvpnNeighborRow {
  const { address, asn, state, since, ups, routerId, received, accepted, sent, stale, messages } = answer;
  const { lastEnd, malformed, crowded } = answer;
  return {
    ...{ address, asn, state, since: Math.max(0, Math.floor(since / 1000)), ups },
    ...(routerId === undefined ? {} : { router_id: routerId }),
    ...{ received, accepted, sent, stale, messages_in: messages.in, messages_out: messages.out },
    ...(lastEnd === undefined ? {} : { last_end: lastEnd }),
    malformed,
    crowded,
  };
}

export async function askVnis(evpn: EvpnViews | null): Promise<EvpnVniRow[]> {
  const { vnis = [] } = await speakerOf(evpn).ask({ ask: 'vnis' });
  return vnis.map(vniRow);
}

function vniRow(answer: VniAnswer): EvpnVniRow {
  const { vni, kind, owner, local, rd, imports, exports, floods, routerMac, l3vni } = answer;
  return {
    ...{ vni, type: kind, owner, local, rd, imports: [...imports], exports: [...exports], floods },
    ...(routerMac === undefined ? {} : { router_mac: routerMac }),
    ...(l3vni === undefined ? {} : { l3vni }),
    remotes: [...answer.remotes],
    local_macs: answer.localMacs,
    remote_macs: answer.remoteMacs,
    duplicates: [...answer.duplicates],
  };
}

export async function askRoutes(evpn: EvpnViews | null, query: EvpnRoutesQuery): Promise<EvpnRoutesAnswer> {
  const { neighbor, after = 0, limit = EVPN_PAGE, ...filter } = query;
  const from = neighbor === undefined ? {} : { from: neighbor };
  const { routes = [], next } = await speakerOf(evpn).ask({ ask: 'routes', ...filter, ...from, after, most: limit });
  return { routes: routes.map(routeRow), ...(next === undefined ? {} : { next }) };
}

const ORIGINS = ['igp', 'egp', 'incomplete'] as const;

function routeRow({ route, attributes, from, isBest, isStale, imported }: RouteAnswer): EvpnRouteRow {
  return {
    ...routeFields(route),
    next_hop: attributes.nextHop,
    ...(from === undefined ? {} : { neighbor: from }),
    ...{ best: isBest, stale: isStale, imported: [...imported] },
    ...attributeFields(attributes),
  };
}

function routeFields(route: EvpnRoute): Pick<EvpnRouteRow, 'type' | 'rd' | 'tag'> & Partial<EvpnRouteRow> {
  const { type, rd, tag } = route;
  switch (route.type) {
    case 2: {
      const { esi, mac, ip, label, label2 } = route;
      return {
        ...{ type, rd, tag, mac },
        ...(esi === NO_ESI ? {} : { esi }),
        ...(ip === undefined ? {} : { ip }),
        vni: label,
        ...(label2 === undefined ? {} : { l3vni: label2 }),
      };
    }
    case 3:
      return { type, rd, tag, ip: route.origin };
    case 5: {
      const { esi, prefix, gateway, label } = route;
      const hasGateway = !/^[0.:]+$/.test(gateway);
      return {
        ...{ type, rd, tag, prefix, l3vni: label },
        ...(esi === NO_ESI ? {} : { esi }),
        ...(hasGateway ? { gateway } : {}),
      };
    }
  }
}

function attributeFields(attributes: PathAttributes) {
  const { origin, asPath, med, localPref, communities, originatorId, clusterList, pmsi, extended } = attributes;
  const { routeTargets, encapsulation, mobility, isGateway, routerMac, nd } = extended;
  return {
    origin: ORIGINS[origin] ?? 'incomplete',
    as_path: asPath.map(segmentText).join(' '),
    ...(med === undefined ? {} : { med }),
    ...(localPref === undefined ? {} : { local_pref: localPref }),
    ...(communities === undefined ? {} : { communities: communities.map((word) => `${word >>> 16}:${word & 0xffff}`) }),
    ...(originatorId === undefined ? {} : { originator_id: originatorId }),
    ...(clusterList === undefined ? {} : { cluster_list: [...clusterList] }),
    route_targets: [...routeTargets],
    ...(encapsulation === undefined ? {} : { encapsulation }),
    ...(mobility === undefined ? {} : { mobility }),
    ...(isGateway ? { default_gateway: true as const } : {}),
    ...(routerMac === undefined ? {} : { router_mac: routerMac }),
    ...(nd === undefined ? {} : { nd }),
    ...(pmsi === undefined ? {} : { pmsi: pmsiFields(pmsi) }),
  };
}

function pmsiFields({ type, label, endpoint }: NonNullable<PathAttributes['pmsi']>): NonNullable<EvpnRouteRow['pmsi']> {
  return { type, vni: label, ...(endpoint === undefined ? {} : { endpoint }) };
}

/** As FRR writes paths: `65001 65002`, `{65003,65004}`, `(65005 65006)`, `[65007,65008]`. */
function segmentText({ kind, asns }: AsSegment): string {
  if (kind === 'sequence') return asns.join(' ');
  if (kind === 'set') return `{${asns.join(',')}}`;
  return kind === 'confed-sequence' ? `(${asns.join(' ')})` : `[${asns.join(',')}]`;
}

/** @throws HttpRefusal 404 when there is no speaker, or no such neighbour; ChangeRefused when the speaker does not answer */
export async function orderEvpn(evpn: EvpnViews | null, request: EvpnRequest): Promise<void> {
  const speaker = speakerOf(evpn);
  if (request.op === 'clear_duplicates') {
    const { op: _, ...which } = request;
    speaker.order({ do: 'clear-duplicates', ...which });
    return;
  }
  const { op, neighbor } = request;
  if (neighbor !== undefined) await expectNeighbor(speaker, neighbor);
  const which = neighbor === undefined ? {} : { neighbor };
  const order: EvpnOrder = op === 'refresh' ? { do: 'refresh', ...which } : { do: 'reset', ...which };
  speaker.order(order);
}

async function expectNeighbor(speaker: EvpnViews, neighbor: string): Promise<void> {
  const { neighbors = [] } = await speaker.ask({ ask: 'neighbors' });
  if (neighbors.some(({ address }) => address === neighbor)) return;
  const known = neighbors.map(({ address }) => address).slice(0, 8);
  const which = known.length === 0 ? 'there is none' : `there is ${known.join(', ')}`;
  throw new HttpRefusal(404, 'not_found', `there is no BGP neighbour ${neighbor}; ${which}`);
}

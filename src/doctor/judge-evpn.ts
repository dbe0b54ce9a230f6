/** Judges the BGP speaker: its sessions, the routes that it may not keep, MACs that move too often, and route targets. Pure. */
import type { EvpnNeighborRow, EvpnRouteRow, EvpnVniRow } from '../api/api.js';
import { type Check, fail, ok, warn } from './check.js';

/** Findings of one kind that are listed by themselves. */
const MOST = 8;
/** Part of `max_routes` at which the speaker itself warns. */
const NEAR = 0.75;

export interface EvpnFacts {
  neighbors: readonly EvpnNeighborRow[];
  vnis: readonly EvpnVniRow[];
  /** Of type 3, of others. */
  floods: readonly EvpnRouteRow[];
  /** `max_routes` of each neighbour, by address. */
  mostRoutes: ReadonlyMap<string, number>;
}

/** @param facts null: the speaker did not answer */
export function judgeEvpn(facts: EvpnFacts | null): Check[] {
  if (facts === null)
    return [warn('evpn', 'the BGP speaker did not answer in time', 'look at the log of the switch, and try again')];
  const { neighbors, vnis, floods, mostRoutes } = facts;
  const up = neighbors.filter(({ state }) => state === 'established').length;
  return [
    ...neighbors
      .filter(({ state }) => state !== 'established')
      .slice(0, MOST)
      .map(judgeDown),
    ...neighbors.flatMap((neighbor) => judgeLimit(neighbor, mostRoutes.get(neighbor.address))).slice(0, MOST),
    ...vnis
      .filter(({ duplicates }) => duplicates.length > 0)
      .slice(0, MOST)
      .map(judgeDuplicates),
    ...judgeTargets(floods, vnis).slice(0, MOST),
    ok('evpn', `${up} of ${neighbors.length} BGP sessions are up`),
  ];
}

function judgeDown({ address, state, since, ups, last_end: reason }: EvpnNeighborRow): Check {
  const cause = reason === undefined ? 'it does not answer' : reason;
  const before = ups === 0 ? 'has never come up' : `is down for ${since} s`;
  const finding = `its BGP session ${before} (${state}; ${cause}): what it has announced is not used`;
  return fail(
    `evpn ${address}`,
    finding,
    'see whether it runs, has this switch as a neighbour with its AS, and is reached over TCP',
  );
}

function judgeLimit(neighbor: EvpnNeighborRow, most: number | undefined): Check[] {
  const { address, accepted, crowded = 0 } = neighbor;
  const received = neighbor.received - crowded;
  if (crowded > 0) return [judgeCrowded(neighbor, crowded), ...judgeLimit({ ...neighbor, received, crowded: 0 }, most)];
  const remedy = `raise max_routes of ${address}, or let it send fewer`;
  if (received > accepted) {
    const finding = `${received - accepted} of its ${received} routes are refused: max_routes is reached`;
    return [fail(`evpn ${address}`, finding, remedy)];
  }
  if (most === undefined || accepted < most * NEAR) return [];
  return [warn(`evpn ${address}`, `its ${accepted} routes are near max_routes, ${most}`, remedy)];
}

/** `max_routes` is not what keeps these out, and raising it would not help. */
function judgeCrowded({ address, received }: EvpnNeighborRow, crowded: number): Check {
  const finding = `${crowded} of its ${received} routes are refused: their attributes have taken its part of the memory, since no two routes share them`;
  const remedy =
    'look at what it puts on each route (evpn routes neighbor): AS paths, communities; a reflector can strip them';
  return fail(`evpn ${address}`, finding, remedy);
}

function judgeDuplicates({ vni, duplicates }: EvpnVniRow): Check {
  const macs = duplicates.slice(0, MOST).join(', ');
  const finding = `MACs moved between VTEPs too often, and are left where they are: ${macs}`;
  const remedy = `look for two guests with one MAC or for a loop; then: overtap evpn clear duplicates vni ${vni}`;
  return warn(`evpn VNI ${vni}`, finding, remedy);
}

/** VTEPs of our own AS that announce one of our VNIs with route targets that it does not import. */
function judgeTargets(floods: readonly EvpnRouteRow[], vnis: readonly EvpnVniRow[]): Check[] {
  const own = new Map(vnis.filter(({ type }) => type === 'l2').map((row) => [row.vni, row]));
  const found = new Map<string, Check>();
  for (const { pmsi, imported, neighbor, as_path: path, next_hop: vtep, route_targets: targets } of floods) {
    const vni = own.get(pmsi?.vni ?? -1);
    if (vni === undefined || neighbor === undefined || path !== '' || imported.length > 0) continue;
    if (targets.some((target) => vni.imports.includes(target))) continue;
    const finding = `announces VNI ${vni.vni} with route target ${targets.join(', ')}, which it does not import here (${vni.imports.join(', ')})`;
    const remedy = 'give both ends one route target, or add it to the imports of the VNI';
    found.set(`${vtep} ${vni.vni}`, warn(`evpn ${vtep}`, finding, remedy));
  }
  return [...found.values()];
}

/** Listings of routes and VNIs for people. */
import type { EvpnRoute } from '../../wire/bgp/route.js';
import type { Question, RouteAnswer, VniAnswer } from '../contract.js';
import { stalenessOf } from './best.js';
import type { PathTable } from './paths.js';
import type { VniTable } from './vni-table.js';

type RouteQuestion = Extract<Question, { ask: 'routes' }>;
type Tables = ReadonlyMap<number, VniTable>;

/** Routes of one page; a page begins behind the first `after` ones. What changes between two pages may be missed, or come twice. */
export function routesPage(
  question: RouteQuestion,
  paths: PathTable,
  tables: Tables,
): { routes: RouteAnswer[]; next?: number } {
  const routes: RouteAnswer[] = [];
  let place = 0;
  for (const answer of allRoutes(question, paths, tables)) {
    if (place++ < question.after) continue;
    if (routes.length >= question.most) return { routes, next: place - 1 };
    routes.push(answer);
  }
  return { routes };
}

/** The VNIs in the order of their numbers. */
export function vniAnswers(tables: Tables): VniAnswer[] {
  return [...tables.values()].sort((one, other) => one.vni - other.vni).map(vniAnswer);
}

function* allRoutes(question: RouteQuestion, paths: PathTable, tables: Tables): Generator<RouteAnswer> {
  if (question.from === undefined) yield* ownRoutes(question, tables);
  for (const nlri of paths) {
    for (const path of nlri.paths) {
      const { route, attributes, neighbor } = path;
      if (question.from !== undefined && question.from !== neighbor.address) continue;
      const isBest = path === nlri.best;
      const imported = isBest ? nlri.places.map(({ vni }) => vni) : [];
      if (!isWanted(question, route, imported)) continue;
      const isStale = stalenessOf(path) !== 0;
      yield { route, attributes: attributes.value, from: neighbor.address, isBest, isStale, imported };
    }
  }
}

function* ownRoutes(question: RouteQuestion, tables: Tables): Generator<RouteAnswer> {
  for (const { own, vni } of tables.values()) {
    for (const { route, attributes } of own.values()) {
      if (attributes === null || !isWanted(question, route, [vni])) continue;
      yield { route, attributes: attributes.value, isBest: true, isStale: false, imported: [] };
    }
  }
}

function isWanted({ type, vni, rd, mac }: RouteQuestion, route: EvpnRoute, vnis: readonly number[]): boolean {
  if (type !== undefined && route.type !== type) return false;
  if (rd !== undefined && route.rd !== rd) return false;
  if (mac !== undefined && !(route.type === 2 && route.mac === mac)) return false;
  return vni === undefined || vnis.includes(vni);
}

function vniAnswer(table: VniTable): VniAnswer {
  const remotes: string[] = [];
  for (const { told, remote } of table.floods.values()) if (told !== null) remotes.push(remote);
  let localMacs = 0;
  let remoteMacs = 0;
  for (const { holder } of table.macs.values()) {
    if (holder === null) localMacs++;
    else if (holder !== undefined) remoteMacs++;
  }
  return { ...table.config, remotes, localMacs, remoteMacs, duplicates: table.duplicates.frozenOf(table.vni) };
}

/**
 * The routes of the control socket: each path of `src/api/routes.ts` with its listing or change. Passes requests to the switch
 * and returns the answers; knows neither sockets nor the switch's internals.
 */
import type { ServerResponse } from 'node:http';
import type { ChangeRequest, LogLevel, UpgradeAnswer } from '../../api/api.js';
import { openApiDocument } from '../../api/openapi.js';
import { READ_ROUTES, type ReadPath, type ReadRoutes, TEXT_ROUTES, type WriteRoutes } from '../../api/routes.js';
import { quote } from '../../values/show.js';
import type { Controls } from '../controls.js';
import type { Views } from '../listings.js';
import type { CaptureHub } from './capture-stream.js';
import type { EventHub } from './event-stream.js';
import { askForMetrics, askNeighbors, askRoutes, askSummary, askVnis, orderEvpn } from './evpn.js';
import { HttpRefusal } from './http-refusal.js';
import { METRICS_TYPE, metricsOf } from './metrics.js';
import { readKinds, readQuery, readRequest } from './read-request.js';
import { requester } from './requester.js';
import { JSON_TYPE, type Router, STREAMED } from './router.js';
import type { Limits } from './server-limits.js';
import { jsonArray, sendText, type Turns } from './text-stream.js';

/** Called for each requested change. Must not throw. */
export interface Journal {
  done(by: string, change: ChangeRequest, answer: unknown): void;
  refused(by: string, change: ChangeRequest, error: unknown): void;
}

/** The log level. */
export interface LevelControl {
  level(): LogLevel;
  set(level: LogLevel, by: string): void;
}

/** Replaces the process of the switch. @param by the requester @throws ChangeRefused */
export type Upgrade = (by: string) => Promise<UpgradeAnswer>;

/** The kind of change of each path. */
const CHANGES = {
  '/v1/links': 'link',
  '/v1/fdb': 'fdb',
  '/v1/vlans': 'vlan',
  '/v1/neigh': 'neigh',
  '/v1/mdb': 'mdb',
  '/v1/nexthops': 'nexthop',
  '/v1/evpn': 'evpn',
  '/v1/apply': 'apply',
} as const satisfies Partial<Record<keyof WriteRoutes, ChangeRequest['kind']>>;

/** Dependencies of the routes. */
export interface Served {
  views: Views;
  controls: Controls;
  events: EventHub;
  captures: CaptureHub;
  turns: Turns;
  limits: Limits;
  journal: Journal;
  log: LevelControl;
  upgrade: Upgrade;
  /** Called for faults of the switch, not of its clients. */
  report(error: unknown): void;
}

export function addRoutes(app: Router, served: Served): void {
  addListings(app, served);
  addStreams(app, served);
  addChanges(app, served);
}

/** Listings that are small enough to be built at once. */
function addListings(app: Router, { views, log }: Served): void {
  const listing = <P extends ReadPath>(path: P, view: () => ReadRoutes[P] | Promise<ReadRoutes[P]>): void => {
    app.add('GET', path, (request) => {
      readQuery(READ_ROUTES[path].query, request.query);
      return view();
    });
  };
  listing('/v1/info', () => views.info);
  listing('/v1/log', () => ({ level: log.level() }));
  listing('/v1/openapi.json', () => openApiDocument(views.info.version));
  app.add('GET', '/v1/links', (request): ReadRoutes['/v1/links'] =>
    views.links(readQuery(READ_ROUTES['/v1/links'].query, request.query).details === '1'),
  );
  listing('/v1/vlans', () => views.vlans());
  listing('/v1/mdb', () => views.mdb());
  listing('/v1/nexthops', () => views.nexthops());
  listing('/v1/evpn', () => askSummary(views.evpn()));
  listing('/v1/evpn/neighbors', () => askNeighbors(views.evpn()));
  listing('/v1/evpn/vnis', () => askVnis(views.evpn()));
  app.add(
    'GET',
    '/v1/evpn/routes',
    (request): Promise<ReadRoutes['/v1/evpn/routes']> =>
      askRoutes(views.evpn(), readQuery(READ_ROUTES['/v1/evpn/routes'].query, request.query)),
  );
  listing('/v1/routes', () => views.routes());
  listing('/v1/stats', () => views.stats());
  listing('/v1/config', () => views.config());
  app.add('GET', '/v1/drops', (request): ReadRoutes['/v1/drops'] => {
    const { reason } = readQuery(READ_ROUTES['/v1/drops'].query, request.query);
    const found = views.drops(reason);
    if (found !== null) return found;
    throw new HttpRefusal(400, 'invalid', `reason: there is no drop reason ${quote(reason ?? '')}`);
  });
}

/** Answers that are streamed in pieces or without an end. */
function addStreams(app: Router, served: Served): void {
  const { views, captures, events } = served;
  app.add('GET', '/v1/fdb', (request, outgoing) => {
    const filter = readQuery(READ_ROUTES['/v1/fdb'].query, request.query);
    return stream(outgoing, JSON_TYPE, jsonArray(views.fdb(filter)), served);
  });
  app.add('GET', '/v1/neigh', (request, outgoing) => {
    readQuery(READ_ROUTES['/v1/neigh'].query, request.query);
    return stream(outgoing, JSON_TYPE, jsonArray(views.neigh()), served);
  });
  app.add('GET', '/metrics', async (_request, outgoing) => {
    const evpn = await askForMetrics(views.evpn());
    return stream(outgoing, METRICS_TYPE, metricsOf(views, evpn), served);
  });
  app.add('GET', '/v1/capture', (request, outgoing) => {
    captures.open(readQuery(TEXT_ROUTES['/v1/capture'].query, request.query), outgoing);
    return STREAMED;
  });
  app.add('GET', '/v1/events', (request, outgoing) => {
    const kinds = readKinds(request.query);
    if (events.full) {
      const most = served.limits.eventStreams;
      throw new HttpRefusal(503, 'overloaded', `${most} clients read events already; end one of them first`);
    }
    events.open(outgoing, kinds);
    return STREAMED;
  });
}

function addChanges(app: Router, { controls, views, journal, log, upgrade }: Served): void {
  const change = <P extends keyof typeof CHANGES>(
    path: P,
    carry: (request: WriteRoutes[P]['request']) => Promise<WriteRoutes[P]['answer'] | undefined>,
  ): void => {
    app.add('POST', path, async (request) => {
      const asked = readRequest(path, request.body);
      const by = requester(request.incoming.socket);
      const told = { kind: CHANGES[path], request: asked } as ChangeRequest;
      try {
        const answer = await carry(asked);
        journal.done(by, told, answer);
        return answer;
      } catch (error) {
        journal.refused(by, told, error);
        throw error;
      }
    });
  };
  change('/v1/links', (request) => controls.link(request).then(nothing));
  change('/v1/fdb', (request) => controls.fdb(request));
  change('/v1/vlans', (request) => controls.vlan(request).then(nothing));
  change('/v1/neigh', (request) => controls.neigh(request).then(nothing));
  change('/v1/mdb', (request) => controls.mdb(request).then(nothing));
  change('/v1/nexthops', (request) => controls.nexthop(request).then(nothing));
  change('/v1/evpn', (request) => orderEvpn(views.evpn(), request).then(nothing));
  change('/v1/apply', (request) => controls.apply(request));
  app.add('POST', '/v1/upgrade', (request) => {
    readRequest('/v1/upgrade', request.body);
    return upgrade(requester(request.incoming.socket));
  });
  app.add('POST', '/v1/trace', (request) => views.trace(readRequest('/v1/trace', request.body)));
  app.add('POST', '/v1/log', (request) => {
    log.set(readRequest('/v1/log', request.body).level, requester(request.incoming.socket));
  });
}

const nothing = (): undefined => undefined;

/** Sends the parts; the router has nothing left to do. */
function stream(
  outgoing: ServerResponse,
  type: string,
  parts: Iterable<string | undefined>,
  served: Served,
): typeof STREAMED {
  sendText(outgoing, type, parts, served.turns, served.limits).catch(served.report);
  return STREAMED;
}

/**
 * The routes of the control socket: each path of `src/api/routes.ts` with its listing or change. Passes requests to the switch
 * and returns the answers; knows neither sockets nor the switch's internals.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ChangeRequest, LogLevel, UpgradeAnswer } from '../../api/api.js';
import { openApiDocument } from '../../api/openapi.js';
import { READ_ROUTES, type ReadPath, type ReadRoutes, type WriteRoutes } from '../../api/routes.js';
import type { Controls } from '../controls.js';
import type { Views } from '../listings.js';
import type { EventHub } from './event-stream.js';
import { HttpRefusal } from './http-refusal.js';
import { METRICS_TYPE, metricsOf } from './metrics.js';
import { readKinds, readQuery, readRequest } from './read-request.js';
import { requester } from './requester.js';
import type { Limits } from './server-limits.js';
import { jsonArray, sendText, type Turns } from './text-stream.js';

const JSON_TYPE = 'application/json; charset=utf-8';

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
  '/v1/apply': 'apply',
} as const satisfies Partial<Record<keyof WriteRoutes, ChangeRequest['kind']>>;

/** Dependencies of the routes. */
export interface Served {
  views: Views;
  controls: Controls;
  events: EventHub;
  turns: Turns;
  limits: Limits;
  journal: Journal;
  log: LevelControl;
  upgrade: Upgrade;
  /** Called for faults of the switch, not of its clients. */
  report(error: unknown): void;
}

export function addRoutes(app: FastifyInstance, served: Served): void {
  addListings(app, served);
  addStreams(app, served);
  addChanges(app, served);
}

/** Listings that are small enough to be built at once. */
function addListings(app: FastifyInstance, { views, log }: Served): void {
  const listing = <P extends ReadPath>(path: P, view: () => ReadRoutes[P] | Promise<ReadRoutes[P]>): void => {
    app.get(path, (request) => {
      readQuery(READ_ROUTES[path].query, request.query);
      return view();
    });
  };
  listing('/v1/info', () => views.info);
  listing('/v1/log', () => ({ level: log.level() }));
  listing('/v1/openapi.json', () => openApiDocument(views.info.version));
  app.get('/v1/links', (request): ReadRoutes['/v1/links'] =>
    views.links(readQuery(READ_ROUTES['/v1/links'].query, request.query).details === '1'),
  );
  listing('/v1/vlans', () => views.vlans());
  listing('/v1/mdb', () => views.mdb());
  listing('/v1/stats', () => views.stats());
  listing('/v1/config', () => views.config());
}

/** Answers that are streamed in pieces or without an end. */
function addStreams(app: FastifyInstance, served: Served): void {
  const { views, events } = served;
  app.get('/v1/fdb', (request, reply) => {
    const filter = readQuery(READ_ROUTES['/v1/fdb'].query, request.query);
    stream(reply, JSON_TYPE, jsonArray(views.fdb(filter)), served);
  });
  app.get('/v1/neigh', (request, reply) => {
    readQuery(READ_ROUTES['/v1/neigh'].query, request.query);
    stream(reply, JSON_TYPE, jsonArray(views.neigh()), served);
  });
  app.get('/metrics', (_request, reply) => {
    stream(reply, METRICS_TYPE, metricsOf(views), served);
  });
  app.get('/v1/events', (request, reply) => {
    const kinds = readKinds(request.query);
    if (events.full) {
      const most = served.limits.eventStreams;
      throw new HttpRefusal(503, 'overloaded', `${most} clients read events already; end one of them first`);
    }
    events.open(taken(reply), kinds);
  });
}

function addChanges(app: FastifyInstance, { controls, journal, log, upgrade }: Served): void {
  const change = <P extends keyof typeof CHANGES>(
    path: P,
    carry: (request: WriteRoutes[P]['request']) => Promise<WriteRoutes[P]['answer'] | undefined>,
  ): void => {
    app.post(path, async (request, reply) => {
      const asked = readRequest(path, request.body);
      const by = requester(request.raw.socket);
      const told = { kind: CHANGES[path], request: asked } as ChangeRequest;
      try {
        const answer = await carry(asked);
        journal.done(by, told, answer);
        return answer === undefined ? reply.code(204).send() : answer;
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
  change('/v1/apply', (request) => controls.apply(request));
  app.post('/v1/upgrade', (request) => {
    readRequest('/v1/upgrade', request.body);
    return upgrade(requester(request.raw.socket));
  });
  app.post('/v1/log', (request, reply) => {
    log.set(readRequest('/v1/log', request.body).level, requester(request.raw.socket));
    return reply.code(204).send();
  });
}

const nothing = (): undefined => undefined;

function stream(reply: FastifyReply, type: string, parts: Iterable<string | undefined>, served: Served): void {
  sendText(taken(reply), type, parts, served.turns, served.limits).catch(served.report);
}

/** The raw response, detached from the framework. */
function taken(reply: FastifyReply): ServerResponse {
  reply.hijack();
  return reply.raw;
}

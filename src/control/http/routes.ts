/**
 * What the control socket answers to: each path with the listing or the change behind it (`api.ts`, SPEC.md section 6).
 * It carries requests to the switch and answers back; it knows neither sockets nor what the switch does.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ChangeRequest, LogLevel } from '../../api/api.js';
import type { Controls } from '../controls.js';
import type { Views } from '../listings.js';
import type { EventHub } from './event-stream.js';
import { HttpRefusal } from './http-refusal.js';
import { METRICS_TYPE, metricParts } from './metrics.js';
import { readQuery, readRequest } from './request-schemas.js';
import { requester } from './requester.js';
import type { Limits } from './server-limits.js';
import { jsonArray, sendText, type Turns } from './text-stream.js';

const JSON_TYPE = 'application/json; charset=utf-8';

/** Told of each change that was asked for. Must not throw. */
export interface Journal {
  done(by: string, change: ChangeRequest, answer: unknown): void;
  refused(by: string, change: ChangeRequest, error: unknown): void;
}

/** The level of the log. */
export interface LevelControl {
  level(): LogLevel;
  set(level: LogLevel, by: string): void;
}

type Asked<K extends ChangeRequest['kind']> = Extract<ChangeRequest, { kind: K }>['request'];

/** What the routes carry requests to. */
export interface Served {
  views: Views;
  controls: Controls;
  events: EventHub;
  turns: Turns;
  limits: Limits;
  journal: Journal;
  log: LevelControl;
  /** Told of faults of the switch, not of its clients. */
  report(error: unknown): void;
}

export function addRoutes(app: FastifyInstance, served: Served): void {
  addListings(app, served);
  addStreams(app, served);
  addChanges(app, served);
}

/** Listings that are small enough to be made at once. */
function addListings(app: FastifyInstance, { views, log }: Served): void {
  const listing = (path: string, view: () => unknown): void => {
    app.get(path, (request) => {
      readQuery.none(request.query);
      return view();
    });
  };
  listing('/v1/info', () => views.info);
  listing('/v1/log', () => ({ level: log.level() }));
  app.get('/v1/links', (request) => views.links(readQuery.links(request.query)));
  listing('/v1/vlans', () => views.vlans());
  listing('/v1/mdb', () => views.mdb());
  listing('/v1/stats', () => views.stats());
  listing('/v1/config', () => views.config());
}

/** Answers that go out in pieces, or without an end. */
function addStreams(app: FastifyInstance, served: Served): void {
  const { views, events } = served;
  app.get('/v1/fdb', (request, reply) => {
    const filter = readQuery.fdb(request.query);
    stream(reply, JSON_TYPE, jsonArray(views.fdb(filter)), served);
  });
  app.get('/v1/neigh', (request, reply) => {
    readQuery.none(request.query);
    stream(reply, JSON_TYPE, jsonArray(views.neigh()), served);
  });
  app.get('/metrics', (_request, reply) => {
    const { info } = views;
    const residentBytes = process.memoryUsage.rss();
    const uptimeSeconds = process.uptime();
    const parts = metricParts({ info, stats: views.stats(), links: views.links(), uptimeSeconds, residentBytes });
    stream(reply, METRICS_TYPE, parts, served);
  });
  app.get('/v1/events', (request, reply) => {
    const kinds = readQuery.events(request.query);
    if (events.full) {
      const most = served.limits.eventStreams;
      throw new HttpRefusal(503, 'overloaded', `${most} clients read events already; end one of them first`);
    }
    events.open(taken(reply), kinds);
  });
}

function addChanges(app: FastifyInstance, { controls, journal, log }: Served): void {
  const change = <K extends ChangeRequest['kind']>(
    path: string,
    kind: K,
    read: (body: unknown) => Asked<K>,
    carry: (request: Asked<K>) => Promise<unknown>,
  ): void => {
    app.post(path, async (request, reply) => {
      const asked = read(request.body);
      const by = requester(request.raw.socket);
      const told = { kind, request: asked } as ChangeRequest;
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
  change('/v1/links', 'link', readRequest.link, (request) => controls.link(request));
  change('/v1/fdb', 'fdb', readRequest.fdb, (request) => controls.fdb(request));
  change('/v1/vlans', 'vlan', readRequest.vlan, (request) => controls.vlan(request));
  change('/v1/neigh', 'neigh', readRequest.neigh, (request) => controls.neigh(request));
  change('/v1/mdb', 'mdb', readRequest.mdb, (request) => controls.mdb(request));
  change('/v1/apply', 'apply', readRequest.apply, (request) => controls.apply(request));
  app.post('/v1/log', (request, reply) => {
    log.set(readRequest.log(request.body).level, requester(request.raw.socket));
    return reply.code(204).send();
  });
}

function stream(reply: FastifyReply, type: string, parts: Iterable<string | undefined>, served: Served): void {
  sendText(taken(reply), type, parts, served.turns, served.limits).catch(served.report);
}

/** The answer, out of the framework's hands. */
function taken(reply: FastifyReply): ServerResponse {
  reply.hijack();
  return reply.raw;
}

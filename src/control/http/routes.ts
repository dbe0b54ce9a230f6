/**
 * What the control socket answers to: each path with the listing or the change behind it (`api.ts`, SPEC.md section 6).
 * It carries requests to the switch and answers back; it knows neither sockets nor what the switch does.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Controls } from '../controls.js';
import type { Views } from '../listings.js';
import type { EventHub } from './event-stream.js';
import { HttpRefusal } from './http-refusal.js';
import { METRICS_TYPE, metricParts } from './metrics.js';
import { readQuery, readRequest } from './request-schemas.js';
import type { Limits } from './server-limits.js';
import { jsonArray, sendText, type Turns } from './text-stream.js';

const JSON_TYPE = 'application/json; charset=utf-8';

/** What the routes carry requests to. */
export interface Served {
  views: Views;
  controls: Controls;
  events: EventHub;
  turns: Turns;
  limits: Limits;
  /** Told of faults of the switch, not of its clients. */
  report(error: unknown): void;
}

export function addRoutes(app: FastifyInstance, served: Served): void {
  addListings(app, served);
  addStreams(app, served);
  addChanges(app, served.controls);
}

/** Listings that are small enough to be made at once. */
function addListings(app: FastifyInstance, { views }: Served): void {
  const listing = (path: string, view: () => unknown): void => {
    app.get(path, (request) => {
      readQuery.none(request.query);
      return view();
    });
  };
  listing('/v1/info', () => views.info);
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

function addChanges(app: FastifyInstance, controls: Controls): void {
  const change = (path: string, carry: (body: unknown) => Promise<unknown>): void => {
    app.post(path, async (request, reply) => {
      const answer = await carry(request.body);
      return answer === undefined ? reply.code(204).send() : answer;
    });
  };
  change('/v1/links', (body) => controls.link(readRequest.link(body)));
  change('/v1/fdb', (body) => controls.fdb(readRequest.fdb(body)));
  change('/v1/vlans', (body) => controls.vlan(readRequest.vlan(body)));
  change('/v1/neigh', (body) => controls.neigh(readRequest.neigh(body)));
  change('/v1/mdb', (body) => controls.mdb(readRequest.mdb(body)));
  change('/v1/apply', (body) => controls.apply(readRequest.apply(body)));
}

function stream(reply: FastifyReply, type: string, parts: Iterable<string | undefined>, served: Served): void {
  sendText(taken(reply), type, parts, served.turns, served.limits).catch(served.report);
}

/** The answer, out of the framework's hands. */
function taken(reply: FastifyReply): ServerResponse {
  reply.hijack();
  return reply.raw;
}

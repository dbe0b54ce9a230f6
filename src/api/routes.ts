/**
 * The paths of the control socket with the schemas of their queries, requests and answers. Server, client and the OpenAPI
 * document derive from these tables. No behaviour here.
 */
import { z } from 'zod';
import { EVENTS_QUERY } from './events.js';
import {
  EVPN_ANSWER,
  EVPN_NEIGHBOR_ROW,
  EVPN_REQUEST,
  EVPN_ROUTES_ANSWER,
  EVPN_ROUTES_QUERY,
  EVPN_VNI_ROW,
} from './evpn.js';
import { FDB_QUERY, FDB_REQUEST, FDB_ROW, FLUSH_ANSWER, type FlushAnswer } from './fdb.js';
import { LINK_REQUEST, LINK_ROW, LINKS_QUERY } from './links.js';
import { MDB_ANSWER, MDB_REQUEST } from './mdb.js';
import { NEIGH_REQUEST, NEIGH_ROW } from './neigh.js';
import { NEXTHOP_REQUEST, NEXTHOP_ROW } from './nexthop.js';
import { ROUTE_ROW } from './route.js';
import { CAPTURE_QUERY, DROPPED_FRAME, DROPS_QUERY } from './sight.js';
import { STATS_ANSWER } from './stats.js';
import {
  APPLY_ANSWER,
  APPLY_REQUEST,
  CONFIG_ANSWER,
  INFO_ANSWER,
  LOG_ANSWER,
  LOG_REQUEST,
  UPGRADE_ANSWER,
  UPGRADE_REQUEST,
} from './switch.js';
import { TRACE_ANSWER, TRACE_REQUEST } from './trace.js';
import { VLANS_ANSWER, VLANS_REQUEST } from './vlans.js';

const NO_QUERY = z.strictObject({});
const OPENAPI_ANSWER = z.record(z.string(), z.unknown());

/** Paths that answer GET with JSON. */
export const READ_ROUTES = {
  '/v1/links': { summary: 'Bridges and ports.', query: LINKS_QUERY, answer: z.array(LINK_ROW) },
  '/v1/fdb': {
    summary: 'The forwarding database: rows that fit all keys of the query.',
    query: FDB_QUERY,
    answer: z.array(FDB_ROW),
  },
  '/v1/vlans': { summary: 'Memberships in VLANs, and the VNIs of VLANs.', query: NO_QUERY, answer: VLANS_ANSWER },
  '/v1/neigh': {
    summary: 'Bindings that ARP and ND suppression answers from.',
    query: NO_QUERY,
    answer: z.array(NEIGH_ROW),
  },
  '/v1/mdb': { summary: 'Multicast groups and routers.', query: NO_QUERY, answer: MDB_ANSWER },
  '/v1/nexthops': {
    summary: 'VTEPs and groups of VTEPs that FDB entries name.',
    query: NO_QUERY,
    answer: z.array(NEXTHOP_ROW),
  },
  '/v1/evpn': { summary: 'The BGP speaker, in numbers. 404: there is none.', query: NO_QUERY, answer: EVPN_ANSWER },
  '/v1/evpn/neighbors': {
    summary: 'BGP sessions.',
    query: NO_QUERY,
    answer: z.array(EVPN_NEIGHBOR_ROW),
  },
  '/v1/evpn/routes': {
    summary: 'EVPN routes that fit all keys of the query, in pages of at most 1024.',
    query: EVPN_ROUTES_QUERY,
    answer: EVPN_ROUTES_ANSWER,
  },
  '/v1/evpn/vnis': {
    summary: 'VNIs that take part in EVPN.',
    query: NO_QUERY,
    answer: z.array(EVPN_VNI_ROW),
  },
  '/v1/routes': { summary: 'Routes of gateways.', query: NO_QUERY, answer: z.array(ROUTE_ROW) },
  '/v1/stats': { summary: 'Counters, and drops by reason.', query: NO_QUERY, answer: STATS_ANSWER },
  '/v1/drops': {
    summary: 'The last dropped frames of each reason, with their beginning; the earliest first.',
    query: DROPS_QUERY,
    answer: z.array(DROPPED_FRAME),
  },
  '/v1/config': { summary: 'The running configuration.', query: NO_QUERY, answer: CONFIG_ANSWER },
  '/v1/info': { summary: 'Name, version and process of the switch.', query: NO_QUERY, answer: INFO_ANSWER },
  '/v1/log': { summary: 'The level of the log.', query: NO_QUERY, answer: LOG_ANSWER },
  '/v1/openapi.json': { summary: 'This document.', query: NO_QUERY, answer: OPENAPI_ANSWER },
} as const;

/** Paths that answer POST. A request is carried out completely, or refused with a reason. No answer schema: status 204. */
export const WRITE_ROUTES = {
  '/v1/links': { summary: 'Adds, deletes or changes a bridge or port.', request: LINK_REQUEST, answer: null },
  '/v1/fdb': {
    summary: 'Adds, appends, replaces, deletes or flushes FDB entries. Only `flush` has an answer.',
    request: FDB_REQUEST,
    answer: FLUSH_ANSWER,
  },
  '/v1/vlans': { summary: 'Changes memberships in VLANs and the VNIs of VLANs.', request: VLANS_REQUEST, answer: null },
  '/v1/neigh': { summary: 'Adds, replaces or deletes a binding.', request: NEIGH_REQUEST, answer: null },
  '/v1/mdb': { summary: 'Adds or deletes a multicast group of a port.', request: MDB_REQUEST, answer: null },
  '/v1/nexthops': {
    summary: 'Adds, replaces, deletes or flushes nexthops; entries go with their group.',
    request: NEXTHOP_REQUEST,
    answer: null,
  },
  '/v1/evpn': {
    summary: 'Has the BGP speaker do something at once: forget duplicates, end a session, ask for all routes again.',
    request: EVPN_REQUEST,
    answer: null,
  },
  '/v1/apply': {
    summary: 'Brings the switch to a configuration: all or nothing.',
    request: APPLY_REQUEST,
    answer: APPLY_ANSWER,
  },
  '/v1/trace': {
    summary: 'What the switch would do with a frame, and why. Changes nothing, unless `apply` is set.',
    request: TRACE_REQUEST,
    answer: TRACE_ANSWER,
  },
  '/v1/log': { summary: 'Sets the level of the log.', request: LOG_REQUEST, answer: null },
  '/v1/upgrade': {
    summary: 'Starts the installed program anew, and gives it the switch: guests, tables and counters go on.',
    request: UPGRADE_REQUEST,
    answer: UPGRADE_ANSWER,
  },
} as const;

/** Paths that answer GET with text, or with bytes. */
export const TEXT_ROUTES = {
  '/v1/events': {
    summary: 'A stream of server-sent events; each has its kind as `event` and a SwitchEvent as `data`.',
    query: EVENTS_QUERY,
    type: 'text/event-stream',
  },
  '/v1/capture': {
    summary:
      'Frames as they are forwarded, as a capture file (pcapng) without an end; decisions are comments. A client that reads nothing for a minute is disconnected.',
    query: CAPTURE_QUERY,
    type: 'application/x-pcapng',
  },
  '/metrics': { summary: 'Counters for Prometheus.', query: NO_QUERY, type: 'text/plain' },
} as const;

export type ReadPath = keyof typeof READ_ROUTES;
export type WritePath = keyof typeof WRITE_ROUTES;

/** Answer type of each GET path. */
export type ReadRoutes = { [P in ReadPath]: z.output<(typeof READ_ROUTES)[P]['answer']> };
/** What each path takes as the body of a POST, and what it answers; undefined: 204. */
export type WriteRoutes = {
  [P in WritePath]: {
    request: z.output<(typeof WRITE_ROUTES)[P]['request']>;
    answer: (typeof WRITE_ROUTES)[P]['answer'] extends z.ZodType
      ? z.output<(typeof WRITE_ROUTES)[P]['answer']>
      : undefined;
  };
};

/** The answer to a request with the body B. Of the FDB changes only `flush` has an answer. */
export type AnswerTo<P extends WritePath, B> = P extends '/v1/fdb'
  ? B extends { op: 'flush' }
    ? FlushAnswer
    : undefined
  : WriteRoutes[P]['answer'];

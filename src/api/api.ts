/**
 * The JSON that travels over the control socket, as types: the shapes of section 4 of the contract and its routes. Importing it costs
 * nothing at run time; the schemas behind the types are in the files beside it, which only the server reads.
 *
 * Keys are in snake_case; only the ends of ranges are as iproute2 writes them (`vlanEnd`, `tunidEnd`, and so `vidEnd`).
 */
import type { EvpnRequest } from './evpn.js';
import type { FdbRequest } from './fdb.js';
import type { LinkRequest } from './links.js';
import type { MdbRequest } from './mdb.js';
import type { NeighRequest } from './neigh.js';
import type { NexthopRequest } from './nexthop.js';
import type { ApplyRequest } from './switch.js';
import type { VlansRequest } from './vlans.js';

export type { EventEntry, EventKind, SwitchEvent } from './events.js';
export type { EvpnAnswer, EvpnNeighborRow, EvpnRequest, EvpnRouteRow, EvpnRoutesAnswer, EvpnVniRow } from './evpn.js';
export type { FdbDelete, FdbFilter, FdbFlush, FdbPut, FdbRequest, FdbRow, FdbState, FlushAnswer } from './fdb.js';
export type { LinkOptions, LinkRequest, LinkRow, PeerSourceRow } from './links.js';
export type { MdbAnswer, MdbRequest, MdbRouterRow, MdbRow } from './mdb.js';
export type { NeighRequest, NeighRow, NeighState } from './neigh.js';
export type { NexthopRequest, NexthopRow } from './nexthop.js';
export type { AnswerTo, ReadPath, ReadRoutes, WritePath, WriteRoutes } from './routes.js';
export type { DroppedFrame } from './sight.js';
export type {
  ControlCounters,
  DropCounters,
  FdbCounters,
  LinkCounters,
  LoopFacts,
  MacMoves,
  StatsAnswer,
  TrafficCounters,
  UnknownVtep,
  VniCounters,
} from './stats.js';
export type {
  ApplyAnswer,
  ApplyRequest,
  ConfigAnswer,
  ErrorAnswer,
  InfoAnswer,
  LogAnswer,
  LogLevel,
  UpgradeAnswer,
} from './switch.js';
export type { TraceAnswer, TraceCopy, TraceRequest, TraceStep, Verdict } from './trace.js';
export type {
  GlobalRange,
  GlobalRow,
  MstRequest,
  MstRow,
  TunnelRange,
  TunnelRow,
  VlanFlag,
  VlanGlobalRequest,
  VlanRange,
  VlanRequest,
  VlanRow,
  VlanSetRequest,
  VlansAnswer,
  VlansRequest,
  VniAddRequest,
  VniDelRequest,
  VniRange,
  VniRow,
} from './vlans.js';

/** A requested change, with its kind. */
export type ChangeRequest =
  | { kind: 'link'; request: LinkRequest }
  | { kind: 'fdb'; request: FdbRequest }
  | { kind: 'vlan'; request: VlansRequest }
  | { kind: 'neigh'; request: NeighRequest }
  | { kind: 'mdb'; request: MdbRequest }
  | { kind: 'nexthop'; request: NexthopRequest }
  | { kind: 'evpn'; request: EvpnRequest }
  | { kind: 'apply'; request: ApplyRequest };

/**
 * The record of a session with one neighbour, and what it needs from outside. Times in milliseconds of one steady clock.
 *
 * A session has one or more links: TCP connections, each with the phase of its own. Two exist while both sides have connected
 * (RFC 4271 section 6.8), or while a neighbour that has restarted comes back before its old connection is known to be dead.
 */
import type { NeighborConfig, NeighborState } from '../contract.js';
import type { OpenMessage, Sent } from './messages.js';

/** Hold time before the neighbour's OPEN (RFC 4271 section 8.2.2). */
export const OPEN_WAIT_MS = 240_000;
/** Bounds of the back-off after an end: it doubles (DampPeerOscillations, RFC 4271 section 8.1.1). */
export const LEAST_IDLE_MS = 1000;
export const MOST_IDLE_MS = 120_000;
/** A session that was up for that long begins anew without a back-off of earlier ends. */
export const STEADY_MS = 60_000;
/** Stale routes wait that long for the end of what a neighbour sends anew. */
export const SWEEP_MS = 360_000;
/** A session that is up for less is one side of a collision; an older one has a neighbour that has restarted. */
export const YOUNG_MS = 10_000;
/** Least time between two refreshes of one direction. */
export const REFRESH_MS = 1000;
/**
 * Least time for which a neighbour may take nothing of what is sent (SendHoldTimer, RFC 9687 section 3.2): one that sends and never reads
 * is not up. Twice the hold time, if that is more.
 */
export const SEND_HOLD_MS = 480_000;
export const NEVER = Number.POSITIVE_INFINITY;

/** A TCP connection, as the machine knows it. None of these throws. */
export interface Wire {
  /** Bytes that the kernel has taken, while others wait for room there; null: none wait. */
  readonly stalledAt: number | null;
  send(message: Sent): void;
  /** Messages may come from now on. */
  listen(): void;
  /** Sends what is waiting, and then closes. */
  close(): void;
}

export type Phase = 'dialing' | 'waiting' | 'opensent' | 'openconfirm' | 'established';

export interface Link {
  readonly wire: Wire;
  /** Who has connected. */
  readonly isOurs: boolean;
  phase: Phase;
  /** The neighbour's OPEN. */
  open: OpenMessage | null;
  terms: Terms | null;
  hasSentOpen: boolean;
  holdUntil: number;
  keepaliveAt: number;
  /** What `stalledAt` of the wire was last, and since when. */
  stalledAt: number | null;
  stalledSince: number;
}

/** What both sides of a link have agreed on. */
export interface Terms {
  routerId: string;
  /** Seconds; 0: no keepalives. */
  holdTime: number;
  refresh: boolean;
  enhancedRefresh: boolean;
  /** The neighbour's routes are kept when it restarts. */
  graceful: { seconds: number; isPreserved: boolean; keepsOnNotification: boolean } | null;
  /** Seconds; 0: none. */
  longLived: number;
}

/** Routes of the neighbour that wait for its return, or for the end of what it sends anew. */
export interface Stale {
  phase: 'restart' | 'long-lived' | 'sweep';
  until: number;
  longLived: number;
}

export interface Session {
  neighbor: NeighborConfig;
  own: { asn: number; routerId: string };
  links: Link[];
  state: NeighborState;
  since: number;
  /** Idle until then. `NEVER`: it is not idle, or stopped. */
  idleUntil: number;
  /** The back-off of the next end. */
  idleMs: number;
  retryAt: number;
  isStopped: boolean;
  establishedAt: number;
  /** Until then our OPEN says that we have restarted (RFC 4724 section 3). */
  restartedUntil: number;
  stale: Stale | null;
  /** The neighbour has asked for all routes; the answer begins at `againFrom`. */
  wantsAgain: boolean;
  againFrom: number;
  /** From then on the neighbour may send all its routes anew. */
  renewalFrom: number;
  lastEnd: string | undefined;
  messages: { in: number; out: number };
}

/** What is known of a link that has become the session. */
export interface Ending {
  /** For people. */
  reason: string;
  /** What the neighbour's routes become. */
  keep: 'none' | 'stale';
}

/** What a session needs from outside, and tells there. None of these throws. */
export interface World<U> {
  now(): number;
  /** In [0, 1). */
  random(): number;
  /** Begins to connect; `dialed` or `lost` follows, never at once. */
  dial(session: Session): Wire;
  changed(session: Session, reason: string | undefined): void;
  up(session: Session, link: Link, terms: Terms): void;
  down(session: Session, ending: Ending): void;
  update(session: Session, update: U): void;
  /** The neighbour asks for all routes. */
  again(session: Session): void;
  /** The neighbour sends all its routes anew: those that it does not repeat are gone at `swept`. */
  renewed(session: Session): void;
  swept(session: Session): void;
  expired(session: Session, to: 'gone' | 'long-lived'): void;
}

/** @param startedAt of the speaker, by the clock of the world */
export function createSession(neighbor: NeighborConfig, own: Session['own'], startedAt: number): Session {
  return {
    neighbor,
    own,
    links: [],
    state: 'idle',
    since: startedAt,
    idleUntil: NEVER,
    idleMs: 0,
    retryAt: NEVER,
    isStopped: true,
    establishedAt: 0,
    restartedUntil: startedAt + neighbor.graceful_restart * 1000,
    stale: null,
    wantsAgain: false,
    againFrom: 0,
    renewalFrom: 0,
    lastEnd: undefined,
    messages: { in: 0, out: 0 },
  };
}

export function createLink(wire: Wire, isOurs: boolean, phase: Phase): Link {
  return {
    wire,
    isOurs,
    phase,
    open: null,
    terms: null,
    hasSentOpen: false,
    holdUntil: NEVER,
    keepaliveAt: NEVER,
    stalledAt: null,
    stalledSince: 0,
  };
}

export function establishedLink(session: Session): Link | undefined {
  return session.links.find(({ phase }) => phase === 'established');
}

/** Sends a message of the machine, counted. */
export function say(session: Session, link: Link, message: Sent): void {
  session.messages.out++;
  link.wire.send(message);
}

/**
 * Routes of a neighbour that is away, or that sends all of them anew: how long they stay (RFC 4724 section 4.2, RFC 8538, RFC 9494).
 */
import { isHard } from './hard-reset.js';
import type { Notification } from './messages.js';
import { NEVER, type Session, SWEEP_MS, type Terms, type World } from './record.js';

/** Why a link ends. `lost`: without a NOTIFICATION. */
export type Cause = { kind: 'lost' } | { kind: 'sent' | 'received'; notification: Notification } | { kind: 'removed' };

/** What the neighbour's routes become when a session ends. */
export function keepFor(terms: Terms | null, cause: Cause): 'none' | 'stale' {
  if (terms?.graceful == null || cause.kind === 'removed') return 'none';
  if (cause.kind === 'lost') return 'stale';
  return terms.graceful.keepsOnNotification && !isHard(cause.notification) ? 'stale' : 'none';
}

/** A session with these terms has ended, and its routes stay for now. Those that were stale before go (RFC 4724 section 4.2). */
export function beginStale<U>(session: Session, { graceful, longLived }: Terms, world: World<U>): void {
  const until = world.now() + (graceful?.seconds ?? 0) * 1000;
  session.stale = { phase: 'restart', until, longLived };
}

/** Ends what is stale from before. */
export function dropStale<U>(session: Session, world: World<U>): void {
  if (session.stale === null) return;
  session.stale = null;
  world.expired(session, 'gone');
}

/** A new session is up: without preserved forwarding state, what is stale goes at once. */
export function returnOf<U>(session: Session, terms: Terms, world: World<U>): void {
  if (session.stale === null) return;
  if (terms.graceful?.isPreserved !== true) dropStale(session, world);
  else beginSweep(session, world);
}

/** All routes are to be heard again, at the latest in SWEEP_MS. */
export function beginSweep<U>(session: Session, world: World<U>): void {
  session.stale = { phase: 'sweep', until: world.now() + SWEEP_MS, longLived: 0 };
}

/** The neighbour has sent all its routes. */
export function sweep<U>(session: Session, world: World<U>): void {
  // What is not awaited costs nothing, however often it comes.
  if (session.stale?.phase !== 'sweep') return;
  session.stale = null;
  world.swept(session);
}

/** What is due. */
export function tickStale<U>(session: Session, world: World<U>): void {
  const { stale } = session;
  if (stale === null || world.now() < stale.until) return;
  if (stale.phase === 'sweep') sweep(session, world);
  else if (stale.phase === 'restart' && stale.longLived > 0) {
    session.stale = { phase: 'long-lived', until: world.now() + stale.longLived * 1000, longLived: 0 };
    world.expired(session, 'long-lived');
  } else dropStale(session, world);
}

/** When `tickStale` has work next. */
export function staleDue({ stale }: Session): number {
  return stale?.until ?? NEVER;
}

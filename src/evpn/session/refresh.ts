/** Route refresh (RFC 2918), and its answers with begin and end (RFC 7313). */
import type { RefreshKind } from './messages.js';
import { establishedLink, type Link, REFRESH_MS, type Session, say, type World } from './record.js';
import { beginSweep, sweep } from './stale.js';

/** Asks the neighbour for all its routes. @returns false: no session, or the neighbour cannot */
export function askRefresh(session: Session): boolean {
  const link = establishedLink(session);
  if (link?.terms?.refresh !== true) return false;
  say(session, link, { type: 'refresh', kind: 0 });
  return true;
}

/** A refresh message has come. Each one costs a walk over all routes, so it has to wait for REFRESH_MS after the last one. */
export function refreshed<U>(session: Session, link: Link, kind: RefreshKind, world: World<U>): void {
  if (kind === 0) session.wantsAgain = true;
  else if (link.terms?.enhancedRefresh !== true) return;
  else if (kind === 2) sweep(session, world);
  else if (world.now() >= session.renewalFrom) {
    session.renewalFrom = world.now() + REFRESH_MS;
    world.renewed(session);
    beginSweep(session, world);
  }
}

/** Answers a refresh that the neighbour has asked for. */
export function tickRefresh<U>(session: Session, world: World<U>): void {
  if (!session.wantsAgain || world.now() < session.againFrom || session.state !== 'established') return;
  session.wantsAgain = false;
  session.againFrom = world.now() + REFRESH_MS;
  world.again(session);
}

/** Begins or ends our answer to a refresh, for a neighbour that asks for these marks. */
export function markAnswer(session: Session, link: Link, kind: 1 | 2): void {
  if (link.terms?.enhancedRefresh === true) say(session, link, { type: 'refresh', kind });
}

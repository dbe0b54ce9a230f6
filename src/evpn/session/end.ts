/** Ends: of a link, and of the session that it was. */
import { CEASE, type Notification, notification } from '../../wire/bgp/notification.js';
import { hard } from './hard-reset.js';
import { establishedLink, type Link, type Session, say, type World } from './record.js';
import { beginStale, type Cause, dropStale, keepFor } from './stale.js';
import { settle } from './state.js';
import { backOff, forgive } from './timers.js';

/** Takes a link away that was no session. @param last NOTIFICATION to the neighbour; null: none */
export function dropLink(session: Session, link: Link, last: Notification | null): void {
  session.links = session.links.filter((other) => other !== link);
  if (last !== null && link.hasSentOpen) say(session, link, { type: 'notification', notification: last });
  link.wire.close();
}

/**
 * Ends a link. If it was the session, its routes go or stay as the cause says. Without another link, the session is idle for the time of
 * the back-off.
 */
export function endLink<U>(session: Session, link: Link, world: World<U>, cause: Cause, reason: string): void {
  const wasSession = link.phase === 'established';
  dropLink(session, link, cause.kind === 'sent' ? cause.notification : null);
  if (wasSession) {
    forgive(session, world);
    release(session, link, world, cause, reason);
  }
  session.lastEnd = reason;
  if (!session.isStopped && !session.links.some(({ hasSentOpen, phase }) => hasSentOpen || phase === 'opensent')) {
    for (const other of session.links.filter(({ phase }) => phase === 'dialing')) dropLink(session, other, null);
    backOff(session, world);
  }
  settle(session, world, reason);
}

/** The neighbour's routes after the session. */
function release<U>(session: Session, { terms }: Link, world: World<U>, cause: Cause, reason: string): void {
  const keep = keepFor(terms, cause);
  session.stale = null;
  world.down(session, { reason, keep });
  if (keep === 'stale' && terms !== null) beginStale(session, terms, world);
}

/**
 * Ends all links of a session by our own will. @param subcode of the cease; null: without NOTIFICATION, as one that restarts.
 * A cease takes the routes of both sides along.
 */
export function endSession<U>(session: Session, world: World<U>, subcode: number | null, reason: string): void {
  const ended = establishedLink(session);
  for (const link of [...session.links]) {
    dropLink(session, link, subcode === null ? null : ceaseFor(link, subcode));
  }
  if (ended !== undefined) {
    forgive(session, world);
    release(session, ended, world, { kind: 'removed' }, reason);
  }
  dropStale(session, world);
  session.lastEnd = reason;
  settle(session, world, reason);
}

function ceaseFor({ terms }: Link, subcode: number): Notification {
  const cease = notification(CEASE, subcode);
  return terms?.graceful?.keepsOnNotification === true ? hard(cease) : cease;
}

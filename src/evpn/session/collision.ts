/**
 * Two connections with one neighbour (RFC 4271 section 6.8): the one stays that the side with the higher router ID has opened.
 *
 * Both sides decide by the same two facts as soon as either has an OPEN, so neither closes the connection that the other one keeps.
 */
import { YOUNG_MS, type Link, type Session } from './record.js';

/** Which links lose when `link` has received an acceptable OPEN: `link` itself, or the others. */
export function losers(session: Session, link: Link, now: number): Link[] {
  const others = session.links.filter((other) => other !== link && isRival(other));
  if (others.length === 0) return [];
  const winsByOurs = number(session.own.routerId) > number(link.open?.routerId ?? '0.0.0.0');
  const established = others.find(({ phase }) => phase === 'established');
  if (established !== undefined) return keepsOld(session, established, link, winsByOurs, now) ? [link] : others;
  const isLoser = others.some((other) => other.isOurs !== link.isOurs) && link.isOurs !== winsByOurs;
  return isLoser ? [link] : others;
}

/** A link that is being dialled, or waits for the end of the back-off, has no neighbour behind it yet. */
function isRival({ phase }: Link): boolean {
  return phase === 'opensent' || phase === 'openconfirm' || phase === 'established';
}

/**
 * Whether an established session stays though its neighbour opens a new one. A neighbour whose restarts are graceful has restarted
 * (RFC 4724 section 5), unless the session is so young that both sides may have connected at once.
 */
function keepsOld(session: Session, old: Link, link: Link, winsByOurs: boolean, now: number): boolean {
  if (old.terms?.graceful == null) return true;
  if (now - session.establishedAt >= YOUNG_MS) return false;
  return old.isOurs === link.isOurs ? false : old.isOurs === winsByOurs;
}

function number(routerId: string): number {
  return routerId.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

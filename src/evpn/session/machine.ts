/**
 * The state machine of a session (RFC 4271 section 8): one function for each event. It knows no socket and no clock but those of its
 * `World`.
 *
 *   idle --begin--> connect --dialed--> opensent --OPEN--> openconfirm --KEEPALIVE--> established
 *                   active  --accepted--^
 *
 * Every end leads to `idle` for the time of the back-off, but for one before the neighbour has said anything, which leads to `active`.
 */
import {
  CEASE,
  CEASE_COLLISION,
  ERROR_HOLD_TIMER,
  ERROR_SEND_HOLD_TIMER,
  ERROR_STATE,
  notification,
  notificationWords,
} from '../../wire/bgp/notification.js';
import { losers } from './collision.js';
import { dropLink, endLink, endSession } from './end.js';
import type { OpenMessage, Received } from './messages.js';
import { isRefusal, judge, ownOpen } from './open.js';
import {
  createLink,
  type Link,
  NEVER,
  OPEN_WAIT_MS,
  type Session,
  say,
  type Terms,
  type Wire,
  type World,
} from './record.js';
import { refreshed, tickRefresh } from './refresh.js';
import { returnOf, sweep, tickStale } from './stale.js';
import { settle } from './state.js';
import { hold, isStalled, keepAlive, retry, sendHoldOf } from './timers.js';

/** Begins the session (ManualStart). */
export function start<U>(session: Session, world: World<U>): void {
  if (!session.isStopped) return;
  session.isStopped = false;
  begin(session, world);
}

/** Ends the session for good, by a NOTIFICATION or without (ManualStop). */
export function stop<U>(session: Session, world: World<U>, subcode: number | null, reason: string): void {
  session.isStopped = true;
  endSession(session, world, subcode, reason);
}

/** Ends the session; it begins anew at once. @param subcode of the cease */
export function reset<U>(session: Session, world: World<U>, subcode: number, reason: string): void {
  if (session.isStopped) return;
  endSession(session, world, subcode, reason);
  begin(session, world);
}

/** Leaves `idle`. */
function begin<U>(session: Session, world: World<U>): void {
  session.idleUntil = NEVER;
  const waiting = session.links.find(({ phase }) => phase === 'waiting');
  if (waiting !== undefined) sendOpen(session, waiting, world);
  else if (!session.neighbor.passive) dial(session, world);
  settle(session, world);
}

function dial<U>(session: Session, world: World<U>): void {
  retry(session, world);
  session.links.push(createLink(world.dial(session), true, 'dialing'));
}

/** The connection that was dialled is there. */
export function dialed<U>(session: Session, wire: Wire, world: World<U>): void {
  const link = linkOf(session, wire);
  if (link?.phase !== 'dialing') return;
  sendOpen(session, link, world);
  settle(session, world);
}

function sendOpen<U>(session: Session, link: Link, world: World<U>): void {
  link.phase = 'opensent';
  link.hasSentOpen = true;
  link.holdUntil = world.now() + OPEN_WAIT_MS;
  session.retryAt = NEVER;
  say(session, link, { type: 'open', open: ownOpen(session, world.now()) });
  link.wire.listen();
}

/**
 * The neighbour has connected. In `idle` it waits for the end of the back-off. While a session is established, our OPEN waits for the
 * neighbour's: until then there is no collision for it.
 * @returns false: the wire is not taken, and the caller closes it
 */
export function accepted<U>(session: Session, wire: Wire, world: World<U>): boolean {
  if (session.isStopped) return false;
  const older = session.links.filter(({ isOurs, phase }) => !isOurs && phase !== 'established');
  for (const link of older) dropLink(session, link, notification(CEASE, CEASE_COLLISION));
  const link = createLink(wire, false, 'waiting');
  session.links.push(link);
  if (session.idleUntil !== NEVER) return true;
  if (session.state !== 'established') sendOpen(session, link, world);
  else {
    link.phase = 'opensent';
    link.holdUntil = world.now() + OPEN_WAIT_MS;
    wire.listen();
  }
  settle(session, world);
  return true;
}

/** The connection has ended, or could not be made. */
export function lost<U>(session: Session, wire: Wire, reason: string, world: World<U>): void {
  const link = linkOf(session, wire);
  if (link === undefined) return;
  if (link.phase === 'dialing' || link.phase === 'waiting' || link.phase === 'opensent') {
    dropLink(session, link, null);
    if (session.links.length === 0 && session.idleUntil === NEVER) {
      session.lastEnd = reason;
      if (session.retryAt === NEVER) retry(session, world);
    }
    settle(session, world, reason);
  } else endLink(session, link, world, { kind: 'lost' }, reason);
}

/** A message has come. */
export function received<U>(session: Session, wire: Wire, message: Received<U>, world: World<U>): void {
  const link = linkOf(session, wire);
  if (link === undefined || link.phase === 'dialing' || link.phase === 'waiting') return;
  session.messages.in++;
  if (message.type === 'notification') {
    const { notification: told } = message;
    endLink(session, link, world, { kind: 'received', notification: told }, `it sent: ${notificationWords(told)}`);
  } else if (message.type === 'fault') {
    fail(session, link, world, message.notification);
  } else if (link.phase === 'opensent') {
    if (message.type === 'open') takeOpen(session, link, message.open, world);
    else unexpected(session, link, world, 1);
  } else if (link.phase === 'openconfirm') {
    if (message.type === 'keepalive') establish(session, link, world);
    else unexpected(session, link, world, 2);
  } else if (message.type === 'open') unexpected(session, link, world, 3);
  else takeInSession(session, link, message, world);
}

function takeInSession<U>(
  session: Session,
  link: Link,
  message: Exclude<Received<U>, { type: 'open' | 'notification' | 'fault' }>,
  world: World<U>,
): void {
  hold(link, world);
  if (message.type === 'update') {
    world.update(session, message.update);
    if (message.isEndOfRib) sweep(session, world);
  } else if (message.type === 'refresh') refreshed(session, link, message.kind, world);
}

/** A connection is not read for now: its hold time does not run. */
export function stillHeard<U>(session: Session, wire: Wire, world: World<U>): void {
  const link = linkOf(session, wire);
  if (link?.phase === 'established') hold(link, world);
}

/** Unexpected message (RFC 6608). @param subcode 1: in opensent, 2: in openconfirm, 3: in established */
function unexpected<U>(session: Session, link: Link, world: World<U>, subcode: number): void {
  fail(session, link, world, notification(ERROR_STATE, subcode));
}

function fail<U>(session: Session, link: Link, world: World<U>, sent: ReturnType<typeof notification>): void {
  endLink(session, link, world, { kind: 'sent', notification: sent }, `refused: ${notificationWords(sent)}`);
}

function takeOpen<U>(session: Session, link: Link, open: OpenMessage, world: World<U>): void {
  const terms = judge(session, open);
  if (isRefusal(terms)) {
    endLink(session, link, world, { kind: 'sent', notification: terms.notification }, `refused: ${terms.reason}`);
    return;
  }
  link.open = open;
  link.terms = terms;
  const lost = losers(session, link, world.now());
  for (const loser of lost) endLoser(session, loser, world);
  if (lost.includes(link)) return;
  if (!link.hasSentOpen) sendOpen(session, link, world);
  link.phase = 'openconfirm';
  say(session, link, { type: 'keepalive' });
  hold(link, world);
  keepAlive(link, world);
  settle(session, world);
}

/** Ends one of two connections. An established one has a neighbour that has restarted: its routes stay. */
function endLoser<U>(session: Session, link: Link, world: World<U>): void {
  if (link.phase !== 'established') dropLink(session, link, notification(CEASE, CEASE_COLLISION));
  else endLink(session, link, world, { kind: 'lost' }, 'it has connected anew');
}

function establish<U>(session: Session, link: Link, world: World<U>): void {
  const terms = link.terms as Terms;
  for (const other of session.links.filter((one) => one !== link)) {
    dropLink(session, other, notification(CEASE, CEASE_COLLISION));
  }
  link.phase = 'established';
  session.establishedAt = world.now();
  session.retryAt = NEVER;
  session.idleUntil = NEVER;
  hold(link, world);
  returnOf(session, terms, world);
  world.up(session, link, terms);
  session.restartedUntil = 0;
  session.wantsAgain = false;
  settle(session, world);
}

/** Carries out what is due. */
export function tick<U>(session: Session, world: World<U>): void {
  const now = world.now();
  tickStale(session, world);
  if (session.isStopped) return;
  tickRefresh(session, world);
  for (const link of [...session.links]) {
    if (now >= link.holdUntil) expire(session, link, world);
    else if (isStalled(link, now)) expireSending(session, link, world);
    else if (now >= link.keepaliveAt) {
      say(session, link, { type: 'keepalive' });
      keepAlive(link, world);
    }
  }
  if (now >= session.idleUntil) begin(session, world);
  else if (now >= session.retryAt) retryDial(session, world);
}

function expire<U>(session: Session, link: Link, world: World<U>): void {
  const seconds = link.phase === 'opensent' ? OPEN_WAIT_MS / 1000 : (link.terms?.holdTime ?? 0);
  const sent = notification(ERROR_HOLD_TIMER, 0);
  endLink(session, link, world, { kind: 'sent', notification: sent }, `nothing was heard for ${seconds} s (hold time)`);
}

/** A neighbour that goes on sending, but never reads: what it has of us is old, and what is for it would wait for ever (RFC 9687). */
function expireSending<U>(session: Session, link: Link, world: World<U>): void {
  const sent = notification(ERROR_SEND_HOLD_TIMER, 0);
  const reason = `it has taken nothing of what was sent for ${sendHoldOf(link) / 1000} s (send hold time)`;
  endLink(session, link, world, { kind: 'sent', notification: sent }, reason);
}

function retryDial<U>(session: Session, world: World<U>): void {
  for (const link of session.links.filter(({ phase }) => phase === 'dialing')) dropLink(session, link, null);
  session.retryAt = NEVER;
  if (session.links.length === 0 && !session.neighbor.passive) dial(session, world);
  settle(session, world);
}

function linkOf({ links }: Session, wire: Wire): Link | undefined {
  return links.find((link) => link.wire === wire);
}

/**
 * Times of a session: jitter, back-off, hold and keepalive timers (RFC 4271 sections 4.4, 8.1.1 and 10).
 */
import { LEAST_IDLE_MS, type Link, MOST_IDLE_MS, NEVER, SEND_HOLD_MS, type Session, STEADY_MS } from './record.js';

interface Clock {
  now(): number;
  random(): number;
}

/** 75 to 100 % of a time, so that speakers do not act in step (RFC 4271 section 10). */
export function jittered(ms: number, clock: Clock): number {
  return ms * (0.75 + 0.25 * clock.random());
}

/** Begins a hold time: until then the neighbour has to be heard. 0 seconds: for ever. */
export function hold(link: Link, clock: Clock): void {
  const seconds = link.terms?.holdTime ?? 0;
  link.holdUntil = seconds === 0 ? NEVER : clock.now() + seconds * 1000;
}

/** Sets the time of the next KEEPALIVE: a third of the hold time (RFC 4271 section 4.4). */
export function keepAlive(link: Link, clock: Clock): void {
  const seconds = link.terms?.holdTime ?? 0;
  link.keepaliveAt = seconds === 0 ? NEVER : clock.now() + jittered((seconds * 1000) / 3, clock);
}

/** Milliseconds for which the neighbour may take nothing of what is sent. */
export function sendHoldOf(link: Link): number {
  return Math.max(SEND_HOLD_MS, 2000 * (link.terms?.holdTime ?? 0));
}

/** Whether the neighbour has taken nothing for that long. To be asked at each tick. */
export function isStalled(link: Link, now: number): boolean {
  const { stalledAt } = link.wire;
  if (stalledAt !== link.stalledAt) {
    link.stalledAt = stalledAt;
    link.stalledSince = now;
  }
  return stalledAt !== null && now - link.stalledSince >= sendHoldOf(link);
}

/** Begins the wait between two attempts to connect. */
export function retry(session: Session, clock: Clock): void {
  session.retryAt = clock.now() + jittered(session.neighbor.connect_retry * 1000, clock);
}

/** Begins the back-off after an end: it doubles with each one, until a session was steady. */
export function backOff(session: Session, clock: Clock): void {
  session.idleMs = Math.min(Math.max(session.idleMs * 2, LEAST_IDLE_MS), MOST_IDLE_MS);
  session.idleUntil = clock.now() + jittered(session.idleMs, clock);
  session.retryAt = NEVER;
}

/** Forgets earlier ends if the session was up for long enough. */
export function forgive(session: Session, clock: Clock): void {
  if (clock.now() - session.establishedAt >= STEADY_MS) session.idleMs = 0;
}

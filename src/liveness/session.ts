/**
 * One BFD session (RFC 5880 section 6.8) in asynchronous mode, as pure steps over a record: nothing is sent, read or timed here. Times
 * are milliseconds of the caller's clock, which only moves forward; intervals are microseconds, as in packets.
 *
 * Demand mode of the remote is not followed: this side goes on sending, which section 6.6 lets it. The echo function is not offered.
 */
import {
  ADMIN_DOWN,
  type BfdPacket,
  type BfdState,
  DIAG_ADMIN_DOWN,
  DIAG_EXPIRED,
  DIAG_NEIGHBOUR_DOWN,
  DIAG_NONE,
  DOWN,
  INIT,
  UP,
} from '../wire/bfd.js';

/** Section 6.8.3: what a session that is not Up says, and keeps to, in place of a shorter interval. */
export const SLOW_US = 1_000_000;
/** An answer to the first packets of a remote that has not said how often it wants any (section 6.8.1). */
const ANY_RX_US = 1;

export interface Timing {
  /** Wanted interval of sending and of receiving, in microseconds. */
  interval: number;
  multiplier: number;
}

export interface Session {
  state: BfdState;
  diag: number;
  /** This side's discriminator, never 0. */
  my: number;
  /** The remote's; 0: not known. */
  your: number;
  timing: Timing;
  remoteState: BfdState;
  remoteMult: number;
  /** What the remote said last, in microseconds. */
  remoteDesiredTx: number;
  remoteMinRx: number;
  /** The values of our last packets with P, until the remote has answered with F (section 6.8.3). */
  desiredTx: number;
  requiredRx: number;
  /** The interval of sending in force, and the rate of receiving that counts for detection. */
  inForceTx: number;
  inForceRx: number;
  isPolling: boolean;
  /** The remote has polled: the next packet has F. */
  owesFinal: boolean;
  /** The mark of the remote's probe, which the answer repeats. */
  owesMark: boolean;
  owed0: number;
  owed1: number;
  /** When the next packet is due. */
  sendAt: number;
  /** When the last packet was sent, or the session began. */
  sentAt: number;
  /** When the last valid packet came. */
  heardAt: number;
  /** Whether a valid packet came within the detection time. */
  isHeard: boolean;
}

/** @param random uniform in 0 to 1: the first packets of many sessions do not leave at once */
export function beginSession(my: number, timing: Timing, now: number, random: number): Session {
  return {
    state: DOWN,
    diag: DIAG_NONE,
    my,
    your: 0,
    timing,
    remoteState: DOWN,
    remoteMult: 1,
    remoteDesiredTx: 0,
    remoteMinRx: ANY_RX_US,
    desiredTx: Math.max(timing.interval, SLOW_US),
    requiredRx: timing.interval,
    inForceTx: Math.max(timing.interval, SLOW_US),
    inForceRx: timing.interval,
    isPolling: false,
    owesFinal: false,
    owesMark: false,
    owed0: 0,
    owed1: 0,
    sendAt: now + (random * timing.interval) / 1000,
    sentAt: now,
    heardAt: now,
    isHeard: false,
  };
}

/** Detection time in milliseconds (section 6.8.4); 0: nothing was heard. */
export function detectionTime({ remoteMult, remoteDesiredTx, inForceRx, isHeard }: Session): number {
  return isHeard ? (remoteMult * Math.max(remoteDesiredTx, inForceRx)) / 1000 : 0;
}

/** The interval of sending in milliseconds, before jitter (section 6.8.2); Infinity: the remote wants none. */
export function sendInterval({ inForceTx, remoteMinRx, state }: Session): number {
  // A remote that is not heard any more cannot take back that it wants no packets.
  if (remoteMinRx === 0 && state !== DOWN) return Number.POSITIVE_INFINITY;
  return Math.max(inForceTx, remoteMinRx) / 1000;
}

/** When the session must be looked at next. */
export function dueAt(session: Session): number {
  const detection = session.isHeard ? session.heardAt + detectionTime(session) : Number.POSITIVE_INFINITY;
  return Math.min(session.sendAt, detection);
}

/** Takes in a valid packet that was found to be this session's (section 6.8.6). @returns whether the state has changed */
export function receive(session: Session, packet: BfdPacket, now: number): boolean {
  const before = session.state;
  session.your = packet.my;
  session.remoteState = packet.state;
  const interval = sendInterval(session);
  session.remoteMinRx = packet.requiredRx;
  session.remoteDesiredTx = packet.desiredTx;
  session.remoteMult = packet.detectMult;
  if (session.isPolling && packet.final) endPoll(session);
  if (session.state === ADMIN_DOWN) return false;
  step(session, packet.state);
  session.heardAt = now;
  session.isHeard = true;
  if (packet.poll) {
    session.owesFinal = true;
    session.owesMark = packet.hasMark;
    session.owed0 = packet.mark0;
    session.owed1 = packet.mark1;
    session.sendAt = now;
  }
  if (session.state !== before) enter(session, now);
  // A remote that wants packets more often need not wait for the end of a long interval (section 6.8.7).
  else if (sendInterval(session) < interval)
    session.sendAt = Math.min(session.sendAt, session.sentAt + sendInterval(session));
  return session.state !== before;
}

/** The state machine of section 6.2. */
function step(session: Session, theirs: BfdState): void {
  if (theirs === ADMIN_DOWN) {
    if (session.state !== DOWN) change(session, DOWN, DIAG_NEIGHBOUR_DOWN);
  } else if (session.state === DOWN) {
    if (theirs === DOWN) change(session, INIT, session.diag);
    else if (theirs === INIT) change(session, UP, DIAG_NONE);
  } else if (session.state === INIT) {
    if (theirs >= INIT) change(session, UP, DIAG_NONE);
  } else if (theirs === DOWN) {
    change(session, DOWN, DIAG_NEIGHBOUR_DOWN);
  }
}

function change(session: Session, state: BfdState, diag: number): void {
  session.state = state;
  session.diag = diag;
}

/** Follows a change of state: its values are told at once, and polled for where they hold for the remote. */
function enter(session: Session, now: number): void {
  session.sendAt = now;
  const { state, timing } = session;
  if (state === UP) want(session, timing);
  else if (state === DOWN) {
    session.isPolling = false;
    session.desiredTx = Math.max(timing.interval, SLOW_US);
    session.inForceTx = session.desiredTx;
    session.requiredRx = timing.interval;
    session.inForceRx = timing.interval;
  }
}

/** Other intervals from now on: the rules of section 6.8.3 for an Up session. */
function want(session: Session, { interval }: Timing): void {
  if (session.desiredTx === interval && session.requiredRx === interval) return;
  // Longer intervals of sending, and shorter ones of receiving, only hold when the remote knows of them.
  if (interval < session.inForceTx) session.inForceTx = interval;
  if (interval > session.inForceRx) session.inForceRx = interval;
  session.desiredTx = interval;
  session.requiredRx = interval;
  session.isPolling = true;
}

function endPoll(session: Session): void {
  session.isPolling = false;
  session.inForceTx = session.desiredTx;
  session.inForceRx = session.requiredRx;
}

/** The configuration has other values. */
export function retime(session: Session, timing: Timing, now: number): void {
  session.timing = timing;
  if (session.state === UP) want(session, timing);
  else enter(session, now);
  session.sendAt = Math.min(session.sendAt, now + sendInterval(session));
}

/** Looks whether the detection time has passed (section 6.8.4). @returns whether the remote is not heard any more, since now */
export function expire(session: Session, now: number): boolean {
  if (!session.isHeard || now < session.heardAt + detectionTime(session)) return false;
  session.isHeard = false;
  session.your = 0;
  session.remoteState = DOWN;
  session.remoteMinRx = ANY_RX_US;
  if (session.state !== INIT && session.state !== UP) return true;
  change(session, DOWN, DIAG_EXPIRED);
  enter(session, now);
  return true;
}

/** The administrator's end of a session (section 6.8.16). */
export function close(session: Session, diag = DIAG_ADMIN_DOWN, state: BfdState = ADMIN_DOWN): void {
  session.isPolling = false;
  session.owesFinal = false;
  session.desiredTx = Math.max(session.timing.interval, SLOW_US);
  change(session, state, diag);
}

export function isSendDue({ sendAt }: Session, now: number): boolean {
  return now >= sendAt;
}

/**
 * The packet that is due, into `packet`; the next one is due after the interval, less the jitter of section 6.8.7.
 * @param random uniform in 0 to 1
 */
export function send(session: Session, packet: BfdPacket, now: number, random: number): void {
  const { timing } = session;
  describe(session, packet);
  packet.final = session.owesFinal;
  packet.poll = session.isPolling && !session.owesFinal;
  packet.hasMark = session.owesFinal && session.owesMark;
  packet.mark0 = session.owed0;
  packet.mark1 = session.owed1;
  session.owesFinal = false;
  session.sentAt = now;
  // 75 to 100 % of the interval; with a multiplier of 1, at most 90 %.
  session.sendAt = now + sendInterval(session) * (0.75 + random * (timing.multiplier === 1 ? 0.15 : 0.25));
}

/** What every packet of the session says, into `packet`; it neither polls nor answers. */
export function describe(session: Session, packet: BfdPacket): void {
  packet.diag = session.diag;
  packet.state = session.state;
  packet.poll = false;
  packet.final = false;
  packet.demand = false;
  packet.detectMult = session.timing.multiplier;
  packet.my = session.my;
  packet.your = session.your;
  packet.desiredTx = session.desiredTx;
  packet.requiredRx = session.requiredRx;
  packet.requiredEchoRx = 0;
  packet.hasMark = false;
}

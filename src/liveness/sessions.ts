/**
 * All BFD sessions of a switch: which one a packet is for (RFC 5880 section 6.3), and which are due. No I/O: packets are given in
 * and handed out, and the clock is the caller's.
 */
import {
  ADMIN_DOWN,
  BFD_TTL,
  type BfdFault,
  type BfdPacket,
  type BfdState,
  decodeBfd,
  DIAG_ADMIN_DOWN,
  DIAG_PLANE_RESET,
  DOWN,
  emptyPacket,
  UP,
} from '../wire/bfd.js';
import { isMapped } from '../wire/ip-address.js';
import type { BfdMode, KeptSession, SessionSpec, Verdict } from './contract.js';
import { beginDamping, type Damping, judge, release, releaseDue } from './damping.js';
import type { Search } from './path-search.js';
import { Prober } from './prober.js';
import {
  beginSession,
  close,
  describe,
  dueAt,
  expire,
  isSendDue,
  receive,
  retime,
  type Session,
  send,
} from './session.js';
import type { Discard, Status, Traffic } from './status.js';

/** One session, its remote, and what has happened. */
export interface Entry extends Traffic {
  spec: SessionSpec;
  key: string;
  session: Session;
  damping: Damping;
}

export interface SessionParts {
  /** Uniform in 0 to 1. */
  random(): number;
  /** A random number of 32 bits. */
  discriminator(): number;
  /** Sends a packet of this session; losses are nobody's concern. @param size bytes of the outer IP packet; 0: as short as can be */
  transmit(entry: Entry, packet: BfdPacket, size: number): void;
  changed(entry: Entry): void;
  /** Another path MTU was found, or how far its search is. */
  measured(entry: Entry, search: Search): void;
  modeOf(path: number): BfdMode | undefined;
  status: Status;
}

export class Sessions {
  private readonly byKey = new Map<string, Entry>();
  /** By this side's discriminator. */
  private readonly byDiscriminator = new Map<number, Entry>();
  private readonly packet = emptyPacket();

  constructor(private readonly parts: SessionParts) {}

  /** Makes exactly these the sessions. Those that end tell their remotes (section 6.8.16). */
  set(specs: readonly SessionSpec[], now: number): void {
    const staying = new Map(specs.map((spec) => [keyOf(spec.path, spec.address, 0), spec]));
    for (const entry of [...this.byKey.values()]) {
      const spec = staying.get(entry.key);
      if (spec?.slot !== entry.spec.slot) this.end(entry, now, DIAG_ADMIN_DOWN, ADMIN_DOWN);
    }
    for (const [key, spec] of staying) {
      const entry = this.byKey.get(key);
      if (entry === undefined) this.begin(key, spec, now);
      else this.update(entry, spec, now);
    }
  }

  private begin(key: string, spec: SessionSpec, now: number): void {
    let my = spec.kept?.my ?? 0;
    while (my === 0 || this.byDiscriminator.has(my)) my = this.parts.discriminator() >>> 0;
    const session = beginSession(my, timingOf(spec), now, this.parts.random());
    if (spec.kept !== undefined) restore(session, spec.kept, now);
    const prober = this.proberOf(spec);
    if (prober !== null && spec.kept !== undefined) prober.search.mtu = spec.kept.pathMtu;
    const damping = beginDamping(verdictOf(session), now, spec.kept);
    const entry = { spec, key, session, prober, damping, ups: 0, sent: 0, received: 0 };
    prober?.follow(session.state === UP, now);
    this.byKey.set(key, entry);
    this.byDiscriminator.set(my, entry);
    this.parts.status.write(spec.slot, session, entry);
    if (damping.told !== 'down') this.parts.changed(entry);
  }

  private proberOf({ widest, address }: SessionSpec): Prober | null {
    if (widest === undefined) return null;
    const family = isMapped(address[0], address[1], address[2]) ? 4 : 6;
    return new Prober(family, widest, () => this.parts.discriminator() >>> 0);
  }

  private update(entry: Entry, spec: SessionSpec, now: number): void {
    const { interval, multiplier } = entry.spec;
    entry.spec = spec;
    if (spec.widest === undefined) entry.prober = null;
    else if (entry.prober !== null) entry.prober.setLimit(spec.widest, now);
    else {
      entry.prober = this.proberOf(spec);
      entry.prober?.follow(entry.session.state === UP, now);
    }
    if (interval !== spec.interval || multiplier !== spec.multiplier) retime(entry.session, timingOf(spec), now);
  }

  /** Says once more why the session ends, and forgets it. */
  private end(entry: Entry, now: number, diag: number, state: BfdState): void {
    close(entry.session, diag, state);
    this.transmit(entry, now);
    this.byKey.delete(entry.key);
    this.byDiscriminator.delete(entry.session.my);
    this.parts.status.clear(entry.spec.slot);
  }

  /** The switch stops: its remotes need not wait for their detection times. */
  farewell(now: number): void {
    for (const entry of [...this.byKey.values()]) this.end(entry, now, DIAG_PLANE_RESET, DOWN);
  }

  /**
   * Takes in a UDP payload of `length` bytes at `off`.
   * @param words four of the source address, from `at` on
   * @param ttl of the packet; -1: not known
   */
  receive(
    path: number,
    words: Int32Array,
    at: number,
    ttl: number,
    view: DataView,
    off: number,
    length: number,
    now: number,
  ): void {
    const entry = this.accept(path, words, at, ttl, decodeBfd(view, off, length, this.packet));
    if (typeof entry === 'string') {
      this.parts.status.discard(entry);
      return;
    }
    entry.received++;
    this.hearAnswer(entry, now);
    receive(entry.session, this.packet, now);
    this.follow(entry, now);
  }

  /** An answer to a probe says nothing to the session's own poll. */
  private hearAnswer(entry: Entry, now: number): void {
    const { packet } = this;
    const { prober, session } = entry;
    if (prober === null || !packet.final) return;
    const heard = prober.hear(packet, session.isPolling, now);
    if (heard !== 'none') packet.final = false;
    if (heard === 'changed') this.parts.measured(entry, prober.search);
  }

  /** The session of the packet that was decoded last, or why it is discarded. */
  private accept(path: number, words: Int32Array, at: number, ttl: number, fault: BfdFault | null): Entry | Discard {
    // RFC 5881 section 5: who is not on the link cannot forge 255. Inside VXLAN the engine has looked.
    if (this.parts.modeOf(path) === 'single-hop' && ttl !== BFD_TTL) return 'ttl';
    return fault ?? this.find(path, words, at);
  }

  private find(path: number, words: Int32Array, at: number): Entry | Discard {
    const { your } = this.packet;
    const key = keyOf(path, words, at);
    if (your === 0) return this.byKey.get(key) ?? 'unknown_remote';
    const entry = this.byDiscriminator.get(your);
    if (entry === undefined) return 'unknown_session';
    // A discriminator is no secret of one remote's: another one may not speak for it.
    return entry.key === key ? entry : 'unknown_remote';
  }

  /** Sends what is due, and finds out who is dead. @returns when to look again */
  tick(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.byKey.values()) {
      const { session, damping } = entry;
      if (dueAt(session) <= now) {
        if (expire(session, now)) this.follow(entry, now);
        if (isSendDue(session, now)) this.transmit(entry, now);
      }
      if (releaseDue(damping) <= now && release(damping, now)) this.tell(entry);
      if (entry.prober !== null) this.probe(entry, entry.prober, now);
      next = Math.min(next, dueAt(session), releaseDue(damping), entry.prober?.dueAt ?? Number.POSITIVE_INFINITY);
    }
    return next;
  }

  private probe(entry: Entry, prober: Prober, now: number): void {
    if (prober.dueAt > now) return;
    const isChanged = prober.expire(now);
    describe(entry.session, this.packet);
    const size = prober.take(this.packet, entry.session.isPolling, now);
    if (size > 0) {
      entry.sent++;
      this.parts.transmit(entry, this.packet, size);
    }
    this.parts.status.write(entry.spec.slot, entry.session, entry);
    if (isChanged) this.parts.measured(entry, prober.search);
  }

  private transmit(entry: Entry, now: number): void {
    send(entry.session, this.packet, now, this.parts.random());
    entry.sent++;
    this.parts.transmit(entry, this.packet, 0);
    this.parts.status.write(entry.spec.slot, entry.session, entry);
  }

  private follow(entry: Entry, now: number): void {
    entry.prober?.follow(entry.session.state === UP, now);
    const verdict = verdictOf(entry.session);
    if (verdict === 'up' && entry.damping.raw !== 'up') entry.ups++;
    if (judge(entry.damping, verdict, now)) this.tell(entry);
    else this.parts.status.write(entry.spec.slot, entry.session, entry);
  }

  private tell(entry: Entry): void {
    this.parts.status.write(entry.spec.slot, entry.session, entry);
    this.parts.changed(entry);
  }
}

function verdictOf({ state, remoteState }: Session): Verdict {
  if (state === UP) return 'up';
  return remoteState === ADMIN_DOWN ? 'admin' : 'down';
}

function timingOf({ interval, multiplier }: SessionSpec): { interval: number; multiplier: number } {
  return { interval, multiplier };
}

/** A remote has one session on a path. */
function keyOf(path: number, words: ArrayLike<number>, at: number): string {
  return `${path} ${words[at] | 0} ${words[at + 1] | 0} ${words[at + 2] | 0} ${words[at + 3] | 0}`;
}

/** Goes on as the process before would have: the remote has a whole detection time to be heard. */
function restore(session: Session, kept: KeptSession, now: number): void {
  const { interval } = session.timing;
  session.state = kept.state as BfdState;
  session.diag = kept.diag;
  session.your = kept.your;
  session.remoteState = kept.remoteState as BfdState;
  session.remoteMult = kept.remoteMult;
  session.remoteDesiredTx = kept.remoteDesiredTx;
  session.remoteMinRx = kept.remoteMinRx;
  session.isHeard = kept.your !== 0;
  session.heardAt = now;
  session.sendAt = now;
  if (session.state === UP) Object.assign(session, { desiredTx: interval, requiredRx: interval, inForceTx: interval });
}

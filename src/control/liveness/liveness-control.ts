/**
 * BFD sessions with the remotes of vxlan ports, and what follows from their state: what is for a dead remote goes elsewhere
 * (`PortEntries.setDead`), until it is up again. The sessions themselves are the liveness thread's.
 */
import type { SwitchEvent } from '../../api/api.js';
import type { VxlanConfig } from '../../config/types.js';
import {
  MAX_SESSIONS,
  type FromLiveness,
  type KeptSession,
  type SessionStatus,
  type SessionVerdict,
  type Verdict,
} from '../../liveness/contract.js';
import { createStatus, Status } from '../../liveness/status.js';
import type { Wake } from '../../port/wake.js';
import { parseAddress } from '../../wire/ip-address.js';
import { caught, every, soon } from '../guard.js';
import { isTunnel, type SwitchModel, type VxlanPort } from '../model/model.js';
import { Numbers } from '../model/numbers.js';
import { Transition } from '../model/transition.js';
import type { RemoteSource, RemoteView } from '../views/remotes.js';
import type { Liveness, PathMtuChange, RemoteChange, RemoteState } from './contract.js';
import { LivenessThread } from './liveness-thread.js';
import { Management } from './management.js';
import { Paths } from './paths.js';
import { sessionKey, type Wanted, type WantedSession, wantedSessions } from './wanted.js';

/** How often the model is looked at. After a take-over more often: the sockets are free as soon as the other process ends. */
const LOOK_MS = 200;
const EAGER_MS = 10;
const EAGER_LOOKS = 200;

/** A session as the process before had it. */
export interface KeptRemote {
  key: string;
  state: RemoteState;
  session: KeptSession & Pick<SessionStatus, 'state' | 'remoteState'>;
}

export interface LivenessParts {
  model: SwitchModel;
  rings: readonly SharedArrayBuffer[];
  wake: Wake;
  /** The process before has the sessions until `restore`. */
  isHeld: boolean;
  macOf(local: string): string;
  /** Carries a change out, between two others. */
  carryOut(change: () => Transition): void;
  setDead(port: VxlanPort, dead: ReadonlySet<string>, change: Transition): void;
  tell(event: SwitchEvent): void;
  say(notice: RemoteChange): void;
  /** Another path MTU holds for a remote. */
  measured(change: PathMtuChange): void;
  /** Sessions cannot be had; null: they can again. */
  fault(reason: string | null): void;
}

interface Session {
  wanted: WantedSession;
  slot: number;
  state: RemoteState;
  /** The path MTU that the kernel knows; 0: not known yet. */
  widest: number;
  /** What was told of its path last. */
  path: string;
}

export class LivenessControl implements Liveness, RemoteSource {
  private readonly statusMemory = createStatus();
  private readonly status = new Status(this.statusMemory);
  private readonly slots = new Numbers('BFD sessions', 0, MAX_SESSIONS * 2);
  private readonly sessions = new Map<string, Session>();
  private readonly bySlot = new Map<number, Session>();
  private readonly paths: Paths;
  private readonly management: Management;
  private readonly listeners = new Set<(change: RemoteChange) => void>();
  private kept = new Map<string, KeptRemote>();
  private thread: LivenessThread | null = null;
  /** What the thread was told last. */
  private told = '';
  private saidFault: string | null = null;
  private timers: NodeJS.Timeout[] = [];

  constructor(private readonly parts: LivenessParts) {
    this.paths = new Paths(parts.macOf);
    this.management = new Management(parts);
    if (!parts.isHeld) this.begin();
  }

  /** The sessions are this process's from now on. */
  begin(): void {
    if (this.timers.length > 0) return;
    this.timers.push(every('liveness', LOOK_MS, () => this.look()));
    if (!this.parts.isHeld) return;
    let looks = 0;
    const eager = every('liveness', EAGER_MS, () => {
      this.look();
      if (++looks === EAGER_LOOKS) clearInterval(eager);
    });
    this.timers.push(eager);
    this.look();
  }

  /** Before `begin`, in a process that takes a switch over: the thread that will be needed is there in time. */
  prepare(): void {
    if (wantedSessions(this.parts.model).sessions.size > 0) this.thread ??= this.startThread();
  }

  /** What the process before had; before `begin`. */
  restore(kept: readonly KeptRemote[]): void {
    this.kept = new Map(kept.slice(0, MAX_SESSIONS).map((one) => [one.key, one]));
  }

  /** For the next process. */
  saved(): KeptRemote[] {
    return [...this.sessions.values()].flatMap(({ wanted: { key }, slot, state }) => {
      const status = this.status.read(slot);
      if (status === null) return [];
      const { state: bfd, my, your, diag, remoteState, remoteMult, remoteDesiredTx, remoteMinRx } = status;
      const { pathMtu, flaps, damped } = status;
      const theirs = { remoteState, remoteMult, remoteDesiredTx, remoteMinRx };
      return [{ key, state, session: { state: bfd, my, your, diag, ...theirs, pathMtu, flaps, damped } }];
    });
  }

  // ---- What others ask ----

  stateOf(port: string, address: string): RemoteState {
    for (const { wanted, state } of this.sessions.values())
      if (wanted.address === address && wanted.ports.some(({ name }) => name === port)) return state;
    return 'unknown';
  }

  alive(port: string, address: string): boolean {
    return this.stateOf(port, address) !== 'down';
  }

  subscribe(listener: (change: RemoteChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  remotesOf(port: VxlanPort): RemoteView[] {
    return [...this.sessions.values()].flatMap(({ wanted: { address, ports }, slot, state }) =>
      ports.includes(port) ? [{ address, state, status: this.status.read(slot) }] : [],
    );
  }

  /** Packets that were discarded, by reason. */
  discards(): Record<string, number> {
    const discards = this.status.discards();
    return { ...discards, ttl: discards.ttl + this.paths.dropped };
  }

  /**
   * The path MTU to a remote, with what probes have found.
   * @param known by the kernel; null: unreachable
   */
  pathMtu(config: VxlanConfig, address: string, known: number | null): number | null {
    const key = config.path_mtu_probes ? sessionKey(config, address) : null;
    const session = key === null ? undefined : this.sessions.get(key);
    if (session === undefined || known === null) return known;
    session.widest = known;
    const found = this.status.read(session.slot)?.pathMtu ?? this.kept.get(session.wanted.key)?.session.pathMtu ?? 0;
    return found === 0 ? known : Math.min(found, known);
  }

  // ---- Following the model ----

  /** Begins and ends sessions as the model asks for them. */
  look(): void {
    const wanted = wantedSessions(this.parts.model);
    if (wanted.sessions.size === 0 && this.thread === null) {
      this.settleDead();
      return;
    }
    const present = new Map([...wanted.sessions.values()].map(({ path }) => [path.key, path]));
    const close = this.paths.become(present);
    this.sayFault(wanted);
    this.management.follow(present, (key) => this.paths.numberOf(key));
    this.follow(wanted, close);
    this.settleDead();
  }

  private sayFault({ refused }: Wanted): void {
    const [first] = this.paths.faults.values();
    const tooMany = `a switch has ${MAX_SESSIONS} BFD sessions at most: ${refused} remotes have none`;
    const fault = first ?? (refused === 0 ? null : tooMany);
    if (fault === this.saidFault) return;
    this.saidFault = fault;
    this.parts.fault(fault);
  }

  private follow({ sessions }: Wanted, close: () => void): void {
    const gone = [...this.sessions].filter(([key]) => !sessions.has(key));
    for (const [key] of gone) this.sessions.delete(key);
    for (const [key, wanted] of sessions) {
      const session = this.sessions.get(key);
      if (session === undefined) this.beginSession(key, wanted);
      else session.wanted = wanted;
    }
    const specs = this.specs();
    const text = JSON.stringify([this.paths.specs, specs.map(({ kept: _, ...spec }) => spec)]);
    if (text === this.told) return;
    this.told = text;
    this.thread ??= this.startThread();
    this.thread.set(this.paths.specs, specs, () => {
      close();
      for (const [, { slot }] of gone) {
        this.bySlot.delete(slot);
        this.slots.give(slot);
      }
    });
    // What was kept is used once, by sessions whose path is open.
    for (const { slot } of specs) this.kept.delete(this.bySlot.get(slot)?.wanted.key ?? '');
  }

  private beginSession(key: string, wanted: WantedSession): void {
    const slot = this.slots.tryTake();
    if (slot === null) return;
    const state = this.kept.get(key)?.state ?? 'unknown';
    const session: Session = { wanted, slot, state, widest: 0, path: '' };
    this.sessions.set(key, session);
    this.bySlot.set(slot, session);
  }

  /** Sessions whose path is open. */
  private specs() {
    return [...this.sessions].flatMap(
      ([
        key,
        {
          slot,
          widest,
          wanted: { address, path, interval, multiplier, probes },
        },
      ]) => {
        const number = this.paths.numberOf(path.key);
        const words = parseAddress(address)?.words;
        const kept = this.kept.get(key)?.session;
        if (number === undefined || words === undefined) return [];
        const more = { ...(probes && widest > 0 ? { widest } : {}), ...(kept === undefined ? {} : { kept }) };
        return [{ slot, path: number, address: words, interval, multiplier, ...more }];
      },
    );
  }

  private startThread(): LivenessThread {
    const { rings, wake } = this.parts;
    return new LivenessThread({ status: this.statusMemory, rings }, wake, {
      verdicts: (verdicts) => this.judge(verdicts),
      pathMtu: (message) => this.measured(message),
      failed: (error) => {
        caught('liveness thread', error);
        // It is started again by the next look; remotes are what they were, until their sessions say.
        this.thread = null;
        this.told = '';
      },
    });
  }

  // ---- What follows from a verdict ----

  private judge(verdicts: readonly SessionVerdict[]): void {
    const changes = verdicts.flatMap((verdict) => this.changesBy(verdict));
    if (changes.length === 0) return;
    // First the frames: a word to the log and to subscribers may take longer than all the rest.
    this.settleDead();
    soon('liveness', () => {
      for (const change of changes) this.tell(change);
    });
  }

  private changesBy({ slot, verdict, diag }: SessionVerdict): RemoteChange[] {
    const session = this.bySlot.get(slot);
    if (session === undefined || this.sessions.get(session.wanted.key) !== session) return [];
    const state = stateAfter(session.state, verdict);
    if (state === session.state) return [];
    session.state = state;
    const { address, ports } = session.wanted;
    return ports.map(({ name }) => ({ port: name, address, state, diag }));
  }

  /** Told are other path MTUs, and ends of searches. */
  private measured({ slot, mtu, search }: Extract<FromLiveness, { type: 'path-mtu' }>): void {
    const session = this.bySlot.get(slot);
    if (session === undefined || this.sessions.get(session.wanted.key) !== session) return;
    const path = search === 'complete' || search === 'error' ? `${mtu} ${search}` : `${mtu}`;
    if (session.path === path || (session.path.startsWith(`${path} `) && search !== 'error')) return;
    session.path = path;
    const { address, ports } = session.wanted;
    for (const { name, config } of ports)
      if (config.path_mtu_probes) this.parts.measured({ port: name, address, mtu, search });
  }

  private tell(change: RemoteChange): void {
    const { port: ifname, address, state, diag } = change;
    this.parts.tell({ event: 'remote', ifname, address, state, diag });
    this.parts.say(change);
    for (const listener of this.listeners) listener(change);
  }

  /** Ports whose dead remotes are not those that the engines know of. */
  private settleDead(): void {
    const dead = this.deadByPort();
    const { carryOut, model, setDead } = this.parts;
    const differs = [...model.ports.values()].filter(isTunnel).filter((port) => !isSame(port.dead, dead.get(port)));
    if (differs.length === 0) return;
    carryOut(() => {
      const change = new Transition();
      const now = this.deadByPort();
      for (const port of differs)
        if (!isSame(port.dead, now.get(port))) setDead(port, now.get(port) ?? new Set(), change);
      return change;
    });
  }

  private deadByPort(): Map<VxlanPort, Set<string>> {
    const found = new Map<VxlanPort, Set<string>>();
    for (const { wanted, state } of this.sessions.values()) {
      if (state !== 'down') continue;
      for (const port of wanted.ports) found.set(port, (found.get(port) ?? new Set<string>()).add(wanted.address));
    }
    return found;
  }

  // ---- The end ----

  /** Stops following the model. */
  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  /** Ends all sessions. @param farewell the remotes are told, so that they need not wait for their detection times */
  async end(farewell: boolean): Promise<void> {
    this.stop();
    const { thread } = this;
    this.thread = null;
    await thread?.stop(farewell);
    this.paths.close();
  }
}

/** RFC 5882 section 4.2: a session that the remote has closed on purpose says nothing about the path. */
function stateAfter(before: RemoteState, verdict: Verdict): RemoteState {
  if (verdict === 'up') return 'up';
  if (verdict === 'admin') return 'unknown';
  return before === 'unknown' ? 'unknown' : 'down';
}

function isSame(one: ReadonlySet<string> | undefined, other: ReadonlySet<string> | undefined): boolean {
  if ((one?.size ?? 0) !== (other?.size ?? 0)) return false;
  return [...(one ?? [])].every((address) => other?.has(address));
}

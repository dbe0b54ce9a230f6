/**
 * EVPN, the control thread's side: starts the speaker's thread while the configuration has one, tells it the MACs of this switch, and puts what it
 * tells into the tables.
 */
import type { FromSpeaker, SpeakerConfig } from '../../evpn/contract.js';
import { type SpeakerEvents, SpeakerThread } from '../../evpn/speaker-thread.js';
import type { FdbEvents } from '../../fdb/table.js';
import type { NeighReader } from '../../neigh/table.js';
import type { SwitchEvent } from '../../api/api.js';
import { caught, every, forget, guarded } from '../guard.js';
import type { EvpnViews } from '../listings.js';
import type { LastingOwner, PeerChange } from '../peers/contract.js';
import type { LocalVrf, RouteTables } from '../peers/route-contract.js';
import { type Difference, OwnMacs, type OwnMacParts } from './own-macs.js';
import { OwnPrefixes } from './own-prefixes.js';
import { Passwords } from './passwords.js';
import { RemotePrefixes } from './remote-prefixes.js';
import { RemoteRows } from './remote-rows.js';
import { evpnPorts, speakerConfigOf } from './speaker-config.js';
import { SpeakerViews } from './speaker-views.js';

/** Between two looks at the changes of the FDB: a guest that moves is heard of within that. */
const POLL_MS = 50;
/** Between two looks at the bindings. */
const BINDINGS_MS = 500;
/** Most MACs that are looked at in one poll; the rest waits for the next. */
const MOST_LOOKED = 8192;
/** Seconds for which the rows of a speaker that has failed stay. */
const RESTART_S = 120;
/** MACs of one message: BATCH of the contract, which is types only here. */
const BATCH = 1024;

export type EvpnEvent = Extract<SwitchEvent, { event: 'evpn' }>;
type Told<T extends FromSpeaker['tell']> = Extract<FromSpeaker, { tell: T }>;

export interface EvpnParts extends Omit<OwnMacParts, 'neigh'> {
  neigh: Pick<NeighReader, 'forEach' | 'slots' | 'counters'>;
  owner: LastingOwner;
  routes: RouteTables;
  /** A reader of the FDB's changes of its own. */
  events(): FdbEvents;
  /** For `monitor` and the log. */
  tell(event: EvpnEvent): void;
  fault(text: string): void;
  /** The process before forwards still. */
  isHeld: boolean;
  /** Absent: a thread. */
  speaker?(events: SpeakerEvents): Speaker;
}

type Speaker = Pick<SpeakerThread, 'isRunning' | 'start' | 'post' | 'stop'>;

export class EvpnControl {
  private readonly own: OwnMacs;
  private readonly rows: RemoteRows;
  private readonly prefixes = new OwnPrefixes();
  private readonly ways: RemotePrefixes;
  /** By VNI of layer 3. */
  private readonly vrfs = new Map<number, LocalVrf>();
  private readonly thread: Speaker;
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly asked: SpeakerViews;
  private readonly passwords: Passwords;
  private readonly dirty = new Map<string, readonly [number, number, number]>();
  /** By address: what was told of the session last. At most as many as are configured at a time. */
  private readonly neighbors = new Map<string, { change: EvpnEvent['change']; reason: string | undefined }>();
  private events: FdbEvents | null = null;
  private readonly ports = new Map<number, string>();
  private config: SpeakerConfig | null = null;
  private needsAll = false;
  private isWalking = false;
  private lookedAt = '';
  private isHeld: boolean;
  /** Routes are put in one batch after the other. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: EvpnParts) {
    this.isHeld = parts.isHeld;
    this.own = new OwnMacs(parts);
    this.rows = new RemoteRows((vni) => this.ports.get(vni));
    this.ways = new RemotePrefixes((vni) => this.vrfs.get(vni));
    parts.routes.onLocals(() => this.follow());
    const events: SpeakerEvents = {
      told: (message) => this.hear(message),
      started: (isAgain) => this.started(isAgain),
      failed: (error, pause) => {
        this.void();
        parts.fault(`the BGP speaker has failed and starts again in ${Math.ceil(pause / 1000)} s: ${error.message}`);
      },
    };
    this.thread = parts.speaker?.(events) ?? new SpeakerThread(events, guarded);
    this.asked = new SpeakerViews(this.thread);
    this.passwords = new Passwords(parts.fault);
  }

  /** The process before has ended. */
  begin(): void {
    this.isHeld = false;
    this.follow();
  }

  /** The configuration or the ports have changed. */
  follow(): void {
    if (this.isHeld) return;
    const { evpn } = this.parts.model.config;
    if (evpn === undefined) {
      if (this.config !== null) this.end();
      return;
    }
    // Those that have gone are kept: the speaker takes back what it told of them.
    for (const { name, vnis } of evpnPorts(this.parts.model)) for (const { vni } of vnis) this.ports.set(vni, name);
    const vrfs = this.parts.routes.locals();
    this.vrfs.clear();
    for (const vrf of vrfs) if (vrf.door !== null) this.vrfs.set(vrf.door.l3vni, vrf);
    this.moveRows();
    this.passwords.keep(new Set(evpn.neighbors.flatMap(({ password_file: path }) => path ?? [])));
    const next = speakerConfigOf(evpn, this.parts.model, (path) => this.passwords.of(path), vrfs);
    const isSame = JSON.stringify(next) === JSON.stringify(this.config);
    this.config = next;
    for (const address of this.neighbors.keys())
      if (!next.neighbors.some((neighbor) => neighbor.address === address)) this.neighbors.delete(address);
    if (this.own.follow()) this.needsAll = true;
    if (!this.thread.isRunning) this.start();
    else if (!isSame) this.thread.post({ do: 'configure', config: next });
    this.sayPrefixes();
  }

  private sayPrefixes(): void {
    const { announce, withdraw } = this.prefixes.differenceTo(this.parts.routes.locals());
    for (const prefixes of batches(withdraw)) this.thread.post({ do: 'withdraw', prefixes });
    for (const prefixes of batches(announce)) this.thread.post({ do: 'announce', prefixes });
  }

  private start(): void {
    this.events ??= this.parts.events();
    if (this.timers.length === 0)
      this.timers.push(
        every('evpn', POLL_MS, () => this.poll()),
        every('evpn bindings', BINDINGS_MS, () => this.lookAtBindings()),
      );
    this.thread.start();
  }

  private started(isAgain: boolean): void {
    if (this.config === null) return;
    if (isAgain) this.void();
    this.thread.post({ do: 'configure', config: this.config });
    this.own.forget();
    this.prefixes.forget();
    this.sayPrefixes();
    this.needsAll = true;
    this.lookedAt = '';
  }

  /** What the speaker told is void; the rows stay for the time of a restart. */
  private void(): void {
    this.rows.forget();
    this.ways.forget();
    this.parts.owner.renew(RESTART_S);
    this.parts.routes.owner('evpn').renew(RESTART_S);
    this.asked.fail();
  }

  private end(): void {
    this.config = null;
    this.rest();
    this.own.forget();
    this.rows.forget();
    this.prefixes.forget();
    this.ways.forget();
    this.asked.fail();
    forget('evpn', Promise.all([this.thread.stop(false), this.last.then(() => this.clear())]));
  }

  private async clear(): Promise<void> {
    await this.parts.owner.clear();
    await this.parts.routes.owner('evpn').clear();
  }

  private rest(): void {
    for (const timer of this.timers.splice(0)) clearInterval(timer);
    this.dirty.clear();
  }

  /** Ends the timers and the thread. @param restarts the neighbours keep our routes: another process goes on */
  stop(restarts = false): Promise<void> {
    this.rest();
    this.isHeld = true;
    return this.thread.stop(restarts);
  }

  // ---- Own MACs

  private poll(): void {
    if (this.events === null) return;
    const lost = this.events.read(({ high, low, fid }) => this.dirty.set(`${fid} ${high} ${low}`, [high, low, fid]));
    if (lost > 0) this.needsAll = true;
    if (this.needsAll) {
      this.walk();
      return;
    }
    const into: Difference = { announce: [], withdraw: [] };
    let left = MOST_LOOKED;
    for (const [key, [high, low, fid]] of this.dirty) {
      if (left-- === 0) break;
      this.dirty.delete(key);
      this.own.look(high, low, fid, into);
    }
    this.say(into);
  }

  /** Looks at the whole table; what changes meanwhile is looked at after it. */
  private walk(): void {
    if (this.isWalking) return;
    this.isWalking = true;
    this.needsAll = false;
    this.step(this.own.all(), () => {
      this.isWalking = false;
    });
  }

  private lookAtBindings(): void {
    if (this.isWalking) return;
    const now = `${JSON.stringify(this.parts.neigh.counters())} ${this.own.generation}`;
    if (now === this.lookedAt) return;
    this.lookedAt = now;
    this.isWalking = true;
    this.step(this.own.bindings(), () => {
      this.isWalking = false;
    });
  }

  /** One piece at a time, so that the thread is never held up. */
  private step(pieces: Generator<Difference>, ended: () => void): void {
    const next = guarded('evpn walk', () => {
      const { done, value } = pieces.next();
      if (done === true) return ended();
      this.say(value);
      setImmediate(next);
    });
    next();
  }

  private say({ announce, withdraw }: Difference): void {
    for (const macs of batches(withdraw)) this.thread.post({ do: 'withdraw', macs });
    for (const macs of batches(announce)) this.thread.post({ do: 'announce', macs });
  }

  // ---- From the speaker

  private hear(message: FromSpeaker): void {
    switch (message.tell) {
      case 'routes':
        this.inTurn('evpn routes', () => this.take(message));
        break;
      case 'answer':
        this.asked.hear(message);
        break;
      case 'neighbor':
        this.tellNeighbor(message);
        break;
      case 'limit':
        this.parts.tell({
          event: 'evpn',
          change: message.isRefused ? 'routes_refused' : 'routes_near_limit',
          neighbor: message.address,
          routes: message.routes,
          limit: message.most,
          ...(message.cause === 'attributes' ? { reason: 'attributes' } : {}),
        });
        break;
      case 'duplicate':
        this.tellDuplicate(message);
        break;
      case 'fault':
        this.parts.fault(message.text);
        break;
      case 'stopped':
        break;
    }
  }

  /** Sessions that come up and end; of attempts that fail, each new reason once. */
  private tellNeighbor({ address, state, reason }: Told<'neighbor'>): void {
    const change = state === 'established' ? 'neighbor_up' : 'neighbor_down';
    const last = this.neighbors.get(address);
    const isNew = change === 'neighbor_up' || last?.change === 'neighbor_up' || last?.reason !== reason;
    if (!isNew || (change === 'neighbor_down' && reason === undefined && last?.change !== 'neighbor_up')) return;
    this.neighbors.set(address, { change, reason });
    this.parts.tell({ event: 'evpn', change, neighbor: address, ...(reason === undefined ? {} : { reason }) });
  }

  private tellDuplicate({ vni, mac, between }: Told<'duplicate'>): void {
    const vteps = between.map((vtep) => vtep ?? this.config?.vnis.find((one) => one.vni === vni)?.local ?? 'this host');
    this.parts.tell({ event: 'evpn', change: 'duplicate_mac', vni, mac, vteps });
  }

  /** Rows of VNIs that another port, or another VRF, has now go there. */
  private moveRows(): void {
    this.inTurn('evpn move', async () => {
      for (const change of this.rows.moves()) await this.put(change);
      const routes = this.ways.moves();
      if (routes.add.length > 0) await this.parts.routes.owner('evpn').change(routes);
    });
  }

  private inTurn(place: string, work: () => Promise<void>): void {
    this.last = this.last.then(work).catch((error: unknown) => caught(place, error));
  }

  private async put(change: PeerChange): Promise<void> {
    const { refused, reason } = await this.parts.owner.change(change);
    if (refused > 0) this.parts.fault(`${refused} rows of routes were refused: ${reason}`);
  }

  private async take(routes: Told<'routes'>): Promise<void> {
    try {
      if (this.config === null) return;
      await this.put(this.rows.changeOf(routes));
      if (routes.prefixes.add.length + routes.prefixes.remove.length > 0) await this.takePrefixes(routes.prefixes);
    } finally {
      this.thread.post({ do: 'taken' });
    }
  }

  private async takePrefixes(prefixes: Told<'routes'>['prefixes']): Promise<void> {
    const { refused, ...change } = this.ways.changeOf(prefixes);
    const outcome = await this.parts.routes.owner('evpn').change(change);
    if (refused > 0) this.parts.fault(`${refused} ways to prefixes were refused: their VNI is not one of a VRF here`);
    if (outcome.refused > 0) this.parts.fault(`${outcome.refused} prefixes were refused: ${outcome.reason}`);
  }

  // ---- Questions and orders

  /** Null: the configuration has no speaker. */
  views(): EvpnViews | null {
    return this.config === null ? null : this.asked.of(this.config);
  }
}

function* batches<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < rows.length; at += BATCH) yield rows.slice(at, at + BATCH);
}

/**
 * The BGP speaker: neighbours and the RIB between them and the control thread. It has no thread of its own, so tests may drive it; the
 * thread is `speaker-worker.ts`.
 *
 * Towards the control thread at most two batches of routes are under way. While they are, no neighbour is read: the kernel's buffers fill,
 * and TCP slows the neighbours down. What changes several times meanwhile is told once.
 */
import type { Socket } from 'node:net';
import { CEASE_CHANGED, CEASE_DECONFIGURED, CEASE_RESET, CEASE_SHUTDOWN } from '../wire/bgp/notification.js';
import type { FromSpeaker, NeighborConfig, Question, SpeakerConfig, ToSpeaker } from './contract.js';
import { createGuard, type Guard } from './guard.js';
import { needsReset } from './peering/config-change.js';
import { Neighbor, type Surroundings } from './peering/neighbor.js';
import type { Rib } from './rib/contract.js';
import { dialNeighbor } from './transport/dial.js';
import { Listener } from './transport/listener.js';

const TICK_MS = 100;
const MOST_BATCHES = 2;
/** Own routes are complete when none has come for that long ... */
const QUIET_MS = 1000;
/** ... or at the latest that long after the start. */
const COMPLETE_MS = 30_000;
/** Between two attempts to listen. */
const LISTEN_MS = 5000;

/** What a speaker needs from outside. */
export interface SpeakerHost {
  tell(message: FromSpeaker): void;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  random(): number;
  readonly rib: Rib;
  /** Absent: as `dialNeighbor`. */
  dial?(neighbor: NeighborConfig): Socket;
  /** Milliseconds between two looks at all timers; absent: TICK_MS. */
  readonly tickMs?: number;
}

export class Speaker {
  private readonly neighbors = new Map<string, Neighbor>();
  private readonly guard: Guard;
  private readonly listener: Listener;
  private readonly around: Surroundings;
  private readonly startedAt: number;
  private config: SpeakerConfig | null = null;
  private timer: NodeJS.Timeout | undefined;
  private underWay = 0;
  private isFlushing = false;
  private announcedAt = Number.NEGATIVE_INFINITY;
  private listenAt = 0;

  constructor(private readonly host: SpeakerHost) {
    this.guard = createGuard((text) => host.tell({ tell: 'fault', text }), host.now);
    this.startedAt = host.now();
    this.listener = new Listener(
      {
        accepted: ({ address }, socket) => this.neighbors.get(address)?.accept(socket),
        failed: (text) => host.tell({ tell: 'fault', text }),
      },
      this.guard,
      host.now,
    );
    this.around = this.surroundings();
  }

  /** Carries out a message of the control thread. Never throws. */
  hear(message: ToSpeaker): void {
    this.guard(`speaker ${message.do}`, () => this.carryOut(message))();
  }

  private carryOut(message: ToSpeaker): void {
    const { rib } = this.host;
    switch (message.do) {
      case 'configure':
        this.configure(message.config);
        break;
      case 'announce':
      case 'withdraw':
        this.announcedAt = this.host.now();
        rib[message.do](message.macs ?? [], message.prefixes ?? []);
        this.routesChanged();
        break;
      case 'clear-duplicates':
        rib.clearDuplicates(message.vni, message.mac);
        this.routesChanged();
        break;
      case 'refresh':
        for (const neighbor of this.chosen(message.neighbor)) neighbor.refresh();
        break;
      case 'reset':
        for (const neighbor of this.chosen(message.neighbor)) neighbor.reset(CEASE_RESET, 'it was reset by a command');
        break;
      case 'ask':
        this.answer(message.id, message.question);
        break;
      case 'taken':
        this.underWay = Math.max(0, this.underWay - 1);
        this.flushSoon();
        break;
      default:
        this.stop(message.restarts);
    }
  }

  /** @param address absent: all neighbours */
  private chosen(address: string | undefined): Neighbor[] {
    return [...this.neighbors.values()].filter((neighbor) => address === undefined || address === neighbor.address);
  }

  private configure(config: SpeakerConfig): void {
    const before = this.config;
    this.host.rib.configure(config);
    this.config = config;
    const wanted = new Map(config.neighbors.map((neighbor) => [neighbor.address, neighbor]));
    for (const [address, neighbor] of this.neighbors) {
      if (wanted.has(address)) continue;
      neighbor.stop(CEASE_DECONFIGURED, 'no neighbor any more');
      this.neighbors.delete(address);
    }
    this.listener.configure(config.listen, config.neighbors);
    const own = { asn: config.asn, routerId: config.routerId };
    const isOther = before !== null && (before.asn !== own.asn || before.routerId !== own.routerId);
    for (const neighbor of config.neighbors) this.place(neighbor, own, isOther);
    this.timer ??= setInterval(
      this.guard('speaker tick', () => this.tick()),
      this.host.tickMs ?? TICK_MS,
    );
    this.routesChanged();
  }

  private place(config: NeighborConfig, own: { asn: number; routerId: string }, isOther: boolean): void {
    const present = this.neighbors.get(config.address);
    if (present !== undefined) {
      const changes = isOther || needsReset(present.session.neighbor, config);
      present.session.neighbor = config;
      present.session.own = own;
      if (changes) present.reset(CEASE_CHANGED, 'its configuration has changed');
      return;
    }
    const neighbor = new Neighbor(config, own, this.around);
    this.neighbors.set(config.address, neighbor);
    neighbor.start();
  }

  private stop(restarts: boolean): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.listener.close();
    for (const neighbor of this.neighbors.values()) {
      neighbor.stop(restarts ? null : CEASE_SHUTDOWN, restarts ? 'the switch restarts' : 'the switch ends');
    }
    this.neighbors.clear();
    this.host.tell({ tell: 'stopped' });
  }

  private tick(): void {
    const now = this.host.now();
    this.host.rib.tick(now);
    for (const neighbor of this.neighbors.values()) this.guard('neighbor tick', () => neighbor.tick())();
    if (now >= this.listenAt) {
      this.listenAt = now + LISTEN_MS;
      this.listener.retry();
    }
    // Not with each batch: a neighbour makes as many as it likes, and nothing slows it down for them.
    for (const event of this.host.rib.events()) this.host.tell(event);
    const needy = this.host.rib.refreshNeeded();
    if (needy !== null) this.neighbors.get(needy)?.refresh();
    this.flush();
  }

  private routesChanged(): void {
    for (const neighbor of this.neighbors.values()) neighbor.pump();
    this.flushSoon();
  }

  private flushSoon(): void {
    if (this.isFlushing) return;
    this.isFlushing = true;
    setImmediate(
      this.guard('speaker batches', () => {
        this.isFlushing = false;
        this.flush();
      }),
    );
  }

  /** Tells the control thread what has changed. */
  private flush(): void {
    const { rib, tell } = this.host;
    while (this.underWay < MOST_BATCHES) {
      const batch = rib.deltas();
      if (batch === null) break;
      this.underWay++;
      tell(batch);
    }
    if (this.underWay < MOST_BATCHES) for (const neighbor of this.neighbors.values()) neighbor.resume();
  }

  private answer(id: number, question: Question): void {
    const { rib, tell } = this.host;
    if (question.ask === 'neighbors') {
      tell({ tell: 'answer', id, neighbors: [...this.neighbors.values()].map((neighbor) => neighbor.answer()) });
    } else if (question.ask === 'routes') tell({ tell: 'answer', id, ...rib.answer(question) });
    else tell({ tell: 'answer', id, ...rib.answer(question) });
  }

  private surroundings(): Surroundings {
    const { host } = this;
    const speaker = this;
    return {
      now: host.now,
      random: host.random,
      guard: this.guard,
      rib: host.rib,
      startedAt: this.startedAt,
      dial: host.dial ?? dialNeighbor,
      changed: ({ neighbor, state }, reason) =>
        host.tell({ tell: 'neighbor', address: neighbor.address, state, ...(reason === undefined ? {} : { reason }) }),
      touched: () => speaker.flushSoon(),
      get isTaking() {
        return speaker.underWay < MOST_BATCHES;
      },
      get isComplete() {
        const now = host.now();
        return now - speaker.announcedAt >= QUIET_MS || now - speaker.startedAt >= COMPLETE_MS;
      },
    };
  }
}

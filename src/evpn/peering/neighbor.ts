/**
 * One neighbour: its session, the connections of it, and the routes to and from it. Joins the state machine to sockets and RIB.
 */
import type { Socket } from 'node:net';
import type { NeighborAnswer, NeighborConfig } from '../contract.js';
import type { Guard } from '../guard.js';
import type { Rib } from '../rib/contract.js';
import { accepted, dialed, lost, received, reset, start, stillHeard, stop, tick } from '../session/machine.js';
import { createSession, establishedLink, type Session, type World } from '../session/record.js';
import { askRefresh, markAnswer } from '../session/refresh.js';
import { Connection } from '../transport/connection.js';
import { BgpWire, formatOf, type Incoming, type JudgedUpdate } from './bgp-wire.js';
import { Sending } from './sending.js';

/** What all neighbours share. */
export interface Surroundings {
  now(): number;
  random(): number;
  readonly guard: Guard;
  readonly rib: Rib;
  readonly startedAt: number;
  /** Opens a socket that connects. @throws with a reason for people */
  dial(neighbor: NeighborConfig): Socket;
  changed(session: Session, reason: string | undefined): void;
  /** The RIB has changed: what follows from it is told soon. */
  touched(): void;
  /** Whether more routes may come in: the control thread keeps up. */
  readonly isTaking: boolean;
  /** Whether own routes are complete, as far as the speaker can know. */
  readonly isComplete: boolean;
}

export class Neighbor {
  readonly session: Session;
  private readonly world: World<JudgedUpdate>;
  private sending: Sending | null = null;
  /** Connections whose next bytes wait for the control thread. */
  private readonly waiting = new Set<BgpWire>();
  private isPumping = false;
  private malformed = 0;
  /** Sessions that have come up. */
  private ups = 0;

  constructor(
    config: NeighborConfig,
    own: Session['own'],
    private readonly around: Surroundings,
  ) {
    this.session = createSession(config, own, around.startedAt);
    this.world = this.makeWorld();
  }

  get address(): string {
    return this.session.neighbor.address;
  }

  start(): void {
    start(this.session, this.world);
  }

  stop(subcode: number | null, reason: string): void {
    stop(this.session, this.world, subcode, reason);
  }

  reset(subcode: number, reason: string): void {
    reset(this.session, this.world, subcode, reason);
  }

  /** Timers. */
  tick(): void {
    // Who waits for us is not silent.
    for (const wire of this.waiting) stillHeard(this.session, wire, this.world);
    tick(this.session, this.world);
    this.pump();
  }

  /** The neighbour has connected. */
  accept(socket: Socket): void {
    const wire = this.makeWire();
    wire.attach(this.connect(socket, wire));
    if (!accepted(this.session, wire, this.world)) wire.close();
  }

  /** Asks for all routes of the neighbour. */
  refresh(): boolean {
    return askRefresh(this.session);
  }

  /** Sends what the RIB has for the neighbour, if there is a session. */
  pump(): void {
    if (this.sending === null || this.isPumping) return;
    this.isPumping = true;
    setImmediate(
      this.around.guard('BGP sending', () => {
        this.isPumping = false;
        this.send();
      }),
    );
  }

  /** The control thread keeps up again. */
  resume(): void {
    for (const wire of this.waiting) {
      this.waiting.delete(wire);
      wire.more();
    }
  }

  answer(): NeighborAnswer {
    const { neighbor, state, since, messages, lastEnd } = this.session;
    const terms = establishedLink(this.session)?.terms;
    const sent = this.sending?.messages ?? 0;
    return {
      address: neighbor.address,
      asn: neighbor.asn,
      state,
      since: Math.round(this.around.now() - since),
      ups: this.ups,
      ...(terms == null ? {} : { routerId: terms.routerId }),
      ...this.around.rib.counts(neighbor.address),
      messages: { in: messages.in, out: messages.out + sent },
      ...(lastEnd === undefined ? {} : { lastEnd }),
      malformed: this.malformed,
    };
  }

  private send(): void {
    const result = this.sending?.run(this.around.isComplete);
    if (result === 'more') this.pump();
    if (result !== 'refresh-ends') return;
    const link = establishedLink(this.session);
    if (link !== undefined) markAnswer(this.session, link, 2);
    this.pump();
  }

  private makeWorld(): World<JudgedUpdate> {
    const { around } = this;
    const { rib } = around;
    return {
      now: around.now,
      random: around.random,
      dial: () => this.dial(),
      changed: (session, reason) => around.changed(session, reason),
      up: (session, link, terms) => {
        this.ups++;
        rib.up(this.address, terms.routerId);
        const format = formatOf(session.neighbor.asn === session.own.asn);
        this.sending = new Sending(link.wire as BgpWire, rib.outbox(this.address), session.own, format);
        around.touched();
        this.pump();
      },
      down: (session, { keep }) => {
        session.messages.out += this.sending?.messages ?? 0;
        this.sending = null;
        rib.lost(this.address, keep);
        around.touched();
      },
      update: (_, { update, malformed }) => {
        this.malformed += malformed;
        rib.receive(this.address, update);
        around.touched();
      },
      again: (session) => this.again(session),
      renewed: () => rib.renewed(this.address),
      swept: () => {
        rib.endOfRib(this.address);
        around.touched();
      },
      expired: (_, to) => {
        rib.expireStale(this.address, to);
        around.touched();
      },
    };
  }

  private again(session: Session): void {
    const link = establishedLink(session);
    if (link === undefined || this.sending === null) return;
    markAnswer(session, link, 1);
    this.sending.again(link.terms?.enhancedRefresh === true);
    this.pump();
  }

  private dial(): BgpWire {
    const wire = this.makeWire();
    try {
      const socket = this.around.dial(this.session.neighbor);
      wire.attach(this.connect(socket, wire));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // Never at once: the machine does not know the wire yet.
      setImmediate(this.around.guard('BGP dial', () => lost(this.session, wire, reason, this.world)));
    }
    return wire;
  }

  private makeWire(): BgpWire {
    const format = formatOf(this.session.neighbor.asn === this.session.own.asn);
    return new BgpWire(format, (wire, message) => this.hear(wire, message), this.around.guard);
  }

  private hear(wire: BgpWire, message: Incoming): void {
    received(this.session, wire, message, this.world);
  }

  private connect(socket: Socket, wire: BgpWire): Connection {
    return new Connection(
      socket,
      {
        connected: () => dialed(this.session, wire, this.world),
        data: (bytes) => {
          wire.receive(bytes);
          this.readOn(wire);
        },
        drained: () => this.pump(),
        ended: (reason) => {
          this.waiting.delete(wire);
          lost(this.session, wire, reason, this.world);
        },
      },
      this.around.guard,
    );
  }

  /** The next chunk in the next turn, so that each neighbour has its share; or when the control thread has taken what there is. */
  private readOn(wire: BgpWire): void {
    if (!this.around.isTaking) this.waiting.add(wire);
    else setImmediate(this.around.guard('BGP reading', () => wire.more()));
  }
}

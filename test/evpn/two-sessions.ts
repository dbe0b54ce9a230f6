/**
 * Two of our own sessions, joined by a network in memory: connections come up, deliver, and end when the test says so. The clock is the
 * test's. Checks on its way what has to hold at any time.
 */
import type { NeighborConfig } from '../../src/evpn/contract.js';
import { accepted, dialed, lost, received, start, tick } from '../../src/evpn/session/machine.js';
import type { Received, Sent } from '../../src/evpn/session/messages.js';
import { createSession, type Session, type Wire, type World } from '../../src/evpn/session/record.js';

export type Update = string;
type Message = Received<Update>;

export const NEIGHBOR: NeighborConfig = {
  address: '192.0.2.2',
  port: 179,
  asn: 65001,
  passive: false,
  hold_time: 9,
  connect_retry: 5,
  max_routes: 100,
  graceful_restart: 30,
  long_lived_stale: 0,
};

/** One side of a connection. */
export class End implements Wire {
  /** What it has sent and the other side has not received. */
  readonly sent: Sent[] = [];
  other: End | null = null;
  /** It has closed, or was told that the connection is gone. */
  isOver = false;
  /** Set by a test whose other side does not read. */
  stalledAt: number | null = null;
  /** Messages are read. */
  isListening = false;

  constructor(readonly side: Side) {}

  send(message: Sent): void {
    if (this.isOver) throw new Error('a message on a closed wire');
    this.sent.push(message);
  }

  listen(): void {
    this.isListening = true;
  }

  close(): void {
    this.isOver = true;
  }
}

export interface Dial {
  end: End;
  peer: Side;
}

/** One speaker. */
export class Side {
  readonly log: string[] = [];
  readonly ends: End[] = [];
  readonly session: Session;
  readonly world: World<Update>;
  isUp = false;
  /** What the RIB holds of the neighbour: nothing, fresh, stale. */
  stale = false;

  constructor(
    readonly net: Net,
    readonly name: string,
    routerId: string,
    neighbor: Partial<NeighborConfig> = {},
  ) {
    this.session = createSession({ ...NEIGHBOR, ...neighbor }, { asn: 65001, routerId }, 0);
    this.world = {
      now: () => net.now,
      random: () => net.random(),
      dial: () => net.dial(this),
      changed: ({ state }, reason) => this.log.push(reason === undefined ? state : `${state}: ${reason}`),
      up: () => this.turn(true),
      down: (_, { keep }) => {
        this.turn(false);
        this.stale = keep === 'stale';
      },
      update: (_, update) => {
        if (!this.isUp) throw new Error('an update without a session');
        this.log.push(`update ${update}`);
      },
      again: () => this.log.push('again'),
      renewed: () => {
        this.stale = true;
      },
      swept: () => {
        this.stale = false;
        this.log.push('swept');
      },
      expired: (_, to) => {
        this.stale = to === 'long-lived';
        this.log.push(`expired: ${to}`);
      },
    };
  }

  private turn(isUp: boolean): void {
    if (this.isUp === isUp) throw new Error(`${this.name} is ${isUp ? 'up' : 'down'} twice`);
    this.isUp = isUp;
  }
}

export class Net {
  now = 0;
  readonly sides: Side[] = [];
  readonly dials: Dial[] = [];

  constructor(readonly random: () => number) {}

  add(side: Side): Side {
    this.sides.push(side);
    return side;
  }

  start(): void {
    for (const { session, world } of this.sides) start(session, world);
  }

  dial(side: Side): End {
    const end = new End(side);
    side.ends.push(end);
    const peer = this.sides.find((other) => other !== side) as Side;
    this.dials.push({ end, peer });
    return end;
  }

  /** A dialled connection comes up, at both sides or at one of them first. */
  connect(at: number): void {
    const [dialing] = this.dials.splice(at % this.dials.length, 1);
    if (dialing === undefined || dialing.end.isOver) return;
    const { end, peer } = dialing;
    const far = new End(peer);
    far.other = end;
    end.other = far;
    peer.ends.push(far);
    dialed(end.side.session, end, end.side.world);
    if (!accepted(peer.session, far, peer.world)) far.isOver = true;
    this.check();
  }

  refuse(at: number): void {
    const [dialing] = this.dials.splice(at % this.dials.length, 1);
    if (dialing === undefined || dialing.end.isOver) return;
    dialing.end.isOver = true;
    lost(dialing.end.side.session, dialing.end, 'connection refused', dialing.end.side.world);
    this.check();
  }

  /** Connections that are not over at both sides. */
  get connected(): End[] {
    return this.sides.flatMap(({ ends }) => ends).filter((end) => end.other !== null && !end.isOver);
  }

  /** The next message to `end`, or the news that the other side has closed. */
  deliver(end: End): void {
    const { other, side } = end;
    if (other === null || end.isOver || !end.isListening) return;
    const message = other.sent.shift();
    if (message !== undefined) received(side.session, end, asReceived(message), side.world);
    else if (other.isOver) this.lose(end);
    this.check();
  }

  /** The connection ends, as this side sees it. */
  lose(end: End): void {
    end.isOver = true;
    lost(end.side.session, end, 'the connection was lost', end.side.world);
    this.check();
  }

  hostile(end: End, message: Message): void {
    received(end.side.session, end, message, end.side.world);
    this.check();
  }

  advance(ms: number): void {
    this.now += ms;
    for (const { session, world } of this.sides) tick(session, world);
    this.check();
  }

  /** Everything is delivered, and time passes: at most so many seconds, and no more once both have been up for twenty. */
  calm(seconds: number): void {
    let upFor = 0;
    for (let ms = 0; ms < seconds * 1000 && upFor < 20_000; ms += 500) {
      this.advance(500);
      while (this.dials.length > 0) this.connect(0);
      this.deliverAll();
      upFor = this.sides.every(({ isUp }) => isUp) ? upFor + 500 : 0;
    }
  }

  deliverAll(): void {
    for (let busy = true; busy; ) {
      const waiting = this.connected.filter(
        ({ other, isListening }) => isListening && (other?.isOver === true || (other?.sent.length ?? 0) > 0),
      );
      for (const end of waiting) this.deliver(end);
      busy = waiting.length > 0;
    }
  }

  private check(): void {
    for (const { session, isUp, name } of this.sides) {
      const established = session.links.filter(({ phase }) => phase === 'established');
      if (session.links.length > 3) throw new Error(`${name} has ${session.links.length} links`);
      if (established.length > 1) throw new Error(`${name} has two sessions`);
      if (isUp !== (established.length === 1)) throw new Error(`${name}: told ${isUp}, is ${established.length}`);
      if ((session.state === 'established') !== isUp) throw new Error(`${name}: state ${session.state}`);
    }
  }
}

function asReceived(message: Sent): Message {
  return message;
}

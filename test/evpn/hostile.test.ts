/**
 * A hostile neighbour: mutated messages through the whole speaker (connections, framer, state machine, RIB), while two other neighbours have
 * sessions and routes that come and go. Whatever comes, nothing is thrown, the others stay up, and what they tell is there. Connections are in
 * memory, and the clock is the test's, so that no back-off is waited for.
 */
import { expect, test } from 'vitest';
import type { NeighborConfig } from '../../src/evpn/contract.js';
import { createRib } from '../../src/evpn/rib/rib.js';
import { createSession } from '../../src/evpn/session/record.js';
import { ownOpen } from '../../src/evpn/session/open.js';
import { Framer } from '../../src/wire/bgp/framer.js';
import {
  decodeMessage,
  encodeKeepalive,
  encodeNotification,
  encodeOpen,
  encodeRefresh,
} from '../../src/wire/bgp/message.js';
import { notification, notificationWords } from '../../src/wire/bgp/notification.js';
import { type EvpnRoute, NO_ESI, type PathAttributes } from '../../src/wire/bgp/route.js';
import { encodeEndOfRib, UpdateEncoder } from '../../src/wire/bgp/update-encode.js';
import { formatOf } from '../../src/evpn/peering/bgp-wire.js';
import { LONG, long } from '../long.js';
import { MemorySocket } from './memory-socket.js';
import { mac, neighbor, TestSpeaker, vni } from './speakers.js';
import { WarpedLoop } from './warped-loop.js';

const MESSAGES = long(10_000_000, 20_000);
const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_130);
/** Messages between two looks at everything. */
const SLICE = 5000;
const HEADER = 19;
const MOST_ROUTES = 1000;
/** Longer than any back-off. */
const BACK_MS = 150_000;
/** Of the bystanders, in seconds: back-offs of the hostile one are skipped, and they are not. */
const HOLD = 60_000;
/** Bytes of heap that a whole run may add: what is kept of sessions would be hundreds of megabytes. */
const MOST_GROWTH = 48e6;
/** 10,000,000 took more than an hour on two processors that fifteen programs shared. */
const LIMIT_MS = LONG ? 4 * 3_600_000 : 120_000;

/** Numbers below `below`, the same ones for the same seed. */
function chance(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const HOSTILE: NeighborConfig = neighbor({
  address: '192.0.2.66',
  hold_time: 180,
  max_routes: MOST_ROUTES,
  graceful_restart: 300,
});
const KEEPALIVE = encodeKeepalive();

function openOf(config: NeighborConfig, routerId: string): Uint8Array {
  return encodeOpen(ownOpen(createSession(config, { asn: 65001, routerId }, -1e9), 0));
}

/** Its routes stay until it is back, and go before that. */
const OPENS = [300, 5].map((graceful_restart) => openOf({ ...HOSTILE, graceful_restart }, '10.0.0.66'));

/** Valid messages of each kind. */
function seeds(): Uint8Array[] {
  const encoder = new UpdateEncoder(formatOf(true));
  const attributes: PathAttributes = {
    origin: 0,
    asPath: [{ kind: 'sequence', asns: [65009, 65010] }],
    nextHop: '192.0.2.66',
    localPref: 100,
    med: 5,
    communities: [0x00010002],
    originatorId: '10.0.0.7',
    clusterList: ['10.0.0.8'],
    pmsi: { flags: 0, type: 6, label: 100, endpoint: '192.0.2.66' },
    extended: {
      routeTargets: ['65001:100'],
      encapsulation: 8,
      isGateway: false,
      mobility: { sequence: 3, sticky: false },
    },
  };
  const rd = '192.0.2.66:100';
  const route = (address: string, ip?: string) => ({
    ...{ type: 2 as const, rd, esi: NO_ESI, tag: 0, mac: address, label: 100, label2: 5000 },
    ...(ip === undefined ? {} : { ip }),
  });
  const macs = [route('aa:bb:cc:dd:ee:01'), route('aa:bb:cc:dd:ee:02')];
  const bindings = [route('aa:bb:cc:dd:ee:04', '10.1.0.4'), route('aa:bb:cc:dd:ee:05', '2001:db8::5')];
  const prefix = { type: 5 as const, rd, esi: NO_ESI, tag: 0, prefix: '10.7.0.0/16', gateway: '0.0.0.0', label: 5000 };
  return [
    ...encoder.announce(macs, attributes),
    ...encoder.announce(bindings, attributes),
    ...encoder.announce([{ type: 3, rd, tag: 0, origin: '192.0.2.66' }], attributes),
    ...encoder.announce([prefix], {
      ...attributes,
      extended: { ...attributes.extended, routerMac: 'aa:bb:cc:00:00:01' },
    }),
    ...encoder.withdraw([...macs, ...bindings]),
    encodeEndOfRib(),
    ...OPENS,
    KEEPALIVE,
    encodeNotification(notification(6, 4)),
    ...[0, 1, 2].map((subtype) => encodeRefresh({ afi: 25, safi: 70, subtype })),
  ];
}

/** A valid message, and where values stand in it: between them are types and lengths, which most often end a session when they change. */
interface Sample {
  bytes: Uint8Array;
  values: number[];
}

function sampleOf(bytes: Uint8Array): Sample {
  const values: number[] = [];
  const add = (from: number, to: number): void => {
    for (let at = from; at < to; at++) values.push(at);
  };
  if (bytes[18] !== 2) add(HEADER, bytes.length);
  for (let at = HEADER + 4; bytes[18] === 2 && at + 3 < bytes.length; ) {
    const isLong = ((bytes[at] as number) & 0x10) !== 0;
    const length = isLong ? ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number) : (bytes[at + 2] as number);
    const from = at + (isLong ? 4 : 3);
    const type = bytes[at + 1];
    at = from + length;
    // AFI and SAFI, the next hop with its length, and a type and a length of each route.
    let inside = type === 14 ? from + 5 + (bytes[from + 3] as number) : type === 15 ? from + 3 : at;
    if (inside === at) add(from, at);
    for (; inside < at; inside += 2 + (bytes[inside + 1] as number))
      add(inside + 2, inside + 2 + (bytes[inside + 1] as number));
  }
  return { bytes, values };
}

/**
 * A copy with bytes changed, left out, or there twice. Most changes are in values, and most lengths fit outside, so that what is behind them is
 * read, and a session takes several messages.
 */
function mutated({ bytes: message, values }: Sample, random: (below: number) => number): Uint8Array {
  const bytes = new Uint8Array(message.length * 4);
  bytes.set(message);
  let length = message.length;
  for (let times = random(4) === 0 ? random(3) : 0; times >= 0; times--) {
    const isValue = values.length > 0 && random(16) > 0;
    const anywhere = HEADER + random(Math.max(1, length - HEADER));
    const at = isValue ? (values[random(values.length)] as number) : anywhere;
    const kind = random(64);
    if (kind < 40) bytes[at] = random(256);
    else if (kind < 60) bytes[at] = (bytes[at] as number) ^ (1 << random(8));
    else if (kind === 60) length = Math.min(length, anywhere);
    else if (kind === 61 || length > message.length * 2) {
      const to = Math.min(length, anywhere + 1 + random(6));
      bytes.copyWithin(anywhere, to, length);
      length -= to - anywhere;
    } else {
      // Some bytes once more.
      const from = Math.max(HEADER, anywhere - random(8));
      bytes.copyWithin(anywhere, from, length);
      length += anywhere - from;
    }
  }
  const kept = bytes.subarray(0, Math.max(length, 1));
  if (random(64) === 0) kept[random(Math.min(HEADER, kept.length))] = random(256);
  else if (kept.length >= HEADER) fitLengths(kept, random);
  return kept;
}

/** Sets the length of a message, and in most UPDATEs that of their attributes. */
function fitLengths(bytes: Uint8Array, random: (below: number) => number): void {
  bytes[16] = bytes.length >>> 8;
  bytes[17] = bytes.length & 255;
  if (bytes[18] !== 2 || bytes.length < HEADER + 4 || random(16) === 0) return;
  const left = bytes.length - HEADER - 4;
  bytes.set([0, 0, left >>> 8, left & 255], HEADER);
}

/** A well-behaved neighbour: it answers, keeps its session alive, and has one MAC at a time. */
class Bystander {
  readonly config: NeighborConfig;
  /** What the speaker has said that ends a session, or does not read. */
  readonly complaints: string[] = [];
  heard = 0;
  private socket: MemorySocket | null = null;
  private readonly framer = new Framer();
  private readonly encoder = new UpdateEncoder(formatOf(true));
  private aliveAt = 0;
  private number = 0;

  constructor(
    private readonly loop: WarpedLoop,
    readonly at: number,
  ) {
    this.config = neighbor({ address: `192.0.2.${at}`, hold_time: HOLD });
  }

  get vtep(): string {
    return `198.51.100.${this.at}`;
  }

  /** The MAC that it has now. */
  get mac(): string {
    return mac(this.at * 0x100_0000 + this.number).mac;
  }

  dialed(): MemorySocket {
    if (this.socket !== null) this.complaints.push('it was dialled again');
    const socket = new MemorySocket(this.loop, (bytes) => this.hear(bytes));
    this.socket = socket;
    this.loop.later(() => {
      socket.connect();
      socket.give(openOf(this.config, `10.0.0.${this.at}`));
      socket.give(KEEPALIVE);
      this.announce();
      socket.give(encodeEndOfRib());
    });
    return socket;
  }

  /** Its hold time does not end, however far the clock goes. */
  live(): void {
    if (this.loop.now - this.aliveAt < (HOLD * 1000) / 3) return;
    this.aliveAt = this.loop.now;
    this.socket?.give(KEEPALIVE);
  }

  /** Another MAC in place of the one before. */
  change(): void {
    const before = this.route();
    this.number++;
    this.announce();
    for (const message of this.encoder.withdraw([before])) this.socket?.give(message);
  }

  private announce(): void {
    for (const message of this.encoder.announce([this.route()], this.attributes())) this.socket?.give(message);
  }

  private route(): EvpnRoute {
    return { type: 2, rd: `${this.vtep}:100`, esi: NO_ESI, tag: 0, mac: this.mac, label: 100 };
  }

  private attributes(): PathAttributes {
    const extended = { routeTargets: ['65001:100'], encapsulation: 8, isGateway: false };
    return { origin: 0, asPath: [], nextHop: this.vtep, localPref: 100, extended };
  }

  private hear(bytes: Uint8Array): void {
    this.heard++;
    const fault = this.framer.push(bytes, (message) => {
      const told = decodeMessage(message, formatOf(true));
      if ('notification' in told) this.complaints.push(notificationWords(told.notification));
      return true;
    });
    if (fault !== null) this.complaints.push('no BGP');
  }
}

/** The hostile one: its connections, and how far each gets before what it sends is mutated. */
class Hostile {
  sessions = 0;
  private socket: MemorySocket | null = null;

  constructor(
    private readonly loop: WarpedLoop,
    private readonly random: (below: number) => number,
    private readonly state: () => string,
  ) {}

  dialed(): MemorySocket {
    this.socket = new MemorySocket(this.loop, () => undefined);
    return this.socket;
  }

  /** In one piece, or in two. */
  send(message: Uint8Array): void {
    const cut = this.random(4) === 0 ? this.random(message.length + 1) : message.length;
    this.socket?.give(message.subarray(0, cut));
    if (cut < message.length) this.socket?.give(message.subarray(cut));
    this.loop.run();
  }

  /** A connection that takes messages. @param wait lets time pass */
  ready(wait: (ms: number) => void): void {
    // Some connections end from its side.
    if (this.random(256) === 0) {
      this.socket?.hangUp();
      this.loop.run();
    }
    for (let tries = 0; this.socket === null || this.socket.isOver; tries++) {
      if (tries > 5) throw new Error(`no way out of ${this.state()}`);
      wait(BACK_MS);
    }
    if (!this.socket.connecting) return;
    this.socket.connect();
    // A part of the messages come before the session is established.
    const before = this.random(8);
    if (before > 0) this.send(OPENS[this.random(OPENS.length)] as Uint8Array);
    if (before > 1) this.send(KEEPALIVE);
    if (before > 1) this.sessions++;
  }
}

/** A speaker with its three neighbours. */
class Scene {
  readonly loop = new WarpedLoop();
  readonly bystanders = [2, 3].map((at) => new Bystander(this.loop, at));
  readonly hostile: Hostile;
  readonly us: TestSpeaker;
  readonly rib = createRib();
  sent = 0;
  most = 0;
  private readonly updates = seeds()
    .filter((message) => message[18] === 2)
    .map(sampleOf);
  private readonly others = seeds()
    .filter((message) => message[18] !== 2)
    .map(sampleOf);

  constructor(private readonly random: (below: number) => number) {
    this.hostile = new Hostile(this.loop, random, () => this.us.state(2));
    this.loop.install();
    const around = {
      now: () => this.loop.now,
      random: () => random(0x1_0000) / 0x1_0000,
      dial: ({ address }: NeighborConfig) => this.endOf(address).dialed().asSocket,
    };
    const neighbors = [...this.bystanders.map(({ config }) => config), HOSTILE];
    this.us = new TestSpeaker({ neighbors, vnis: [vni(100, '198.51.100.1')] }, this.rib, around);
    this.us.announce([mac(1)]);
    for (let seconds = 0; seconds < 10; seconds++) this.loop.advance(1000);
    this.loop.remove();
  }

  private endOf(address: string): Bystander | Hostile {
    return this.bystanders.find(({ config }) => config.address === address) ?? this.hostile;
  }

  private wait(ms: number): void {
    for (const one of this.bystanders) one.live();
    this.loop.advance(ms);
  }

  /** So many messages. */
  slice(count: number): void {
    this.loop.install();
    try {
      for (let left = count; left > 0; left--) {
        this.hostile.ready((ms) => this.wait(ms));
        this.hostile.send(mutated(this.pick(), this.random));
        if (++this.sent % 256 === 0) this.pass();
      }
    } finally {
      this.loop.remove();
    }
  }

  /** One in sixteen is no UPDATE: those end a session, whatever is in them, or say little. */
  private pick(): Sample {
    const from = this.random(16) === 0 ? this.others : this.updates;
    return from[this.random(from.length)] as Sample;
  }

  private pass(): void {
    for (const one of this.bystanders) one.change();
    this.wait(this.random(4) === 0 ? 70_000 : 1100);
    this.most = Math.max(this.most, this.rib.counts(HOSTILE.address).accepted);
  }

  /** What has to hold at any time. */
  check(): void {
    const { us, bystanders } = this;
    expect(us.faults()).toEqual([]);
    const states = us.told.flatMap((one) => (one.tell === 'neighbor' && one.address !== HOSTILE.address ? [one] : []));
    expect(states.filter(({ state }) => state !== 'established' && this.sent > 0)).toEqual([]);
    expect([us.state(0), us.state(1)]).toEqual(['established', 'established']);
    us.told.length = 0;
    for (const { complaints, mac: own, vtep, at, config } of bystanders) {
      expect(complaints).toEqual([]);
      expect(us.macs.get(`100 ${own} `)).toMatchObject({ remote: vtep });
      expect(this.rib.counts(config.address)).toMatchObject({ accepted: 1, sent: 2, stale: 0 });
      // None of those that it has withdrawn.
      const prefix = mac(at * 0x100_0000).mac.slice(0, 8);
      expect([...us.macs.keys()].filter((key) => key.startsWith(`100 ${prefix}`))).toHaveLength(1);
    }
    expect(this.loop.waiting).toBeLessThan(10);
  }
}

test(
  `${MESSAGES} mutated messages (seed ${SEED}): no fault, the other sessions stay, and so do their routes`,
  async () => {
    const scene = new Scene(chance(SEED));
    scene.check();
    const heap: number[] = [];
    const began = process.cpuUsage();
    for (let left = MESSAGES; left > 0; left -= SLICE) {
      scene.slice(Math.min(SLICE, left));
      scene.check();
      await new Promise((resolve) => setImmediate(resolve));
      heap.push(process.memoryUsage().heapUsed);
      if (scene.sent % 1_000_000 === 0) console.log(`${scene.sent} messages, ${scene.hostile.sessions} sessions`);
    }
    const { hostile, most, sent } = scene;
    const { user, system } = process.cpuUsage(began);
    const cost = (user + system) / sent;
    expect(sent).toBe(MESSAGES);
    expect(hostile.sessions).toBeGreaterThan(MESSAGES / 100);
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThanOrEqual(MOST_ROUTES);
    // What is garbage comes and goes: the least of each half tells what stays.
    const [early, late] = [heap.slice(0, heap.length / 2), heap.slice(heap.length / 2)].map((some) =>
      Math.min(...some),
    );
    const grown = (late as number) - (early as number);
    expect(grown).toBeLessThan(MOST_GROWTH);
    console.log(
      `${hostile.sessions} sessions, at most ${most} routes at a time, ${cost.toFixed(0)} us of processor time a message`,
    );
  },
  LIMIT_MS,
);

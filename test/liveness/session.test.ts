/** The state machine of RFC 5880 with two ends over a link that loses, and a clock of its own. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionSpec, Verdict } from '../../src/liveness/contract.js';
import { Sessions } from '../../src/liveness/sessions.js';
import { createStatus, Status } from '../../src/liveness/status.js';
import { BFD_MARK, BFD_PACKET, type BfdPacket, decodeBfd, emptyPacket, encodeBfd, UP } from '../../src/wire/bfd.js';

const PATH = 0;
const A = [0, 0, 0xffff, 0xc0000201] as const;
const B = [0, 0, 0xffff, 0xc0000202] as const;
const DELAY = 0.5;

interface Flying {
  at: number;
  to: End;
  bytes: Uint8Array;
  ttl: number;
}

/** Numbers that repeat for a seed. */
function numbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

class End {
  readonly status = new Status(createStatus());
  readonly verdicts: Verdict[] = [];
  readonly sentAt: number[] = [];
  readonly sent: BfdPacket[] = [];
  /** Path MTUs that were told, and probes sent. */
  readonly mtus: number[] = [];
  readonly probes: BfdPacket[] = [];
  readonly sessions: Sessions;
  isDead = false;

  constructor(
    private readonly world: World,
    readonly own: readonly number[],
    readonly peer: readonly [number, number, number, number],
    random: () => number,
  ) {
    this.sessions = new Sessions({
      random,
      discriminator: () => Math.floor(random() * 0xffffffff),
      transmit: (_, packet, size) => this.transmit(packet, size),
      changed: ({ damping: { told } }) => this.verdicts.push(told),
      measured: (_, { mtu }) => this.mtus.push(mtu),
      modeOf: () => 'single-hop',
      status: this.status,
    });
  }

  set(more: Partial<SessionSpec> = {}): void {
    const spec = { slot: 0, path: PATH, address: this.peer, interval: 100_000, multiplier: 3, ...more };
    this.sessions.set([spec], this.world.now);
  }

  private transmit(packet: BfdPacket, size: number): void {
    const bytes = new Uint8Array(packet.hasMark ? BFD_PACKET + BFD_MARK : BFD_PACKET);
    encodeBfd(new DataView(bytes.buffer), 0, packet);
    if (size > 0) {
      this.probes.push({ ...packet });
      // Headers of IPv4 and UDP, and zeros.
      if (size <= this.world.width) this.world.carry(this, bytes);
      return;
    }
    this.sent.push({ ...packet });
    this.sentAt.push(this.world.now);
    this.world.carry(this, bytes);
  }

  hear(bytes: Uint8Array, ttl = 255, from: readonly number[] = this.peer): void {
    const words = Int32Array.from(from);
    this.sessions.receive(PATH, words, 0, ttl, new DataView(bytes.buffer), 0, bytes.length, this.world.now);
  }

  get state(): string {
    return ['AdminDown', 'Down', 'Init', 'Up'][this.status.read(0)?.state ?? 0];
  }
}

class World {
  now = 1000;
  /** Share of packets lost, in each direction. */
  loss = [0, 0];
  /** Longest packet that passes. */
  width = 1500;
  /** Whether answers leave marks out, as those of other implementations do. */
  isPlain = false;
  private flying: Flying[] = [];
  readonly random: () => number;
  readonly a: End;
  readonly b: End;

  constructor(seed = 1) {
    this.random = numbers(seed);
    this.a = new End(this, A, B, this.random);
    this.b = new End(this, B, A, this.random);
  }

  carry(from: End, bytes: Uint8Array): void {
    const [to, loss] = from === this.a ? [this.b, this.loss[0]] : [this.a, this.loss[1]];
    const carried = this.isPlain && bytes.length > BFD_PACKET ? bytes.subarray(0, BFD_PACKET) : bytes;
    if (this.random() >= loss) this.flying.push({ at: this.now + DELAY, to, bytes: carried.slice(), ttl: 255 });
  }

  /** Runs for this many milliseconds, or until the condition holds. @returns the time that has passed */
  run(milliseconds: number, until: () => boolean = () => false): number {
    const begin = this.now;
    const end = begin + milliseconds;
    while (!until()) {
      const ticks = [this.a, this.b].filter(({ isDead }) => !isDead).map(({ sessions }) => sessions.tick(this.now));
      if (until()) break;
      const next = Math.min(...ticks, ...this.flying.map(({ at }) => at));
      if (next > end) {
        this.now = end;
        break;
      }
      this.now = Math.max(this.now, next);
      const here = this.flying.filter(({ at }) => at <= this.now);
      this.flying = this.flying.filter(({ at }) => at > this.now);
      for (const { to, bytes, ttl } of here) if (!to.isDead) to.hear(bytes, ttl);
    }
    return this.now - begin;
  }

  bothUp = (): boolean => this.a.state === 'Up' && this.b.state === 'Up';
}

function upWorld(seed = 1): World {
  const world = new World(seed);
  world.a.set();
  world.b.set();
  world.run(10_000, world.bothUp);
  world.run(3000);
  expect(world.bothUp()).toBe(true);
  return world;
}

const packetOf = (change: Partial<BfdPacket>): Uint8Array => {
  const bytes = new Uint8Array(BFD_PACKET);
  const packet = { ...emptyPacket(), my: 77, detectMult: 3, desiredTx: 100_000, requiredRx: 100_000, ...change };
  encodeBfd(new DataView(bytes.buffer), 0, packet);
  return bytes;
};

describe('two ends', () => {
  it('come up within two slow intervals, and agree on 100 ms x 3', () => {
    const world = new World();
    world.a.set();
    world.b.set();
    expect(world.run(10_000, world.bothUp)).toBeLessThan(2000);
    world.run(2000);
    for (const end of [world.a, world.b])
      expect(end.status.read(0)).toMatchObject({ sendInterval: 100, detectionTime: 300, ups: 1 });
    expect(world.a.status.read(0)?.your).toBe(world.b.status.read(0)?.my);
  });

  it('send with the jitter of section 6.8.7: 75 to 100 % of the interval', () => {
    const world = upWorld();
    const begin = world.now;
    world.run(60_000);
    const times = world.a.sentAt.filter((at) => at > begin);
    const gaps = times.slice(1).map((at, i) => at - times[i]);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(75);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(100);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan(15);
  });

  it('with a multiplier of 1 leave at least 10 % of the interval', () => {
    const world = new World();
    world.a.set({ multiplier: 1 });
    world.b.set({ multiplier: 1 });
    world.run(5000);
    const begin = world.now;
    world.run(30_000);
    const times = world.a.sentAt.filter((at) => at > begin);
    expect(Math.max(...times.slice(1).map((at, i) => at - times[i]))).toBeLessThanOrEqual(90);
    expect(world.a.verdicts).toEqual(['up']);
  });

  it('go by the longer of both sides’ intervals', () => {
    const world = new World();
    world.a.set({ interval: 50_000 });
    world.b.set({ interval: 300_000, multiplier: 5 });
    world.run(10_000);
    expect(world.a.status.read(0)).toMatchObject({ sendInterval: 300, detectionTime: 1500 });
    expect(world.b.status.read(0)).toMatchObject({ sendInterval: 300, detectionTime: 900 });
  });

  it('find the other one dead 300 ms after its last packet, and come up again', () => {
    const world = upWorld();
    world.b.isDead = true;
    const last = world.b.sentAt.at(-1) as number;
    world.run(10_000, () => world.a.state === 'Down');
    expect(world.now - last).toBeCloseTo(300 + DELAY, 5);
    expect(world.a.status.read(0)).toMatchObject({ diag: 1, your: 0 });
    world.run(5000);
    world.b.isDead = false;
    world.run(10_000, world.bothUp);
    expect(world.bothUp()).toBe(true);
    expect(world.a.verdicts).toEqual(['up', 'down', 'up']);
  });

  it('and one of them alternates for long: what is told has a bound, and it is used again when it rests', () => {
    const world = upWorld();
    for (let i = 0; i < 1000; i++) {
      world.b.isDead = true;
      world.run(2000, () => world.a.state === 'Down');
      world.b.isDead = false;
      world.run(3000, () => world.a.state === 'Up');
    }
    world.run(50, () => world.a.state === 'Up');
    const { ups, flaps, damped } = world.a.status.read(0) ?? expect.fail('no session');
    console.log(`${Math.round(world.now / 1000)} s: up ${ups} times, told ${world.a.verdicts.length} times`);
    expect(ups).toBeGreaterThan(400);
    // A death of an Up session takes up to three slow intervals here, which the first holds do not outlast.
    expect(world.a.verdicts.length).toBeLessThanOrEqual(11);
    expect([flaps, damped]).toEqual([9, 60_000]);
    expect(world.a.verdicts.at(-1)).toBe('down');
    world.run(61_000);
    expect(world.a.verdicts.at(-1)).toBe('up');
    expect(world.a.status.read(0)).toMatchObject({ damped: 0, ups });
  });

  it('both go Down when one direction is lost (diagnostic 3 on the other side)', () => {
    const world = upWorld();
    world.loss = [1, 0];
    world.run(10_000, () => world.a.state === 'Down' && world.b.state === 'Down');
    expect(world.b.status.read(0)?.diag).toBe(1);
    expect(world.a.status.read(0)?.diag).toBe(3);
  });

  it('lose two of three packets and stay', () => {
    const world = upWorld();
    for (let i = 0; i < 50; i++) {
      world.loss = [1, 1];
      // Time for two packets of each, and for none more.
      world.run(149);
      world.loss = [0, 0];
      world.run(120);
    }
    expect(world.a.verdicts).toEqual(['up']);
    expect(world.b.verdicts).toEqual(['up']);
  });

  it('close on purpose: the other one knows that it is no failure', () => {
    const world = upWorld();
    world.b.sessions.set([], world.now);
    world.run(10);
    expect(world.a.verdicts).toEqual(['up', 'admin']);
    expect(world.a.status.read(0)?.diag).toBe(3);
    // Silence afterwards is a failure for whoever asks, as `verdict`; what follows is the control thread's.
    world.run(4000);
    expect(world.a.verdicts).toEqual(['up', 'admin', 'down']);
  });

  it('say goodbye: the other one need not wait', () => {
    const world = upWorld();
    world.b.sessions.farewell(world.now);
    world.run(10);
    expect(world.a.verdicts).toEqual(['up', 'down']);
  });

  it('change their intervals by a poll, and lose nothing on the way (section 6.8.3)', () => {
    const world = upWorld();
    let before = 100;
    for (const interval of [400_000, 20_000, 100_000]) {
      world.a.set({ interval });
      world.run(3000);
      expect(world.a.status.read(0)?.sendInterval).toBe(Math.max(interval / 1000, before));
      before = interval / 1000;
      world.b.set({ interval });
      world.run(3000);
      expect(world.a.status.read(0)).toMatchObject({ sendInterval: interval / 1000 });
      expect(world.a.status.read(0)?.detectionTime).toBe((3 * interval) / 1000);
    }
    expect(world.a.verdicts).toEqual(['up']);
    expect(world.b.verdicts).toEqual(['up']);
    expect(world.a.sent.some(({ poll }) => poll)).toBe(true);
    expect(world.b.sent.some(({ final }) => final)).toBe(true);
    expect(world.a.sent.every(({ poll, final }) => !(poll && final))).toBe(true);
  });

  it('whose process was replaced go on without a word', () => {
    const world = upWorld();
    const kept = world.a.status.read(0) ?? expect.fail('no session');
    const next = new End(world, A, B, world.random);
    next.set({ kept });
    Object.assign(world, { a: next });
    world.run(5000);
    expect(world.b.verdicts).toEqual(['up']);
    expect(next.verdicts).toEqual(['up']);
    expect(next.status.read(0)).toMatchObject({ my: kept.my, your: kept.your, detectionTime: 300 });
  });
});

describe('a packet', () => {
  it.each([
    ['of a TTL below 255', { your: 0, state: 1 as const }, 254, B, 'ttl'],
    ['of unknown TTL', { your: 0, state: 1 as const }, -1, B, 'ttl'],
    ['from a stranger', { your: 0, state: 1 as const }, 255, [0, 0, 0xffff, 9], 'unknown_remote'],
    ['with a discriminator of nobody', { your: 5, state: 1 as const }, 255, B, 'unknown_session'],
    ['that is Up and knows nobody', { your: 0, state: 3 as const }, 255, B, 'your_discriminator'],
  ])('%s is discarded and counted, and moves nothing', (_, change, ttl, from, reason) => {
    const world = upWorld();
    world.a.hear(packetOf(change), ttl, from);
    expect(world.a.status.discards()).toMatchObject({ [reason]: 1 });
    expect(world.a.state).toBe('Up');
  });

  it('of another remote that knows the discriminator is discarded', () => {
    const world = upWorld();
    const my = world.a.status.read(0)?.my as number;
    world.a.hear(packetOf({ your: my, state: 1 }), 255, [0, 0, 0xffff, 9]);
    expect(world.a.status.discards().unknown_remote).toBe(1);
    expect(world.a.state).toBe('Up');
  });

  it('with P is answered with F at once', () => {
    const world = upWorld();
    const { my, your } = world.a.status.read(0) ?? expect.fail('no session');
    const before = world.a.sent.length;
    world.a.hear(packetOf({ my: your, your: my, state: 3, poll: true }));
    world.run(0);
    expect(world.a.sent.slice(before)).toMatchObject([{ final: true, poll: false }]);
  });

  it('that wants none stops what is sent, until the remote is dead', () => {
    const world = upWorld();
    const { my, your } = world.a.status.read(0) ?? expect.fail('no session');
    world.b.isDead = true;
    world.a.hear(packetOf({ my: your, your: my, state: 3, requiredRx: 0, desiredTx: 1_000_000 }));
    world.run(100);
    const before = world.a.sent.length;
    world.run(2000);
    expect(world.a.sent.length).toBe(before);
    world.run(4000);
    expect(world.a.state).toBe('Down');
    expect(world.a.sent.length).toBeGreaterThan(before);
  });
});

describe('whatever is lost and said', () => {
  it('no end is Up beside one that has been Down for longer than its detection time', () => {
    const steps = fc.array(
      fc.record({
        loss: fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
        for: fc.integer({ min: 10, max: 2000 }),
      }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(fc.integer(), steps, (seed, changes) => {
        const world = new World(seed);
        world.a.set();
        world.b.set({ interval: 150_000, multiplier: 4 });
        for (const { loss, for: milliseconds } of changes) {
          world.loss = [...loss];
          world.run(milliseconds);
        }
        // Undisturbed, both come up whatever was before.
        world.loss = [0, 0];
        world.run(15_000);
        expect(world.bothUp()).toBe(true);
        // Undisturbed, nothing changes any more.
        const before = [world.a.verdicts.length, world.b.verdicts.length];
        world.run(10_000);
        expect([world.a.verdicts.length, world.b.verdicts.length]).toEqual(before);
        // Cut off, both find out in their detection times.
        world.loss = [1, 1];
        world.run(700);
        expect([world.a.state, world.b.state]).toEqual(['Down', 'Down']);
      }),
      { numRuns: 60 },
    );
  });

  it('forged packets throw nothing, and end no session', () => {
    const world = upWorld();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 24 }), fc.boolean(), (bytes, isValid) => {
        const copy = Uint8Array.from(bytes);
        if (isValid) copy.set([0x20 | (copy[0] & 31), copy[1] & 0xfa, copy[2] | 1, 24]);
        // Who does not know the discriminator of the session is none of it.
        const isKnown = new DataView(copy.buffer).getUint32(8) === 0;
        world.a.hear(copy, 255, isKnown ? [0, 0, 0xffff, 9] : B);
        world.run(1);
        expect(world.a.state).toBe('Up');
        expect(decodeBfd(new DataView(copy.buffer), 0, 24, emptyPacket())).toBeDefined();
      }),
    );
  });
});

it('a remote that says Down and Up by turns, as fast as it can, is told of a few times', () => {
  const world = upWorld();
  world.b.isDead = true;
  const before = world.a.status.read(0) ?? expect.fail('no session');
  const packet = { ...emptyPacket(), my: before.your, your: before.my, detectMult: 3 };
  for (let i = 0; i < 10_000; i++) {
    const bytes = new Uint8Array(BFD_PACKET);
    // Down, Init and Up: with Down in between each is a death or a resurrection.
    encodeBfd(new DataView(bytes.buffer), 0, { ...packet, state: ((i % 3) + 1) as BfdPacket['state'] });
    world.a.hear(bytes);
    world.run(1);
  }
  expect(world.a.status.read(0)?.ups).toBeGreaterThan(3000);
  expect(world.a.verdicts.length).toBeLessThanOrEqual(7);
  expect(world.a.verdicts.at(-1)).toBe('down');
});

describe('probes of the path MTU', () => {
  const probing = (width: number, isPlain = false): World => {
    const world = upWorld();
    Object.assign(world, { width, isPlain });
    world.a.set({ widest: 1500 });
    return world;
  };
  const found = (world: World): number | undefined => world.a.status.read(0)?.pathMtu;

  it.each([
    ['with marks', false],
    ['without', true],
  ])('are answered by the other end, %s, and touch no session', (_, isPlain) => {
    const world = probing(1400, isPlain);
    world.run(40_000);
    expect(found(world)).toBe(1400);
    expect(world.a.status.read(0)?.probes).toMatchObject({ search: 'complete', blackHoles: 0 });
    expect(world.a.mtus[world.a.mtus.length - 1]).toBe(1400);
    expect(world.b.status.read(0)?.probes).toBeNull();
    for (const { verdicts, status } of [world.a, world.b]) {
      expect(verdicts).toEqual(['up']);
      expect(status.read(0)?.detectionTime).toBe(300);
    }
    for (const packet of world.a.probes) expect(packet).toMatchObject({ poll: true, final: false, hasMark: true });
    expect(new Set(world.a.probes.map(({ mark0, mark1 }) => `${mark0} ${mark1}`)).size).toBe(world.a.probes.length);
  });

  it('are repeated by the answer, byte for byte, and by nothing else', () => {
    const world = probing(1500);
    world.run(1000);
    const marks = world.b.sent.filter(({ hasMark }) => hasMark);
    expect(marks.map(({ final, mark0, mark1 }) => [final, mark0, mark1])).toEqual(
      world.a.probes.map(({ mark0, mark1 }) => [true, mark0, mark1]),
    );
    expect(marks.length).toBe(2);
  });

  it('are not answered by one who guesses, nor once more by an old answer', () => {
    const world = probing(1500);
    world.run(1000);
    expect(found(world)).toBe(1500);
    // From now on nothing long passes; somebody on the link repeats what he has heard, and makes marks up.
    world.width = 0;
    const { my = 0, your = 0 } = world.a.status.read(0) ?? {};
    const old = world.b.sent.filter(({ hasMark }) => hasMark)[0];
    for (let i = 0; i < 100; i++) {
      world.run(100);
      for (const change of [{ ...old }, { hasMark: true, mark0: i, mark1: i }, { hasMark: false }]) {
        const bytes = new Uint8Array(BFD_PACKET + BFD_MARK);
        const forged: BfdPacket = {
          ...emptyPacket(),
          ...change,
          my: your,
          your: my,
          state: UP,
          final: true,
          poll: false,
        };
        encodeBfd(new DataView(bytes.buffer), 0, { ...forged, detectMult: 3, desiredTx: 100_000, requiredRx: 100_000 });
        world.a.hear(bytes);
      }
    }
    expect(world.a.status.read(0)?.probes).toMatchObject({ blackHoles: 1 });
    expect(found(world)).not.toBe(1500);
  });

  it('stop with the session, and what was found holds until it is up again', () => {
    const world = probing(1400);
    world.run(40_000);
    world.b.isDead = true;
    world.run(1000);
    const { length } = world.a.probes;
    world.run(20_000);
    expect(world.a.probes).toHaveLength(length);
    expect(found(world)).toBe(1400);
    expect(world.a.status.read(0)?.probes?.search).toBe('disabled');
  });

  it('end when they are not wanted any more, and go on from what another process has found', () => {
    const world = probing(1400);
    world.run(40_000);
    world.a.set();
    const { length } = world.a.probes;
    world.run(10_000);
    expect(world.a.probes).toHaveLength(length);
    const kept = world.a.status.read(0);
    expect(kept).toMatchObject({ pathMtu: 0, probes: null });
    const next = new World();
    next.a.set({ widest: 1500, kept: { ...(kept as NonNullable<typeof kept>), pathMtu: 1400 } });
    expect(found(next)).toBe(1400);
  });
});

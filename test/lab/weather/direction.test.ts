/** One direction of a link by a warped clock: which frames are lost is the seed's to say, and nothing is unaccounted for. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chance } from '../../../src/lab/weather/chance.js';
import { Direction, MOST_BYTES } from '../../../src/lab/weather/direction.js';
import { CLEAR, type Weather } from '../../../src/lab/weather/weather.js';

const MS = 1000;

/** A frame of 64 bytes whose first four tell its number. */
function numbered(number: number, length = 64): Uint8Array {
  const frame = new Uint8Array(length);
  new DataView(frame.buffer).setUint32(0, number);
  return frame;
}

const numberOf = (frame: Uint8Array): number => new DataView(frame.buffer, frame.byteOffset).getUint32(0);

/** What leaves until a time, as [time, number]: each frame is taken when it is due, as a clock without delay would. */
function drained(direction: Direction, until = Number.POSITIVE_INFINITY): [number, number][] {
  const out: [number, number][] = [];
  while (direction.due <= until && direction.due < Number.POSITIVE_INFINITY) {
    const at = direction.due;
    const frame = direction.take(at);
    if (frame !== null) out.push([at, numberOf(frame)]);
  }
  return out;
}

function sent(
  weather: Partial<Weather>,
  count: number,
  everyUs = 0,
  salt = 0,
): { direction: Direction; left: [number, number][] } {
  const direction = new Direction({ ...CLEAR, limit: 20_000, ...weather }, salt);
  for (let i = 0; i < count; i++) direction.offer(numbered(i), i * everyUs);
  return { direction, left: drained(direction) };
}

const numbers = (left: readonly [number, number][]): number[] => left.map(([, number]) => number);

/** A binomial count is within six standard deviations. */
function expectShare(count: number, of: number, share: number): void {
  expect(Math.abs(count - of * share)).toBeLessThanOrEqual(6 * Math.sqrt(of * share * (1 - share)) + 1);
}

describe('a clear link', () => {
  it('gives every frame at once, in order', () => {
    const { left } = sent({}, 100, 5);
    expect(left).toEqual(Array.from({ length: 100 }, (_, i) => [i * 5, i]));
  });
});

describe('loss', () => {
  it('is the same for a seed, for ever', () => {
    const lost = (seed: number, salt = 0): number[] => {
      const kept = new Set(numbers(sent({ loss: 0.1, seed }, 60, 0, salt).left));
      return Array.from({ length: 60 }, (_, i) => i).filter((i) => !kept.has(i));
    };
    expect(lost(1)).toMatchInlineSnapshot(`
      [
        4,
        16,
        21,
        25,
        35,
        47,
      ]
    `);
    expect(lost(2)).toMatchInlineSnapshot(`
      [
        15,
        28,
        32,
        33,
        42,
        55,
      ]
    `);
    expect(lost(1, 1 << 16)).not.toEqual(lost(1));
    expect(lost(1)).toEqual(lost(1));
  });

  it('grows with the share: what 1 % loses, 5 % loses too', () => {
    const kept = (loss: number): Set<number> => new Set(numbers(sent({ loss }, 2000).left));
    const [few, many] = [kept(0.01), kept(0.05)];
    expect([...many].every((number) => few.has(number))).toBe(true);
  });

  it('begins again with another seed, and with the seed that it had before', () => {
    const direction = new Direction({ ...CLEAR, loss: 0.3, seed: 5 }, 0);
    const series = (): number[] => {
      for (let i = 0; i < 50; i++) direction.offer(numbered(i), 0);
      return numbers(drained(direction));
    };
    const first = series();
    expect(series()).not.toEqual(first);
    direction.set({ ...CLEAR, loss: 0.3, seed: 6 });
    direction.set({ ...CLEAR, loss: 0.3, seed: 5 });
    expect(series()).toEqual(first);
  });

  it('of everything and of nothing', () => {
    expect(sent({ loss: 1 }, 50).left).toEqual([]);
    expect(sent({ loss: 0 }, 50).left).toHaveLength(50);
  });
});

describe('delay, jitter and order', () => {
  it('delays each frame by exactly that', () => {
    expect(sent({ delay: 20 * MS }, 5, MS).left).toEqual([0, 1, 2, 3, 4].map((i) => [20 * MS + i * MS, i]));
  });

  it('keeps the order with jitter, and each frame takes from delay to delay and jitter', () => {
    const { left } = sent({ delay: 10 * MS, jitter: 5 * MS }, 2000, 20 * MS);
    expect(numbers(left)).toEqual(Array.from({ length: 2000 }, (_, i) => i));
    const waits = left.map(([at, i]) => at - i * 20 * MS);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(10 * MS);
    expect(Math.max(...waits)).toBeLessThan(15 * MS);
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(4.5 * MS);
    const close = sent({ delay: 10 * MS, jitter: 5 * MS }, 500, 10);
    expect(numbers(close.left)).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  it('lets frames overtake by reorder only: they do not wait', () => {
    const { direction, left } = sent({ delay: 10 * MS, reorder: 0.2 }, 1000, MS);
    const early = left.filter(([at, i]) => at === i * MS);
    expect(left.filter(([at, i]) => at === i * MS + 10 * MS)).toHaveLength(1000 - early.length);
    expectShare(early.length, 1000, 0.2);
    expect(direction.counts.reordered).toBeGreaterThan(0);
    expect(direction.counts.reordered).toBeLessThanOrEqual(early.length);
  });
});

describe('rate', () => {
  it('sends a frame of 64 bytes in 512 us at 1 Mbit/s, one after another', () => {
    expect(sent({ rate: 1e6 }, 4).left.map(([at]) => at)).toEqual([512, 1024, 1536, 2048]);
    expect(sent({ rate: 1e6, delay: MS }, 2).left.map(([at]) => at)).toEqual([1512, 2024]);
    expect(sent({ rate: 1e6 }, 3, 5000).left.map(([at]) => at)).toEqual([512, 5512, 10_512]);
  });
});

describe('duplicate and corrupt', () => {
  it('gives the second copy behind the first', () => {
    const { direction, left } = sent({ duplicate: 0.5 }, 200);
    expect([...new Set(numbers(left))]).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(left).toHaveLength(200 + direction.counts.duplicated);
    expectShare(direction.counts.duplicated, 200, 0.5);
  });

  it('changes exactly one bit behind the Ethernet header, in a copy', () => {
    const direction = new Direction({ ...CLEAR, corrupt: 1 }, 0);
    for (let i = 0; i < 500; i++) {
      const frame = new Uint8Array(60).fill(0xaa);
      direction.offer(frame, 0);
      expect(frame).toEqual(new Uint8Array(60).fill(0xaa));
      const got = direction.take(0) as Uint8Array;
      const bits = [...got].map((byte, at) => ({ at, bits: (byte ^ 0xaa).toString(2).replaceAll('0', '').length }));
      expect(bits.reduce((sum, one) => sum + one.bits, 0)).toBe(1);
      expect(bits.find((one) => one.bits > 0)?.at).toBeGreaterThanOrEqual(14);
    }
    direction.offer(new Uint8Array(14), 0);
    expect(direction.take(0)).toEqual(new Uint8Array(14));
    expect(direction.counts.corrupted).toBe(500);
  });
});

describe('the queue', () => {
  it('has a bound in frames, and one in bytes', () => {
    const few = new Direction({ ...CLEAR, delay: MS, limit: 3 }, 0);
    for (let i = 0; i < 5; i++) few.offer(numbered(i), 0);
    expect(few.counts).toMatchObject({ received: 5, queue_full: 2 });
    expect(numbers(drained(few))).toEqual([0, 1, 2]);
    const large = new Direction({ ...CLEAR, delay: MS, limit: 20_000 }, 0);
    const length = 65_000;
    for (let i = 0; i < 300; i++) large.offer(numbered(i, length), 0);
    expect(large.waiting).toBe(Math.floor(MOST_BYTES / length));
    expect(large.counts.queue_full).toBe(300 - large.waiting);
    drained(large);
    large.offer(numbered(1, length), 0);
    expect(large.waiting).toBe(1);
  });
});

const WEATHER = fc.record({
  delay: fc.integer({ min: 1, max: 50_000 }),
  jitter: fc.integer({ min: 0, max: 50_000 }),
  loss: fc.double({ min: 0, max: 1, noNaN: true }),
  reorder: fc.double({ min: 0, max: 1, noNaN: true }),
  duplicate: fc.double({ min: 0, max: 1, noNaN: true }),
  corrupt: fc.double({ min: 0, max: 1, noNaN: true }),
  rate: fc.constantFrom(0, 8e3, 1e6, 1e9),
  limit: fc.integer({ min: 1, max: 50 }),
  seed: fc.nat(),
});
/** Time since the last frame, and a length. */
const FRAMES = fc.array(fc.tuple(fc.nat(20_000), fc.integer({ min: 14, max: 1514 })), { maxLength: 120 });

describe('any weather', () => {
  it('accounts for every frame, keeps the order where it must, and does the same again', () => {
    const run = (
      weather: Weather,
      frames: readonly [number, number][],
    ): { left: [number, number][]; direction: Direction } => {
      const direction = new Direction(weather, 0);
      const left: [number, number][] = [];
      let now = 0;
      for (const [i, [wait, length]] of frames.entries()) {
        now += wait;
        left.push(...drained(direction, now));
        direction.offer(numbered(i, length), now);
        const { received, duplicated, lost, queue_full, sent: gone } = direction.counts;
        expect(received + duplicated).toBe(lost + queue_full + gone + direction.waiting);
        // The second copy of the last one may exceed the limit by one.
        expect(direction.waiting).toBeLessThanOrEqual(weather.limit + 1);
      }
      left.push(...drained(direction));
      return { left, direction };
    };
    const property = fc.property(WEATHER, FRAMES, (weather, frames) => {
      const first = run(weather, frames);
      expect(first.left.map(([at]) => at)).toEqual([...first.left.map(([at]) => at)].sort((a, b) => a - b));
      if (weather.reorder === 0 && weather.corrupt === 0)
        expect(numbers(first.left)).toEqual([...numbers(first.left)].sort((a, b) => a - b));
      const again = run(weather, frames);
      expect(again.left).toEqual(first.left);
      expect(again.direction.counts).toEqual(first.direction.counts);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('has the shares that it was told, for any seed', () => {
    const property = fc.property(fc.nat(), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (seed, share) => {
      const { direction } = sent({ loss: share, seed }, 4000);
      expectShare(direction.counts.lost, 4000, share);
    });
    fc.assert(property, { numRuns: 60 });
  });
});

describe('chance', () => {
  it('is even, and frames, seeds and questions do not follow each other', () => {
    const buckets = new Array<number>(16).fill(0);
    let pairs = 0;
    for (let i = 0; i < 64_000; i++) {
      const value = chance(7, i, 1);
      buckets[Math.floor(value * 16)] = (buckets[Math.floor(value * 16)] as number) + 1;
      if (value < 0.5 === chance(7, i + 1, 1) < 0.5) pairs++;
    }
    for (const count of buckets) expectShare(count, 64_000, 1 / 16);
    expectShare(pairs, 64_000, 0.5);
    let alike = 0;
    for (let i = 0; i < 4000; i++) {
      if (chance(i, 0, 1) < 0.5 === chance(i + 1, 0, 1) < 0.5) alike++;
      if (chance(7, i, 1) < 0.5 === chance(7, i, 2) < 0.5) alike++;
    }
    expectShare(alike, 8000, 0.5);
  });
});

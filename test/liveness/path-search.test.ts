/** The search of the path MTU against paths of any width, with loss and delay, in a warped clock; and against a remote that lies. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  answer,
  beginSearch,
  CONFIRM_MS,
  disable,
  enable,
  expireProbe,
  MAX_PROBES,
  PROBE_MS,
  probe,
  RAISE_MS,
  type Search,
  setLimit,
} from '../../src/liveness/path-search.js';

/** A path, and a search over it. */
class Way {
  now = 0;
  readonly search: Search;
  readonly sizes: number[] = [];
  /** Every value of `mtu`, one after the other. */
  readonly mtus: number[] = [];
  private readonly answers: { at: number; size: number }[] = [];

  constructor(
    public width: number,
    readonly limit = 1500,
    readonly family: 4 | 6 = 4,
    private readonly isLost: () => boolean = () => false,
    private readonly delay = 5,
  ) {
    this.search = beginSearch(family, limit);
  }

  /** Lets time pass, event by event. */
  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const next = Math.min(this.search.dueAt, this.answers[0]?.at ?? Number.POSITIVE_INFINITY);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      this.step();
      this.look();
    }
    this.now = end;
  }

  private step(): void {
    const { search, now } = this;
    const [first] = this.answers;
    if (first !== undefined && first.at <= now) {
      this.answers.shift();
      // The mark tells an answer to another probe apart.
      if (first.size === search.size) answer(search, now);
      return;
    }
    expireProbe(search, now);
    const size = probe(search, now);
    if (size === 0) return;
    this.sizes.push(size);
    if (size <= this.width && !this.isLost()) this.answers.push({ at: now + this.delay, size });
  }

  private look(): void {
    const { mtu } = this.search;
    if (this.mtus[this.mtus.length - 1] !== mtu) this.mtus.push(mtu);
  }
}

function started(...words: ConstructorParameters<typeof Way>): Way {
  const way = new Way(...words);
  enable(way.search, 0);
  return way;
}

describe('the search', () => {
  it('of a path as wide as the link takes two probes, and never says anything narrower', () => {
    const way = started(1500);
    way.run(100);
    expect(way.sizes).toEqual([1280, 1500]);
    expect(way.search).toMatchObject({ state: 'complete', mtu: 1500 });
    expect(way.mtus).toEqual([0, 1500]);
  });

  it('confirms what it has found, once in two seconds', () => {
    const way = started(1500);
    way.run(10 * CONFIRM_MS + 50);
    expect(way.sizes).toEqual([1280, ...Array.from({ length: 11 }, () => 1500)].slice(0, way.sizes.length));
    expect(way.sizes.length).toBeGreaterThanOrEqual(11);
  });

  it('gives up a size after three probes, a second each, and tries usual ones first', () => {
    const way = started(1400);
    way.run(MAX_PROBES * PROBE_MS + 20);
    expect(way.sizes.slice(0, 5)).toEqual([1280, 1500, 1500, 1500, 1400]);
    expect(way.search).toMatchObject({ state: 'searching', mtu: 1400 });
    way.run(30_000);
    expect(way.search).toMatchObject({ state: 'complete', mtu: 1400 });
  });

  it('finds a black hole within five seconds, is at 1280 at once, and then as wide as the path', () => {
    const way = started(1500);
    way.run(1000);
    way.width = 1420;
    way.run(CONFIRM_MS + MAX_PROBES * PROBE_MS);
    expect(way.search.mtu).toBeLessThanOrEqual(1420);
    expect(way.search).toMatchObject({ blackHoles: 1, state: 'searching' });
    way.run(40_000);
    expect(way.search).toMatchObject({ state: 'complete' });
    expect(way.search.mtu).toBeGreaterThan(1420 - 5);
    expect(way.search.mtu).toBeLessThanOrEqual(1420);
  });

  it('is in error on a path below 1280 bytes, and finds its width all the same', () => {
    const way = started(1000);
    way.run(MAX_PROBES * PROBE_MS);
    expect(way.search.state).toBe('error');
    way.run(60_000);
    expect(way.search.state).toBe('complete');
    expect(way.search.mtu).toBeGreaterThan(995);
    expect(way.search.mtu).toBeLessThanOrEqual(1000);
  });

  it('says nothing about a remote that answers no probe', () => {
    const way = started(0);
    way.run(60_000);
    expect(way.search).toMatchObject({ state: 'error', mtu: 0 });
    expect(way.sizes.length).toBeLessThan(60);
  });

  it('looks for a wider path after ten minutes', () => {
    const way = started(1400);
    way.run(60_000);
    way.width = 1500;
    way.run(RAISE_MS);
    expect(way.search).toMatchObject({ state: 'complete', mtu: 1500 });
  });

  it('follows the MTU of the link both ways', () => {
    const way = started(9000, 1500);
    way.run(1000);
    setLimit(way.search, 1300, way.now);
    expect(way.search.mtu).toBe(1300);
    setLimit(way.search, 9000, way.now);
    way.run(1000);
    expect(way.search).toMatchObject({ state: 'complete', mtu: 9000 });
  });

  it('keeps what it knew while the session is down, and sends nothing', () => {
    const way = started(1400);
    way.run(60_000);
    disable(way.search);
    const { length } = way.sizes;
    way.run(60_000);
    expect(way.sizes).toHaveLength(length);
    expect(way.search.mtu).toBe(1400);
  });

  it('of a session that flaps sends one probe a second at most', () => {
    const way = new Way(0);
    for (let at = 0; at < 10_000; at += 10) {
      enable(way.search, way.now);
      way.run(5);
      disable(way.search);
      way.run(5);
    }
    expect(way.sizes.length).toBeLessThanOrEqual(10);
  });
});

describe('of any path', () => {
  it('the search ends just below its width, however packets are lost and late, and no answer is taken for another size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 576, max: 10_000 }),
        fc.integer({ min: 600, max: 9216 }),
        fc.constantFrom<4 | 6>(4, 6),
        fc.integer({ min: 0, max: 900 }),
        fc.double({ min: 0, max: 0.1, noNaN: true }),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (width, limit, family, delay, loss, chance) => {
          const way = started(
            family === 6 ? Math.max(1280, width) : width,
            limit,
            family,
            () => (chance.next().value ?? 1) < loss,
            delay,
          );
          for (let second = 0; second < 200; second++) {
            way.run(1000);
            // Never wider than a packet that has passed.
            expect(way.search.mtu).toBeLessThanOrEqual(Math.min(way.width, limit));
            if (way.search.mtu > 0) expect(way.search.mtu).toBeGreaterThanOrEqual(Math.min(576, limit));
          }
          if (loss > 0) return;
          const best = Math.min(way.width, limit);
          expect(way.search).toMatchObject({ state: 'complete', blackHoles: 0 });
          expect(way.search.mtu).toBeGreaterThan(best - 5);
          expect(way.search.mtu).toBeLessThanOrEqual(best);
        },
      ),
    );
  });

  it('a remote that answers as it likes makes no more than a few probes a second', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.boolean()), (lies) => {
        const way = started(9216, 9216, 4, () => lies.next().value ?? true, 0);
        way.run(120_000);
        expect(way.sizes.length).toBeLessThan(2 * 120);
        for (const size of way.sizes) expect(size).toBeLessThanOrEqual(9216);
      }),
    );
  });
});

/** A session that alternates moves its remote's entries a bounded number of times, and a remote that has died is always said to be dead. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginDamping, judge, LONGEST_HOLD_MS, MOST_FLAPS, release, releaseDue } from '../../src/liveness/damping.js';
import type { Verdict } from '../../src/liveness/contract.js';

const MINUTE = 60_000;

/** A session with a clock that jumps to whatever is due. */
class Watched {
  now = 1000;
  readonly told: [at: number, verdict: Verdict][] = [];
  readonly damping = beginDamping('down', this.now);

  say(verdict: Verdict, after: number): void {
    this.rest(after);
    if (judge(this.damping, verdict, this.now)) this.told.push([this.now, this.damping.told]);
  }

  rest(ms: number): void {
    const end = this.now + ms;
    const due = releaseDue(this.damping);
    if (due <= end) {
      this.now = Math.max(this.now, due);
      if (release(this.damping, this.now)) this.told.push([this.now, this.damping.told]);
    }
    this.now = end;
  }

  /** Goes down and comes back. @returns how long the remote was not used after it had come back */
  alternate(apart: number): number {
    this.say('down', apart);
    this.say('up', 10);
    return this.damping.hold;
  }
}

describe('a remote that goes down', () => {
  it('is used again at once after its first deaths, then after 1, 2, 4 s and at most a minute', () => {
    const watched = new Watched();
    watched.say('up', 0);
    const holds = Array.from({ length: 10 }, () => watched.alternate(10));
    expect(holds).toEqual([0, 0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    expect(watched.told.map(([, verdict]) => verdict)).toEqual(['up', 'down', 'up', 'down', 'up', 'down']);
    watched.rest(LONGEST_HOLD_MS - 1);
    expect(watched.damping.told).toBe('down');
    watched.rest(1);
    expect(watched.damping).toMatchObject({ told: 'up', hold: 0 });
  });

  it('is forgiven a death in each minute without another', () => {
    const watched = new Watched();
    watched.say('up', 0);
    for (let i = 0; i < 20; i++) watched.alternate(10);
    expect(watched.damping.flaps).toBe(MOST_FLAPS);
    expect(watched.alternate(3 * MINUTE)).toBe(2 ** (MOST_FLAPS - 3 + 1 - 3) * 1000);
    expect(watched.alternate(MOST_FLAPS * MINUTE)).toBe(0);
  });

  it('and dies while it is held back stays dead, without a word', () => {
    const watched = new Watched();
    watched.say('up', 0);
    for (let i = 0; i < 5; i++) watched.alternate(10);
    const { length } = watched.told;
    watched.say('down', 10);
    watched.rest(10 * MINUTE);
    expect(watched.told).toHaveLength(length);
    expect(watched.damping.told).toBe('down');
  });

  it('and closes its session on purpose is held back as well', () => {
    const watched = new Watched();
    watched.say('up', 0);
    for (let i = 0; i < 5; i++) watched.alternate(10);
    watched.say('down', 10);
    watched.say('admin', 10);
    expect(watched.damping.told).toBe('down');
    watched.rest(MINUTE);
    expect(watched.damping.told).toBe('admin');
  });
});

it('whatever a session says: a death is told at once, and moves are bounded', () => {
  const seed = Date.now() % 1_000_000;
  console.log(`seed ${seed}`);
  const words = fc.array(
    fc.tuple(fc.constantFrom<Verdict>('up', 'down', 'admin'), fc.oneof(fc.nat(50), fc.nat(5000), fc.nat(100_000))),
    { maxLength: 300 },
  );
  fc.assert(
    fc.property(words, (said) => {
      const watched = new Watched();
      for (const [verdict, after] of said) {
        watched.say(verdict, after);
        if (verdict === 'down') expect(watched.damping.told).toBe('down');
        else if (watched.damping.told !== verdict) expect(watched.damping.told).toBe('down');
      }
      const { now } = watched;
      watched.rest(LONGEST_HOLD_MS);
      expect(watched.damping.told).toBe(watched.damping.raw);
      // Moves to and fro: what costs nothing, one for each hold up to the longest, and then one in a minute.
      const deaths = watched.told.filter(([, verdict], at) => verdict === 'down' && watched.told[at - 1]?.[1] === 'up');
      expect(deaths.length).toBeLessThanOrEqual(MOST_FLAPS + Math.ceil(now / MINUTE) + 1);
    }),
    { seed, numRuns: 2000 },
  );
});

it('the next process goes on holding it back', () => {
  const damping = beginDamping('up', 5000, { flaps: 6, damped: 8000 });
  expect(damping).toMatchObject({ told: 'down', raw: 'up' });
  expect(release(damping, 12_999)).toBe(false);
  expect(release(damping, 13_000)).toBe(true);
  expect(damping.told).toBe('up');
  expect(beginDamping('up', 0, { flaps: 1e9, damped: Number.NaN })).toMatchObject({ told: 'up', flaps: MOST_FLAPS });
});

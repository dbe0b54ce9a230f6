/** Storm control: the exact number of flooded frames of a port in a number of seconds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StormControl } from '../../../src/dataplane/state/storm.js';
import { A, B, BROADCAST, C, frame, MULTICAST } from '../support/frames.js';
import { type TapSpec, TestSwitch } from '../support/harness.js';

const TICK_MS = 100;
const UNKNOWN = '02:00:00:00:00:99';
const KINDS = { broadcast: BROADCAST, unknownUnicast: UNKNOWN, multicast: MULTICAST } as const;
const kinds = Object.keys(KINDS) as (keyof typeof KINDS)[];

function limited(storm: TapSpec['storm'] & object): TestSwitch {
  return new TestSwitch({ br0: { ports: { t1: { type: 'tap', storm }, t2: { type: 'tap' }, t3: { type: 'tap' } } } });
}

/** Sends so many frames at once. @returns how many of them were flooded */
function burst(sw: TestSwitch, port: string, destination: string, count: number): number {
  for (let i = 0; i < count; i++) sw.inject(port, frame({ destination }));
  const turn = sw.turn();
  const passed = turn.out.filter(({ to }) => to === 't3').length;
  expect(turn.drops).toEqual(Array(count - passed).fill(`${port} storm_limited`));
  return passed;
}

/** More frames than any limit allows, tick after tick. @returns how many passed in each tick */
function flooded(sw: TestSwitch, destination: string, ticks: number): number[] {
  return Array.from({ length: ticks }, () => {
    sw.io.advance(TICK_MS);
    return burst(sw, 't1', destination, 60);
  });
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

describe('a limit', () => {
  it.each([1, 2, 3, 7, 10, 25, 99, 100, 333])('of %i frames a second lets exactly so many pass in a storm', (limit) => {
    const sw = limited({ broadcast: limit });
    const first = burst(sw, 't1', BROADCAST, 60);
    expect(first).toBe(Math.floor((limit + 9) / 10)); // a tick's share, a whole frame at least
    const counts = flooded(sw, BROADCAST, 100);
    expect(first + sum(counts)).toBe(Math.floor((limit * 101 + 9) / 10)); // ten seconds, and the full bucket
    for (let from = 0; from + 10 <= counts.length; from++) {
      expect(sum(counts.slice(from, from + 10))).toBeLessThanOrEqual(limit + Math.ceil(limit / 10));
    }
  });

  it.each([1, 3, 10, 40])('of %i lets frames at that pace pass, all of them', (limit) => {
    const sw = limited({ unknownUnicast: limit });
    let sent = 0;
    for (let ms = 0; ms < 20_000; ms += 5) {
      sw.io.advance(5);
      if (Math.floor(((ms + 5) * limit) / 1000) === sent) continue;
      sent++;
      expect(burst(sw, 't1', UNKNOWN, 1)).toBe(1);
    }
    expect(sent).toBe(limit * 20);
  });

  it.each(kinds)('on %s leaves the other kinds, known unicast and other ports alone', (kind) => {
    const sw = limited({ [kind]: 10 });
    sw.send('t2', frame({ source: B, destination: A }));
    for (const other of kinds) expect(burst(sw, 't1', KINDS[other], 30)).toBe(other === kind ? 1 : 30);
    expect(burst(sw, 't2', KINDS[kind], 30)).toBe(30);
    for (let i = 0; i < 30; i++) sw.inject('t1', frame({ destination: B }));
    expect(sw.turn()).toMatchObject({ to: Array(30).fill('t2'), drops: [] });
  });

  it('does not save up: after an hour of silence a tick of it passes', () => {
    const sw = limited({ multicast: 50 });
    sw.wait(3600);
    expect(burst(sw, 't1', MULTICAST, 60)).toBe(5);
  });

  it('counts a superframe as the packets that it will be', () => {
    const sw = limited({ broadcast: 100 });
    const large = frame({ destination: BROADCAST, payload: new Uint8Array(20 + 20 + 15 * 1400) });
    const offload = { vnet: 1 | (1 << 8), gso: 1400, csum: 34 | (16 << 16) };
    // A tick is worth ten: what the superframe took beyond that is owed in the next one.
    expect(sw.send('t1', large, offload).to).toEqual(['t2', 't3']);
    expect(sw.send('t1', large, offload)).toMatchObject({ to: [], drops: ['t1 storm_limited'] });
    expect(flooded(sw, BROADCAST, 3)).toEqual([5, 10, 10]);
  });

  it('lets a superframe pass that is more than it allows in a second, and then none until that time is over', () => {
    const sw = limited({ broadcast: 10 });
    const large = frame({ destination: BROADCAST, payload: new Uint8Array(20 + 20 + 30 * 1400) });
    const offload = { vnet: 1 | (1 << 8), gso: 1400, csum: 34 | (16 << 16) };
    expect(sw.send('t1', large, offload).to).toEqual(['t2', 't3']);
    expect(flooded(sw, BROADCAST, 31)).toEqual([...Array(29).fill(0), 1, 1]);
  });

  it('holds for what comes through a tunnel', () => {
    const sw = new TestSwitch({
      br0: {
        ports: {
          vx: { type: 'vxlan', vni: 42, remotes: ['192.0.2.2'], storm: { broadcast: 10 } },
          t1: { type: 'tap' },
        },
      },
    });
    const hello = frame({ destination: BROADCAST });
    expect(sw.tunnel('vx', '192.0.2.2', 42, hello).to).toEqual(['t1']);
    expect(sw.tunnel('vx', '192.0.2.2', 42, hello)).toMatchObject({ to: [], drops: ['vx storm_limited'] });
  });

  it('learns from the frames that it drops', () => {
    const sw = limited({ broadcast: 1 });
    burst(sw, 't1', BROADCAST, 2);
    expect(sw.send('t1', frame({ source: C, destination: BROADCAST })).drops).toEqual(['t1 storm_limited']);
    expect(sw.send('t2', frame({ source: B, destination: C })).to).toEqual(['t1']);
  });
});

describe('a limit that is changed while frames flow', () => {
  const storm = (sw: TestSwitch, broadcast: number): void =>
    sw.apply([{ op: 'storm', port: sw.port('t1'), broadcast, unknownUnicast: 0, multicast: 0 }]);

  it('holds from the next frame on, and again none', () => {
    const sw = limited({});
    expect(burst(sw, 't1', BROADCAST, 50)).toBe(50);
    storm(sw, 20);
    expect(flooded(sw, BROADCAST, 10)).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
    storm(sw, 0);
    expect(burst(sw, 't1', BROADCAST, 50)).toBe(50);
    storm(sw, 30);
    expect(sum(flooded(sw, BROADCAST, 10))).toBe(30);
  });

  it('told again it gives nothing away', () => {
    const sw = limited({ broadcast: 20 });
    expect(burst(sw, 't1', BROADCAST, 50)).toBe(2);
    storm(sw, 20);
    expect(burst(sw, 't1', BROADCAST, 50)).toBe(0);
    sw.io.advance(TICK_MS);
    expect(burst(sw, 't1', BROADCAST, 50)).toBe(2);
  });

  it('set long after the start lets no second share pass with the first tick', () => {
    const sw = limited({});
    sw.wait(1000);
    storm(sw, 1);
    expect(burst(sw, 't1', BROADCAST, 5)).toBe(1);
    expect(flooded(sw, BROADCAST, 20)).toEqual([...Array(9).fill(0), 1, ...Array(9).fill(0), 1]);
  });
});

describe('buckets of several engines', () => {
  it('let the same pass in sum, whichever engine the frames come in by and fills them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.array(fc.nat(2), { maxLength: 60 }), { minLength: 1, maxLength: 40 }),
        fc.array(fc.nat(2), { minLength: 40, maxLength: 40 }),
        (limit, ticks, firsts) => {
          const first = new StormControl();
          const engines = [first, new StormControl(first.memory), new StormControl(first.memory)];
          for (const [engine, storm] of engines.entries()) storm.setLimit(5, 1, limit, engine === 0);
          const alone = new StormControl();
          alone.setLimit(5, 1, limit, true);
          for (const [tick, takers] of ticks.entries()) {
            engines[firsts[tick]].advance(tick + 1);
            for (const storm of engines) storm.advance(tick + 1);
            alone.advance(tick + 1);
            for (const taker of takers) expect(engines[taker].take(5, 1)).toBe(alone.take(5, 1));
          }
        },
      ),
    );
  });

  it('one that lags behind takes nothing back and fills nothing twice', () => {
    const first = new StormControl();
    const second = new StormControl(first.memory);
    first.setLimit(0, 0, 10, true);
    second.setLimit(0, 0, 10, false);
    first.advance(100);
    expect([first.take(0, 0), first.take(0, 0)]).toEqual([true, false]);
    second.advance(99);
    expect(second.take(0, 0)).toBe(false);
    first.advance(101);
    second.advance(101);
    expect([second.take(0, 0), second.take(0, 0)]).toEqual([true, false]);
  });

  it('at the wrap of the clock go on', () => {
    const storm = new StormControl();
    storm.advance(0x3fffffff);
    storm.advance(0x7ffffffe);
    storm.setLimit(0, 0, 10, true);
    expect([storm.take(0, 0), storm.take(0, 0)]).toEqual([true, false]);
    storm.advance(0);
    expect(storm.take(0, 0)).toBe(true);
  });
});

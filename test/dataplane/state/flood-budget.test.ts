/** The flood budget: per turn, in time, and its division. Flood lists are long, the clock is moved by the test. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { REASON } from '../../../src/dataplane/state/drop-reasons.js';
import {
  BURST,
  FloodBudget,
  FREE_SENDS,
  floodSource,
  LEAST_RATE,
  RATE,
  SEND_NS,
  TURN_SENDS,
} from '../../../src/dataplane/state/flood-budget.js';
import { A, B, BROADCAST, C, frame, MULTICAST } from '../support/frames.js';
import { TestSwitch, type Turn, type VxlanSpec } from '../support/harness.js';

const REMOTES = 200;
/** Frames that the flooder has in each batch: far more than a turn has room for. */
const BATCH = 100;
const UNKNOWN = '02:00:00:00:00:99';
const FLOOD_SENDS = REMOTES + 3;
/** TCP over IPv4: the segments say where their headers are. */
const gso = (size: number): { vnet: number; gso: number; csum: number } => ({
  vnet: 1 | (1 << 8),
  gso: size,
  csum: 34 | (16 << 16),
});

function wide(remotes = REMOTES): TestSwitch {
  const addresses = Array.from({ length: remotes }, (_, i) => `198.51.${100 + (i >> 7)}.${1 + (i & 127)}`);
  const tap = { type: 'tap' } as const;
  return new TestSwitch({
    br0: { ports: { evil: tap, t2: tap, t3: tap, t4: tap, vx: { type: 'vxlan', vni: 42, remotes: addresses } } },
  });
}

const count = (list: readonly string[], what: string): number => list.filter((one) => one === what).length;

describe('a guest that floods as fast as it can to a long flood list', () => {
  let sw: TestSwitch;

  beforeEach(() => {
    sw = wide();
    sw.send('t2', frame({ source: B, destination: A }));
    sw.send('t3', frame({ source: C, destination: A }));
    sw.wait(1);
  });

  /** One batch of the flooder's, with a bystander's frame behind it. */
  function turn(destination: string): Turn {
    for (let i = 0; i < BATCH; i++) sw.inject('evil', frame({ destination }));
    sw.inject('t2', frame({ source: B, destination: C }));
    return sw.turn();
  }

  it.each([
    ['broadcast', BROADCAST],
    ['multicast', MULTICAST],
    ['unknown unicast', UNKNOWN],
  ])('%s: a turn is bounded by what it sends, and a bystander is served in each', (_kind, destination) => {
    const sent: number[] = [];
    for (let ms = 0; ms < 120; ms += 10) {
      const { out, to, drops } = turn(destination);
      expect(count(to, 't3')).toBeGreaterThan(0);
      expect(out.some(({ to: port, frame: bytes }) => port === 't3' && bytes[5] === 0x0c)).toBe(true);
      expect(out.length - 1).toBeLessThanOrEqual(TURN_SENDS + FLOOD_SENDS + BATCH * FREE_SENDS);
      expect(count(drops, 'evil turn_exceeded') + count(drops, 'evil storm_limited')).toBe(drops.length);
      sent.push(out.length - 1);
      sw.io.advance(10);
    }
    // The bucket is full at first; from then on it is what the clock brings.
    expect(sent[0]).toBeLessThanOrEqual(BURST + FLOOD_SENDS + BATCH * FREE_SENDS);
    const later = sent.slice(1).reduce((sum, copies) => sum + copies, 0);
    expect(later).toBeGreaterThan(110 * RATE - 2 * FLOOD_SENDS);
    expect(later).toBeLessThan(110 * RATE * (1 + (2 * FREE_SENDS) / FLOOD_SENDS) + FLOOD_SENDS);
  });

  it('costs a bystander none of its own broadcasts', () => {
    for (let i = 0; i < 10; i++) {
      turn(BROADCAST);
      const asked = sw.send('t2', frame({ source: B, destination: BROADCAST }));
      expect(asked.out).toHaveLength(FLOOD_SENDS);
      sw.io.advance(20);
    }
  });

  it('is bounded in each turn where its port has a storm limit of its own, which is in place of the default', () => {
    const evil = sw.port('evil');
    sw.apply([{ op: 'storm', port: evil, broadcast: 1_000_000, unknownUnicast: 0, multicast: 0 }]);
    sw.io.advance(1000);
    for (let i = 0; i < 3; i++) {
      const { out, drops } = turn(BROADCAST);
      expect(out.length).toBeGreaterThan(TURN_SENDS / 2);
      expect(out.length - 1).toBeLessThanOrEqual(TURN_SENDS + 2 * FLOOD_SENDS);
      expect(count(drops, 'evil turn_exceeded')).toBe(drops.length);
    }
  });
});

describe('where a send takes ten times as long as it is taken for', () => {
  it('a turn and the rate are a tenth, until sends are quick again', () => {
    const sw = wide();
    const flooded = (): number => {
      for (let i = 0; i < BATCH; i++) sw.inject('evil', frame({ destination: BROADCAST }));
      return sw.turn().out.length;
    };
    const inTime = (ms: number): number => {
      let copies = 0;
      for (let at = 0; at < ms; at += 10) {
        sw.io.advance(10);
        copies += flooded();
      }
      return copies;
    };
    sw.io.commandNs = 10 * SEND_NS;
    // The first rings, of 1,024 commands each, tell.
    expect(flooded()).toBeLessThan(3 * 1024 + FLOOD_SENDS);
    flooded();
    sw.wait(60);
    expect(flooded()).toBeLessThan(TURN_SENDS / 10 + FLOOD_SENDS);
    sw.wait(60);
    expect(inTime(300)).toBeLessThan(BURST + (300 * RATE) / 10 + FLOOD_SENDS + 101 * FREE_SENDS);
    sw.io.commandNs = SEND_NS / 2;
    inTime(200);
    expect(inTime(100)).toBeGreaterThan(100 * RATE * 0.9);
  });
});

describe('where a send takes many times as long as it should', () => {
  it('none is free: a flood to few ports is bounded, too, until sends are quick again', () => {
    const sw = wide(0);
    const refusedOf = (turns: number, frames = 500, ms = 10): number => {
      let refused = 0;
      for (let i = 0; i < turns; i++) {
        for (let n = 0; n < frames; n++) sw.inject('evil', frame({ destination: BROADCAST }));
        refused += sw.turn().drops.filter((drop) => drop.startsWith('evil ')).length;
        sw.io.advance(ms);
      }
      return refused;
    };
    expect(refusedOf(20)).toBe(0);
    sw.io.commandNs = 20 * SEND_NS;
    refusedOf(20);
    // 3 copies each, 12 sends a millisecond.
    expect(refusedOf(20)).toBeGreaterThan(0.8 * 20 * 500);
    const asked = sw.send('t2', frame({ source: B, destination: BROADCAST }));
    expect(asked.out).toHaveLength(3);
    sw.io.commandNs = SEND_NS / 2;
    refusedOf(40, 1, 100);
    expect(refusedOf(20)).toBe(0);
  });
});

describe('superframes', () => {
  it('of odd segment sizes are no superframes', () => {
    const sw = wide(2);
    const large = frame({ destination: BROADCAST, payload: new Uint8Array(40_000) });
    for (const size of [1, 16, 31, 78])
      expect(sw.send('evil', large, gso(size))).toMatchObject({ out: [], drops: ['evil offload_invalid'] });
    // What a guest with the least MTU of a host makes, or one with a path of 168 bytes.
    for (const size of [536, 128, 79]) expect(sw.send('evil', large, gso(size)).out).toHaveLength(5);
    const small = frame({ destination: BROADCAST, payload: new Uint8Array(1000) });
    expect(sw.send('evil', small, gso(31)).drops).toEqual(['evil offload_invalid']);
    expect(sw.send('evil', small, gso(32)).out).toHaveLength(5);
  });

  it('that follow another one in a run are judged likewise', () => {
    const sw = wide(2);
    sw.send('t2', frame({ source: B, destination: A }));
    const large = frame({ destination: B, payload: new Uint8Array(40_000) });
    sw.inject('evil', large, gso(1400));
    sw.inject('evil', large, gso(16));
    expect(sw.turn()).toMatchObject({ to: ['t2'], drops: ['evil offload_invalid'] });
  });

  it('cost what their segments and bytes cost', () => {
    const sw = wide(50);
    const large = frame({ destination: BROADCAST, payload: new Uint8Array(60_000) });
    let passed = 0;
    for (let i = 0; i < 40; i++) passed += sw.send('evil', large, gso(1400)).out.length === 53 ? 1 : 0;
    // 53 copies, each one send, ten more for 43 segments, and seven for its bytes.
    expect(passed).toBe(Math.ceil(BURST / (53 * 18 - FREE_SENDS)));
  });

  it('that no turn has room for end before the tunnel, and reach the guests here', () => {
    const sw = wide(1000);
    const large = frame({ destination: BROADCAST, payload: new Uint8Array(60_000) });
    expect(sw.send('evil', large, gso(1400))).toMatchObject({ to: ['t2', 't3', 't4'], drops: ['vx turn_exceeded'] });
    expect(sw.send('t2', frame({ source: B, destination: BROADCAST })).out).toHaveLength(1003);
  });
});

describe('a small fabric', () => {
  it('notices nothing: two remotes, two guests, batch after batch without a pause', () => {
    const tap = { type: 'tap' } as const;
    const vx = { type: 'vxlan', vni: 42, remotes: ['192.0.2.2', '192.0.2.3'] } satisfies VxlanSpec;
    const sw = new TestSwitch({ br0: { ports: { t1: tap, t2: tap, t3: tap, vx } } });
    for (let batch = 0; batch < 20; batch++) {
      for (let i = 0; i < 250; i++) sw.inject('t1', frame({ destination: BROADCAST }));
      expect(sw.turn().drops).toEqual([]);
    }
  });
});

describe('what comes through a tunnel', () => {
  it('is bounded for each VTEP, so that one cannot use up what the others have', () => {
    const taps = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`t${i}`, { type: 'tap' } as const]));
    const vx = { type: 'vxlan', vni: 42, remotes: ['192.0.2.2', '192.0.2.3'] } satisfies VxlanSpec;
    const sw = new TestSwitch({ br0: { ports: { ...taps, vx } } });
    const hello = frame({ destination: BROADCAST });
    const flooding = (): Turn => {
      for (let i = 0; i < 200; i++)
        sw.injectDatagram('vx', '192.0.2.2', Uint8Array.of(8, 0, 0, 0, 0, 0, 42, 0, ...hello));
      return sw.turn();
    };
    const first = flooding();
    expect(first.out.length).toBeLessThanOrEqual(60 * Math.ceil(BURST / 56));
    expect(count(first.drops, 'vx storm_limited') + count(first.drops, 'vx turn_exceeded')).toBe(first.drops.length);
    expect(flooding().out).toHaveLength(0);
    expect(sw.tunnel('vx', '192.0.2.3', 42, frame({ source: C, destination: BROADCAST })).out).toHaveLength(60);
  });
});

describe('the budget', () => {
  it('is shared by those who ask for more than they get, and others have as much as each of them', () => {
    const budget = new FloodBudget();
    const passed = [0, 0, 0, 0];
    for (let ms = 1; ms <= 10_000; ms++) {
      budget.beginTurn(ms);
      for (let source = 0; source < 4; source++) {
        // The last one asks for little.
        if (source === 3 && ms % 100 !== 0) continue;
        while (budget.refusal(source, false) < 0) {
          budget.charge(source, 1000, false);
          passed[source]++;
          if (source === 3) break;
        }
      }
    }
    expect(passed[3]).toBe(100);
    const share = (10_000 * RATE) / 3 / 996;
    for (const own of passed.slice(0, 3)) {
      expect(own).toBeGreaterThan(share * 0.97);
      expect(own).toBeLessThan(share * 1.03 + BURST / 996 + 1);
    }
  });

  it('leaves each of very many something', () => {
    const budget = new FloodBudget();
    const passed = new Map<number, number>();
    for (let ms = 10; ms <= 20_000; ms += 10) {
      budget.beginTurn(ms);
      for (let i = 0; i < 100; i++) {
        const source = floodSource(7, (i + ms) % 100 === 0 ? 5000 : 5000 + ((i + ms) % 100));
        if (budget.refusal(source, false) >= 0) continue;
        budget.charge(source, 104, false);
        passed.set(source, (passed.get(source) ?? 0) + 1);
      }
    }
    for (const own of passed.values()) expect(own).toBeGreaterThan((20_000 * LEAST_RATE * 0.5) / 100);
    expect(passed.size).toBe(100);
  });

  it('never gives more than bucket and clock bring, whatever comes when', () => {
    const step = fc.record({
      wait: fc.nat(400),
      frames: fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 30 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(0x7fffffff), (steps, start) => {
        const budget = new FloodBudget();
        budget.beginTurn(start);
        budget.charge(3, 0, false);
        let now = start;
        let elapsed = 0;
        let taken = 0;
        for (const { wait, frames } of steps) {
          now = (now + wait) & 0x7fffffff;
          elapsed += wait;
          budget.beginTurn(now);
          let inTurn = 0;
          for (const sends of frames) {
            const refusal = budget.refusal(3, false);
            if (refusal >= 0) {
              if (refusal === REASON.storm_limited) expect(taken).toBeGreaterThanOrEqual(BURST);
              else expect(inTurn).toBeGreaterThanOrEqual(TURN_SENDS / 2);
              continue;
            }
            budget.charge(3, sends, false);
            taken += Math.max(0, sends - FREE_SENDS);
            inTurn += Math.max(0, sends - FREE_SENDS);
          }
          expect(inTurn).toBeLessThan(TURN_SENDS + 3000);
          expect(taken).toBeLessThan(BURST + 3000 + elapsed * RATE);
        }
      }),
    );
  });
});

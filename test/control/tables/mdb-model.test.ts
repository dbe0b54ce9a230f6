/**
 * Forwarding by source compared with a model: random reports of two hosts and waits, then a datagram from each source, counted at both.
 * The model keeps sets, as the tables of RFC 3376 section 6.4 are written.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SnoopingSwitch } from '../../conformance/support/snooping.js';
import { long } from '../../long.js';

/** The same cases each time; others with OVERTAP_SEED. */
const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_130);
const RUNS = long(400, 20);
const GMI = 260_000;
const LMQT = 2000;
const SOURCES = [1, 2, 3, 4];

/** One host's membership. */
class Model {
  private exclude = false;
  private group = 0;
  /** When the timer of a source ends; 0: blocked. */
  private readonly sources = new Map<number, number>();

  get isMember(): boolean {
    return this.exclude || this.sources.size > 0;
  }

  wants(source: number): boolean {
    const until = this.sources.get(source);
    return until === undefined ? this.exclude : until > 0;
  }

  advance(now: number): void {
    for (const [source, until] of [...this.sources]) {
      if (until === 0 || until > now) continue;
      if (this.exclude) this.sources.set(source, 0);
      else this.sources.delete(source);
    }
    if (!this.exclude || this.group > now) return;
    this.exclude = false;
    for (const [source, until] of [...this.sources]) if (until === 0) this.sources.delete(source);
  }

  hear(type: number, list: readonly number[], now: number): void {
    const running = [...this.sources].filter(([, until]) => until > 0).map(([source]) => source);
    const known = new Set(this.sources.keys());
    const gmi = now + GMI;
    let asked: number[] = [];
    let asksGroup = false;
    if (type === 1 || type === 3 || type === 5) {
      if (type === 3) asked = running.filter((source) => !list.includes(source));
      asksGroup = type === 3 && this.exclude;
      for (const source of list) this.sources.set(source, gmi);
    } else if (type === 6) {
      if (this.exclude) for (const source of list) if (!known.has(source)) this.sources.set(source, this.group);
      asked = list.filter((source) => (this.sources.get(source) ?? 0) > 0);
    } else {
      const fresh = !this.exclude ? 0 : type === 2 ? gmi : this.group;
      for (const source of known) if (!list.includes(source)) this.sources.delete(source);
      for (const source of list) if (!known.has(source)) this.sources.set(source, fresh);
      if (type === 4) asked = list.filter((source) => (this.sources.get(source) ?? 0) > 0);
      this.exclude = true;
      this.group = gmi;
    }
    for (const source of asked) this.sources.set(source, Math.min(this.sources.get(source) as number, now + LMQT));
    if (asksGroup) this.group = Math.min(this.group, now + LMQT);
  }
}

const STEP = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      port: fc.constantFrom('t1', 't3'),
      type: fc.constantFrom(1, 2, 3, 4, 5, 6),
      sources: fc.uniqueArray(fc.constantFrom(...SOURCES), { maxLength: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ wait: fc.constantFrom(500, 2000, 100_000, 259_000) }) },
);

it.each([
  ['IGMPv3', '239.1.1.1', (n: number) => `192.0.2.${n}`],
  ['MLDv2', 'ff0e::123', (n: number) => `2001:db8::${n}`],
])('%s: each host gets the sources that it wants, and no others', (_name, group, address) => {
  fc.assert(
    fc.property(fc.array(STEP, { minLength: 1, maxLength: 12 }), (steps) => {
      const net = new SnoopingSwitch();
      const hosts = new Map([
        ['t1', new Model()],
        ['t3', new Model()],
      ]);
      for (const step of steps) {
        if ('wait' in step) {
          net.now += step.wait;
          net.settle();
        } else {
          net.report(step.type, group, step.sources.map(address), step.port);
          hosts.get(step.port)?.hear(step.type, step.sources, net.now);
        }
        for (const host of hosts.values()) host.advance(net.now);
      }
      for (const source of [...SOURCES, 9]) {
        const expected = [...hosts].filter(([, host]) => host.wants(source)).map(([port]) => port);
        expect([source, net.reaches(group, address(source))]).toEqual([source, expected]);
      }
      const members = net
        .rows(group)
        .filter(({ src }) => src === undefined)
        .map(({ port }) => port);
      expect(members.sort()).toEqual([...hosts].filter(([, host]) => host.isMember).map(([port]) => port));
    }),
    { seed: SEED, numRuns: RUNS },
  );
});

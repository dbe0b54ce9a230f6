/** Frames on the wires in the order of cause and effect, by a clock that the tests set. */
import { describe, expect, it } from 'vitest';
import type { Link, Passage } from '../../../src/page/model/messages.js';
import { MAX_LEGS, Playback } from '../../../src/page/model/playback.js';
import { topologyOf } from '../../../src/page/model/topology.js';

const link = (name: string, type: string, more: Partial<Link>): Link => ({
  name,
  type,
  up: true,
  mtu: 1450,
  addresses: [],
  remotes: [],
  hostPort: false,
  vlans: [],
  vnis: [],
  ...more,
});
const host = (n: number, other: number) => ({
  name: `h${n}`,
  answers: true,
  links: [
    link('br1', 'bridge', {}),
    link(`tap${n}`, 'tap', { master: 'br1' }),
    link('vxlan0', 'vxlan', { master: 'br1', local: `192.0.2.${n}`, remotes: [`192.0.2.${other}`] }),
  ],
});
const PAIR = topologyOf([host(1, 2), host(2, 1)], []);
const TUNNEL = PAIR.edges.find(({ kind }) => kind === 'tunnel')?.id ?? '';

let ids = 0;
const passage = (change: Partial<Passage>): Passage => ({
  id: ++ids,
  at: 0,
  from: { port: 'tap1' },
  to: [],
  verdict: 'forwarded',
  kind: 'ping',
  text: 'ping',
  key: 'k',
  length: 98,
  count: 1,
  ...change,
});
const out = (n: number, vni = 2) => ({ port: 'vxlan0', remote: `192.0.2.${n}`, vni });

/** All legs that are ever drawn, by looking every ten milliseconds. */
function legsOf(playback: Playback, until = 20_000) {
  const seen = new Map<string, { edge: string; start: number; end: number; from: number; to: number; sw: string }>();
  for (let time = 0; time < until; time += 10) {
    playback.advance(time, time);
    for (const { leg, position } of playback.moving(time)) {
      expect(position).toBeGreaterThanOrEqual(0);
      expect(position).toBeLessThanOrEqual(1);
      seen.set(leg.id, leg);
    }
  }
  return [...seen.values()].map(({ edge, start, end, from, to, sw }) => ({ edge, start, end, from, to, sw }));
}

const request = (): [Passage, Passage] => [
  passage({ at: 1, from: { port: 'tap1' }, to: [out(2)], key: 'request' }),
  passage({ at: 2, from: out(1), to: [{ port: 'tap2' }], key: 'request' }),
];

describe('a ping over two switches', () => {
  it('goes from guest to guest leg by leg, and the reply comes back after it', () => {
    const playback = new Playback(PAIR);
    const [sent, received] = request();
    const reply = passage({ at: 3, from: { port: 'tap2' }, to: [out(1)], key: 'reply' });
    const back = passage({ at: 4, from: out(2), to: [{ port: 'tap1' }], key: 'reply' });
    // The far switch tells first, and so does the reply.
    playback.add('h2', [reply, received], 0);
    playback.add('h1', [back, sent], 50);
    const legs = legsOf(playback);
    expect(legs.map(({ sw, edge, from, to }) => [sw, edge, from, to])).toEqual([
      ['h1', 'guest h1 tap1', 1, 0],
      ['h1', TUNNEL, 0, 0.5],
      ['h2', TUNNEL, 0.5, 1],
      ['h2', 'guest h2 tap2', 0, 1],
      ['h2', 'guest h2 tap2', 1, 0],
      ['h2', TUNNEL, 1, 0.5],
      ['h1', TUNNEL, 0.5, 0],
      ['h1', 'guest h1 tap1', 0, 1],
    ]);
    for (const [at, leg] of legs.slice(1).entries()) expect(leg.start).toBeGreaterThanOrEqual(legs[at].end);
  });

  it('that is lost between them ends halfway', () => {
    const playback = new Playback(PAIR);
    playback.add('h1', [request()[0]], 0);
    expect(legsOf(playback).map(({ edge, to }) => [edge, to])).toEqual([
      ['guest h1 tap1', 0],
      [TUNNEL, 0.5],
    ]);
  });
});

it('a flooded frame leaves by all ports at once', () => {
  const playback = new Playback(PAIR);
  playback.add('h1', [passage({ from: out(2), to: [{ port: 'tap1' }, out(2)] })], 0);
  const [, one, other] = legsOf(playback);
  expect(one.start).toBe(other.start);
});

it('a dropped frame leaves a mark at its switch for some seconds', () => {
  const playback = new Playback(PAIR);
  playback.add('h1', [passage({ verdict: 'dropped', reason: 'no_pvid' })], 0);
  const marked: number[] = [];
  for (let time = 0; time < 20_000; time += 100) {
    playback.advance(time, time);
    for (const mark of playback.standing(time)) {
      expect(mark.passage.reason).toBe('no_pvid');
      marked.push(time);
    }
  }
  expect(marked[0]).toBeGreaterThanOrEqual(1000);
  expect(marked.at(-1)).toBeLessThan(7000);
});

it('stands still while the time of the playback does', () => {
  const playback = new Playback(PAIR);
  playback.add('h1', [request()[0]], 0);
  playback.advance(1000, 0);
  const positions = [0, 1, 2].map((n) => {
    playback.advance(2000 + n * 10_000, 400);
    return [...playback.moving(400)].map(({ position }) => position);
  });
  expect(positions[0]).toHaveLength(1);
  expect(positions).toEqual([positions[0], positions[0], positions[0]]);
});

it('more frames than can be drawn are counted, and everything ends', () => {
  const playback = new Playback(PAIR);
  let frames = 0;
  let most = 0;
  for (let clock = 0; clock < 10_000; clock += 100) {
    const burst = Array.from({ length: 1000 }, () => passage({ to: [out(2)], count: 3 }));
    frames += 3000;
    playback.add('h1', burst, clock);
    playback.advance(clock, clock);
    most = Math.max(most, [...playback.moving(clock)].length);
  }
  expect(most).toBeLessThanOrEqual(MAX_LEGS);
  expect(playback.undrawn).toBeGreaterThan(frames * 0.9);
  expect(playback.undrawn % 3).toBe(0);
  for (let clock = 10_000; clock < 60_000; clock += 1000) playback.advance(clock, clock);
  expect([...playback.moving(60_000)]).toEqual([]);
});

it('frames known by counters go from the guest to the switch and on', () => {
  const playback = new Playback(PAIR);
  playback.addFlow('h1', { port: 'tap1' }, true, 5, 0);
  playback.addFlow('h1', { port: 'vxlan0', remote: '192.0.2.2' }, false, 5, 0);
  playback.addFlow('h1', { port: 'gone' }, false, 5, 0);
  const [first, second] = legsOf(playback);
  expect([first.edge, second.edge]).toEqual(['guest h1 tap1', TUNNEL]);
  expect(second.start).toBeGreaterThanOrEqual(first.end);
});

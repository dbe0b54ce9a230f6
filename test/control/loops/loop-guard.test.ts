/** Loop guard: switches in memory with a warped clock, loops outside of them, and hostile guests. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A, B, BROADCAST, C, frame } from '../../dataplane/support/frames.js';
import { Network } from './network.js';

const GUEST_A = frame({ source: A, destination: BROADCAST });
const GUEST_B = frame({ source: B, destination: BROADCAST });
const SECOND = 1000;
const isProbe = (bytes: Uint8Array): boolean => bytes[0] === 0x03;
const isGuests = (bytes: Uint8Array): boolean => !isProbe(bytes);

let net: Network;

beforeEach(() => {
  net = new Network();
});

afterEach(() => net.stop());

/** The frames of guests that each of two switches delivers to its guest, after one broadcast of each. */
async function broadcasts(): Promise<{ a: number; b: number }> {
  net.take('a guest');
  net.take('b guest');
  net.put('a guest', GUEST_A);
  net.put('b guest', GUEST_B);
  await net.pass(500);
  return { a: net.take('a guest', isGuests).length, b: net.take('b guest', isGuests).length };
}

describe('two switches, a tunnel and a cable between them', () => {
  beforeEach(async () => {
    await net.add('a', { guest: {}, c: {}, vx: { remotes: ['192.0.2.2'] } });
    await net.add('b', { guest: {}, c: {}, vx: { remotes: ['192.0.2.1'] } });
    net.join('a c', 'b c');
  });

  it('one broadcast makes a storm, which ends within a second; the cable is blocked, never the tunnel', async () => {
    net.put('a guest', GUEST_A);
    await net.pass(200);
    expect(net.storm).toBeGreaterThan(0);
    await net.pass(800);
    expect(net.storm).toBe(0);
    expect(net.said.length).toBeGreaterThan(0);
    for (const line of net.said) expect(['found a c vx 0', 'found b c vx 0']).toContain(line);
    expect(await broadcasts()).toEqual({ a: 1, b: 1 });
  });

  it('while the cable is there one end stays blocked, and each broadcast comes once', async () => {
    net.put('a guest', GUEST_A);
    await net.pass(SECOND);
    await net.pass(20 * SECOND);
    for (let minute = 0; minute < 2; minute++) {
      expect(await broadcasts()).toEqual({ a: 1, b: 1 });
      await net.pass(30 * SECOND);
    }
    const now = [...net.switches.values()].flatMap(({ loops }) => loops?.loops() ?? []);
    expect(now).toHaveLength(1);
    // Both ends at first; one of them opens, sees the loop by the probes of the other, and stays open.
    expect(net.said.length).toBeLessThanOrEqual(4);
  });

  it('the cable is taken away: both ends open, and say so; put back, the loop is found again', async () => {
    net.put('a guest', GUEST_A);
    await net.pass(SECOND);
    net.cut('a c', 'b c');
    await net.pass(15 * SECOND);
    const found = net.said.filter((line) => line.startsWith('found'));
    expect(net.said.filter((line) => line.startsWith('gone')).sort()).toEqual(
      found.map((line) => line.replace('found', 'gone')).sort(),
    );
    expect(await broadcasts()).toEqual({ a: 1, b: 1 });
    net.said.length = 0;
    net.join('a c', 'b c');
    net.put('b guest', GUEST_B);
    await net.pass(SECOND);
    expect(net.storm).toBe(0);
    expect(net.said.length).toBeGreaterThan(0);
  });

  it('without a loop no probe is sent, even while a guest moves', async () => {
    net.cut('a c', 'b c');
    for (let move = 0; move < 3; move++) {
      net.put(move % 2 === 0 ? 'a c' : 'a guest', GUEST_A);
      await net.pass(SECOND);
    }
    expect(net.arrived.filter((one) => isProbe(one.frame))).toEqual([]);
    expect(net.said).toEqual([]);
  });

  it('loop_guard off: the storm goes on, and nothing is said; on again, it ends', async () => {
    for (const sw of net.switches.values())
      await sw.controls.link({ op: 'set', name: 'br0', options: { loop_guard: false } });
    net.put('a guest', GUEST_A);
    await net.pass(2 * SECOND);
    expect(net.storm).toBeGreaterThan(0);
    expect(net.said).toEqual([]);
    await net.of('a').controls.link({ op: 'set', name: 'br0', options: { loop_guard: true } });
    await net.pass(SECOND);
    expect(net.storm).toBe(0);
    await net.of('a').controls.link({ op: 'set', name: 'br0', options: { loop_guard: false } });
    await net.pass(200);
    expect(net.said).toEqual(['found a c vx 0', 'gone a c vx 0']);
  });
});

describe('loops at one switch', () => {
  it('a cable between two ports: one is blocked', async () => {
    await net.add('a', { guest: {}, t1: {}, t2: {} });
    net.join('a t1', 'a t2');
    net.put('a guest', GUEST_A);
    await net.pass(SECOND);
    expect(net.storm).toBe(0);
    expect(net.said).toHaveLength(1);
    expect(net.said[0]).toMatch(/^found a (t1 t2|t2 t1) 0$/);
    await net.pass(60 * SECOND);
    expect(net.said).toHaveLength(1);
  });

  it('a port whose network sends everything back: it is blocked', async () => {
    await net.add('a', { guest: {}, t1: {} });
    net.reflect('a t1');
    net.put('a guest', GUEST_A);
    await net.pass(SECOND);
    for (let again = 0; again < 10; again++) {
      net.put('a guest', GUEST_A);
      await net.pass(40);
    }
    await net.pass(SECOND);
    expect(net.said).toEqual(['found a t1 t1 0']);
    expect(net.of('a').sources.model.ports.size).toBe(2);
  });

  it('three ports on one hub: two are blocked; without the open one, another opens', async () => {
    await net.add('a', { guest: {}, t1: {}, t2: {}, t3: {} });
    net.join('a t1', 'a t2', 'a t3');
    net.put('a guest', GUEST_A);
    await net.pass(SECOND);
    expect(net.storm).toBe(0);
    const blocked =
      net
        .of('a')
        .loops?.loops()
        .map(({ port }) => port) ?? [];
    expect(blocked).toHaveLength(2);
    const open = ['t1', 't2', 't3'].find((port) => !blocked.includes(port));
    net.cut(`a ${open}`);
    await net.pass(30 * SECOND);
    expect(net.of('a').loops?.loops()).toHaveLength(1);
  });

  it('in one VLAN: the log says which', async () => {
    const trunk = { vlans: [{ vid: 2 }, { vid: 3 }] };
    const guest = { vlans: [{ vid: 3, pvid: true, untagged: true }] };
    await net.add('a', { guest, t1: trunk, t2: trunk }, { vlan_filtering: true });
    net.join('a t1', 'a t2');
    net.put('a guest', GUEST_A);
    await net.pass(SECOND);
    expect(net.storm).toBe(0);
    expect(net.said).toHaveLength(1);
    expect(net.said[0]).toMatch(/^found a (t1 t2|t2 t1) 3$/);
  });

  it('while guests move MACs in 300 other VLANs: it is found within a second', async () => {
    const [all, last] = [{ vlans: [{ vid: '1-301' }] }, { vlans: [{ vid: 301 }] }];
    await net.add('a', { evil: all, bad: all, p: last, q: last }, { vlan_filtering: true, vlan_default_pvid: 0 });
    const moved = (vid: number): Uint8Array => frame({ source: B, destination: A, tci: vid });
    const provoke = async (laps: number): Promise<void> => {
      for (let lap = 0; lap < laps; lap++) {
        for (let vid = 1; vid <= 300; vid++) net.put(lap % 2 === 0 ? 'a evil' : 'a bad', moved(vid));
        await net.pass(20);
      }
    };
    await provoke(20);
    net.join('a p', 'a q');
    net.put('a evil', frame({ source: C, destination: BROADCAST, tci: 301 }));
    await provoke(40);
    expect(net.said).toHaveLength(1);
    expect(net.said[0]).toMatch(/^found a [pq] [pq] 301$/);
  });

  it('where nothing is learned: found by the rate of floods', async () => {
    const still = { learning: false };
    await net.add('a', { guest: still, t1: still, t2: still });
    net.join('a t1', 'a t2');
    for (let count = 0; count < 1000; count++) net.put('a guest', GUEST_A);
    await net.pass(SECOND);
    expect(net.storm).toBe(0);
    expect(net.said).toHaveLength(1);
  });

  it('a blocked port that is deleted leaves nothing: its successor forwards', async () => {
    const sw = await net.add('a', { guest: {}, t1: {}, t2: {} });
    net.join('a t1', 'a t2');
    net.put('a guest', GUEST_A);
    await net.pass(SECOND);
    const [loop] = sw.loops?.loops() ?? [];
    net.cut('a t1', 'a t2');
    await sw.controls.link({ op: 'del', name: loop.port });
    await sw.controls.link({ op: 'add', name: 'next', type: 'tap', master: 'br0' });
    await net.pass(200);
    net.put('a guest', GUEST_A);
    await net.pass(100);
    expect(net.take('a next', isGuests)).toHaveLength(1);
    expect(sw.loops?.loops()).toEqual([]);
  });
});

describe('hostile guests', () => {
  /** A guest that has a victim's MAC makes the switch look for a loop. @returns the probes that came to each port */
  async function provoke(): Promise<Record<'evil' | 'victim' | 'vx', Uint8Array[]>> {
    for (let turn = 0; turn < 30; turn++) {
      net.put('a victim', GUEST_A);
      net.put('a evil', GUEST_A);
      await net.pass(20);
    }
    const of = (port: string): Uint8Array[] => net.take(`a ${port}`, isProbe);
    return { evil: of('evil'), victim: of('victim'), vx: of('vx') };
  }

  beforeEach(async () => {
    await net.add('a', { evil: {}, victim: {}, other: {}, vx: { remotes: ['192.0.2.9'] } });
  });

  const blocked = (): string[] =>
    net
      .of('a')
      .loops?.loops()
      .map(({ port }) => port) ?? [];

  it('moves of MACs without a loop: probes at a low rate, and nothing is blocked', async () => {
    const { evil, vx } = await provoke();
    expect(evil.length).toBeGreaterThan(0);
    expect(evil.length).toBeLessThanOrEqual(10);
    expect(vx.length).toBeLessThanOrEqual(3);
    expect(blocked()).toEqual([]);
  });

  it('a guest that sends its probes back blocks its own port only', async () => {
    const { evil } = await provoke();
    net.put('a evil', evil.at(-1) as Uint8Array);
    await net.pass(100);
    expect(net.said).toEqual(['found a evil evil 0']);
    net.put('a victim', frame({ source: C, destination: BROADCAST }));
    await net.pass(100);
    expect(net.take('a other', isGuests).length).toBeGreaterThan(0);
  });

  it('a probe that was kept, changed or made up does nothing', async () => {
    const { evil } = await provoke();
    const last = evil.at(-1) as Uint8Array;
    for (let at = 14; at < 54; at++) {
      const forged = last.slice();
      forged[at] ^= 1;
      net.put('a evil', forged);
      if (at % 4 === 0) await net.pass(100);
    }
    await net.pass(3 * SECOND);
    net.put('a evil', last);
    await net.pass(SECOND);
    expect(net.said).toEqual([]);
  });

  it('with a friend behind a remote: its own port is blocked, not the tunnel', async () => {
    const { evil } = await provoke();
    net.put('a vx', evil.at(-1) as Uint8Array, '192.0.2.9');
    await net.pass(100);
    expect(net.said).toEqual(['found a evil vx 0']);
  });

  it('the probes of the tunnel: a remote that sends them back does nothing; a guest that does blocks its own port', async () => {
    const { vx } = await provoke();
    net.put('a vx', vx.at(-1) as Uint8Array, '192.0.2.9');
    await net.pass(100);
    expect(net.said).toEqual([]);
    net.put('a evil', vx.at(-1) as Uint8Array);
    await net.pass(100);
    expect(net.said).toEqual(['found a evil vx 0']);
  });

  it('it opens once the guest has stopped, and after each relapse later', async () => {
    const times: number[] = [];
    for (let relapse = 0; relapse < 3; relapse++) {
      const { evil } = await provoke();
      net.put('a evil', evil.at(-1) as Uint8Array);
      await net.pass(100);
      expect(blocked()).toEqual(['evil']);
      const since = net.time;
      while (blocked().length > 0 && net.time - since < 100 * SECOND) await net.pass(100);
      times.push(net.time - since);
    }
    expect(times[0]).toBeLessThanOrEqual(6 * SECOND);
    expect(times[1]).toBeGreaterThan(times[0]);
    expect(times[2]).toBeGreaterThan(times[1]);
  });
});

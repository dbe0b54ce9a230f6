import { describe, expect, it } from 'vitest';
import type { SwitchModel } from '../../../src/control/model/model.js';
import type { Transition } from '../../../src/control/model/transition.js';
import { VtepWatch } from '../../../src/control/watch/vtep-watch.js';
import { CounterReader, Counters } from '../../../src/dataplane/state/counters.js';
import { destinationOf } from '../../../src/dataplane/state/destination.js';
import { MET_IN_TICK, MET_OF_NETWORK, MET_OF_PORT } from '../../../src/encap/introductions.js';
import { createRemotes } from '../../../src/encap/remotes.js';
import { createFdb, FdbReader } from '../../../src/fdb/table.js';

const PORT = 3;

function scene() {
  const remotes = createRemotes();
  const counters = new Counters();
  const fdb = createFdb({ capacity: 16 });
  const done: number[][] = [];
  const members: number[] = [];
  const watch = new VtepWatch({
    model: { ports: new Map([['vx', { kind: 'vxlan', index: PORT }]]) } as unknown as SwitchModel,
    remotes,
    counters: new CounterReader([counters.memory]),
    fdb: new FdbReader(fdb.memory),
    members: () => new Set(members),
    carryOut: (change: () => Transition) => {
      const gone = change().structure.flatMap((o) => (o.op === 'remote-del' ? [o.remote] : []));
      done.push(gone);
      for (const remote of gone) {
        remotes.remove(remote);
        counters.clearRemote(remote);
      }
    },
  });
  const met = (host: number): number => remotes.admit(PORT, [0, 0, 0xffff, host], 0, 4789, host >> 5);
  return { watch, met, remotes, counters, fdb, done, members };
}

describe('VTEPs that a port has met', () => {
  it('are let go in the second round in which nothing needs them', async () => {
    const { watch, met, fdb, done } = scene();
    const idle = met(1);
    const needed = met(2);
    fdb.learn(0x0200, 1, 1, destinationOf(PORT, needed), PORT, 0);
    await watch.look();
    expect(done).toEqual([]);
    await watch.look();
    expect(done).toEqual([[idle]]);
    watch.stop();
  });

  it('stay as long as a group has them as members by hand', async () => {
    const { watch, met, done, members } = scene();
    members.push(met(1));
    for (let round = 0; round < 4; round++) await watch.look();
    expect(done).toEqual([]);
    watch.stop();
  });

  it('stay as long as something comes from them', async () => {
    const { watch, met, counters, done } = scene();
    const busy = met(1);
    for (let round = 0; round < 4; round++) {
      counters.receivedFrom(busy, 0, 60);
      await watch.look();
    }
    expect(done).toEqual([]);
    watch.stop();
  });
});

describe('forged sources', () => {
  it('33,000 of one frame each give way to new VTEPs, and one with traffic stays', () => {
    const { watch, remotes, counters, done } = scene();
    let tick = 1000;
    const come = (a3: number): number => remotes.admit(PORT, [0, 0, 0xffff, a3], 0, 4789, tick);
    const busy = come(0x0a000001);
    let refused = 0;
    for (let forged = 0; forged < 33_000; ) {
      counters.setTick(++tick);
      for (let i = 0; i < 100; i++) {
        // Each in a network of its own, which costs an attacker nothing.
        const remote = come(0x0b000000 + (forged++ << 8));
        if (remote === 0) refused++;
        else counters.receivedFrom(remote, 0, 60);
      }
      counters.receivedFrom(busy, 0, 60);
      remotes.hear(busy, tick);
      if (tick % 10 === 0) watch.relieve();
    }
    // No more than a port may meet in these ticks, and fewer, since for a while the table is full.
    expect(33_000 - refused).toBeLessThanOrEqual(330 * MET_IN_TICK);
    expect(remotes.learnedOf(PORT)).toBeLessThanOrEqual(MET_OF_PORT);
    expect(done.length).toBeGreaterThan(0);
    expect(done.flat()).not.toContain(busy);
    // Five seconds later they are idle enough, and there is room.
    tick += 51;
    counters.setTick(tick);
    for (let round = 0; round < 3; round++) watch.relieve();
    expect(remotes.learnedOf(PORT)).toBeLessThanOrEqual((MET_OF_PORT * 3) / 4);
    expect(remotes.isFindable(PORT, busy)).toBe(true);
    expect(come(0x0a000002)).not.toBe(0);
    watch.stop();
  });

  it('of one IPv6 network leave the VTEPs of others alone', () => {
    const { watch, remotes, counters, done } = scene();
    const come = (network: number, host: number, tick: number): number =>
      remotes.admit(PORT, [0x20010db8, network, host, 1], 0, 4789, tick);
    const quiet = come(1, 1, 1);
    const forged = Array.from({ length: MET_OF_NETWORK }, (_, i) => come(7, i, 2 + (i >> 5)));
    counters.setTick(100);
    watch.relieve();
    expect(done).toEqual([forged.slice(0, MET_OF_NETWORK / 2)]);
    expect(remotes.isFindable(PORT, quiet)).toBe(true);
    watch.relieve();
    expect(done).toHaveLength(1);
    watch.stop();
  });

  it('that go on sending stay a minute once they are silent', () => {
    const { watch, remotes, counters, done } = scene();
    const lasting = Array.from({ length: MET_OF_NETWORK }, (_, i) =>
      remotes.admit(PORT, [0x20010db8, 7, i, 1], 0, 4789, i >> 5),
    );
    for (const remote of lasting) counters.receivedFrom(remote, 0, 6000, 100);
    counters.setTick(500);
    watch.relieve();
    expect(done).toEqual([]);
    counters.setTick(700);
    watch.relieve();
    expect(done).toEqual([lasting.slice(0, MET_OF_NETWORK / 2)]);
    watch.stop();
  });

  it('never push out a member of a group by hand', () => {
    const { watch, remotes, counters, done, members } = scene();
    for (let i = 0; i < MET_OF_NETWORK; i++) members.push(remotes.admit(PORT, [0x20010db8, 7, i, 1], 0, 4789, i >> 5));
    counters.setTick(10_000);
    watch.relieve();
    expect(done).toEqual([]);
    watch.stop();
  });
});

import { describe, expect, it } from 'vitest';
import type { Transition } from '../../../src/control/change/transition.js';
import type { SwitchModel } from '../../../src/control/model.js';
import { VtepWatch } from '../../../src/control/watch/vtep-watch.js';
import { CounterReader, Counters } from '../../../src/dataplane/counters.js';
import { destinationOf } from '../../../src/dataplane/forwarding.js';
import { RemoteTable } from '../../../src/encap/remotes.js';
import { createFdb, FdbReader } from '../../../src/fdb/table.js';

const PORT = 3;

function scene() {
  const remotes = new RemoteTable();
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
    carryOut: (change: () => Transition) =>
      done.push(change().structure.flatMap((o) => (o.op === 'remote-del' ? [o.remote] : []))),
  });
  const met = (host: number): number => remotes.admit(PORT, [0, 0, 0xffff, host], 0, 4789);
  return { watch, met, counters, fdb, done, members };
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

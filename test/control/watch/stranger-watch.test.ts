import { describe, expect, it } from 'vitest';
import type { SwitchEvent } from '../../../src/api/api.js';
import type { SwitchModel } from '../../../src/control/model/model.js';
import { StrangerWatch } from '../../../src/control/watch/stranger-watch.js';
import { CounterReader, Counters } from '../../../src/dataplane/state/counters.js';
import { createRemotes } from '../../../src/encap/remotes.js';

function scene() {
  const counters = new Counters();
  const remotes = createRemotes();
  const told: SwitchEvent[] = [];
  const said: [string, number][] = [];
  const port = { kind: 'vxlan', name: 'vx', config: { accept_vteps: 'known' } };
  const clock = { ms: 0, tick: 0 };
  const watch = new StrangerWatch({
    model: { portAt: [undefined, port] } as unknown as SwitchModel,
    counters: new CounterReader([counters.memory]),
    remotes,
    tell: (event) => told.push(event),
    say: ({ address }, heldBack) => said.push([address, heldBack]),
    now: () => clock.ms,
  });
  watch.stop(); // the test looks by itself
  const wordsOf = (host: number): number[] => [0, 0, 0xffff, 0x0a000000 + host];
  const meet = (host: number, count = 1): void => {
    for (let n = 0; n < count; n++) counters.unknownVteps.met(1, 42, wordsOf(host), 0, clock.tick);
  };
  const pass = (ms: number): void => {
    clock.ms += ms;
    clock.tick += ms / 100;
    counters.setTick(clock.tick);
    watch.look();
  };
  return { remotes, told, said, port, meet, pass, wordsOf };
}

describe('addresses that are no remotes', () => {
  it('are told of with their counts, and again as long as they go on', () => {
    const { told, said, meet, pass } = scene();
    meet(1, 3);
    pass(1000);
    expect(told).toMatchObject([{ event: 'vtep_unknown', ifname: 'vx', address: '10.0.0.1', vni: 42, count: 3 }]);
    expect(said).toEqual([['10.0.0.1', 0]]);
    for (let second = 0; second < 58; second++) {
      meet(1);
      pass(1000);
    }
    expect(told).toHaveLength(1);
    meet(1);
    pass(2000);
    expect(told.slice(1)).toMatchObject([{ count: 62 }]);
    for (let second = 0; second < 300; second++) pass(1000);
    expect(told).toHaveLength(2);
  });

  it('that the port takes by now are none', () => {
    const { remotes, told, port, meet, pass, wordsOf } = scene();
    meet(1);
    remotes.add(1, 1, wordsOf(1), 4789, true);
    pass(1000);
    meet(2);
    port.config.accept_vteps = 'any';
    pass(1000);
    expect(told).toEqual([]);
  });

  it('of any number make few events and fewer lines', () => {
    const { told, said, meet, pass } = scene();
    let host = 0;
    for (let second = 0; second < 600; second++) {
      for (let n = 0; n < 200; n++) meet(++host);
      pass(1000);
    }
    expect(told.length).toBeGreaterThan(600);
    expect(told.length).toBeLessThanOrEqual(600 * 8);
    // Four at once, and one in each 15 seconds.
    expect(said.length).toBeLessThanOrEqual(4 + 600 / 15);
    expect(said.reduce((sum, [, heldBack]) => sum + heldBack + 1, 0)).toBeLessThanOrEqual(told.length);
    expect(said.at(-1)?.[1]).toBeGreaterThan(8);
  });
});

/** Number of path checks to remotes: each costs a socket. Counted, not timed. */
import { describe, expect, it } from 'vitest';
import type { SwitchModel } from '../../../src/control/model/model.js';
import type { Transition } from '../../../src/control/model/transition.js';
import { MtuWatch } from '../../../src/control/watch/mtu-watch.js';
import { createRemotes } from '../../../src/encap/remotes.js';

const PORT = 3;
const LOOKS_A_SECOND = 10;

function scene(configured: number) {
  const remotes = createRemotes();
  const port = {
    kind: 'vxlan',
    index: PORT,
    config: { accept_vteps: 'any' },
    vteps: new Map(
      Array.from({ length: configured }, (_, i) => {
        const address = `10.0.${i >> 8}.${i & 255}`;
        return [address, { address, home: i + 1, others: new Map() }];
      }),
    ),
  };
  const portAt = [];
  portAt[PORT] = port;
  const asked: string[] = [];
  const told: [remote: number, mtu: number][] = [];
  const sent = new Map<number, number>();
  const paths = new Map<string, number>();
  let settings = 0;
  const watch = new MtuWatch({
    model: { ports: new Map([['vx', port]]), portAt } as unknown as SwitchModel,
    remotes,
    sentTo: (remote) => sent.get(remote) ?? 0,
    pathMtu: (_port, address) => {
      asked.push(address);
      return paths.get(address) ?? 1500;
    },
    carryOut: (change: () => Transition) => {
      for (const o of change().structure) if (o.op === 'remote-mtu') told.push([o.remote, o.mtu]);
    },
    setMtus: () => {
      settings++;
    },
  });
  const seconds = (count: number): number => {
    const before = asked.length;
    for (let look = 0; look < count * LOOKS_A_SECOND; look++) watch.look();
    return asked.length - before;
  };
  let tick = 0;
  const meet = (a3: number): number => remotes.admit(PORT, [0, 0, 0xffff, a3], 0, 4789, tick++);
  return { watch, asked, told, sent, paths, seconds, meet, settings: () => settings };
}

describe('paths to the remotes of the configuration', () => {
  it.each([1, 15, 1000])('are asked for once a second each: %i remotes', (count) => {
    const { watch, asked, told, seconds } = scene(count);
    expect(seconds(1)).toBe(count);
    expect(new Set(asked).size).toBe(count);
    expect(told).toHaveLength(count);
    expect(seconds(3)).toBe(3 * count);
    expect(told).toHaveLength(count);
    watch.stop();
  });

  it('are asked for less often where they are very many', () => {
    const { watch, asked, seconds } = scene(20_000);
    expect(seconds(1)).toBeLessThanOrEqual(1280);
    seconds(15);
    expect(new Set(asked).size).toBe(20_000);
    watch.stop();
  });
});

describe('paths to VTEPs that engines have met', () => {
  it('are not asked for as long as nothing is sent there', () => {
    const { watch, seconds, meet } = scene(0);
    for (let i = 0; i < 4096; i++) meet(0x0b000000 + i);
    expect(seconds(10)).toBe(0);
    watch.stop();
  });

  it('are asked for where something was sent, again when there is more, and the guests keep their MTU', () => {
    const { watch, asked, told, sent, paths, seconds, meet, settings } = scene(0);
    const remote = meet(0x0b000001);
    meet(0x0b000002);
    sent.set(remote, 1);
    expect(seconds(3)).toBe(1);
    expect(told).toEqual([[remote, 1500]]);
    paths.set('11.0.0.1', 1400);
    expect(seconds(1)).toBe(0);
    sent.set(remote, 2);
    expect(seconds(1)).toBe(1);
    expect(told.at(-1)).toEqual([remote, 1400]);
    expect(asked).toEqual(['11.0.0.1', '11.0.0.1']);
    expect(settings()).toBe(0);
    watch.stop();
  });

  it('are 160 a second at most, and each has its turn', () => {
    const { watch, asked, sent, seconds, meet } = scene(0);
    const all = Array.from({ length: 1000 }, (_, i) => meet(0x0b000000 + i));
    let second = 0;
    for (; second < 7; second++) {
      for (const remote of all) sent.set(remote, second + 1);
      expect(seconds(1)).toBeLessThanOrEqual(160);
    }
    expect(new Set(asked).size).toBe(1000);
    watch.stop();
  });

  it('are asked for at once where the kernel finds a datagram too long', () => {
    const { watch, told, paths, meet } = scene(3);
    paths.set('11.0.0.1', 1280);
    paths.set('10.0.0.1', 1300);
    const remote = meet(0x0b000001);
    watch.tooBig(remote);
    watch.tooBig(2);
    watch.tooBig(remote + 1);
    expect(told).toEqual([
      [remote, 1280],
      [2, 1300],
    ]);
    watch.stop();
  });
});

/** Turns of probes: a tick has room for 96, and no port waits for the VLANs of another. */
import { describe, expect, it } from 'vitest';
import { MOST_PROBES, type Place, ProbeTurns } from '../../../src/control/loops/probe-turns.js';
import type { BridgeModel, Port } from '../../../src/control/model/model.js';

const BRIDGE = { name: 'br0' } as BridgeModel;

function portOf(name: string): Port {
  return { name } as Port;
}

/** Places of a port in so many VLANs, from 1 on. */
function trunk(port: Port, vlans: number, weight = 8): Place[] {
  return Array.from({ length: vlans }, (_, at) => ({ port, bridge: BRIDGE, vid: at + 1, weight }));
}

describe('two ports with moves in all VLANs, and a loop through two others', () => {
  const hostile = [portOf('e1'), portOf('e2')];
  const loop = [portOf('l1'), portOf('l2')].map((port) => ({ port, bridge: BRIDGE, vid: 7, weight: 8 }));
  const wanted = [...hostile.flatMap((port) => trunk(port, 4094)), ...loop];

  it('both ends of the loop have a probe in every tick', () => {
    const turns = new ProbeTurns();
    for (let tick = 0; tick < 20; tick++) {
      const chosen = turns.share(wanted);
      expect(chosen).toHaveLength(MOST_PROBES);
      expect(chosen).toEqual(expect.arrayContaining(loop));
    }
  });

  it('every VLAN of the others has its turn too, none twice before the last', () => {
    const turns = new ProbeTurns();
    const seen = new Map<string, number>();
    for (let tick = 0; tick < 90; tick++)
      for (const { port, vid } of turns.share(wanted)) {
        const key = `${port.name} ${vid}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
    for (const { name } of hostile)
      for (let vid = 2; vid <= 4094; vid++) expect([1, 2]).toContain(seen.get(`${name} ${vid}`));
  });
});

it('the VLAN with most moves of a port is probed in every tick', () => {
  const turns = new ProbeTurns();
  const port = portOf('trunk');
  const loop: Place = { port, bridge: BRIDGE, vid: 4000, weight: 9 };
  const wanted = [...trunk(port, 300), loop, ...trunk(port, 300)];
  for (let tick = 0; tick < 20; tick++) expect(turns.share(wanted)).toContain(loop);
});

it('more ports than a tick has room for: each has its turn', () => {
  const turns = new ProbeTurns();
  const wanted = Array.from({ length: 250 }, (_, at) => trunk(portOf(`p${at}`), 2)).flat();
  const seen = new Set<string>();
  for (let tick = 0; tick < 3; tick++) for (const { port } of turns.share(wanted)) seen.add(port.name);
  expect(seen.size).toBe(250);
});

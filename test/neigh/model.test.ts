/** The table against a Map that follows the rules in the plainest way, over random sequences of calls. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  createNeighbours,
  HEARD_BY_TUNNEL,
  HEARD_ROLE,
  HEARD_ROUTER,
  HEARD_WEAK,
  NEIGH_DISPUTED,
  NEIGH_MANUAL,
  NEIGH_ROUTER,
  NEIGH_TUNNEL,
  NeighReader,
  type NeighRow,
} from '../../src/neigh/table.js';

type Command =
  | { do: 'hear'; host: number; fid: number; mac: number; port: number; traits: number }
  | { do: 'set'; host: number; fid: number; mac: number; port: number; router: boolean }
  | { do: 'remove'; host: number; fid: number }
  | { do: 'wait'; ticks: number }
  | { do: 'flush'; port: number | undefined; fid: number | undefined; learnedOnly: boolean };

interface Bound {
  fid: number;
  host: number;
  mac: number;
  port: number;
  flags: number;
  stamp: number;
  changes: number[];
  rival: number;
}

/** Old enough for every sequence here. */
const AGEING = 300;
const address = (host: number): number[] => [0x20010db8, 0, host & 1, host];

class Model {
  readonly rows = new Map<string, Bound>();

  hear(command: Command & { do: 'hear' }, now: number): void {
    const { host, fid, mac, port, traits } = command;
    const key = `${fid} ${host}`;
    const held = this.rows.get(key);
    if (held !== undefined && (held.flags & NEIGH_MANUAL) !== 0) return;
    const same = held !== undefined && held.mac === mac;
    if (held !== undefined && !same) {
      if ((traits & HEARD_WEAK) !== 0) return;
      if ((held.flags & NEIGH_DISPUTED) !== 0) {
        const calm = now - held.rival > 50;
        if (!calm) held.rival = now;
        if (!calm) return;
        held.changes = [];
      }
      if (held.changes.length > 0 && now - held.changes[0] > 50) held.changes = [];
      if (held.changes.length + 1 >= 5) {
        held.flags |= NEIGH_DISPUTED;
        held.rival = now;
        return;
      }
    }
    const kept = same ? held.flags & (NEIGH_ROUTER | NEIGH_DISPUTED) : 0;
    let flags = ((traits & HEARD_BY_TUNNEL) !== 0 ? NEIGH_TUNNEL : 0) | kept;
    if ((traits & HEARD_ROLE) !== 0) {
      flags = (flags & ~NEIGH_ROUTER) | ((traits & HEARD_ROUTER) !== 0 ? NEIGH_ROUTER : 0);
    }
    const before = held?.changes ?? [];
    const changes = held === undefined || same ? before : [...before, now];
    this.rows.set(key, { fid, host, mac, port, flags, stamp: now, changes, rival: held?.rival ?? 0 });
  }

  set({ host, fid, mac, port, router }: Command & { do: 'set' }, now: number): void {
    const flags = NEIGH_MANUAL | (router ? NEIGH_ROUTER : 0);
    this.rows.set(`${fid} ${host}`, { fid, host, mac, port, flags, stamp: now, changes: [], rival: 0 });
  }

  pass(now: number): void {
    for (const [key, held] of this.rows) {
      if ((held.flags & NEIGH_MANUAL) === 0 && now - held.stamp >= AGEING) this.rows.delete(key);
      else if ((held.flags & NEIGH_DISPUTED) !== 0 && now - held.rival > 50) {
        held.flags &= ~NEIGH_DISPUTED;
        held.changes = [];
      }
    }
  }

  flush({ port, fid, learnedOnly }: Command & { do: 'flush' }): void {
    for (const [key, held] of this.rows) {
      if (port !== undefined && held.port !== port) continue;
      if (fid !== undefined && held.fid !== fid) continue;
      if (!learnedOnly || (held.flags & NEIGH_MANUAL) === 0) this.rows.delete(key);
    }
  }
}

const key = { host: fc.nat(11), fid: fc.integer({ min: 1, max: 2 }) };
const told = { ...key, mac: fc.integer({ min: 1, max: 3 }), port: fc.nat(2) };
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('hear' as const), ...told, traits: fc.nat(15) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('hear' as const), ...told, host: fc.nat(1), traits: fc.constant(0) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('set' as const), ...told, router: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), ...key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ticks: fc.oneof(fc.nat(20), fc.nat(200)) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('flush' as const),
      port: fc.option(fc.nat(2), { nil: undefined }),
      fid: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined }),
      learnedOnly: fc.boolean(),
    }),
  },
);

function expectSame(model: Model, rows: NeighRow[]): void {
  const shown = rows
    .map(({ fid, address: words, low, port, flags, stamp }) => ({
      fid,
      host: words[3],
      mac: low,
      port,
      flags,
      stamp,
    }))
    .sort((one, other) => one.fid - other.fid || one.host - other.host);
  const expected = [...model.rows.values()]
    .map(({ fid, host, mac, port, flags, stamp }) => ({ fid, host, mac, port, flags, stamp }))
    .sort((one, other) => one.fid - other.fid || one.host - other.host);
  expect(shown).toEqual(expected);
}

it('does what the model does', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 150 }), fc.nat(), (commands, seed) => {
      const model = new Model();
      const table = createNeighbours({ capacity: 48, ports: 4, ageing: AGEING, seed });
      const reader = new NeighReader(table.memory);
      const before = new Int32Array(4);
      let now = 1000;
      for (const step of commands) {
        if (step.do === 'hear') {
          model.hear(step, now);
          table.hear(step.fid, address(step.host), 0, 0x0200, step.mac, step.port, step.traits, now, before);
        } else if (step.do === 'set') {
          model.set(step, now);
          table.set(step.fid, address(step.host), 0x0200, step.mac, step.router, step.port, now);
        } else if (step.do === 'remove') {
          expect(table.remove(step.fid, address(step.host))).toBe(model.rows.delete(`${step.fid} ${step.host}`));
        } else if (step.do === 'wait') {
          now += step.ticks;
          model.pass(now);
          table.sweep(now, table.slots);
        } else {
          model.flush(step);
          const { port, fid, learnedOnly } = step;
          table.flush({ port, fids: fid === undefined ? undefined : [fid, fid], learnedOnly });
        }
        const rows: NeighRow[] = [];
        reader.forEach((row) => void rows.push(row));
        expectSame(model, rows);
        for (let fid = 1; fid <= 2; fid++) {
          for (let mac = 1; mac <= 3; mac++) {
            const isRouter = [...model.rows.values()].some(
              (held) => held.fid === fid && held.mac === mac && (held.flags & NEIGH_ROUTER) !== 0,
            );
            expect(table.isRouter(fid, 0x0200, mac)).toBe(isRouter);
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});

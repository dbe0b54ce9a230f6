/**
 * Nexthops, entries of groups, backups and flushes against a model, through random sequences of commands: what is refused, what is listed,
 * where each flow goes, and that flows stay with a member for as long as it is there. Then: the commands that `apply` prints.
 */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ChangeRefused } from '../../../src/control/controls.js';
import { packet } from '../../dataplane/support/frames.js';
import { long } from '../../long.js';
import { Console } from '../../conformance/support/console.js';

const MACS = ['02:00:00:00:09:01', '02:00:00:00:09:02', '02:00:00:00:09:03'];
const SINGLES = [1, 2, 3, 4];
const GROUPS = [10, 11];
const FLOWS = long(24, 8);
const GUEST = '02:00:00:00:00:01';
const DOCUMENT = {
  bridges: {
    br0: {
      ports: {
        t1: { type: 'tap' },
        t2: { type: 'tap', flood: false, backup_port: 'vx' },
        vx: { type: 'vxlan', id: 5, local: '192.0.2.100' },
      },
    },
  },
};

type Command =
  | { do: 'single'; verb: 'add' | 'replace'; id: number; last: number }
  | { do: 'group'; verb: 'add' | 'replace'; id: number; members: { id: number; weight: number }[] }
  | { do: 'del'; id: number }
  | { do: 'entry'; verb: 'add' | 'replace'; mac: string; to: number | 'dst' | 't2'; state: string; flags: string[] }
  | { do: 'fdb del'; mac: string }
  | { do: 'flush'; words: string[] }
  | { do: 'backup'; nhid: number; down: boolean };

const pick = fc.constantFrom;
const verb = pick('add' as const, 'replace' as const, 'replace' as const);
const members = fc.uniqueArray(fc.record({ id: pick(...SINGLES), weight: pick(1, 1, 2, 9) }), {
  selector: ({ id }) => id,
  minLength: 1,
  maxLength: 4,
});
const flushWords = fc
  .uniqueArray(
    pick(
      'static',
      'permanent',
      'dynamic',
      'nodynamic',
      'nostatic',
      'nopermanent',
      'router',
      'norouter',
      'sticky',
      'nosticky',
    ),
    { maxLength: 2 },
  )
  .chain((words) =>
    fc
      .uniqueArray(pick('nhid 10', 'nhid 11', 'dst 192.0.2.9', 'port 4789', 'added_by_user', 'noextern_learn'), {
        maxLength: 2,
        selector: (word) => word.split(' ')[0],
      })
      .map((more) => [...words, ...more]),
  );
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: pick('single' as const), verb, id: pick(...SINGLES), last: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ do: pick('group' as const), verb, id: pick(...GROUPS), members }),
  fc.record({ do: pick('del' as const), id: pick(...SINGLES, ...GROUPS) }),
  fc.record({
    do: pick('entry' as const),
    verb,
    mac: pick(...MACS),
    to: pick<(number | 'dst' | 't2')[]>(10, 10, 11, 1, 'dst', 't2'),
    state: pick('static', 'permanent', 'dynamic'),
    flags: fc.uniqueArray(pick('sticky', 'router'), { maxLength: 2 }),
  }),
  fc.record({ do: pick('fdb del' as const), mac: pick(...MACS) }),
  fc.record({ do: pick('flush' as const), words: flushWords }),
  fc.record({ do: pick('backup' as const), nhid: pick(0, 10, 11, 1), down: fc.boolean() }),
);

interface Entry {
  to: number | 'dst' | 't2';
  state: string;
  flags: string[];
}

/** The rules, said once more and plainly. */
class Model {
  readonly singles = new Map<number, number>();
  readonly groups = new Map<number, { id: number; weight: number }[]>();
  readonly entries = new Map<string, Entry>();
  backup = { nhid: 0, down: false };

  /** @returns false when the command is to be refused */
  apply(asked: Command): boolean {
    switch (asked.do) {
      case 'single':
        if (asked.verb === 'add' && this.singles.has(asked.id)) return false;
        this.singles.set(asked.id, asked.last);
        return true;
      case 'group':
        if (asked.verb === 'add' && this.groups.has(asked.id)) return false;
        if (!asked.members.every(({ id }) => this.singles.has(id))) return false;
        this.groups.set(asked.id, asked.members);
        return true;
      case 'del':
        return this.remove(asked.id);
      case 'entry':
        return this.put(asked);
      case 'fdb del':
        return this.entries.delete(asked.mac);
      case 'flush':
        for (const [mac, entry] of this.entries) if (flushes(asked.words, entry)) this.entries.delete(mac);
        return leavesAny(asked.words);
      case 'backup':
        this.backup = asked;
        return true;
    }
  }

  private remove(id: number): boolean {
    const there = this.singles.delete(id) || this.groups.delete(id);
    for (const [group, list] of this.groups) {
      const left = list.filter((one) => one.id !== id);
      if (left.length === 0) this.groups.delete(group);
      else this.groups.set(group, left);
    }
    for (const [mac, { to }] of this.entries)
      if (typeof to === 'number' && !this.groups.has(to)) this.entries.delete(mac);
    return there;
  }

  private put({ verb, mac, to, state, flags }: Extract<Command, { do: 'entry' }>): boolean {
    if (typeof to === 'number' && !this.groups.has(to)) return false;
    if (to === 't2' && flags.includes('router')) return false;
    if (verb === 'add' && this.entries.has(mac)) return false;
    this.entries.set(mac, { to, state, flags });
    return true;
  }

  /** The last bytes of the addresses that frames to a MAC may go to; null: they leave by t2; empty: nowhere. */
  placesOf(mac: string): number[] | null {
    const entry = this.entries.get(mac);
    if (entry === undefined) return [];
    if (entry.to === 'dst') return [9];
    if (entry.to !== 't2') return this.addresses(entry.to);
    if (!this.backup.down) return null;
    return this.addresses(this.backup.nhid);
  }

  private addresses(group: number): number[] {
    return (this.groups.get(group) ?? []).map(({ id }) => this.singles.get(id) as number);
  }
}

const STATES = ['static', 'permanent', 'dynamic'];

/** Whether words exclude each other's states. */
function leavesAny(words: readonly string[]): boolean {
  const states = words.filter((word) => STATES.includes(word));
  const not = STATES.filter(
    (state) => words.includes(`no${state}`) || (state === 'permanent' && words.includes('nostatic')),
  );
  return (states.length === 0 ? STATES : states).some((state) => !not.includes(state)) && !contradicts(words);
}

/** A flag and its negation are one word too many. */
const contradicts = (words: readonly string[]): boolean =>
  words.some((word) => !STATES.includes(word) && words.includes(`no${word}`));

function flushes(words: readonly string[], { to, state, flags }: Entry): boolean {
  if (!leavesAny(words)) return false;
  const says = words.some((word) => !/^(dst|port)/.test(word));
  if (!says && state !== 'dynamic') return false;
  const states = words.filter((word) => STATES.includes(word));
  return words.every((word) => {
    if (STATES.includes(word)) return states.includes(state);
    if (word === 'nostatic') return state === 'dynamic';
    if (STATES.includes(word.slice(2))) return state !== word.slice(2);
    if (word.startsWith('nhid')) return to === Number(word.slice(5));
    if (word.startsWith('dst') || word.startsWith('port')) return to === 'dst';
    if (word === 'added_by_user' || word === 'noextern_learn') return true;
    return word.startsWith('no') ? !flags.includes(word.slice(2)) : flags.includes(word);
  });
}

const groupText = (list: readonly { id: number; weight: number }[]): string =>
  list.map(({ id, weight }) => `${id},${weight}`).join('/');

function wordsOf(asked: Command): string {
  switch (asked.do) {
    case 'single':
      return `nexthop ${asked.verb} id ${asked.id} via 192.0.2.${asked.last} fdb`;
    case 'group':
      return `nexthop ${asked.verb} id ${asked.id} group ${groupText(asked.members)} fdb`;
    case 'del':
      return `nexthop del id ${asked.id}`;
    case 'entry': {
      const place =
        asked.to === 't2' ? 'dev t2' : asked.to === 'dst' ? 'dev vx dst 192.0.2.9' : `dev vx nhid ${asked.to}`;
      return `fdb ${asked.verb} ${asked.mac} ${place} ${asked.state} ${asked.flags.join(' ')}`.trim();
    }
    case 'fdb del':
      return `fdb del ${asked.mac} dev vx`;
    case 'flush':
      return `fdb flush br br0 ${asked.words.join(' ')}`.trim();
    case 'backup':
      return `link set t2 ${asked.down ? 'down' : 'up'} type bridge_slave backup_nhid ${asked.nhid}`;
  }
}

let sw: Console;

afterEach(() => sw.stop());

/** @returns whether it was carried out */
async function carried(words: string): Promise<boolean> {
  try {
    await sw.run(words);
    return true;
  } catch (error) {
    if (error instanceof ChangeRefused || (error as Error).name === 'UsageError') return false;
    throw error;
  }
}

/** Where each of many flows to a MAC goes: the last byte of the address, `t2`, or `-`. */
function flowsTo(mac: string): string[] {
  return Array.from({ length: FLOWS }, (_, flow) => {
    const bytes = packet({ source: GUEST, destination: mac, sourcePort: 1000 + flow });
    sw.live.inject(0, 't1', bytes);
    const to = sw.live.turn(0).map((left) => left.to);
    expect(to.length).toBeLessThan(2);
    return to[0] === undefined ? '-' : (/^vx>192\.0\.2\.(\d+):4789 vni 5$/.exec(to[0])?.[1] ?? to[0]);
  });
}

function check(model: Model, before: Map<string, { places: string; flows: string[]; group: unknown }>): void {
  for (const mac of MACS) {
    const places = model.placesOf(mac);
    const flows = flowsTo(mac);
    const allowed = places === null ? ['t2'] : places.length === 0 ? ['-'] : places.map(String);
    expect(flows.filter((to) => !allowed.includes(to))).toEqual([]);
    const entry = model.entries.get(mac);
    const group = typeof entry?.to === 'number' ? model.groups.get(entry.to) : undefined;
    before.set(mac, { places: JSON.stringify(places), flows, group });
  }
}

describe('nexthops against their model', () => {
  it('are right through random sequences of commands', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), async (commands) => {
        sw = await Console.start(DOCUMENT);
        const model = new Model();
        const before = new Map<string, { places: string; flows: string[]; group: unknown }>();
        for (const asked of commands) {
          // An entry of a TAP is deleted there.
          const isLocal = asked.do === 'fdb del' && model.entries.get(asked.mac)?.to === 't2';
          const words = isLocal ? wordsOf(asked).replace('dev vx', 'dev t2') : wordsOf(asked);
          const was = new Map([...before].map(([mac, seen]) => [mac, seen]));
          expect({ words, done: await carried(words) }).toEqual({ words, done: model.apply(asked) });
          check(model, before);
          if (asked.do === 'del') expectStable(model, was, before);
        }
        expect(sw.nexthops()).toHaveLength(model.singles.size + model.groups.size);
        expect(sw.fdb('', '').filter((line) => MACS.includes(line.slice(0, 17)))).toHaveLength(model.entries.size);
        sw.stop();
      }),
      { numRuns: long(400, 8) },
    );
  });

  /** Flows to members that are left have not moved. */
  function expectStable(
    model: Model,
    was: Map<string, { flows: string[] }>,
    is: Map<string, { flows: string[] }>,
  ): void {
    for (const [mac, { flows }] of was) {
      const entry = model.entries.get(mac);
      if (typeof entry?.to !== 'number') continue;
      const left = (model.placesOf(mac) ?? []).map(String);
      // Two members with one address look alike here.
      if (new Set(left).size < left.length) continue;
      const moved = flows.filter((to, at) => left.includes(to) && is.get(mac)?.flows[at] !== to);
      expect(moved.length === 0 || new Set(flows).size < 2).toBe(true);
    }
  }
});

describe('apply', () => {
  const nexthops = fc.tuple(fc.subarray(SINGLES, { minLength: 1 }), fc.array(members, { maxLength: 2 }), fc.nat(5));
  const files = nexthops.map(([singles, groups, shift]) => {
    const own = groups
      .map((list) => list.filter(({ id }) => singles.includes(id)))
      .flatMap((group, at) => (group.length === 0 ? [] : [{ id: GROUPS[at], group }]));
    const fdb = own.map(({ id }, at) => ({ mac: MACS[at], nhid: id, state: 'static' }));
    const { t1, t2, vx } = DOCUMENT.bridges.br0.ports;
    const backup = own[0] === undefined ? {} : { backup_nhid: own[0].id };
    return {
      nexthops: [...singles.map((id) => ({ id, via: `192.0.2.${id + shift}` })), ...own],
      bridges: {
        br0: { ports: { t1, t2: { ...t2, ...backup }, vx: { ...vx, ...(fdb.length === 0 ? {} : { fdb }) } } },
      },
    };
  });

  it('leads from any nexthops to any others, and so do the commands that it prints', async () => {
    await fc.assert(
      fc.asyncProperty(files, files, async (from, to) => {
        sw = await Console.start(from);
        const config = { name: 'live', fdb_size: 128, ...to };
        const { commands } = await sw.live.controls.apply({ config });
        const reached = [await sw.live.controls.stated(), MACS.map(flowsTo)];
        expect((await sw.live.controls.apply({ config })).commands).toEqual([]);
        sw.stop();
        sw = await Console.start(from);
        for (const line of commands) await sw.run(line);
        expect(sortedNexthops(await sw.live.controls.stated())).toEqual(sortedNexthops(reached[0] as never));
        expect(MACS.map(flowsTo)).toEqual(reached[1]);
        sw.stop();
      }),
      { numRuns: long(300, 8) },
    );
  });

  /** Their order is that of the commands. */
  function sortedNexthops(document: Record<string, unknown>): unknown {
    const list = (document.nexthops ?? []) as { id: number }[];
    return { ...document, nexthops: [...list].sort((one, other) => one.id - other.id).map(plain) };
  }

  function plain(one: { id: number; group?: { id: number; weight?: number }[] }): unknown {
    return one.group === undefined
      ? one
      : { id: one.id, group: one.group.map(({ id, weight = 1 }) => ({ id, weight })) };
  }
});

import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { searchCapacity, searchRate } from '../../src/bench/path/learning/search.js';
import { readOptions, UsageError } from '../../src/bench/path/options.js';
import { GOALS, type Goal, reached, verdict } from '../../src/bench/path/report/rows.js';
import { summarise } from '../../src/bench/path/report/statistics.js';
import type { Result, Sample } from '../../src/bench/path/types.js';
import { describe as describeEnd, Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { cases, LONG } from '../long.js';

const BENCH = fileURLToPath(new URL('../../dist/bundle/bench.js', import.meta.url));
/** A turn of the quick benchmark takes about 12 s on a quiet machine of two cores; on a busy one it may be run twice. */
const RUN_LIMIT_MS = 480_000;

const folder = mkdtempSync(join(tmpdir(), 'overtap-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tcp = (...streams: number[]): string[] =>
  streams.flatMap((count) => [`tcp${count}-there`, `tcp${count}-back`, `cpu${count}`]);
const FRAMES = ['frames64', 'frames512', 'frames1400'];
const LATENCY = ['p50', 'p99', 'p99.9'];
const FLOWS = ['flows64', 'imix'];
const LOAD = [...LATENCY.map((name) => `load-${name}`), 'load-rate'];
const PATH = [...tcp(1, 4, 16), ...FRAMES, ...FLOWS, ...LATENCY, ...LOAD];
const LEARNING = ['addresses', 'addresses-tried', 'learning', 'learning-offered'];
const MEASURES: Readonly<Record<string, readonly string[]>> = {
  kernel: [...PATH, ...LEARNING],
  floor: [...PATH, 'memory'],
  overtap: [...PATH, 'memory', ...LEARNING],
  ovs: [...PATH, 'memory'],
  'ovs-tso': [...tcp(1, 4), 'memory'],
  mixed: tcp(1),
  workers: [...tcp(4, 16), 'memory'],
  trains: [...tcp(1, 4), 'memory'],
  replicating: [...tcp(1), 'memory'],
  large: LEARNING,
};

/** What a run of the benchmark can leave behind bears its process id. */
function leftBy(pid: number): string[] {
  const mark = `otb-${pid}-`;
  return ['/run/netns', tmpdir()].flatMap((place) => readdirSync(place).filter((name) => name.startsWith(mark)));
}

/** Which namespaces have a name that begins so, as the kernel numbers them: they outlive their names while a program is inside. */
function namespacesNamed(prefix: string): Set<string> {
  const names = readdirSync('/run/netns').filter((name) => name.startsWith(prefix));
  return new Set(
    names.flatMap((name) => {
      const namespace = statSync(`/run/netns/${name}`, { throwIfNoEntry: false });
      return namespace === undefined ? [] : [`net:[${namespace.ino}]`];
    }),
  );
}

/** Those of a run that has ended which still are there: a number with a name by now is another program's namespace. */
function leftNamespaces(namespaces: ReadonlySet<string>): Set<string> {
  const others = namespacesNamed('');
  return new Set([...namespaces].filter((namespace) => !others.has(namespace)));
}

/** Command lines of the programs inside namespaces. */
function programsIn(namespaces: ReadonlySet<string>): string[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      if (!/^\d+$/.test(name) || !namespaces.has(readlinkSync(`/proc/${name}/ns/net`))) return [];
      return [readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

interface Run {
  readonly result: Result;
  readonly table: string;
}

/** Once more when a measure has failed: it waits for other programs, and no longer than some seconds. */
async function quick(name: string, ...options: string[]): Promise<Run> {
  const first = await quickOnce(name, ...options);
  const { failures } = first.result;
  if (failures.length === 0) return first;
  console.log(`once more, since a measure has failed: ${JSON.stringify(failures)}`);
  return quickOnce(`${name}-again`, ...options);
}

async function quickOnce(name: string, ...options: string[]): Promise<Run> {
  const file = join(folder, `${name}.json`);
  const program = new Program([process.execPath, BENCH, '--quick', '--json', file, ...options]);
  try {
    const ended = await program.ended;
    expect(existsSync(file), describeEnd(ended)).toBe(true);
    const result = JSON.parse(readFileSync(file, 'utf8')) as Result;
    expect(ended.status, describeEnd(ended)).toBe(result.failures.length === 0 ? 0 : 1);
    expect(leftBy(program.pid)).toEqual([]);
    return { result, table: ended.stdout };
  } finally {
    if (program.running) await program.stop('SIGTERM');
  }
}

function expectPositive(samples: readonly Sample[], variant: string, measures: readonly string[]): void {
  const own = samples.filter((sample) => sample.variant === variant);
  expect(own.map((sample) => sample.measure).sort()).toEqual([...measures].sort());
  for (const { measure, value } of own) expect(value, `${variant} ${measure}`).toBeGreaterThan(0);
}

describe('the figures of the benchmark', () => {
  const samples = (variant: string, measure: string, ...values: number[]): Sample[] =>
    values.map((value) => ({ column: 'A', variant, measure, value }));
  const goal = (text: string): Goal => {
    const found = GOALS.find((one) => one.text === text);
    if (found === undefined) throw new Error(`no goal is called ${text}`);
    return found;
  };

  it('are medians with the lowest and the highest', () => {
    const summary = summarise([...samples('kernel', 'p50', 5, 1, 9), ...samples('ovs', 'p50', 4, 1, 2, 9)]);
    expect(summary.A.p50.kernel).toEqual({ median: 5, low: 1, high: 9, count: 3 });
    expect(summary.A.p50.ovs).toEqual({ median: 3, low: 1, high: 9, count: 4 });
  });

  it('count the poorer direction, and the better variant where two may be used', () => {
    const summary = summarise([
      ...['there', 'back'].flatMap((way) => samples('kernel', `tcp4-${way}`, 10)),
      ...samples('overtap', 'tcp4-there', 9),
      ...samples('overtap', 'tcp4-back', 3),
      ...samples('workers', 'tcp4-there', 7),
      ...samples('workers', 'tcp4-back', 5),
    ]);
    const four = goal('A: TCP, 4 streams, to the kernel');
    expect(reached(four, summary)).toBe(0.5);
    expect([0.39, 0.4, 0.99, 1].map((value) => verdict(four, value))).toEqual(['short', 'at least', 'at least', 'aim']);
    expect(reached(goal('A: TCP, 1 stream, to the kernel'), summary)).toBeNull();
  });

  it('are better when they are less, for a round trip', () => {
    const p50 = goal('A: round trip p50, to the kernel');
    expect([1.1, 1.2, 1.4, 1.41].map((value) => verdict(p50, value))).toEqual(['aim', 'at least', 'at least', 'short']);
  });
});

interface Trial {
  readonly rate: number;
  readonly learned: boolean;
}

describe('the command line of the benchmark', () => {
  it('has measures and variants of its own for local ports', () => {
    const { only, columns, variants, isWhole } = readOptions(['--local']);
    expect({ only, columns, variants, isWhole }).toEqual({
      only: ['tcp', 'frames', 'latency'],
      columns: ['L'],
      variants: ['kernel', 'overtap', 'netdev', 'ovs'],
      isWhole: true,
    });
    expect(readOptions(['--local', '--variants', 'netdev']).isWhole).toBe(false);
    expect(readOptions([]).columns).toEqual(['A', 'B']);
  });

  it.each([
    [['--local', '--columns', 'A'], '--local has no columns: leave --columns out'],
    [['--local', '--only', 'learning'], '--only takes tcp, frames, latency, joined by commas, not "learning"'],
    [
      ['--local', '--variants', 'mixed'],
      '--variants takes kernel, overtap, netdev, ovs, joined by commas, not "mixed"',
    ],
    [['--variants', 'netdev'], /^--variants takes kernel, floor, overtap, ovs, .*not "netdev"$/],
  ])('refuses %s', (words, message) => {
    expect(() => readOptions(words)).toThrow(UsageError);
    expect(() => readOptions(words)).toThrow(message);
  });
});

describe('the searches of RFC 2889', () => {
  it.each([1, 2, 500, 999, 1000])('find that a table of 1,000 holds %i', async (room) => {
    const tried: number[] = [];
    const holds = (addresses: number): Promise<boolean> => {
      tried.push(addresses);
      return Promise.resolve(addresses <= room);
    };
    expect(await searchCapacity(holds, { most: 1000, step: 1 })).toBe(room);
    expect(tried.length).toBeLessThanOrEqual(20);
    expect(Math.min(...tried)).toBeGreaterThanOrEqual(1);
  });

  it('find a number as exactly as they are to, from below', async () => {
    const found = await searchCapacity((addresses) => Promise.resolve(addresses <= 900_000), {
      most: 1_048_576,
      step: 16_384,
    });
    expect(found).toBeLessThanOrEqual(900_000);
    expect(found).toBeGreaterThan(900_000 - 16_384);
  });

  it('refuse a table that holds nothing', async () => {
    await expect(searchCapacity(() => Promise.resolve(false), { most: 64, step: 1 })).rejects.toThrow(/not even 1 /);
  });

  /** A sender of at most 1,000,000 a second before a switch that learns `most`. */
  const learnsUpTo =
    (most: number) =>
    (wanted: number): Promise<Trial> => {
      const rate = wanted === 0 ? 1_000_000 : wanted;
      return Promise.resolve({ rate, learned: rate <= most });
    };

  it.each([30_000, 500_000, 990_000])('find a rate of %i, within a twentieth', async (most) => {
    const { learned, offered } = await searchRate(learnsUpTo(most), 20);
    expect(offered).toBe(1_000_000);
    expect(learned).toBeLessThanOrEqual(most);
    expect(learned).toBeGreaterThan(most * 0.95);
  });

  it('end at once where the sender is the limit', async () => {
    expect(await searchRate(learnsUpTo(2_000_000), 20)).toEqual({ learned: 1_000_000, offered: 1_000_000 });
  });

  it('count the rate that a sender came to, not the one that it was to have', async () => {
    const slow = async (wanted: number): Promise<Trial> => {
      const { rate, learned } = await learnsUpTo(500_000)(wanted);
      return { rate: wanted === 0 ? rate : rate / 2, learned };
    };
    expect((await searchRate(slow, 20)).learned).toBeLessThanOrEqual(250_000);
  });

  it('refuse a switch that misses addresses at every rate', async () => {
    await expect(searchRate(learnsUpTo(0), 20)).rejects.toThrow(/missed even at/);
  });
});

describe('the whole-path benchmark', () => {
  const some = ['kernel', 'floor', 'overtap'];
  const others = ['ovs', 'ovs-tso', 'mixed', 'workers', 'trains', 'replicating', 'large'];
  const whole = [some.join(','), [...some, ...others].join(',')];

  // In the short form what takes long is left out: flows, latency and load, and learning.
  const few = (measure: string): boolean => LONG || /^(tcp|cpu|frames|memory)/.test(measure);

  it.each(LONG ? whole : [whole[0]])(
    'measures %s in column A, and leaves nothing behind',
    { timeout: RUN_LIMIT_MS },
    async (names) => {
      const only = LONG ? [] : ['--only', 'tcp,frames'];
      const { result, table } = await quick('a', '--columns', 'A', '--goals', '--variants', names, ...only);
      const { variants } = result.settings;
      const ovs = result.machine.ovs;
      const isThere = (name: string): boolean =>
        name === 'ovs' ? ovs !== null : name !== 'ovs-tso' || (ovs !== null && Number.parseFloat(ovs) >= 3.3);
      expect(variants).toEqual(names.split(',').filter(isThere));
      expect(result.failures).toEqual([]);
      for (const variant of variants) expectPositive(result.samples, variant, MEASURES[variant].filter(few));
      expect(table).toMatch(/^prices, ns: null system call \d+, /m);
      expect(table).toMatch(/^A: offloads as they are$/m);
      expect(table).toMatch(/^ +kernel +floor +overtap .*overtap\/floor/m);
      if (names.includes('mixed')) expect(table).toMatch(/^TCP, 1 stream, overtap to kernel, Gb\/s( +[\d.-]+)+$/m);
      expect(table).toMatch(/^A floor tcp1-there( +[\d.-]+){4}$/m);
      expect(table).toMatch(/^A: frames of 64 B, to the kernel +1\.2 +2 +[\d.]+ +(short|at least|aim)$/m);
      if (!LONG) return;
      expect(table).toMatch(/^RFC 2889: /m);
      expect(table).toMatch(/^overtap( +[\d.]+){4}$/m);
    },
  );

  it.each(cases(['ipv6', 'ipv4'], 0))(
    'measures with the underlay as a plain NIC, over %s',
    { timeout: RUN_LIMIT_MS },
    async (family) => {
      const options = ['--columns', 'B', '--underlay', family, '--only', 'frames', '--variants', some.join(',')];
      const { result, table } = await quick('b', ...options);
      expect(result.failures).toEqual([]);
      expect([...new Set(result.samples.map((sample) => sample.column))]).toEqual(['B']);
      expectPositive(result.samples, 'kernel', FRAMES);
      for (const variant of ['floor', 'overtap']) expectPositive(result.samples, variant, [...FRAMES, 'memory']);
      expect(table).toContain(`underlay: ${family.replace('ip', 'IP')}; `);
      for (const { there, packetBytes } of result.paths ?? []) {
        expect(there).toBeGreaterThan(0);
        expect(packetBytes).toBeLessThanOrEqual(1518);
      }
    },
  );

  it('searches for the rates without loss', { timeout: RUN_LIMIT_MS }, async () => {
    const { result } = await quick('ndr', '--columns', 'A', '--only', 'ndr', '--variants', 'floor');
    expect(result.failures).toEqual([]);
    expectPositive(result.samples, 'floor', ['ndr', 'pdr', 'memory']);
  });

  it.each(cases(['netdev', 'overtap', 'kernel'], 1))(
    'measures local ports of %s, without an underlay',
    { timeout: RUN_LIMIT_MS },
    async (variant) => {
      const options = ['--local', '--only', 'frames,latency', '--variants', variant];
      const { result, table } = await quick(`local-${variant}`, ...options);
      expect(result.failures).toEqual([]);
      expect([...new Set(result.samples.map((sample) => sample.column))]).toEqual(['L']);
      const memory = variant === 'kernel' ? [] : ['memory'];
      expectPositive(result.samples, variant, ['frames64', ...LATENCY, ...memory]);
      expect(table).toMatch(/^Local ports: two guests on one switch/m);
      expect(table).toMatch(/^round trip, p99, us +[\d.]+$/m);
    },
  );

  it.each(cases(['routed', 'routed-kernel'], 1))(
    'measures %s: guests in two subnets, on one switch and on two',
    { timeout: RUN_LIMIT_MS },
    async (variant) => {
      const { result, table } = await quick(variant, '--routed', '--only', 'frames', '--variants', variant);
      expect(result.failures).toEqual([]);
      expect([...new Set(result.samples.map((sample) => sample.column))]).toEqual(['L', 'A']);
      const memory = variant === 'routed' ? ['memory'] : [];
      const inColumn = (wanted: string) => result.samples.filter(({ column }) => column === wanted);
      expectPositive(inColumn('L'), variant, ['frames64', ...memory]);
      expectPositive(inColumn('A'), variant, [...FRAMES, ...memory]);
      expect(table).toMatch(/^frames of 64 B, k\/s +\d+$/m);
      // In column A they have crossed the tunnel, which `prove` has checked.
      expect(result.paths?.map(({ measures }) => measures)).toContain('frames64');
    },
  );

  const signals = [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const;
  it.each(cases<(typeof signals)[number]>(signals, 1))('takes everything away on %s', async (signal, status) => {
    const program = new Program([process.execPath, BENCH, '--columns', 'A', '--variants', 'overtap']);
    try {
      const inside = (): string[] => programsIn(namespacesNamed(`otb-${program.pid}-`));
      const measures = (): boolean => inside().some((command) => command.startsWith('iperf3 -J'));
      await until('a measure runs', measures, 60_000); // prices come first
      const namespaces = namespacesNamed(`otb-${program.pid}-`);
      expect(namespaces.size).toBe(4);
      expect(inside().length).toBeGreaterThanOrEqual(4); // two switches, and iperf3 twice
      const { ended } = await program.stop(signal, 20_000);
      expect(ended.status, describeEnd(ended)).toBe(status);
      expect(ended.stderr).toContain(`interrupted by ${signal}; everything is removed`);
      expect(leftBy(program.pid)).toEqual([]);
      expect(programsIn(leftNamespaces(namespaces))).toEqual([]);
    } finally {
      if (program.running) await program.stop('SIGTERM', 20_000);
    }
  });

  it('names every tool that is missing, and its package', async () => {
    const program = new Program(['env', 'PATH=/nonexistent', process.execPath, BENCH, '--quick']);
    const ended = await program.ended;
    expect(ended.status).toBe(1);
    expect(ended.stderr).toMatch(/^overtap bench: missing: .*iperf3.*\. On Debian: apt-get install -y .*iperf3.*\n$/);
  });
});

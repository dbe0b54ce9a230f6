/**
 * The machine's prices: what the primitives cost that switches are made of (src/bench/native/prices.c), measured before and after a
 * run. Figures of two machines can be compared only beside them, and a machine whose prices change during a run is not fit to
 * measure on. Also the signs of a busy machine: load, other programs' processor time, stolen time.
 */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { compiledProgram } from '../programs/compile.js';
import { Ground } from '../site/ground.js';

/** Rounds of each price, of which the median counts. */
const ROUNDS = 15;
const QUICK_ROUNDS = 3;
const LIMIT_MS = 60_000;
/** Difference of a price at the end of a run above which the machine is called unstable. */
const STABLE = 0.15;
/** Wakeups depend on what else runs at that very moment, and differ by more than this between two idle runs. */
const STABLE_WAKEUP = 0.5;
/** Load average of the last minute above which the machine is called busy. */
const BUSY_LOAD = 0.5;
/** Share of all processors' time that other programs may use, and that a hypervisor may take away. */
const BUSY_SHARE = 0.05;
const STOLEN_SHARE = 0.01;
const LOOK_MS = 1000;

/** Nanoseconds: median of the rounds, lowest, highest. */
export interface Price {
  readonly ns: number;
  readonly low: number;
  readonly high: number;
}

export type Prices = Readonly<Record<string, Price>>;

/** The prices in the order of the report; a machine with one core has no `wake_other_cpu`. */
export const PRICE_TEXT: Readonly<Record<string, string>> = {
  null_call: 'null system call',
  epoll_wait_0: 'epoll_wait without waiting',
  tap_read_64: 'TAP read, 64 B',
  tap_read_62k: 'TAP read, 62 KB',
  tap_write_64: 'TAP write, 64 B',
  tap_write_62k: 'TAP write, 62 KB',
  wake_same_cpu: 'wakeup, same CPU',
  wake_other_cpu: 'wakeup, other CPU',
  copy_64k_cached: 'copy of 64 KiB, cached',
  copy_64k_memory: 'copy of 64 KiB, memory',
};

/** Measures all prices, in a namespace made for it; takes some seconds. */
export async function measurePrices(signal: AbortSignal, quick: boolean): Promise<Prices> {
  const ground = new Ground(signal);
  try {
    const path = await compiledProgram('prices', signal);
    const netns = ground.nameOf('prices');
    await ground.addNamespaces([netns]);
    return JSON.parse(await ground.run(netns, [path, `${quick ? QUICK_ROUNDS : ROUNDS}`], { limitMs: LIMIT_MS }));
  } finally {
    await ground.takeDown();
  }
}

/** One line for the terminal and for the report. */
export function priceLine(prices: Prices): string {
  const texts = Object.entries(PRICE_TEXT).flatMap(([name, text]) =>
    prices[name] === undefined ? [] : [`${text} ${prices[name].ns.toFixed(0)}`],
  );
  return `prices, ns: ${texts.join(', ')}`;
}

/** Which prices differ between start and end of a run by more than a stable machine's would. @returns a sentence for each */
export function unstablePrices(before: Prices, after: Prices): string[] {
  return Object.entries(PRICE_TEXT).flatMap(([name, text]) => {
    const [first, last] = [before[name]?.ns, after[name]?.ns];
    if (first === undefined || last === undefined) return [];
    const change = last / first - 1;
    if (Math.abs(change) <= (name.startsWith('wake') ? STABLE_WAKEUP : STABLE)) return [];
    const percent = `${change > 0 ? '+' : ''}${(change * 100).toFixed(0)} %`;
    return [
      `unstable: ${text} cost ${first.toFixed(0)} ns before the run and ${last.toFixed(0)} ns after it (${percent})`,
    ];
  });
}

/** Processor time since boot, in ticks of all processors together. */
export interface CpuTimes {
  readonly busy: number;
  readonly stolen: number;
  readonly all: number;
}

/** @param text of /proc/stat */
export function parseCpuTimes(text: string): CpuTimes {
  const [, ...fields] = text.split('\n', 1)[0].trim().split(/\s+/);
  const [user, nice, system, idle, iowait, irq, softirq, stolen = 0] = fields.map(Number);
  const busy = user + nice + system + irq + softirq;
  return { busy, stolen, all: busy + idle + iowait + stolen };
}

export function readCpuTimes(): CpuTimes {
  return parseCpuTimes(readFileSync('/proc/stat', 'latin1'));
}

/** The signs that other programs or machines will distort the figures. @param load average of the last minute */
export function busySigns(load: number, before: CpuTimes, after: CpuTimes): string[] {
  const all = Math.max(1, after.all - before.all);
  const [busy, stolen] = [(after.busy - before.busy) / all, (after.stolen - before.stolen) / all];
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  return [
    ...(load > BUSY_LOAD ? [`busy: the load of the last minute was ${load.toFixed(2)}`] : []),
    ...(busy > BUSY_SHARE ? [`busy: other programs used ${percent(busy)} of all processors just before`] : []),
    ...(stolen > STOLEN_SHARE
      ? [`busy: ${percent(stolen)} of the processors' time went to other machines (steal)`]
      : []),
  ];
}

/** Looks at the machine for a second, while the benchmark itself does nothing. */
export async function lookForOthers(signal: AbortSignal): Promise<string[]> {
  const before = readCpuTimes();
  await delay(LOOK_MS, null, { signal }).catch(() => undefined); // the run ends at its first turn then
  return busySigns(os.loadavg()[0], before, readCpuTimes());
}

/** The time that a hypervisor took away during a run, if it matters. */
export function stolenDuring(before: CpuTimes, after: CpuTimes): string[] {
  const share = (after.stolen - before.stolen) / Math.max(1, after.all - before.all);
  return share > STOLEN_SHARE
    ? [`unstable: ${(share * 100).toFixed(0)} % of the processors' time went to other machines (steal) during the run`]
    : [];
}

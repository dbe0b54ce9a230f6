/**
 * Guards the cost of a frame: no turn of the engine may take more than 5 % more than recorded, as a ratio to a reference loop of the
 * same run. `npm run bench:guard`; `-- --record` writes what this machine shows to bench/guard.json.
 *
 * V8 compiles in one thread here, and draws no random numbers: with its usual threads, the moment of each compilation changes what is
 * inlined, and the ratio by 6 % either way; without them by 1.5 %. What remains is bridged by several processes, of which the
 * median counts, and by a second look before anything is called slower. A ratio belongs to a processor and a version of Node;
 * for others nothing is recorded, and the guard says so. Whoever makes a turn slower on purpose records anew, in the same commit.
 *
 * Exit status: 0 within the bound, or nothing recorded; 1 slower.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const RECORD = fileURLToPath(new URL('../../../bench/guard.json', import.meta.url));
const MEASURE = fileURLToPath(new URL('guard-measure.js', import.meta.url));
const FLAGS = ['--single-threaded', '--no-concurrent-recompilation', '--random-seed=1', '--hash-seed=1'];
const LIMIT_MS = 120_000;
const PROCESSES = 3;
/** Looks of PROCESSES each before a turn is called slower. */
const LOOKS = 3;
/** A turn may take this much more than recorded. */
export const ALLOWED = 0.05;

/** Ratios by turn. */
export type Ratios = Readonly<Record<string, number>>;
/** Ratios by processor and Node. */
type Records = Readonly<Record<string, Ratios>>;

export interface Verdict {
  readonly turn: string;
  readonly ratio: number;
  /** Null: nothing is recorded for this machine. */
  readonly recorded: number | null;
  readonly isSlower: boolean;
}

/** Compares ratios with the recorded ones. */
export function judge(measured: Ratios, recorded: Ratios | undefined): Verdict[] {
  return Object.entries(measured).map(([turn, ratio]) => {
    const known = recorded?.[turn] ?? null;
    return { turn, ratio, recorded: known, isSlower: known !== null && ratio > known * (1 + ALLOWED) };
  });
}

/** The middle one of each turn's ratios. @param looks an odd number of measurements */
export function medians(looks: readonly Ratios[]): Ratios {
  return Object.fromEntries(
    Object.keys(looks[0]).map((turn) => {
      const sorted = looks.map((ratios) => ratios[turn]).sort((a, b) => a - b);
      return [turn, sorted[sorted.length >> 1]];
    }),
  );
}

/** The lower ratio of each turn: what a look shows that was not disturbed. */
export function lower(a: Ratios, b: Ratios): Ratios {
  return Object.fromEntries(Object.keys(a).map((turn) => [turn, Math.min(a[turn], b[turn])]));
}

/** The processor by its numbers, since its name may be as short as "AMD EPYC", and the version of Node. */
export function machineKey(cpuinfo: string, arch: string, node: string): string {
  const field = (name: string): string => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(cpuinfo)?.[1].trim() ?? '?';
  const numbers = ['cpu family', 'model', 'stepping', 'cache size'].map((name) => `${name} ${field(name)}`);
  return `${arch}, ${field('vendor_id')}, ${numbers.join(', ')}, Node ${node}`;
}

function look(): Ratios {
  const one = (): Ratios =>
    JSON.parse(execFileSync(process.execPath, [...FLAGS, MEASURE], { encoding: 'utf8', timeout: LIMIT_MS }));
  return medians(Array.from({ length: PROCESSES }, one));
}

function readRecords(): Records {
  return existsSync(RECORD) ? JSON.parse(readFileSync(RECORD, 'utf8')) : {};
}

function print(verdicts: readonly Verdict[]): void {
  for (const { turn, ratio, recorded, isSlower } of verdicts) {
    const change = recorded === null ? 'not recorded' : `${((ratio / recorded - 1) * 100).toFixed(1)} %`;
    console.log(`${turn.padEnd(28)}${ratio.toFixed(2).padStart(8)}${change.padStart(14)}${isSlower ? '  SLOWER' : ''}`);
  }
}

/** Measures, and compares with what is recorded. @returns the exit status */
export function guard(doRecord: boolean): number {
  const key = machineKey(readFileSync('/proc/cpuinfo', 'utf8'), process.arch, process.version);
  const records = readRecords();
  let ratios = doRecord ? medians(Array.from({ length: LOOKS }, look)) : look();
  const isSlower = (): boolean => judge(ratios, records[key]).some((verdict) => verdict.isSlower);
  // What is recorded is a median: the lowest of several looks would make every later one look 2 or 3 % slower.
  for (let looks = 1; looks < LOOKS && !doRecord && isSlower(); looks++) ratios = lower(ratios, look());
  const verdicts = judge(ratios, records[key]);
  console.log(`a frame's time by that in the reference loop; ${key}; at most +${ALLOWED * 100} %`);
  print(verdicts);
  if (doRecord) {
    const rounded = Object.fromEntries(Object.entries(ratios).map(([turn, ratio]) => [turn, Number(ratio.toFixed(3))]));
    writeFileSync(RECORD, `${JSON.stringify({ ...records, [key]: rounded }, null, 2)}\n`);
    console.log(`recorded in ${RECORD}`);
    return 0;
  }
  if (records[key] === undefined)
    console.log('nothing is recorded for this machine: "npm run bench:guard -- --record" on a commit that is good');
  return verdicts.some((verdict) => verdict.isSlower) ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.exitCode = guard(process.argv.includes('--record'));

/**
 * The benchmark's own C programs (src/bench/native): compiled with the system's compiler when a run first needs one, in a
 * folder of the run, for the very processor that runs them. `removePrograms` deletes the folder; `sweep` does it for killed runs.
 */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../../../lab/testbed/program.js';
import { PREFIX } from '../site/ground.js';

const SOURCES = fileURLToPath(new URL('../../../../src/bench/native', import.meta.url));
const FLAGS = ['-std=gnu11', '-D_GNU_SOURCE', '-O3', '-Wall', '-Wextra', '-pthread'];
const COMPILE_LIMIT_MS = 60_000;

/** The source files of each program. */
const PROGRAMS = {
  frames: ['frames.c', 'frames-make.c', 'frames-count.c', 'frames-send.c'],
  prices: ['prices.c'],
  floor: ['floor.c', 'floor-send.c', 'floor-receive.c', 'floor-sum.c'],
} as const satisfies Record<string, readonly string[]>;

export type ProgramName = keyof typeof PROGRAMS;

let folder: string | null = null;
const compiled = new Map<ProgramName, Promise<string>>();

/** The compiler: $CC, or the first of cc, gcc and clang in PATH; null if there is none. */
export function compiler(): string | null {
  const { CC, PATH = '' } = process.env;
  if (CC) return CC;
  return ['cc', 'gcc', 'clang'].find((name) => PATH.split(':').some((one) => isExecutable(join(one, name)))) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of a program, which is compiled at the first call. @throws when it cannot be compiled */
export function compiledProgram(name: ProgramName, signal?: AbortSignal): Promise<string> {
  const known = compiled.get(name) ?? compile(name, signal);
  compiled.set(name, known);
  return known;
}

async function compile(name: ProgramName, signal: AbortSignal | undefined): Promise<string> {
  const command = compiler();
  if (command === null) throw new Error(`${name} needs a C compiler. ${NO_COMPILER}`);
  folder ??= mkdtempSync(join(tmpdir(), `${PREFIX}-${process.pid}-programs-`));
  const output = join(folder, name);
  const sources = PROGRAMS[name].map((file) => join(SOURCES, file));
  // Other architectures than x86 have no -march=native in older compilers.
  const own = process.arch === 'x64' ? ['-march=native'] : [];
  await must([command, ...FLAGS, ...own, '-o', output, ...sources], {
    name: `compiling ${name}`,
    limitMs: COMPILE_LIMIT_MS,
    signal,
  });
  return output;
}

/** What to do without a compiler. */
export const NO_COMPILER = 'On Debian: apt-get install -y gcc libc6-dev linux-libc-dev';

/** Deletes the compiled programs. */
export function removePrograms(): void {
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
  folder = null;
  compiled.clear();
}

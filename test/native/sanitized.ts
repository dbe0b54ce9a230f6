/** Programs in C that call files of the addon under the address sanitizer, which ends them at the first byte outside. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * Builds and runs `fuzz-NAME.c` with OVERTAP_SEED (default 1) and a number of rounds.
 * @param sources of the addon, as paths below src/native @returns how many rounds came through, of how many, as it prints
 */
export function fuzz(name: string, sources: readonly string[], rounds: number): [number, number] {
  const directory = mkdtempSync(join(tmpdir(), `overtap-${name}-`));
  try {
    const program = join(directory, 'fuzz');
    const options = ['-std=gnu11', '-D_GNU_SOURCE', '-U_FORTIFY_SOURCE', '-O1', '-g', '-o', program];
    const checks = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
    const files = [`fuzz-${name}.c`, ...sources.map((source) => `../../src/native/${source}`)].map(place);
    execFileSync(process.env.CC ?? 'cc', [...options, ...checks, ...files], { stdio: 'pipe' });
    const words = [process.env.OVERTAP_SEED ?? '1', String(rounds)];
    const [come, all] = execFileSync(program, words, { encoding: 'utf8', stdio: 'pipe' }).split(' of ').map(Number);
    return [come, all];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

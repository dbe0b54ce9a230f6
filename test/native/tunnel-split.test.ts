/** Superframes of tunnels whose headers are not what they say: segmented under the address sanitizer (fuzz-tunnel.c). */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { long } from '../long.js';

const SOURCES = ['nic/netdev-tunnel.c', 'frames/headers.c', 'frames/checksum.c'].map(
  (name) => `../../src/native/${name}`,
);
const FUZZED = long(1_000_000, 10_000);
const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

test('mutated superframes stay inside their memory and their descriptors; most others are segmented', () => {
  const directory = mkdtempSync(join(tmpdir(), 'overtap-tunnel-'));
  try {
    const program = join(directory, 'fuzz');
    const options = ['-std=gnu11', '-D_GNU_SOURCE', '-U_FORTIFY_SOURCE', '-O1', '-g', '-o', program];
    const checks = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
    const sources = ['fuzz-tunnel.c', ...SOURCES].map(place);
    execFileSync(process.env.CC ?? 'cc', [...options, ...checks, ...sources], { stdio: 'pipe' });
    const words = [process.env.OVERTAP_SEED ?? '1', String(FUZZED)];
    const [taken, all] = execFileSync(program, words, { encoding: 'utf8', stdio: 'pipe' }).split(' of ').map(Number);
    expect(all).toBe(FUZZED);
    expect(taken).toBeGreaterThan(FUZZED / 2);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

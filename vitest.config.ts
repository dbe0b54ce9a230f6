import { readdirSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { LONG } from './test/long.js';

const E2E = 'test/e2e/**/*.test.ts';
/** These measure what the machine can do, have names of their own on it, or bounds of time: at most one more runs beside them. */
const ALONE = [
  'bench-path',
  'evpn-scale',
  'live-macs',
  'live-storm',
  'live-traffic',
  'liveness-time',
  'page',
  'soak',
].map((name) => `test/e2e/${name}.test.ts`);
/** These boot virtual machines. */
const LONG_ONLY = [
  'evpn-vrf-vm',
  'exec-vm',
  'geneve-vm',
  'kernel-vm',
  'libvirt',
  'machine-nics',
  'service-tags-vm',
  'vm',
  'vrf-vm',
].map((name) => `test/e2e/${name}.test.ts`);
/** For a property over many random cases, and for many rounds in the long run, on a machine that others may be using. */
const MINUTE = 60_000;
const slow = (minutes: number): number => (LONG ? 60 : minutes) * MINUTE;

/** With OVERTAP_LONG=1 only the files that have longer counts then. */
function wanted(patterns: string[]): string[] {
  if (!LONG) return patterns;
  const files = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));
  const paths = files.map((name) => `test/${name}`);
  return paths.filter((name) => LONG_ONLY.includes(name) || readFileSync(name, 'utf8').includes("/long.js'"));
}

/** One after the other: unit tests three at a time, end-to-end tests four at a time, since they wait a good deal, those that measure two at a time. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: wanted(['test/**/*.test.ts']),
          exclude: ['test/e2e/**'],
          setupFiles: ['test/setup.ts'],
          testTimeout: slow(1),
          hookTimeout: MINUTE,
          maxWorkers: 3,
          // The modules are loaded once for each worker, not for each file: that is a third of the processor time.
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Real TAPs, namespaces and sockets, named by the process.
        test: {
          name: 'e2e',
          include: wanted([E2E]),
          exclude: ['test/!(e2e)/**', ...ALONE, ...(LONG ? [] : LONG_ONLY)],
          globalSetup: 'test/e2e/compile-tools.ts',
          testTimeout: slow(2),
          hookTimeout: MINUTE,
          maxWorkers: 4,
          // Tests of one file, such as labs, beside those of others.
          maxConcurrency: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'e2e-alone',
          include: wanted(ALONE).filter((name) => ALONE.includes(name)),
          globalSetup: 'test/e2e/compile-tools.ts',
          testTimeout: slow(2),
          hookTimeout: MINUTE,
          // The soak of half an hour has bounds for a machine of its own.
          maxWorkers: LONG ? 1 : 2,
          maxConcurrency: 2,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});

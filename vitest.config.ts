import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          setupFiles: ['test/setup.ts'],
          // Properties over many random cases, on a machine that others may be using.
          testTimeout: 60_000,
          exclude: ['test/e2e/**'],
        },
      },
      {
        // Real TAPs, namespaces and sockets: one file at a time, the machine is theirs.
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});

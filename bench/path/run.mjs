/**
 * The whole-path benchmark's entry (`npm run bench`, `overtap bench`): reads the words, runs, ends with a status:
 * 0 done; 1 something failed; 2 usage; 128 + n after signal n. It owns no measure and no topology.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readOptions, USAGE, UsageError } from './options.mjs';

// Without a listener, SIGUSR1 has Node open its debugger on a TCP port.
process.on('SIGUSR1', () => {});

const BUILT = ['../../dist/cli/main.js', '../../build/Release'];

async function main(words) {
  try {
    const options = readOptions(words);
    if (options.help) {
      process.stdout.write(`${USAGE}\n`);
      return 0;
    }
    const missing = BUILT.find((path) => !existsSync(new URL(path, import.meta.url)));
    if (missing !== undefined)
      throw new Error(`${fileURLToPath(new URL(missing, import.meta.url))} is missing: build overtap first (npm ci)`);
    const { bench } = await import('./bench.mjs');
    return await bench(options);
  } catch (error) {
    const hint = error instanceof UsageError ? ' (see --help)' : '';
    process.stderr.write(`overtap bench: ${error.message}${hint}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

process.exitCode = await main(process.argv.slice(2));

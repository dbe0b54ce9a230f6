/**
 * The whole-path benchmark's entry (`npm run bench`, `overtap bench`): reads the words, runs, ends with a status:
 * 0 done; 1 something failed; 2 usage; 128 + n after signal n. It owns no measure and no topology.
 */
import { reasonOf } from '../../lab/testbed/errors.js';
import { readOptions, USAGE, UsageError } from './options.js';

// Without a listener, SIGUSR1 has Node open its debugger on a TCP port.
process.on('SIGUSR1', () => {});

async function main(words: readonly string[]): Promise<number> {
  try {
    const options = readOptions(words);
    if (options.help) {
      process.stdout.write(`${USAGE}\n`);
      return 0;
    }
    const { bench } = await import('./bench.js');
    return await bench(options);
  } catch (error) {
    const hint = error instanceof UsageError ? ' (see --help)' : '';
    process.stderr.write(`overtap bench: ${reasonOf(error)}${hint}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

process.exitCode = await main(process.argv.slice(2));

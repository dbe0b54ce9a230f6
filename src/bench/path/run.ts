/**
 * Entry of the whole-path benchmark (`npm run bench`, `overtap bench`). Exit status: 0 done; 1 something failed, or got worse in
 * a comparison; 2 wrong command line; 128 + n after signal n.
 */
import { reasonOf } from '../../lab/testbed/errors.js';
import { readOptions, USAGE, UsageError } from './options.js';

// Without a listener, Node opens its debugger on a TCP port at SIGUSR1.
process.on('SIGUSR1', () => {});

async function main(words: readonly string[]): Promise<number> {
  try {
    const options = readOptions(words);
    if (options.help) {
      process.stdout.write(`${USAGE}\n`);
      return 0;
    }
    if (options.compare !== null) {
      const { compareFiles } = await import('./compare/compare.js');
      return compareFiles(options.compare);
    }
    if (options.listen !== null) {
      const { serveFarEnd } = await import('./peer/far-end.js');
      return await serveFarEnd(options.listen);
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

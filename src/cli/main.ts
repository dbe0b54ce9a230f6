/**
 * The program's entry: joins `main` of program.ts to this process. Importing it runs it; it exports nothing.
 */
import { watchOutput } from './broken-pipe.js';
import { EXIT_DONE, EXIT_REFUSED, main } from './program.js';

const output = watchOutput(process.stdout);
// A write error of stderr, such as a full disk, cannot be reported anywhere.
watchOutput(process.stderr);

/** For commands that run until a signal; for others signals keep their default action. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  process.once('SIGINT', abort).once('SIGTERM', abort);
  process.stdout.once('error', abort);
  return controller.signal;
}

/** Standard output, with a note of whether it was used: the log of `run` goes there by a way of its own. */
let hasOutput = false;
const stdout = {
  columns: process.stdout.columns,
  write(text: string): boolean {
    hasOutput = true;
    return process.stdout.write(text);
  },
};

const { stderr, env } = process;
const status = await main(process.argv.slice(2), { stdout, stderr, env, interrupted });
if (!hasOutput) process.exit(status);
// Exits when the output is written or has failed, even if handles are still open.
process.stdout.write('', () => setImmediate(end));

function end(): void {
  const { fault } = output;
  if (fault === undefined) process.exit(status);
  const text = `overtap: the output could not be written: ${fault.message}; see whether the disk is full\n`;
  process.stderr.write(text, () => process.exit(status === EXIT_DONE ? EXIT_REFUSED : status));
}

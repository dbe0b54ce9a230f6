/**
 * The program's entry: joins `main` of program.ts to this process. Importing it runs it; it exports nothing.
 */
import { ignoreBrokenPipe } from './broken-pipe.js';
import { main } from './program.js';

ignoreBrokenPipe(process.stdout);
// What standard error does not take, such as on a full disk, can be told nowhere else.
process.stderr.on('error', () => undefined);

/** For commands that go on until they are told to end; others keep what a signal does by itself. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  process.once('SIGINT', abort).once('SIGTERM', abort);
  process.stdout.once('error', abort);
  return controller.signal;
}

const { stdout, stderr, env } = process;
const status = await main(process.argv.slice(2), { stdout, stderr, env, interrupted });
// Ends once what was written is out, whatever else may still be open.
process.stdout.write('', () => process.exit(status));

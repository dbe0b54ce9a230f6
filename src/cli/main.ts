/**
 * The program's entry: joins `main` of program.ts to this process. Importing it runs it; it exports nothing.
 */
import { ignoreBrokenPipe } from './broken-pipe.js';
import { main } from './program.js';

ignoreBrokenPipe(process.stdout);
ignoreBrokenPipe(process.stderr);

const status = await main(process.argv.slice(2), process);
// Ends once what was written is out, whatever else may still be open.
process.stdout.write('', () => process.exit(status));

/** `overtap replay`: runs a capture through a switch in memory. The work is in `src/replay`. */
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { readConfig } from '../read-config.js';

export async function run({ context, words, options }: Invocation): Promise<number> {
  const [file, ...more] = words;
  if (file === undefined || more.length > 0)
    throw new UsageError(
      'replay needs one capture file, as in: overtap replay -c FILE IN.pcapng (see "overtap help replay")',
    );
  const read = await readConfig(context, options.config as string);
  if (read.error !== undefined) {
    context.warn(read.error.format());
    return 2;
  }
  const { runReplay } = await context.rooms.replay();
  return runReplay(read.document, file, {
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.write === undefined ? {} : { write: options.write }),
    ...(options.expect === undefined ? {} : { expect: options.expect }),
    ndjson: options.ndjson !== undefined,
    ...outputOf(context),
  });
}

function outputOf(context: Context): { line(text: string): void; warn(text: string): void } {
  return { line: (text) => context.line(text), warn: (text) => context.warn(text) };
}

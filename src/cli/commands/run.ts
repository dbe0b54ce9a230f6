/**
 * `overtap run`: runs a switch in the foreground from a configuration file. The daemon (`src/control/daemon`) does the work.
 */
import type { CheckedDocument } from '../../config/load.js';
import type { Invocation } from '../context.js';
import { controlCheck, factsOf, readConfig } from '../read-config.js';

export async function run({ context, options }: Invocation): Promise<number> {
  const file = options.config ?? '';
  const { document, config, warnings, error } = await readConfig(context, file, controlCheck(context));
  if (error !== undefined) {
    context.warn(error.format());
    return 2;
  }
  const { runDaemon } = await context.rooms.daemon();
  const control = context.socketOption ?? config.control;
  const { loadDocument } = await context.rooms.config();
  const host = await factsOf(context);
  // A running switch must not block on a FIFO that has replaced the file.
  const reload = (): CheckedDocument => loadDocument(file, { regularFile: true, host });
  return runDaemon(
    { document, warnings, config: { ...config, control } },
    { logLevel: options.logLevel ?? 'info', reload },
  );
}

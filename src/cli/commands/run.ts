/**
 * `overtap run`: starts a switch in the foreground from a configuration file. It hands over to the daemon and keeps
 * nothing of its own.
 */
import type { Invocation } from '../context.js';
import { readConfig } from '../read-config.js';

export async function run({ context, options }: Invocation): Promise<number> {
  const { document, config, warnings, error } = await readConfig(context, options.config ?? '');
  if (error !== undefined) {
    context.io.stderr.write(`${error.format()}\n`);
    return 2;
  }
  const { runDaemon } = await context.rooms.daemon();
  const control = context.socketOption ?? config.control;
  return runDaemon({ document, warnings, config: { ...config, control } }, { logLevel: options.logLevel ?? 'info' });
}

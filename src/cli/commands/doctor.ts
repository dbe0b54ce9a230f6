/**
 * `overtap doctor`: checks a running switch or a configuration file, the host and the remotes, and prints one line per finding with
 * its remedy. The checks are in `src/doctor`.
 */
import { formatCheck, formatSummary } from '../../doctor/check.js';
import { examineConfig, examineHost, examineSwitch } from '../../doctor/doctor.js';
import type { Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { readConfig } from '../read-config.js';

export async function run({ context, options }: Invocation): Promise<number> {
  const { config: file, host } = options;
  let found: Awaited<ReturnType<typeof examineConfig>>;
  if (host !== undefined) {
    if (file !== undefined) throw new UsageError('doctor takes either --host or -c FILE, which examines the host too');
    found = await examineHost();
  } else if (file === undefined) {
    found = await examineSwitch(await context.client());
  } else {
    const read = await readConfig(context, file);
    if (read.error !== undefined) {
      context.warn(read.error.format());
      return 2;
    }
    found = await examineConfig(read);
  }
  if (context.json) {
    context.printJson(found);
  } else {
    for (const check of found.checks) context.line(formatCheck(check));
    context.line(formatSummary(found));
  }
  return found.ok ? 0 : 1;
}

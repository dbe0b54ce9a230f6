/**
 * `overtap apply`: changes a running switch to the configuration of a file. The file is loaded and checked here; the switch finds
 * the differences and applies them.
 */
import type { ApplyRequest } from '../../api/api.js';
import type { Invocation } from '../context.js';
import { readConfig } from '../read-config.js';

export async function run({ context, options }: Invocation): Promise<number> {
  const { document, error } = await readConfig(context, options.config ?? '');
  if (error !== undefined) {
    context.warn(error.format());
    return 2;
  }
  const request: ApplyRequest = { config: document };
  if (options.dryRun !== undefined) request.dry_run = true;
  const client = await context.client();
  const answer = await client.post('/v1/apply', request);
  for (const warning of answer.warnings ?? []) context.warn(`overtap: warning: ${warning}`);
  if (context.json) context.printJson(answer);
  else if (answer.commands.length === 0) context.line('nothing to do: the switch has this configuration');
  else for (const command of answer.commands) context.line(command);
  return 0;
}

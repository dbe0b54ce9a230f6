/**
 * `overtap upgrade`: the running switch starts the installed program, and gives it its guests.
 */
import type { Invocation } from '../context.js';

/** In milliseconds: the new process starts and opens everything, which takes half a minute with a thousand ports. */
const DEADLINE_MS = 120_000;

export async function run({ context }: Invocation): Promise<number> {
  const { createClient } = await import('../../client/client.js');
  const { socketPath } = await context.client();
  const answer = await createClient(socketPath, { deadlineMs: DEADLINE_MS }).post('/v1/upgrade', {});
  if (context.json) context.printJson(answer);
  else context.line(`process ${answer.pid}, version ${answer.version}; frames waited ${answer.gap_ms} ms`);
  return 0;
}

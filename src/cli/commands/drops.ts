/**
 * `overtap drops`: shows the last dropped frames of each reason, and with `--follow` those that come.
 */

import type { DroppedFrame } from '../../api/api.js';
import type { SwitchClient } from '../../client/client.js';
import { pause } from '../../client/pause.js';
import { dropText, Follower, missedText } from '../../sight/drops-text.js';
import { DROP_SENTENCES } from '../../text/drop-sentences.js';
import { nearest } from '../../values/did-you-mean.js';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';

/** Milliseconds between two looks of `--follow`: within this time 32 frames of a reason are kept, and shown. */
const FOLLOW_MS = 100;

export async function run({ context, options }: Invocation): Promise<number> {
  const { reason, follow } = options;
  const client = await context.client();
  if (follow !== undefined) return followDrops(context, client, reason);
  const rows = await dropsOf(client, reason);
  if (context.json) context.printJson(rows);
  else if (rows.length === 0) context.line(`no frame was dropped${reason === undefined ? '' : ` as ${reason}`}`);
  else for (const row of rows) context.print(dropText(row));
  return 0;
}

/** @throws UsageError for a reason that this program does not know */
export function expectReason(reason: string): void {
  if (DROP_SENTENCES[reason] !== undefined) return;
  const near = nearest(reason, Object.keys(DROP_SENTENCES));
  const hint = near === undefined ? 'docs/semantics.md lists all' : `did you mean "${near}"?`;
  throw new UsageError(`there is no drop reason "${reason}"; ${hint}`);
}

/** @throws UsageError for a reason that this program does not know */
async function dropsOf(client: SwitchClient, reason: string | undefined): Promise<DroppedFrame[]> {
  if (reason === undefined) return client.get('/v1/drops');
  expectReason(reason);
  return client.get(`/v1/drops?reason=${encodeURIComponent(reason)}`);
}

/** Prints drops from now on, until it is interrupted. */
async function followDrops(context: Context, client: SwitchClient, reason: string | undefined): Promise<number> {
  const signal = context.io.interrupted?.() ?? new AbortController().signal;
  const follower = new Follower();
  follower.take(await dropsOf(client, reason));
  while (!signal.aborted) {
    await pause(FOLLOW_MS, signal);
    if (signal.aborted) break;
    for (const { row, missed } of follower.take(await dropsOf(client, reason))) {
      if (context.json) context.printJson({ ...row, missed });
      else context.print(`${missed > 0 ? missedText(row.reason, missed) : ''}${dropText(row)}`);
    }
  }
  return 0;
}

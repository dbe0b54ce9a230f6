/** `overtap top`: rates of ports, remotes, VNIs and drops, again every second. */

import type { StatsAnswer } from '../../api/api.js';
import type { SwitchClient } from '../../client/client.js';
import { pause } from '../../client/pause.js';
import { SORTS, type Sort, topText } from '../../sight/top.js';
import { printable } from '../../text/printable.js';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { openPage, type Page } from '../terminal.js';
import { wholeNumber } from '../values.js';

const SECOND_MS = 1000;
/** Columns of the plain form. */
const WIDE = 120;

export async function run({ context, options }: Invocation): Promise<number> {
  const sort = sortOf(options.sort);
  const count = wholeNumber('-n', options.count, 1, 1_000_000);
  const client = await context.client();
  const signal = context.io.interrupted?.() ?? new AbortController().signal;
  const isPlain = options.plain !== undefined || context.json || process.stdout.isTTY !== true;
  await (isPlain ? printPages(context, client, signal, sort, count) : showPages(client, signal, sort, count));
  return 0;
}

/** @throws UsageError */
function sortOf(text = 'rx'): Sort {
  const known: readonly string[] = Object.values(SORTS);
  if (known.includes(text)) return text as Sort;
  throw new UsageError(`--sort takes ${known.join(', ')}, not "${text}"`);
}

/** Two readings of the counters, and the time between. */
interface Reading {
  name: string;
  seconds: number;
  before: StatsAnswer;
  now: StatsAnswer;
}

/** Reads the counters again and again, each time a second after the time before, until the signal aborts. */
async function* readings(
  client: SwitchClient,
  signal: AbortSignal,
  count = Number.POSITIVE_INFINITY,
): AsyncGenerator<Reading> {
  const { name } = await client.get('/v1/info');
  let before = await client.get('/v1/stats');
  let at = performance.now();
  for (let left = count; left > 0; left--) {
    await pause(SECOND_MS, signal);
    if (signal.aborted) return;
    const now = await client.get('/v1/stats');
    const then = performance.now();
    yield { name, seconds: (then - at) / SECOND_MS, before, now };
    before = now;
    at = then;
  }
}

async function printPages(
  context: Context,
  client: SwitchClient,
  signal: AbortSignal,
  sort: Sort,
  count?: number,
): Promise<void> {
  for await (const reading of readings(client, signal, count)) {
    if (context.json) context.printJson(reading);
    else context.line(`${topText(reading, sort, WIDE, 0)}\n`);
  }
}

async function showPages(client: SwitchClient, signal: AbortSignal, first: Sort, count?: number): Promise<void> {
  let sort = first;
  let last: Reading | undefined;
  const end = new AbortController();
  const draw = (): void => {
    if (last !== undefined) page.draw(printable(topText(last, sort, page.columns, page.rows)));
  };
  const page: Page = openPage((key) => {
    if (key === 'q') end.abort();
    const chosen = SORTS[key as keyof typeof SORTS];
    if (chosen !== undefined) sort = chosen;
    draw();
  });
  try {
    for await (const reading of readings(client, AbortSignal.any([signal, end.signal]), count)) {
      last = reading;
      draw();
    }
  } finally {
    page.leave();
  }
}

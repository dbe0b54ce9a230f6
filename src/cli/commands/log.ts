/**
 * `overtap log`: prints what a switch, or all of a lab, decide about frames, one line each, or groups of equal ways.
 */
import type { SeenFrame } from '../../sight/frames.js';
import { LineLimit, logLine, logRow, Ways } from '../../sight/log-text.js';
import { readFramesOf } from '../../sight/merged-frames.js';
import { Refusal } from '../../values/address.js';
import { readFrameFilter } from '../../values/frame-filter.js';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { expectPorts, sourcesOf, switchesOf } from '../switches.js';
import { wholeNumber } from '../values.js';
import { expectReason } from './drops.js';

/** Lines a second, unless `--rate` says otherwise. */
const RATE = 100;
/** Bytes of each frame that are looked at. */
const SNAPLEN = 128;

export async function run({ context, words, options }: Invocation): Promise<number> {
  const filter = filterOf(words);
  const count = wholeNumber('-n', options.count, 1, 1_000_000_000);
  const rate = wholeNumber('--rate', options.rate, 1, 100_000) ?? RATE;
  const switches = await switchesOf(context, options.lab);
  await expectPorts(switches, filter);
  const end = new AbortController();
  const signal = context.io.interrupted?.() ?? new AbortController().signal;
  const either = AbortSignal.any([signal, end.signal]);
  const output = options.paths === undefined ? new Lines(context, rate) : new Paths(context);
  let left = count ?? Number.POSITIVE_INFINITY;
  try {
    await readFramesOf(sourcesOf(switches, { snaplen: SNAPLEN, filter }), either, {
      frame(frame) {
        if (left <= 0) return;
        output.take(frame);
        if (--left <= 0) end.abort();
      },
      lost: (lost) => output.lose(lost),
    });
  } finally {
    output.end();
  }
  return 0;
}

/** @throws UsageError */
export function filterOf(words: readonly string[]): readonly string[] {
  const read = readFrameFilter(words);
  if (read instanceof Refusal) throw new UsageError(read.message);
  for (const reason of read.reason ?? []) expectReason(reason);
  return words;
}

interface Shown {
  take(frame: SeenFrame): void;
  lose(count: number): void;
  end(): void;
}

class Lines implements Shown {
  private readonly limit: LineLimit;

  constructor(
    private readonly context: Context,
    rate: number,
  ) {
    this.limit = new LineLimit(rate, () => performance.now());
  }

  take(frame: SeenFrame): void {
    if (!this.limit.admits()) return;
    this.tellHeld();
    if (this.context.json) this.context.printJson(logRow(frame));
    else this.context.line(logLine(frame));
  }

  lose(count: number): void {
    this.context.warn(`... ${count} packets were not recorded: they came too fast`);
  }

  end(): void {
    this.tellHeld();
  }

  private tellHeld(): void {
    const held = this.limit.takeHeld();
    if (held > 0) this.context.warn(`... ${held} more frames, not shown: see --rate, a filter, or --paths`);
  }
}

class Paths implements Shown {
  private readonly ways = new Ways();
  private lost = 0;

  constructor(private readonly context: Context) {}

  take(frame: SeenFrame): void {
    this.ways.add(frame);
  }

  lose(count: number): void {
    this.lost += count;
  }

  end(): void {
    if (this.context.json) this.context.printJson(this.ways.rows());
    else this.context.print(this.ways.text());
    if (this.lost > 0) this.context.warn(`... ${this.lost} packets were not recorded: they came too fast`);
  }
}

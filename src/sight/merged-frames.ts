/**
 * The frames of several switches in the order of their times. Each waits a while for earlier ones of others: streams come in pieces, a
 * hundred times a second at most. Bounded.
 */
import type { CaptureSource } from './capture.js';
import { readFrames, type SeenFrame, type Told } from './frames.js';

/** Milliseconds that a frame waits. */
const PATIENCE_MS = 300;
const FLUSH_MS = 100;
/** Frames that wait at most. */
const MAX_WAITING = 65_536;
const NANOSECONDS = 1_000_000n;

/** Puts frames in order. */
export class FrameMerger {
  private waiting: SeenFrame[] = [];

  constructor(private readonly tell: (frame: SeenFrame) => void) {}

  add(frame: SeenFrame): void {
    this.waiting.push(frame);
    if (this.waiting.length >= MAX_WAITING) this.flush();
  }

  /** Tells the frames of before `before`, nanoseconds since 1970; absent: all. */
  flush(before?: bigint): void {
    this.waiting.sort((one, other) => Number(one.time - other.time));
    const index = before === undefined ? -1 : this.waiting.findIndex(({ time }) => time > before);
    for (const frame of this.waiting.splice(0, index < 0 ? this.waiting.length : index)) this.tell(frame);
  }
}

/**
 * Reads the streams of switches until the signal aborts; frames of several ones have the name of theirs. When one stream fails, all end.
 * @throws what a stream throws
 */
export async function readFramesOf(sources: readonly CaptureSource[], signal: AbortSignal, told: Told): Promise<void> {
  if (sources.length === 1) return readFrames(sources[0].open(signal), told);
  const merger = new FrameMerger((frame) => told.frame(frame));
  const end = new AbortController();
  const either = AbortSignal.any([signal, end.signal]);
  let fault: { error: unknown } | undefined;
  const fail = (error: unknown): void => {
    fault ??= { error };
    end.abort();
  };
  const timer = setInterval(() => {
    try {
      merger.flush(BigInt(Date.now() - PATIENCE_MS) * NANOSECONDS);
    } catch (error) {
      fail(error);
    }
  }, FLUSH_MS);
  try {
    const read = async ({ name, open }: CaptureSource): Promise<void> => {
      const frame = (seen: SeenFrame): void => merger.add({ ...seen, switch: name });
      await readFrames(open(either), { ...told, frame });
    };
    await Promise.all(sources.map((source) => read(source).catch(fail)));
  } finally {
    clearInterval(timer);
  }
  merger.flush();
  if (fault !== undefined) throw fault.error;
}

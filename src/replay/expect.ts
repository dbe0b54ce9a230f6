/**
 * Compares what a switch sends with a capture of what it should send: port by port, frame by frame, without times. Ports do not wait for
 * one another, so the order between them does not matter.
 */
import { describeFrame } from '../frames/describe.js';
import { toHex } from '../wire/bytes.js';
import type { CapturedFrame } from './capture-file.js';
import type { SentFrame } from './replay.js';

/** The first difference. */
export interface Difference {
  port: string;
  /** Number of the frame at its port, from 1. */
  at: number;
  /** In words; absent: no further frame was expected, or was sent. */
  expected?: string;
  sent?: string;
}

export class Expectation {
  private readonly frames = new Map<string, Uint8Array[]>();
  private readonly seen = new Map<string, number>();

  constructor(frames: Iterable<CapturedFrame>) {
    for (const { port = '', bytes } of frames) {
      const list = this.frames.get(port) ?? [];
      list.push(bytes);
      this.frames.set(port, list);
    }
  }

  /** @returns the difference, if this is not the next frame of its port */
  meet({ port, bytes }: Pick<SentFrame, 'port' | 'bytes'>): Difference | undefined {
    const at = this.seen.get(port) ?? 0;
    this.seen.set(port, at + 1);
    const expected = this.frames.get(port)?.[at];
    if (expected !== undefined && toHex(expected) === toHex(bytes)) return undefined;
    const words = expected === undefined ? {} : { expected: describeFrame(expected) };
    return { port, at: at + 1, ...words, sent: describeFrame(bytes) };
  }

  /** @returns the first frame that was expected and not sent */
  rest(): Difference | undefined {
    for (const [port, list] of this.frames) {
      const at = this.seen.get(port) ?? 0;
      if (at < list.length) return { port, at: at + 1, expected: describeFrame(list[at]) };
    }
    return undefined;
  }
}

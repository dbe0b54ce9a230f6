/** One run of `overtap replay`: reads, replays, writes, compares, and says what was found. */
import type { TraceAnswer } from '../api/trace.js';
import type { Document } from '../config/edit/tree.js';
import { type CaptureSink, FileSink, isPipe, StreamSink } from '../sight/capture-file.js';
import { toHex } from '../wire/bytes.js';
import { interfaceBlock, LINK_ETHERNET, OUTBOUND, packetBlock, sectionBlock } from '../wire/pcapng.js';
import { capturedFrames } from './capture-file.js';
import { type Difference, Expectation } from './expect.js';
import { type ReplayedFrame, replay, type SentFrame } from './replay.js';

/** Bytes kept of a packet: all. */
const SNAPLEN = 0;
const STDOUT = 1;
/** Reasons of frames that are left out, told one by one. */
const MAX_REASONS = 50;
const NEVER = new AbortController().signal;

export interface ReplayRun {
  port?: string;
  /** A file, or `-`. */
  write?: string;
  expect?: string;
  ndjson: boolean;
  line(text: string): void;
  warn(text: string): void;
}

/** @returns the exit status: 1 with a difference @throws CaptureError, ConfigError, Error */
export async function runReplay(document: Document, file: string, options: ReplayRun): Promise<number> {
  const { port, write, expect, ndjson } = options;
  const expectation = expect === undefined ? undefined : new Expectation(capturedFrames(expect));
  const out = write === undefined ? undefined : new Output(write);
  const counts = { frames: 0, skipped: new Map<string, number>(), sent: 0 };
  try {
    const how = { ...(port === undefined ? {} : { port }), traces: ndjson || expectation !== undefined };
    for await (const frame of replay(document, capturedFrames(file), how)) {
      counts.frames++;
      counts.sent += frame.sent.length;
      if (frame.skipped !== undefined) countSkipped(counts.skipped, frame.skipped);
      if (ndjson) options.line(JSON.stringify(rowOf(frame)));
      for (const sent of frame.sent) await out?.write(sent);
      const found = expectation === undefined ? undefined : differenceOf(frame, expectation);
      if (found !== undefined) return tell(found, frame, options);
    }
  } finally {
    out?.close();
  }
  const missing = expectation?.rest();
  if (missing !== undefined) return tell(missing, undefined, options);
  summarise(counts, options, expect !== undefined);
  return 0;
}

/** A capture may name any number of interfaces. */
function countSkipped(skipped: Map<string, number>, why: string): void {
  const reason = skipped.has(why) || skipped.size < MAX_REASONS ? why : 'other reasons';
  skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
}

function differenceOf({ sent }: ReplayedFrame, expectation: Expectation): Difference | undefined {
  for (const one of sent) {
    const difference = expectation.meet(one);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function tell({ port, at, expected, sent }: Difference, frame: ReplayedFrame | undefined, { line }: ReplayRun): number {
  const by = frame === undefined ? 'The capture has ended' : `Frame ${frame.number}`;
  line(`${by}: frame ${at} of port ${port} differs.`);
  line(`  expected  ${expected ?? 'no further frame'}`);
  line(`  sent      ${sent ?? 'no further frame'}`);
  const trace: TraceAnswer | undefined = frame?.trace;
  if (trace === undefined) return 1;
  line(`What frame ${frame?.number} met at ${frame?.port}:`);
  for (const { stage, text } of trace.steps) line(`  ${stage.padEnd(11)} ${text}`);
  line(`  =           ${trace.verdict}${trace.reason === undefined ? '' : ` (${trace.reason})`}`);
  return 1;
}

function summarise(
  { frames, skipped, sent }: { frames: number; skipped: Map<string, number>; sent: number },
  { warn }: ReplayRun,
  compared: boolean,
): void {
  warn(`${counted(frames)} in, ${sent} sent${compared ? ', all as expected' : ''}`);
  for (const [why, count] of skipped) warn(`${counted(count)} left out: ${why}`);
}

const counted = (frames: number): string => `${frames} frame${frames === 1 ? '' : 's'}`;

/** A frame as a line of JSON. Times are seconds since 1970, as text: they have nine digits behind the point. */
function rowOf({ number, time, port, skipped, trace, sent }: ReplayedFrame): Record<string, unknown> {
  return {
    frame: number,
    time: `${time / 1_000_000_000n}.${(time % 1_000_000_000n).toString().padStart(9, '0')}`,
    ...(port === undefined ? {} : { port }),
    ...(skipped === undefined ? {} : { skipped }),
    ...(trace === undefined ? {} : { verdict: trace.verdict }),
    ...(trace?.reason === undefined ? {} : { reason: trace.reason }),
    sent: sent.map(({ port: to, left: { frame, remote } }) => ({
      port: to,
      ...(remote === undefined ? {} : { remote: remote.address, vni: remote.vni }),
      frame: toHex(frame),
    })),
  };
}

/** The capture that is written; an interface is described before its first packet. */
class Output {
  private readonly sink: CaptureSink;
  private readonly interfaces = new Map<string, number>();

  constructor(path: string) {
    if (path === '-') this.sink = new StreamSink(STDOUT);
    else this.sink = isPipe(path) ? new StreamSink(path) : new FileSink(path, null);
    this.sink.write(sectionBlock({ application: 'overtap replay' }));
  }

  /** Resolves when the reader of a pipe has taken it. */
  async write({ port, bytes, time }: SentFrame): Promise<void> {
    let at = this.interfaces.get(port);
    if (at === undefined) {
      at = this.interfaces.size;
      this.interfaces.set(port, at);
      this.sink.write(interfaceBlock({ name: port, linkType: LINK_ETHERNET, snaplen: SNAPLEN }));
    }
    this.sink.write(packetBlock({ interface: at, time, data: bytes, length: bytes.length, flags: OUTBOUND }));
    await this.sink.drained?.(NEVER);
  }

  close(): void {
    this.sink.close();
  }
}

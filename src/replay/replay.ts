/**
 * Runs the frames of a capture through a switch in memory: the times of the capture are its clock, and what it sends gets the time at
 * which it was sent. No two runs differ.
 */
import type { TraceAnswer } from '../api/trace.js';
import type { Document } from '../config/edit/tree.js';
import { type Left, MemorySwitch } from '../control/memory/memory-switch.js';
import { isTunnel } from '../control/model/model.js';
import { toHex } from '../wire/bytes.js';
import type { CapturedFrame } from './capture-file.js';
import { decapsulated, encapsulated } from './outer.js';

/** Nanoseconds of a millisecond, the unit of the switch's clock. */
const MS = 1_000_000n;
/** Gap between two frames at most: the clock of a capture may jump. */
const MOST_GAP = 24n * 3600n * 1000n;

/** A frame that the switch has sent. */
export interface SentFrame {
  port: string;
  /** As on the wire: at a vxlan port the whole outer packet. */
  bytes: Uint8Array;
  /** The inner frame, of a vxlan port. */
  left: Left;
  time: bigint;
}

/** A frame of the capture, and what came of it. */
export interface ReplayedFrame {
  number: number;
  time: bigint;
  /** Where it came in; absent: nowhere. */
  port?: string;
  /** Why it did not come in. */
  skipped?: string;
  /** What the switch said that it would do, just before. */
  trace?: TraceAnswer;
  /** What was sent since the frame before, and then by this one. */
  sent: SentFrame[];
}

export interface ReplayOptions {
  /** The port of frames whose interface names none. */
  port?: string;
  /** Whether each frame is traced before it comes in. */
  traces?: boolean;
}

/** @throws ConfigError for the document, Error when frames circle or `port` is none of the switch */
export async function* replay(
  document: Document,
  frames: Iterable<CapturedFrame>,
  options: ReplayOptions = {},
): AsyncGenerator<ReplayedFrame> {
  const sw = await MemorySwitch.start(document);
  try {
    if (options.port !== undefined && !sw.model.ports.has(options.port))
      throw new Error(
        `-i: the configuration has no port ${options.port}; it has ${[...sw.model.ports.keys()].join(', ')}`,
      );
    let start: bigint | undefined;
    let now = 0n;
    for (const frame of frames) {
      const time = frame.time ?? now;
      start ??= time;
      const sent = await advance(sw, start, time);
      now = time > now ? time : now;
      yield await takeIn(sw, frame, now, sent, options);
    }
  } finally {
    sw.stop();
  }
}

/** Moves the switch's clock to that of the capture, which never goes back. */
async function advance(sw: MemorySwitch, start: bigint, time: bigint): Promise<SentFrame[]> {
  const gap = (time - start) / MS - BigInt(sw.elapsed);
  if (gap <= 0n) return [];
  const left = await sw.advance(Number(gap < MOST_GAP ? gap : MOST_GAP));
  return left.map((one) => sentFrame(sw, one, time));
}

async function takeIn(
  sw: MemorySwitch,
  frame: CapturedFrame,
  time: bigint,
  before: SentFrame[],
  { port: otherwise, traces }: ReplayOptions,
): Promise<ReplayedFrame> {
  const { number } = frame;
  const named = frame.port !== undefined && sw.model.ports.has(frame.port) ? frame.port : otherwise;
  const skipped = (why: string): ReplayedFrame => ({ number, time, skipped: why, sent: before });
  if (named === undefined) return skipped(whyNowhere(sw, frame.port));
  if (frame.bytes.length < frame.length) return skipped(`the capture has cut it to ${frame.bytes.length} bytes`);
  const port = sw.model.ports.get(named);
  // A copy that a switch has sent to a guest comes from no guest. What one has sent into a tunnel is what its peer receives.
  if (frame.outbound && named === frame.port && !isTunnel(port)) return skipped(`${named} sent it`);
  const outer = isTunnel(port) ? decapsulated(frame.bytes, port.config) : undefined;
  if (outer === null)
    return skipped(`it is no datagram to UDP port ${isTunnel(port) ? port.config.dstport : 0}; ${outerOnly(named)}`);
  const trace = traces === true ? traceOf(sw, named, frame.bytes, outer) : undefined;
  if (outer === undefined) sw.put(named, frame.bytes);
  else sw.putPayload(named, outer, outer.payload);
  const left = await sw.run();
  const sent = [...before, ...left.map((one) => sentFrame(sw, one, time))];
  return { number, time, port: named, ...(trace === undefined ? {} : { trace }), sent };
}

/** `overtap capture` has the inner frames of a tunnel, at its port and at an interface for each remote. */
const outerOnly = (port: string): string => `at ${port} frames are taken with their outer headers alone`;

/** Why the interface of a frame is no port. */
function whyNowhere(sw: MemorySwitch, name: string | undefined): string {
  if (name === undefined) return 'its interface has no name; name its port by -i';
  const [first = '', second] = name.split('/');
  if (second !== undefined && isTunnel(sw.model.ports.get(first)))
    return `${name} is a remote, whose frames lack their outer headers; ${outerOnly(first)}`;
  if (second !== undefined && sw.model.ports.has(second))
    return `there is no port ${name}; capture the switch ${first} alone, without --lab`;
  return `there is no port ${name}; name the port of its frames by -i`;
}

function traceOf(
  sw: MemorySwitch,
  port: string,
  bytes: Uint8Array,
  outer: ReturnType<typeof decapsulated> | undefined,
): TraceAnswer | undefined {
  if (outer == null) return sw.trace({ port, frame: toHex(bytes) });
  const { from, vni, tos, inner } = outer;
  return vni === undefined ? undefined : sw.trace({ port, frame: toHex(inner), from, vni, tos });
}

function sentFrame(sw: MemorySwitch, left: Left, time: bigint): SentFrame {
  const port = sw.model.ports.get(left.port);
  const bytes = isTunnel(port) ? encapsulated(left, port.config) : left.frame;
  return { port: left.port, bytes, left, time };
}

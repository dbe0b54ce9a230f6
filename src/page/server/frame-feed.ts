/**
 * Follows the frames of one switch by its capture stream, and gathers them in groups. A stream that is too fast is left for the
 * counters: recording costs the switch time for each frame, and at such a rate nobody sees one.
 */
import type { SwitchClient } from '../../client/client.js';
import { pause } from '../../client/pause.js';
import { type Facts, readFrames, type SeenFrame } from '../../sight/frames.js';
import type { Passage, Way } from '../model/messages.js';
import { FLUSH_MS, FrameGroups, type ObservedFrame } from './frame-groups.js';

/** Bytes of a frame that are looked at: the longest kept beginning of a drop, too. */
const SNAPLEN = 128;
const RETRY_MS = 1500;
/** Frames a second of a switch above which they are known by counters only, and below which they are followed again. */
export const MOST_FRAMES = 20_000;
const FEW_FRAMES = 10_000;
/** Nanoseconds of a microsecond: finer ones do not fit a number, and coarser ones would not tell frames of two switches apart. */
const MICROSECOND = 1000n;

export interface FrameFeedOptions {
  readonly client: SwitchClient;
  readonly passed: (list: readonly Passage[], missed: number) => void;
  /** Single frames are told from now on, or no more. */
  readonly follows: (is: boolean) => void;
}

export class FrameFeed {
  private readonly groups = new FrameGroups();
  private flushing: NodeJS.Timeout | undefined;
  private following: AbortController | undefined;
  private isWanted = false;

  constructor(private readonly options: FrameFeedOptions) {}

  start(): void {
    this.isWanted = true;
    this.begin();
  }

  stop(): void {
    this.isWanted = false;
    this.end();
  }

  /** @param frames a second, by the counters */
  setRate(frames: number): void {
    if (frames > MOST_FRAMES) this.end();
    else if (frames < FEW_FRAMES && this.isWanted) this.begin();
  }

  private begin(): void {
    if (this.following !== undefined) return;
    const following = new AbortController();
    this.following = following;
    void this.follow(following.signal);
  }

  private end(): void {
    if (this.following === undefined) return;
    this.following.abort();
    this.following = undefined;
    clearTimeout(this.flushing);
    this.flushing = undefined;
    this.groups.take();
    this.options.follows(false);
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const { client, follows } = this.options;
    while (!signal.aborted) {
      try {
        await readFrames(
          told(client.capture(signal, { snaplen: SNAPLEN }), () => follows(true)),
          {
            frame: (frame) => this.take(observedOf(frame), signal),
            lost: (count) => this.lose(count, signal),
          },
        );
      } catch {
        // The look at the counters tells why the switch does not answer. An older one has no such stream.
        if (!signal.aborted) follows(false);
      }
      await pause(RETRY_MS, signal);
    }
  }

  private take(frame: ObservedFrame, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.groups.add(frame);
    this.flushing ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  private lose(count: number, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.groups.lose(count);
    this.flushing ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  private flush(): void {
    this.flushing = undefined;
    const { list, missed } = this.groups.take();
    this.options.passed(list, missed);
  }
}

/** Says when the stream has begun. */
async function* told(pieces: AsyncIterable<Uint8Array>, begun: () => void): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  for await (const piece of pieces) {
    if (isFirst) begun();
    isFirst = false;
    yield piece;
  }
}

/** Of a frame that the switch has made itself, the copy says what it is; it comes from nowhere. */
export function observedOf({ time, length, bytes, ingress, copies }: SeenFrame): ObservedFrame {
  const facts = ingress ?? copies[0] ?? {};
  const vlan = Number(facts.vlan);
  return {
    at: Number(time / MICROSECOND) / 1000,
    from: ingress === undefined ? { port: '' } : wayOf(ingress),
    to: copies.filter(({ reason }) => reason === undefined).map(wayOf),
    verdict: facts.verdict ?? 'seen',
    bytes,
    length,
    ...(facts.reason === undefined ? {} : { reason: facts.reason }),
    ...(Number.isInteger(vlan) && vlan > 0 ? { vlan } : {}),
  };
}

function wayOf({ port = '', remote, vni }: Facts): Way {
  const number = Number(vni);
  return {
    port,
    ...(remote === undefined ? {} : { remote }),
    ...(vni === undefined || !Number.isInteger(number) ? {} : { vni: number }),
  };
}

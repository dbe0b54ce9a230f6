/**
 * `/v1/events`: the switch's events to any number of readers, as server-sent events (WHATWG HTML, section 9.2).
 *
 * Events are gathered for one pass of the event loop, made into text once and then written to every reader. A reader
 * has a bounded buffer; what does not fit is dropped for it, and it is told how many are missing as soon as it reads
 * again. One that takes nothing for a while is cut off. The hub listens to the switch only while somebody reads.
 */
import type { ServerResponse } from 'node:http';
import type { EventKind, SwitchEvent } from '../../api/api.js';
import type { Controls } from '../controls.js';
import { every, guarded, soon } from '../guard.js';
import type { Limits } from './server-limits.js';

/** Characters of gathered events that are written at once, without waiting for the end of the pass. */
const GATHER = 64 * 1024;

/** An event as it is sent. */
interface Message {
  kind: EventKind;
  text: string;
}

/** Events as one piece of text, for all readers that want the same kinds. */
interface Bundle {
  bytes: Buffer;
  count: number;
}

export class EventHub {
  private readonly readers = new Set<Reader>();
  private gathered: Message[] = [];
  private gatheredLength = 0;
  private flushing: NodeJS.Immediate | undefined;
  private pings: NodeJS.Timeout | undefined;
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly controls: Pick<Controls, 'subscribe'>,
    private readonly limits: Limits,
  ) {}

  get full(): boolean {
    return this.readers.size >= this.limits.eventStreams;
  }

  /** Number of readers. */
  get size(): number {
    return this.readers.size;
  }

  /**
   * Streams events to the answer until the reader goes, beginning with those that happen after this call.
   * @param kinds those wanted; null: all. `lost` always comes.
   */
  open(outgoing: ServerResponse, kinds: ReadonlySet<EventKind> | null): void {
    this.flush(); // what has happened before is not for this reader
    const reader = new Reader(outgoing, kinds, this.limits);
    this.readers.add(reader);
    outgoing.once('close', () => this.forget(reader));
    this.listen();
    reader.begin();
  }

  /** Ends all streams. */
  close(): void {
    this.flush();
    for (const reader of this.readers) reader.end();
    this.readers.clear();
    this.rest();
  }

  private listen(): void {
    if (this.unsubscribe !== undefined) return;
    this.unsubscribe = this.controls.subscribe((event) => this.gather(event));
    this.pings = every('event stream', this.limits.pingMs, () => {
      for (const reader of this.readers) reader.lookAfter(performance.now());
    });
  }

  private forget(reader: Reader): void {
    this.readers.delete(reader);
    if (this.readers.size === 0) this.rest();
  }

  private rest(): void {
    this.unsubscribe?.();
    this.unsubscribe = undefined;
    clearInterval(this.pings);
    clearImmediate(this.flushing);
    this.flushing = undefined;
    this.gathered = [];
    this.gatheredLength = 0;
  }

  private gather(event: SwitchEvent): void {
    const text = messageOf(event);
    this.gathered.push({ kind: event.event, text });
    this.gatheredLength += text.length;
    if (this.gatheredLength >= GATHER) this.flush();
    else this.flushing ??= soon('event stream', () => this.flush());
  }

  private flush(): void {
    clearImmediate(this.flushing);
    this.flushing = undefined;
    const messages = this.gathered;
    if (messages.length === 0) return;
    this.gathered = [];
    this.gatheredLength = 0;
    const bundles = new Map<string, Bundle>();
    for (const reader of this.readers) {
      let bundle = bundles.get(reader.wants);
      if (bundle === undefined) {
        bundle = bundleOf(messages, reader.kinds);
        bundles.set(reader.wants, bundle);
      }
      reader.offer(bundle);
    }
  }
}

/** One client of the stream. */
class Reader {
  /** Equal for readers that want the same kinds. */
  readonly wants: string;
  private lost = 0;
  private taken = 0;
  private takenAt = performance.now();

  constructor(
    private readonly outgoing: ServerResponse,
    readonly kinds: ReadonlySet<EventKind> | null,
    private readonly limits: Limits,
  ) {
    this.wants = kinds === null ? '' : [...kinds].sort().join();
    outgoing.on(
      'drain',
      guarded('event stream', () => this.tellLost()),
    );
    outgoing.on('error', () => undefined); // the reader has gone; `close` follows
  }

  begin(): void {
    this.outgoing.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    this.outgoing.write(': ok\n\n');
  }

  offer({ bytes, count }: Bundle): void {
    if (count === 0 || this.outgoing.destroyed) return;
    if (this.outgoing.writableLength + bytes.length > this.limits.eventBufferBytes) {
      this.lost += count;
      return;
    }
    this.tellLost();
    this.outgoing.write(bytes);
  }

  /** Called from time to time: a sign of life to a reader that waits, an end to one that does not read. */
  lookAfter(now: number): void {
    this.tellLost();
    const { socket } = this.outgoing;
    const queued = this.outgoing.writableLength;
    const taken = socket === null ? 0 : socket.bytesWritten - queued;
    if (queued === 0 || taken > this.taken) {
      this.taken = taken;
      this.takenAt = now;
    }
    if (queued === 0) this.outgoing.write(': ping\n\n');
    else if (now - this.takenAt > this.limits.eventStallMs) this.outgoing.destroy();
  }

  end(): void {
    this.outgoing.end();
  }

  /** Before anything that comes after the gap, and only when there is room to read on. */
  private tellLost(): void {
    if (this.lost === 0 || this.outgoing.destroyed) return;
    const text = messageOf({ event: 'lost', count: this.lost });
    if (this.outgoing.writableLength + text.length > this.limits.eventBufferBytes) return;
    this.lost = 0;
    this.outgoing.write(text);
  }
}

const messageOf = (event: SwitchEvent): string => `event: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`;

function bundleOf(messages: readonly Message[], kinds: ReadonlySet<EventKind> | null): Bundle {
  const wanted = kinds === null ? messages : messages.filter(({ kind }) => kinds.has(kind) || kind === 'lost');
  return { bytes: Buffer.from(wanted.map(({ text }) => text).join('')), count: wanted.length };
}

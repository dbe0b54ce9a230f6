/**
 * `/v1/events`: fans out events to any number of clients as server-sent events (WHATWG HTML, section 9.2).
 *
 * Events of one pass of the event loop are collected, serialized once and written to every client. Each client has a bounded
 * buffer; events beyond it are dropped, and the client gets their number when it reads again. A client that reads nothing for a
 * while is disconnected. The hub subscribes to the switch only while it has clients.
 */
import type { ServerResponse } from 'node:http';
import type { EventKind, SwitchEvent } from '../../api/api.js';
import type { Controls } from '../controls.js';
import { every, guarded, soon } from '../guard.js';
import type { Limits } from './server-limits.js';

/** Characters of collected events that are flushed without waiting for the end of the pass. */
const GATHER = 64 * 1024;

/** A serialized event. */
interface Message {
  kind: EventKind;
  text: string;
}

/** Serialized events, for all clients with the same kinds. */
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

  /** Number of clients. */
  get size(): number {
    return this.readers.size;
  }

  /**
   * Streams events that happen after this call, until the client disconnects.
   * @param kinds wanted kinds; null: all. `lost` is always sent.
   */
  open(outgoing: ServerResponse, kinds: ReadonlySet<EventKind> | null): void {
    this.flush(); // earlier events are not for this client
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

/** A client of the stream. */
class Reader {
  /** Equal for clients with the same kinds. */
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
    outgoing.on('error', () => undefined); // the client has disconnected; `close` follows
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

  /** Called periodically: sends a keep-alive to an idle client, disconnects a stalled one. */
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

  /** Sent before any later event, once there is room for more than the notice. */
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

/**
 * The browsers that watch: fans messages out as server-sent events. Each browser has a bounded buffer. One that is too slow misses
 * messages, and is told how many; then it gets the whole state anew. Knows nothing of what the messages say.
 */
import type { ServerResponse } from 'node:http';
import type { MessageName, Messages } from '../model/messages.js';

/** Browsers at a time: a page that is open in a few tabs. */
export const MAX_BROWSERS = 8;
/** Unread bytes for one browser, beyond the buffer of its socket. */
export const MAX_WAITING_BYTES = 1024 * 1024;
const PING_MS = 15_000;
/** A browser that reads nothing for this long, while messages wait, is let go. */
const STALL_MS = 60_000;

export type Send = <M extends MessageName>(name: M, message: Messages[M]) => void;

/** Writes the whole state. */
export type Tell = (send: Send) => void;

const textOf = (name: string, message: unknown): string => `event: ${name}\ndata: ${JSON.stringify(message)}\n\n`;

class Browser {
  missed = 0;
  private taken = 0;
  private takenAt = performance.now();

  constructor(
    readonly outgoing: ServerResponse,
    private readonly tell: Tell,
  ) {
    outgoing.on('error', () => undefined); // it has gone; `close` follows
    outgoing.on('drain', () => this.catchUp());
  }

  begin(): void {
    this.outgoing.write(': ok\n\n');
    this.tell((name, message) => void this.outgoing.write(textOf(name, message)));
  }

  offer(text: string, bytes: number): void {
    this.catchUp();
    if (this.missed > 0 || this.outgoing.writableLength + bytes > MAX_WAITING_BYTES) this.missed++;
    else this.outgoing.write(text);
  }

  /** Tells the gap once everything before it was read. */
  catchUp(): void {
    if (this.missed === 0 || this.outgoing.writableLength > 0 || this.outgoing.destroyed) return;
    const count = this.missed;
    this.missed = 0;
    this.outgoing.write(textOf('gap', { count }));
    this.tell((name, message) => void this.outgoing.write(textOf(name, message)));
  }

  lookAfter(now: number): void {
    this.catchUp();
    const { writableLength: waiting, socket } = this.outgoing;
    const taken = (socket?.bytesWritten ?? 0) - waiting;
    if (waiting === 0 || taken > this.taken) {
      this.taken = taken;
      this.takenAt = now;
    }
    if (waiting === 0) this.outgoing.write(': ping\n\n');
    else if (now - this.takenAt > STALL_MS) this.outgoing.destroy();
  }
}

export class BrowserStreams {
  private readonly browsers = new Set<Browser>();
  private pings: NodeJS.Timeout | undefined;

  /**
   * @param tell writes the whole state to one browser
   * @param watched called when the first browser comes, and when the last has gone
   */
  constructor(
    private readonly tell: Tell,
    private readonly watched: (isWatched: boolean) => void,
  ) {}

  get size(): number {
    return this.browsers.size;
  }

  get full(): boolean {
    return this.browsers.size >= MAX_BROWSERS;
  }

  open(outgoing: ServerResponse, headers: Readonly<Record<string, string>>): void {
    outgoing.writeHead(200, { ...headers, 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const browser = new Browser(outgoing, this.tell);
    this.browsers.add(browser);
    outgoing.once('close', () => this.forget(browser));
    if (this.browsers.size === 1) {
      this.pings = setInterval(() => this.lookAfter(), PING_MS).unref();
      this.watched(true);
    }
    browser.begin();
  }

  readonly send: Send = (name, message) => {
    if (this.browsers.size === 0) return;
    const text = textOf(name, message);
    const bytes = Buffer.byteLength(text);
    for (const browser of this.browsers) browser.offer(text, bytes);
  };

  close(): void {
    for (const { outgoing } of this.browsers) outgoing.end();
  }

  private lookAfter(): void {
    const now = performance.now();
    for (const browser of this.browsers) browser.lookAfter(now);
  }

  private forget(browser: Browser): void {
    if (!this.browsers.delete(browser) || this.browsers.size > 0) return;
    clearInterval(this.pings);
    this.watched(false);
  }
}

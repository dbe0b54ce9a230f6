/**
 * Output of log lines to a descriptor that may be a full disk, a closed pipe, or a pipe without a reader. Writing never throws
 * and never blocks: one write at a time is in progress in the thread pool, lines wait in a bounded queue, and lines beyond it
 * are dropped and counted.
 *
 * Owns the queue and the counts. The format is defined elsewhere.
 */
import { write } from 'node:fs';

/** Most characters in the queue. */
const CAPACITY = 1024 * 1024;
/** Approximate characters of one write. */
const BATCH = 64 * 1024;
/** Milliseconds until a write is retried after EAGAIN. */
const BUSY_MS = 20;
/** Milliseconds until the next write after a failed one. */
const RETRY_MS = 1000;

type Write = (
  fd: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: null,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

/** Lines being written. */
interface Batch {
  bytes: Buffer;
  /** Bytes written so far. */
  done: number;
}

export class LogSink {
  private readonly queue: string[] = [];
  private queued = 0;
  private batch: Batch | null = null;
  private isWriting = false;
  private timer: NodeJS.Timeout | undefined;
  /** A line was truncated: the next write begins a new line. */
  private isTorn = false;
  private losses = 0;
  private untold = 0;
  private reason = '';
  private isEnding = false;
  private readonly waiters = new Set<() => void>();

  /**
   * @param recovered called when writing works again, with the number of lost lines and the last reason
   * @param writeTo as `fs.write`, for tests
   */
  constructor(
    private readonly fd: number,
    private readonly recovered: (lost: number, reason: string) => void = () => undefined,
    private readonly writeTo: Write = write,
  ) {}

  /** Lines lost since the start. */
  get lost(): number {
    return this.losses;
  }

  /** @param line with its line feed */
  write(line: string): void {
    if (this.queued + line.length > CAPACITY) {
      this.lose(1, 'lines came faster than they were read');
      return;
    }
    this.queue.push(line);
    this.queued += line.length;
    this.pump();
  }

  /** Waits until everything is written or lost. @returns false on timeout (`ms`) */
  flush(ms: number): Promise<boolean> {
    this.isEnding = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.pump();
    return new Promise((resolve) => {
      const settle = (isDone: boolean): void => {
        clearTimeout(limit);
        this.waiters.delete(done);
        resolve(isDone);
      };
      const done = (): void => settle(true);
      const limit = setTimeout(() => settle(false), ms);
      this.waiters.add(done);
      this.tellWaiters();
    });
  }

  private get isIdle(): boolean {
    return this.queue.length === 0 && this.batch === null;
  }

  private tellWaiters(): void {
    if (this.isIdle) for (const done of [...this.waiters]) done();
  }

  private pump(): void {
    if (this.isWriting || this.timer !== undefined) return;
    this.batch ??= this.nextBatch();
    if (this.batch === null) return;
    const batch = this.batch;
    this.isWriting = true;
    try {
      const left = batch.bytes.length - batch.done;
      this.writeTo(this.fd, batch.bytes, batch.done, left, null, (error, written) =>
        this.written(batch, error, written),
      );
    } catch (error) {
      this.written(batch, error as NodeJS.ErrnoException, 0);
    }
  }

  private nextBatch(): Batch | null {
    if (this.queue.length === 0) return null;
    let size = 0;
    let count = 0;
    while (count < this.queue.length && size < BATCH) size += this.queue[count++].length;
    const text = this.queue.splice(0, count).join('');
    this.queued -= size;
    return { bytes: Buffer.from(this.isTorn ? `\n${text}` : text), done: 0 };
  }

  private written(batch: Batch, error: NodeJS.ErrnoException | null, written: number): void {
    this.isWriting = false;
    if (error === null) {
      batch.done += written;
      if (batch.done === batch.bytes.length) this.complete();
      this.pump();
    } else if (error.code === 'EAGAIN' || error.code === 'EINTR') {
      this.later(BUSY_MS);
    } else {
      this.give(batch, error);
      // On shutdown each batch is tried once.
      if (this.isEnding) this.pump();
      else this.later(RETRY_MS);
    }
    this.tellWaiters();
  }

  private complete(): void {
    this.batch = null;
    this.isTorn = false;
    if (this.untold === 0) return;
    const lost = this.untold;
    this.untold = 0;
    this.recovered(lost, this.reason);
  }

  /** Discards a batch: lines not written completely are lost. */
  private give({ bytes, done }: Batch, error: NodeJS.ErrnoException): void {
    const left = bytes.subarray(done);
    const begins = this.isTorn && done === 0 ? 1 : 0; // the line feed that ends a truncated line is no line
    let lines = 0;
    for (let at = left.indexOf(10, begins); at !== -1; at = left.indexOf(10, at + 1)) lines++;
    this.lose(lines, error.code ?? error.message);
    if (done > 0) this.isTorn = bytes[done - 1] !== 10;
    this.batch = null;
  }

  private lose(lines: number, reason: string): void {
    this.losses += lines;
    this.untold += lines;
    this.reason = reason;
  }

  private later(ms: number): void {
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.pump();
    }, ms);
    this.timer.unref();
  }
}

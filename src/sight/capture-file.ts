/**
 * Where a capture goes: a file, a ring of files, or a descriptor such as standard output. Whole blocks are written or none: what is
 * there when the disk is full is a valid capture.
 */
import { closeSync, constants, ftruncateSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { extname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The reader of the capture has gone. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

/** The capture cannot be written any further. */
export class CaptureFault extends Error {
  override readonly name = 'CaptureFault';
}

export interface CaptureSink {
  /** @throws CaptureFault, ReaderGone */
  write(blocks: Uint8Array): void;
  /** Whether the next block should begin another file: by `next`, with what every file begins with. */
  readonly isFull: boolean;
  next(): void;
  /**
   * Waits until a reader has taken what was written, or the signal aborts: until then nothing more should come. Absent: there is none.
   * @returns whether it has taken everything @throws CaptureFault, ReaderGone
   */
  drained?(signal: AbortSignal): Promise<boolean>;
  close(): void;
}

/** Milliseconds between two looks at a pipe that is full, or has no reader yet. */
const PIPE_MS = 5;

/**
 * An open descriptor, which is not closed, or a pipe by its path. Nothing here waits for the reader of a pipe: what it has not taken is
 * kept, and `drained` says when it has. A write that waited would hold up the whole program, SIGTERM too.
 */
export class StreamSink implements CaptureSink {
  readonly isFull = false;
  private waiting: Uint8Array[] = [];
  private fault: Error | undefined;
  private fd: number;
  private readonly path: string | undefined;

  constructor(to: number | string) {
    this.fd = typeof to === 'number' ? to : -1;
    this.path = typeof to === 'string' ? to : undefined;
  }

  write(bytes: Uint8Array): void {
    this.waiting.push(bytes);
    this.push();
  }

  async drained(signal: AbortSignal): Promise<boolean> {
    while (!this.push()) {
      if (signal.aborted) return false;
      await pause(PIPE_MS);
    }
    return true;
  }

  next(): void {
    // It is one capture, however long.
  }

  close(): void {
    if (this.path !== undefined && this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  /** @returns whether all is written */
  private push(): boolean {
    if (this.fault !== undefined) throw this.fault;
    try {
      if (this.fd < 0) this.fd = openSync(this.path ?? '', constants.O_WRONLY | constants.O_NONBLOCK);
      for (let bytes = this.waiting[0]; bytes !== undefined; bytes = this.waiting[0]) {
        const count = writeSync(this.fd, bytes);
        if (count === bytes.length) this.waiting.shift();
        else this.waiting[0] = bytes.subarray(count);
      }
      return true;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN' || code === 'ENXIO') return false; // a pipe that is full, or without a reader
      // A part of a block may be there: a further one behind it would be read as the rest of this one.
      this.fault =
        code === 'EPIPE'
          ? new ReaderGone('the reader of the capture has gone')
          : new CaptureFault(`the capture cannot be written: ${isFullDisk(error) ? 'the disk is full' : message}`);
      throw this.fault;
    }
  }
}

/** Whether a path is a pipe: it has no end, and its reader may be slow. */
export function isPipe(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFIFO() === true;
}

const isFullDisk = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

export interface RingOptions {
  /** Files that are kept; 1: the one file, without an end. */
  files: number;
  /** Bytes of each file. */
  size: number;
}

/** A file, or the last few of a row of numbered files. */
export class FileSink implements CaptureSink {
  private fd = -1;
  private path = '';
  private length = 0;
  private number = 0;
  private fault: CaptureFault | undefined;
  private readonly kept: string[] = [];

  /** @throws CaptureFault when the file cannot be made */
  constructor(
    private readonly name: string,
    private readonly ring: RingOptions | null,
  ) {
    this.next();
  }

  get isFull(): boolean {
    return this.ring !== null && this.length >= this.ring.size;
  }

  write(bytes: Uint8Array): void {
    if (this.fault !== undefined) throw this.fault;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at);
      this.length += bytes.length;
    } catch (error) {
      this.cutOff();
      const why = isFullDisk(error) ? 'the disk is full' : (error as Error).message;
      const kept =
        this.length === 0
          ? 'nothing could be written to it'
          : `what is there so far is a valid capture of ${this.length} bytes`;
      // The descriptor is still behind what was cut off: a later block, for which there is room again, would leave a hole.
      this.fault = new CaptureFault(`${this.path}: ${why}; ${kept}`);
      throw this.fault;
    }
  }

  next(): void {
    this.close();
    this.path = this.ring === null ? this.name : this.numbered(++this.number);
    try {
      this.fd = openSync(this.path, 'w', 0o600);
    } catch (error) {
      throw new CaptureFault(`the capture cannot be written to ${this.path}: ${(error as Error).message}`);
    }
    this.length = 0;
    this.kept.push(this.path);
    if (this.ring !== null && this.kept.length > this.ring.files) rmSync(this.kept.shift() as string, { force: true });
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  /** Removes the part of a block that was written. */
  private cutOff(): void {
    try {
      ftruncateSync(this.fd, this.length);
    } catch {
      // Not a regular file: nothing can be taken back.
    }
  }

  private numbered(number: number): string {
    const ending = extname(this.name);
    const base = ending === '' ? this.name : this.name.slice(0, -ending.length);
    return `${base}_${String(number).padStart(5, '0')}${ending}`;
  }
}

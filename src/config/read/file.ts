/**
 * Reads the text of a configuration file: from a regular file or a pipe, up to the maximum length and within a time limit, so that
 * /dev/zero does not fill the memory, and a pipe without a writer or /proc/kmsg does not block the program.
 */
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, type Stats, statSync } from 'node:fs';
import { MAX_TEXT, wholeFileError } from './document.js';

const STDIN = 0;
/** Longest wait for a pipe's writer: its first byte, or the next one. */
const SILENCE_MS = 60_000;
/** Milliseconds between two reads of a pipe that is empty. */
const PAUSE_MS = 10;

export interface ReadOptions {
  /** Refuses pipes, for callers that must not wait for a writer. */
  regularFile?: boolean | undefined;
  /** Limit in milliseconds without data from a pipe. Default: a minute. */
  silenceMs?: number;
}

/** @param path `-` is standard input, which is read until its writer ends it. @throws ConfigError */
export function readText(path: string, options: ReadOptions = {}): string {
  const bytes = readBytes(path, options);
  if (bytes.length > MAX_TEXT)
    throw wholeFileError(path, `the file is longer than ${MAX_TEXT} bytes; is it the right one?`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw wholeFileError(path, 'the file is not UTF-8 text; save it as UTF-8');
  }
}

function readBytes(path: string, { regularFile = false, silenceMs = SILENCE_MS }: ReadOptions): Uint8Array {
  try {
    if (path === '-' && !regularFile) return readWhole((into) => readSync(STDIN, into));
    if (path === '-') throw new Error('it was standard input, which cannot be read again');
    refuse(statSync(path), regularFile); // opening a device may have side effects
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(fd);
      refuse(stats, regularFile);
      if (stats.isFIFO()) return readWhole(pipeReader(fd, silenceMs));
      // Files of the kernel have size 0, whatever they contain. Some, such as /proc/kmsg, have no end, and reading empties them.
      return stats.size === 0 ? new Uint8Array() : readWhole((into) => readSync(fd, into));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw wholeFileError(path, `the file cannot be read: ${reason}; check its path and permissions`);
  }
}

function refuse(there: Stats, regularFile: boolean): void {
  if (there.isFile() || (there.isFIFO() && !regularFile)) return;
  const kind = there.isDirectory() ? 'a directory' : there.isFIFO() ? 'a pipe' : 'a device or a socket';
  throw new Error(`it is ${kind}, not a file`);
}

/** Fills a part of the buffer. @returns the number of bytes; 0: the end */
type Read = (into: Uint8Array) => number;

/** At most one byte more than the limit. */
function readWhole(read: Read): Uint8Array {
  const bytes = new Uint8Array(MAX_TEXT + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = read(bytes.subarray(length));
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

/**
 * Reads a pipe that was opened without blocking. Such a read returns 0 bytes before the writer opens the pipe and after it has
 * closed it, so the end is the first 0 after any sign of the writer. A pipe without a name (`<(...)` of a shell) cannot be opened
 * later, so its writer has been there.
 */
function pipeReader(fd: number, silenceMs: number): Read {
  let hasWriter = !hasName(fd);
  return (into) => {
    const deadline = performance.now() + silenceMs;
    for (;;) {
      const count = readOrWait(fd, into);
      if (count === null || count > 0) hasWriter = true;
      if (count !== null && (count > 0 || hasWriter)) return count;
      if (performance.now() > deadline) throw new Error(`it is a pipe, and nothing came for ${silenceMs / 1000} s`);
      Atomics.wait(CLOCK, 0, 0, PAUSE_MS);
    }
  };
}

function hasName(fd: number): boolean {
  try {
    return !readlinkSync(`/proc/self/fd/${fd}`).startsWith('pipe:');
  } catch {
    return true;
  }
}

/** Never notified: a wait for it is a pause. */
const CLOCK = new Int32Array(new SharedArrayBuffer(4));

/** @returns null while a writer has the pipe open and it is empty */
function readOrWait(fd: number, into: Uint8Array): number | null {
  try {
    return readSync(fd, into);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null;
    throw error;
  }
}

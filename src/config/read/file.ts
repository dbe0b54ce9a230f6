/**
 * Reads the text of a configuration file. Only regular files and pipes are accepted, up to the maximum length, so that a device
 * such as /dev/zero neither fills the memory nor blocks the program.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { MAX_TEXT, wholeFileError } from './document.js';

const STDIN = 0;

/** `-` is standard input. @param regularFile refuses pipes too, for callers that must not wait for a writer. @throws ConfigError */
export function readText(path: string, regularFile = false): string {
  const bytes = readBytes(path, regularFile);
  if (bytes.length > MAX_TEXT)
    throw wholeFileError(path, `the file is longer than ${MAX_TEXT} bytes; is it the right one?`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw wholeFileError(path, 'the file is not UTF-8 text; save it as UTF-8');
  }
}

function readBytes(path: string, regularFile: boolean): Uint8Array {
  try {
    if (path === '-' && !regularFile) return readWhole(STDIN);
    if (path === '-') throw new Error('it was standard input, which cannot be read again');
    refuse(statSync(path), regularFile); // opening a device may have side effects
    const fd = openSync(path, constants.O_RDONLY | (regularFile ? constants.O_NONBLOCK : 0));
    try {
      refuse(fstatSync(fd), regularFile);
      return readWhole(fd);
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

/** At most one byte more than the limit. */
function readWhole(fd: number): Uint8Array {
  const bytes = new Uint8Array(MAX_TEXT + 1);
  let length = 0;
  while (length < bytes.length) {
    const read = readSync(fd, bytes, length, bytes.length - length, null);
    if (read === 0) break;
    length += read;
  }
  return bytes.subarray(0, length);
}

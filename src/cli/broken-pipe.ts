/**
 * Handles write errors of stdout and stderr. A closed pipe (`overtap fdb show | head -1`) is no fault: the command continues
 * without output, so that a lab is still removed completely. Any other error, such as a full disk, is kept and reported at the
 * end, so that an incomplete listing is not taken for a complete one.
 */
import type { EventEmitter } from 'node:events';

/** The error state of an output stream. */
export interface OutputWatch {
  /** The first error; undefined: none, or a closed pipe. */
  readonly fault: NodeJS.ErrnoException | undefined;
}

/** Handles all errors of `stream`; an unhandled one would end the program. */
export function watchOutput(stream: EventEmitter): OutputWatch {
  const watch: { fault: NodeJS.ErrnoException | undefined } = { fault: undefined };
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') watch.fault ??= error;
  });
  return watch;
}

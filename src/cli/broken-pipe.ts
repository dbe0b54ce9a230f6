/**
 * Handles write errors of stdout and stderr. A closed pipe (`overtap fdb show | head -1`) is no fault: nothing
 * more is said, and the work goes on to its end; a lab that is being taken down must not stop half-way. Anything else, such
 * as a full disk, is kept, for the end to tell: a listing that is not there must not look like one.
 */
import type { EventEmitter } from 'node:events';

/** The error state of a stream. */
export interface OutputWatch {
  /** Undefined: no error, or a closed pipe. */
  readonly fault: NodeJS.ErrnoException | undefined;
}

/** Handles every error of `stream`, so that none ends the program. */
export function watchOutput(stream: EventEmitter): OutputWatch {
  const watch: { fault: NodeJS.ErrnoException | undefined } = { fault: undefined };
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') watch.fault ??= error;
  });
  return watch;
}

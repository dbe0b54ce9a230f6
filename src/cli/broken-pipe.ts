/**
 * What happens when our output cannot be written. A reader that goes away (`overtap fdb show | head -1`) is no fault: nothing
 * more is said, and the work goes on to its end; a lab that is being taken down must not stop half-way. Anything else, such
 * as a full disk, is kept, for the end to tell: a listing that is not there must not look like one.
 */
import type { EventEmitter } from 'node:events';

/** What is wrong with a stream, once something is. */
export interface OutputWatch {
  /** Undefined: nothing, or its reader has gone. */
  readonly fault: NodeJS.ErrnoException | undefined;
}

/** Hears of every error of `stream`, so that none of them ends the program. */
export function watchOutput(stream: EventEmitter): OutputWatch {
  const watch: { fault: NodeJS.ErrnoException | undefined } = { fault: undefined };
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') watch.fault ??= error;
  });
  return watch;
}

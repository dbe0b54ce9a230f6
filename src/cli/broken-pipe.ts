/**
 * What happens when the reader of our output goes away (`overtap fdb show | head -1`): nothing more is said, and the
 * work goes on to its end. A listing ends at once anyway; a lab that is being taken down must not stop half-way.
 */
import type { EventEmitter } from 'node:events';

/** Swallows EPIPE of `stream`; any other error of it is thrown. */
export function ignoreBrokenPipe(stream: EventEmitter): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

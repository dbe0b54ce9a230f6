/** Faults of the sockets of `qemu` and `udp` ports. */
import { isNativeError } from '../native/binding.js';

/** One line for the user. `code` is the errno's name. */
export class FrameSocketError extends Error {
  constructor(
    message: string,
    readonly code: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'FrameSocketError';
  }
}

/** The errno's name of a failure, or '' for what is none. */
export function codeOf(error: unknown): string {
  return isNativeError(error) || error instanceof FrameSocketError ? error.code : '';
}

/**
 * Errors that end a command with a line on stderr. `program.ts` prints them and selects the exit status.
 */

/** The command line is invalid: exit status 2. The message has the remedy. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command is valid, but the named object does not exist: exit status 1. */
export class NotFoundError extends Error {
  override readonly name = 'NotFoundError';
}

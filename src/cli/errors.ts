/**
 * What a command throws to end with a line on stderr. Which exit status each means is decided in `program.ts`;
 * nothing here prints.
 */

/** The command line is wrong: exit status 2. The message says what to type instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command is right, but what it names is not there: exit status 1. */
export class NotFoundError extends Error {
  override readonly name = 'NotFoundError';
}

/**
 * Owns the errors of the labs and their codes. It never decides what to do about an error.
 */
import { constants } from 'node:os';

export type LabErrorCode =
  | 'LAB_UNKNOWN'
  | 'LAB_IS_UP'
  | 'LAB_NOT_UP'
  | 'LAB_NEEDS_ROOT'
  | 'LAB_LACKS_TOOL'
  | 'LAB_NAME_TAKEN'
  | 'LAB_COMMAND_FAILED'
  | 'LAB_SWITCH_FAILED'
  | 'LAB_DAEMON_FAILED'
  | 'LAB_AGENT_FAILED'
  | 'LAB_TIMEOUT'
  | 'LAB_NOT_DOWN'
  | 'LAB_INTERRUPTED';

/** An error whose message says how to fix the problem. `code` is stable, for programs. */
export class LabError extends Error {
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string) {
    super(message);
    this.name = 'LabError';
    this.code = code;
  }
}

/** A signal ended the work: SIGINT (Ctrl-C), SIGTERM or SIGHUP. */
export class Interrupted extends LabError {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super('LAB_INTERRUPTED', `interrupted by ${signal}`);
    this.name = 'Interrupted';
    this.signal = signal;
  }

  /** Exit status by the convention of shells: 128 plus the number of the signal, so 130 for Ctrl-C. */
  get exitStatus(): number {
    return 128 + constants.signals[this.signal];
  }
}

/** The message of an error, or the text of anything else that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

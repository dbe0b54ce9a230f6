/**
 * Owns the one error class of the labs and its codes. It never decides what to do about an error.
 */

export type LabErrorCode =
  | 'LAB_UNKNOWN'
  | 'LAB_IS_UP'
  | 'LAB_NOT_UP'
  | 'LAB_NEEDS_ROOT'
  | 'LAB_NAME_TAKEN'
  | 'LAB_COMMAND_FAILED'
  | 'LAB_SWITCH_FAILED'
  | 'LAB_AGENT_FAILED'
  | 'LAB_TIMEOUT'
  | 'LAB_NOT_DOWN'
  | 'LAB_INTERRUPTED';

/** An error whose message says what to do; `code` stays stable for programs. */
export class LabError extends Error {
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string) {
    super(message);
    this.name = 'LabError';
    this.code = code;
  }
}

/** The text of anything that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

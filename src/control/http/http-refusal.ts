/**
 * Refusals of the control socket: the error with an HTTP status, and the status of each refusal by the switch. Independent of
 * routes.
 */
import type { ErrorAnswer } from '../../api/api.js';
import type { ChangeRefused } from '../controls.js';

/** The server refuses a request before passing it to the switch. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';

  constructor(
    readonly statusCode: number,
    /** Stable code, for programs. */
    readonly code: string,
    /** The reason and the remedy. */
    message: string,
  ) {
    super(message);
  }
}

/** HTTP status of a change refused by the switch. All are client errors, a full table too. */
export const CHANGE_STATUS: Readonly<Record<ChangeRefused['code'], number>> = {
  invalid: 400,
  not_found: 404,
  exists: 409,
  busy: 409,
  full: 409,
  unavailable: 422,
};

export const errorAnswer = (code: string, message: string): ErrorAnswer => ({ error: { code, message } });

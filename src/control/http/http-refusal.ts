/**
 * What the control socket says no with: the error that carries an HTTP status, and the status of each refusal of the
 * switch. It knows no route.
 */
import type { ErrorAnswer } from '../../api/api.js';
import type { ChangeRefused } from '../controls.js';

/** A request is refused by the server itself, before the switch has seen it. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';

  constructor(
    readonly statusCode: number,
    /** Stable, for programs. */
    readonly code: string,
    /** Says what is wrong and what to do. */
    message: string,
  ) {
    super(message);
  }
}

/** The status of a change that the switch refuses. All are the client's to mend, a full table too. */
export const CHANGE_STATUS: Readonly<Record<ChangeRefused['code'], number>> = {
  invalid: 400,
  not_found: 404,
  exists: 409,
  busy: 409,
  full: 409,
  unavailable: 422,
};

export const errorAnswer = (code: string, message: string): ErrorAnswer => ({ error: { code, message } });

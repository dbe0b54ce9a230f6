/**
 * The operations last sent for each port and bridge, by kind. A change is detected by comparing operations, never by comparing
 * configurations.
 */
import type { Operation } from '../../dataplane/operations/operations.js';

export class Told {
  private readonly last = new WeakMap<object, Map<Operation['op'], string>>();

  /** Records what engines know from another operation or by default. */
  note(about: object, operation: Operation): void {
    const known = this.last.get(about) ?? new Map<Operation['op'], string>();
    this.last.set(about, known.set(operation.op, JSON.stringify(operation)));
  }

  /** Adds the operation to a list, unless its content was sent last. @param about a port or bridge of the model */
  tell(about: object, operation: Operation, to: Operation[]): void {
    if (this.last.get(about)?.get(operation.op) === JSON.stringify(operation)) return;
    this.note(about, operation);
    to.push(operation);
  }
}

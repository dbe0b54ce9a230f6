/**
 * What the engines were told last of each port and bridge, by kind of operation: whether anything has changed is decided here, by
 * the operation itself, and nowhere by comparing configurations.
 */
import type { Operation } from '../../dataplane/operations/operations.js';

export class Told {
  private readonly last = new WeakMap<object, Map<Operation['op'], string>>();

  /** The engines know this by another operation, or have it as their default. */
  note(about: object, operation: Operation): void {
    const known = this.last.get(about) ?? new Map<Operation['op'], string>();
    this.last.set(about, known.set(operation.op, JSON.stringify(operation)));
  }

  /** Adds the operation to a list, unless it says what the engines know. @param about a port or bridge of the model */
  tell(about: object, operation: Operation, to: Operation[]): void {
    if (this.last.get(about)?.get(operation.op) === JSON.stringify(operation)) return;
    this.note(about, operation);
    to.push(operation);
  }
}

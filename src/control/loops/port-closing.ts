/**
 * Which ports are closed on account of loops, as engines read it: loop guard and the spanning tree each have a say, and loop guard's
 * comes first.
 */
import { LOOP_BLOCKED, OPEN, type PortState, type PortStates } from '../../dataplane/state/port-states.js';

export class PortClosing {
  private readonly blocked = new Set<number>();
  private readonly tree = new Map<number, PortState>();

  constructor(private readonly states: PortStates) {}

  /** Loop guard blocks a port, or does not any more. */
  setBlocked(port: number, isBlocked: boolean): void {
    if (isBlocked) this.blocked.add(port);
    else this.blocked.delete(port);
    this.publish(port);
  }

  /** The state of a port in the spanning tree; OPEN also for one that is in none. */
  setTree(port: number, state: PortState): void {
    if (state === OPEN) this.tree.delete(port);
    else this.tree.set(port, state);
    this.publish(port);
  }

  private publish(port: number): void {
    this.states.set(port, this.blocked.has(port) ? LOOP_BLOCKED : (this.tree.get(port) ?? OPEN));
  }
}

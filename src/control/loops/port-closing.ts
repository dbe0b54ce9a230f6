/**
 * Which ports are closed on account of loops, as engines read it: loop guard, the spanning tree and the option `state` each have a
 * say, in this order. A bridge has either a tree or states that are configured.
 */
import { LOOP_BLOCKED, OPEN, type PortState, type PortStates } from '../../dataplane/state/port-states.js';

export class PortClosing {
  private readonly blocked = new Set<number>();
  private readonly tree = new Map<number, PortState>();
  private readonly configured = new Map<number, PortState>();

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

  /** The state of a port by its configuration. */
  setConfigured(port: number, state: PortState): void {
    if (state === OPEN) this.configured.delete(port);
    else this.configured.set(port, state);
    this.publish(port);
  }

  private publish(port: number): void {
    const state = this.tree.get(port) ?? this.configured.get(port) ?? OPEN;
    this.states.set(port, this.blocked.has(port) ? LOOP_BLOCKED : state);
  }
}

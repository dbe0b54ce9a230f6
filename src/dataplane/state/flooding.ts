/**
 * The frame being flooded: written by its owner `bridge/flood.ts`, read by the rest of that room and by the budget. Valid from
 * `begin` to `end`.
 */
import { NOT_FOUND } from '../../fdb/table.js';
import { MAX_PORTS } from './counters.js';

export class Flooding {
  /** Sends that one copy costs (`bridge/flood-cost.ts`). */
  sends = 1;
  /** Port flags; a port with any of them gets no copy. */
  withheld = 0;
  /** FDB destination of the owner that an ARP or DAD probe must reach where its port gets no copy; NOT_FOUND: none. */
  probed = NOT_FOUND;
  /** First transmit command of this frame. */
  private firstCommand = 0;
  /** Sends beyond one per command, of the frames flooded since the last transmission. */
  private extra = 0;
  /** Number of the frame, and for each port the last number for which it had copies to its whole flood list. */
  private frame = 0;
  private readonly replicated = new Int32Array(MAX_PORTS);

  /** @param sends that a copy costs; @param commands written so far */
  begin(sends: number, commands: number): void {
    this.sends = sends;
    this.withheld = 0;
    this.probed = NOT_FOUND;
    this.firstCommand = commands;
    this.frame = (this.frame + 1) | 0;
  }

  /** @param commands written so far */
  end(commands: number): void {
    this.extra += (commands - this.firstCommand) * (this.sends - 1);
    this.sends = 1;
  }

  /** Cost in sends of this many commands; the count then restarts at 0. Called when commands are transmitted. */
  settle(commands: number): number {
    const sends = commands + this.extra + (commands - this.firstCommand) * (this.sends - 1);
    this.extra = 0;
    this.firstCommand = 0;
    return sends;
  }

  /** Notes that a tunnel port had copies to its whole flood list. */
  noteReplicated(port: number): void {
    this.replicated[port] = this.frame;
  }

  isReplicated(port: number): boolean {
    return this.replicated[port] === this.frame;
  }
}

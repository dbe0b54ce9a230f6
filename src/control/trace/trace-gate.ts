/**
 * Traces for clients: one at a time, and none in at least as much time as the one before has taken. So whoever asks for them without end
 * has half of the control thread at most.
 */
import { ChangeRefused } from '../controls.js';

const MOST_WAITING = 32;

export class TraceGate {
  private last: Promise<void> = Promise.resolve();
  private waiting = 0;

  /** @throws ChangeRefused when too many wait */
  async pass<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.waiting >= MOST_WAITING)
      throw new ChangeRefused(`${MOST_WAITING} traces wait already; ask again when they are answered`, 'busy');
    this.waiting++;
    const before = this.last;
    let rest: () => void = () => undefined;
    this.last = new Promise((resolve) => {
      rest = resolve;
    });
    await before;
    const began = performance.now();
    try {
      return await work();
    } finally {
      this.waiting--;
      setTimeout(rest, Math.ceil(performance.now() - began)).unref();
    }
  }
}

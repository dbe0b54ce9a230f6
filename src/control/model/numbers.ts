/**
 * Allocates engine indexes: ports, bridges, remotes, headers, counters. Engine tables are indexed by them, so the lowest free
 * one is used, within a limit.
 */
import { DeviceError } from './device-error.js';

export class Numbers {
  /** Released indexes, the lowest last. */
  private readonly free: number[] = [];
  private next: number;

  /**
   * @param what plural noun for the error message when none is left
   * @param first, end the first index, and the one after the last
   */
  constructor(
    private readonly what: string,
    private readonly first: number,
    private readonly end: number,
  ) {
    this.next = first;
  }

  /** @throws DeviceError when all are in use */
  take(): number {
    this.need(1);
    return this.tryTake() as number;
  }

  /** @throws DeviceError when fewer are left */
  need(count: number): void {
    if (this.free.length + this.end - this.next >= count) return;
    throw new DeviceError(`a switch has at most ${this.end - this.first} ${this.what}; remove some first`);
  }

  /** An index, or null when all are in use. */
  tryTake(): number | null {
    const freed = this.free.pop();
    if (freed !== undefined) return freed;
    return this.next < this.end ? this.next++ : null;
  }

  /** Releases an index, once no engine refers to it. */
  give(number: number): void {
    let at = this.free.length;
    while (at > 0 && this.free[at - 1] < number) at--;
    this.free.splice(at, 0, number);
  }
}

/**
 * Numbers that the control thread hands out and takes back: ports, bridges, remotes, headers, accounts. The engines'
 * tables are indexed by them, so the least free one is given, and a bound holds them.
 */
import { DeviceError } from './device-error.js';

export class Numbers {
  /** Those given back, the least last. */
  private readonly free: number[] = [];
  private next: number;

  /**
   * @param what they number, in the plural, for the message when there is none left
   * @param first, end the first number, and the one behind the last
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

  /** @throws DeviceError when fewer than so many are left */
  need(count: number): void {
    if (this.free.length + this.end - this.next >= count) return;
    throw new DeviceError(`a switch has at most ${this.end - this.first} ${this.what}; remove some first`);
  }

  /** A number, or null when all are in use. */
  tryTake(): number | null {
    const freed = this.free.pop();
    if (freed !== undefined) return freed;
    return this.next < this.end ? this.next++ : null;
  }

  /** Takes a number back, once nothing in the engines refers to it any more. */
  give(number: number): void {
    let at = this.free.length;
    while (at > 0 && this.free[at - 1] < number) at--;
    this.free.splice(at, 0, number);
  }
}

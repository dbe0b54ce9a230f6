/**
 * Timers, immediates and the clock of what runs between `install` and `remove`, under the hand of a test: nothing is waited for, and a
 * second passes when the test says so. Between the two calls nothing may be awaited, since the loop of the test itself would stand still.
 */
type Work = () => void;

interface Timer {
  at: number;
  every: number;
  work: Work;
}

const NAMES = ['setImmediate', 'setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] as const;

export class WarpedLoop {
  now = 1e6;
  private soon: Work[] = [];
  private readonly timers = new Map<object, Timer>();
  private kept: unknown[] = [];

  install(): void {
    this.kept = NAMES.map((name) => globalThis[name]);
    const clear = (handle: object): void => void this.timers.delete(handle);
    const substitutes = {
      setImmediate: (work: Work) => void this.soon.push(work),
      setTimeout: (work: Work, ms = 0) => this.add(work, ms, 0),
      setInterval: (work: Work, ms = 0) => this.add(work, ms, ms),
      clearTimeout: clear,
      clearInterval: clear,
    };
    Object.assign(globalThis, substitutes);
  }

  remove(): void {
    for (const [at, name] of NAMES.entries()) Object.assign(globalThis, { [name]: this.kept[at] });
  }

  /** Work that is due now, in the order in which it came. */
  later(work: Work): void {
    this.soon.push(work);
  }

  /** Carries out everything that is due, and what follows from it. @throws when it never ends */
  run(): void {
    for (let turns = 0; this.soon.length > 0; turns++) {
      if (turns > 10_000) throw new Error('the loop does not come to rest');
      const work = this.soon;
      this.soon = [];
      for (const one of work) one();
    }
  }

  /** Time passes at once: a timer that would have been due several times is due once. */
  advance(ms: number): void {
    this.run();
    this.now += ms;
    for (const [handle, timer] of this.timers) {
      if (timer.at > this.now) continue;
      if (timer.every > 0) timer.at = this.now + timer.every;
      else this.timers.delete(handle);
      timer.work();
    }
    this.run();
  }

  get waiting(): number {
    return this.timers.size;
  }

  private add(work: Work, ms: number, every: number): object {
    const handle = { unref: () => handle };
    this.timers.set(handle, { at: this.now + ms, every, work });
    return handle;
  }
}

/** The wall clock for records of frames: with fractions of a millisecond, and never far from the host's time, even if that is set. */

/** Milliseconds that it may differ from the host's time. */
const MOST_OFF = 5;

/** @returns a clock: milliseconds since 1970, with fractions, ascending except where the host's time is set back */
export function wallClock(): () => number {
  let offset = performance.timeOrigin;
  return () => {
    const now = performance.now() + offset;
    const off = Date.now() - now;
    if (off < MOST_OFF && off > -MOST_OFF) return now;
    offset += off;
    return now + off;
  };
}

/** Milliseconds after which `IntegerClock` reads the wall clock again. */
const READ_MS = 100;

/**
 * The wall clock in integers, by the engine's own clock: read ten times a second at most, since each reading is a number that V8 keeps
 * on the heap. So a mark costs no memory.
 */
export class IntegerClock {
  /** Since 1970, as of the last `set`. */
  seconds = 0;
  milliseconds = 0;
  private baseSeconds = 0;
  private baseMilliseconds = 0;
  private readAt = -1;

  /** @param now milliseconds since 1970 */
  constructor(private readonly now: () => number) {}

  /** @param clock the engine's clock in milliseconds, 31 bits that wrap */
  set(clock: number): void {
    let passed = (clock - this.readAt) & 0x7fffffff;
    if (this.readAt < 0 || passed >= READ_MS) {
      passed = 0;
      this.read(clock);
    }
    const milliseconds = this.baseMilliseconds + passed;
    const carry = milliseconds >= 1000 ? 1 : 0;
    this.seconds = this.baseSeconds + carry;
    this.milliseconds = milliseconds - carry * 1000;
  }

  private read(clock: number): void {
    const now = this.now();
    this.baseSeconds = Math.floor(now / 1000) | 0;
    this.baseMilliseconds = (now % 1000) | 0;
    this.readAt = clock;
  }
}

/**
 * Rate limit for notices: a burst, then one per interval. Suppressed notices are counted and reported with the next one.
 */
export class NoticeLimit {
  private tokens: number;
  private since: number;
  private held = 0;

  /**
   * @param burst notices allowed at once
   * @param everyMs interval after the burst
   * @param now a monotonic clock in milliseconds
   */
  constructor(
    private readonly burst: number,
    private readonly everyMs: number,
    private readonly now: () => number,
  ) {
    this.tokens = burst;
    this.since = now();
  }

  /** Emits the notice unless the limit is reached. @param say receives the number of suppressed notices before it */
  offer(say: (heldBack: number) => void): void {
    const gained = Math.floor((this.now() - this.since) / this.everyMs);
    if (gained > 0) {
      this.tokens = Math.min(this.burst, this.tokens + gained);
      this.since += gained * this.everyMs;
    }
    if (this.tokens === 0) {
      this.held++;
      return;
    }
    this.tokens--;
    const { held } = this;
    this.held = 0;
    say(held);
  }
}

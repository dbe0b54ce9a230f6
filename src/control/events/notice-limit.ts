/**
 * How often something may be said: a few times at once, and then now and then, however often it happens. What was not said is
 * counted, for the next time.
 */
export class NoticeLimit {
  private tokens: number;
  private since: number;
  private held = 0;

  /**
   * @param burst how often at once
   * @param everyMs how long until it may be said once more
   * @param now a clock in milliseconds that never goes back
   */
  constructor(
    private readonly burst: number,
    private readonly everyMs: number,
    private readonly now: () => number,
  ) {
    this.tokens = burst;
    this.since = now();
  }

  /** Says it, unless it was said too often. @param say is given how many were held back before */
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

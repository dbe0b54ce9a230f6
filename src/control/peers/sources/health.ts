/** How a source is doing, and reports of it at a limited rate. */
import { NoticeLimit } from '../../events/notice-limit.js';
import type { SourceState } from './source.js';

/** Reports at once, and milliseconds between two after them: a source that comes and goes fills no log. */
const BURST = 4;
const REPORT_MS = 60_000;
/** Characters of a reason: some come from others. */
const REASON_MAX = 300;

export class Health {
  state: SourceState = 'starting';
  fault: string | null = null;
  spokeAt: number | null = null;
  private readonly limit = new NoticeLimit(BURST, REPORT_MS, () => performance.now());

  /** @param say `reason` is null when the source works again */
  constructor(private readonly say: (reason: string | null, heldBack: number) => void) {}

  /** It has spoken. @param fault what could not be used of it; null: nothing */
  spoke(fault: string | null = null): void {
    this.spokeAt = Date.now();
    const was = this.fault;
    const isBack = this.state === 'failed' || this.state === 'lapsed';
    this.state = 'ok';
    this.fault = fault === null ? null : fault.slice(0, REASON_MAX);
    if (fault !== null && this.fault !== was) this.report(this.fault);
    else if (fault === null && (isBack || was !== null)) this.report(null);
  }

  /**
   * It does not speak, or nonsense.
   * @param isNews also report another reason than before: what an attempt after the first one meets is seldom news
   */
  failed(reason: string, isNews = false): void {
    const text = reason.slice(0, REASON_MAX);
    const isFirst = this.state === 'starting' || this.state === 'ok';
    const isOther = this.fault !== text;
    if (this.state !== 'lapsed') this.state = 'failed';
    this.fault = text;
    if (isFirst || (isNews && isOther)) this.report(text);
  }

  /** Its rows were taken back. */
  lapsed(): void {
    this.state = 'lapsed';
  }

  private report(reason: string | null): void {
    this.limit.offer((heldBack) => this.say(reason, heldBack));
  }
}

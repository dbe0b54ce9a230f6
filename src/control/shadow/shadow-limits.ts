/**
 * Limits, counters and reports of a shadow switch. Limits are decided by a copy of the live buckets; nothing is counted, and nobody is
 * told.
 */
import { Counters } from '../../dataplane/state/counters.js';
import { FloodBudget } from '../../dataplane/state/flood-budget.js';
import { MissLimiter } from '../../dataplane/state/miss-limiter.js';
import { Policers } from '../../dataplane/state/policers.js';
import { PuntRing } from '../../dataplane/state/punt-ring.js';
import { StormControl } from '../../dataplane/state/storm.js';
import type { Recorder } from './facts.js';

const CLOCK = 0x7fffffff;
const HALF_CLOCK = 0x40000000;

export class ShadowStorm extends StormControl {
  private readonly own = new Int32Array(this.memory);
  private readonly live: Int32Array;

  constructor(
    live: SharedArrayBuffer,
    private readonly recorder: Recorder,
  ) {
    super();
    this.live = new Int32Array(live);
  }

  begin(): void {
    this.own.set(this.live);
  }

  override take(port: number, kind: number, packets = 1): boolean {
    const passed = super.take(port, kind, packets);
    if (this.isLimited(port, kind)) this.recorder.note({ fact: 'storm', port, kind, packets, passed });
    return passed;
  }
}

export class ShadowPolice extends Policers {
  private readonly live: Float64Array;

  constructor(
    live: SharedArrayBuffer,
    private readonly recorder: Recorder,
  ) {
    super();
    this.live = new Policers(live).buckets;
  }

  begin(): void {
    this.buckets.set(this.live);
  }

  override take(port: number, direction: number, bytes: number, packets: number, now: number): boolean {
    const passed = super.take(port, direction, bytes, packets, now);
    this.recorder.note({ fact: 'police', port, direction, bytes, packets, passed });
    return passed;
  }
}

export class ShadowBudget extends FloodBudget {
  private readonly live: FloodBudget;

  constructor(
    live: SharedArrayBuffer,
    private readonly recorder: Recorder,
  ) {
    super();
    this.live = new FloodBudget(live);
  }

  /** @param now the engine's clock in milliseconds, as far as it is known: it may be behind that of the budget */
  begin(now: number): void {
    this.takeHead(this.live);
    const ahead = (now - this.now) & CLOCK;
    this.beginTurn(ahead < HALF_CLOCK ? now : this.now);
  }

  override refusal(source: number, ownLimit: boolean): number {
    // Asked before anything is charged, once for a flood.
    this.takeSource(this.live, source);
    const reason = super.refusal(source, ownLimit);
    if (reason >= 0) this.recorder.note({ fact: 'budget', source, reason });
    return reason;
  }

  override measure(): void {}
}

/** Counts nothing; a drop is a fact. */
export class ShadowCounters extends Counters {
  /** Copies that were sent so far. Set by the owner. */
  sent: () => number = () => 0;

  constructor(private readonly recorder: Recorder) {
    super();
  }

  override droppedIn(port: number, reason: number): void {
    this.recorder.note({ fact: 'dropped', where: 'in', port, reason, order: this.sent() });
  }

  override droppedOut(port: number, reason: number): void {
    this.recorder.note({ fact: 'dropped', where: 'out', port, reason, order: this.sent() });
  }

  override received(): void {}
  override receivedFrom(): void {}
  override receivedIn(): void {}
  override transmitted(): void {}
  override transmittedTo(): void {}
  override transmittedIn(): void {}
  override replicated(): void {}
  override retire(): void {}
  override clearRemote(): void {}
  override clearVni(): void {}
  override clearVlan(): void {}
}

export class ShadowPunts extends PuntRing {
  constructor(private readonly recorder: Recorder) {
    super();
  }

  override push(kind: number, port: number): void {
    this.recorder.note({ fact: 'punt', kind, port });
  }

  override tell(kind: number, port: number): void {
    this.recorder.note({ fact: 'punt', kind, port });
  }
}

/** Every report is one: the live engine may have told it in this tick already. */
export class ShadowMisses extends MissLimiter {
  override isNew(): boolean {
    return true;
  }
}

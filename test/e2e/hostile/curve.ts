/** What a process holds over time: resident memory and descriptors, at even steps, and whether they grow. */
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { residentMiB } from '../live-support.js';
import type { RunningSwitch } from '../switch.js';

interface Sample {
  readonly seconds: number;
  readonly mib: number;
  readonly descriptors: number;
}

export class Curve {
  private readonly samples: Sample[] = [];
  private readonly over = new AbortController();
  private readonly sampling: Promise<void>;

  /** Begins to sample. It ends with the process, too. */
  constructor(
    private readonly label: string,
    private readonly sw: RunningSwitch,
    stepMs: number,
  ) {
    this.sampling = this.sample(stepMs);
  }

  private async sample(stepMs: number): Promise<void> {
    const began = performance.now();
    while (!this.over.signal.aborted && this.sw.program.running) {
      const descriptors = readdirSync(`/proc/${this.sw.program.pid}/fd`).length;
      this.samples.push({ seconds: (performance.now() - began) / 1000, mib: residentMiB(this.sw), descriptors });
      await delay(stepMs, undefined, { signal: this.over.signal }).catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.sampling;
  }

  /** From the median of the second quarter to that of the last: in the first one buffers and heaps get their size. */
  growth(): { mib: number; descriptors: number } {
    const quarter = Math.ceil(this.samples.length / 4);
    const of = (key: 'mib' | 'descriptors'): number =>
      median(this.samples.slice(-quarter).map((one) => one[key])) -
      median(this.samples.slice(quarter, 2 * quarter).map((one) => one[key]));
    return { mib: of('mib'), descriptors: of('descriptors') };
  }

  /** A line for each of some samples. */
  text(lines = 15): string {
    const step = Math.max(1, Math.floor(this.samples.length / lines));
    return this.samples
      .filter((_, index) => index % step === 0 || index === this.samples.length - 1)
      .map(({ seconds, mib, descriptors }) => {
        const columns = [seconds.toFixed(0).padStart(6), mib.toFixed(0).padStart(6), String(descriptors).padStart(6)];
        return `${this.label}${columns[0]} s ${columns[1]} MiB ${columns[2]} descriptors`;
      })
      .join('\n');
  }
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

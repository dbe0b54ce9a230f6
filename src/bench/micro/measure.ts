/** Timing of a stage: repeated work, with median and range per frame. */
import Benchmark from 'benchmark';

/** The number of frames (or other operations) that one call handles, and the call. */
export type Stage = readonly [frames: number, work: () => unknown];

export interface Effort {
  /** Seconds of measuring each stage. */
  readonly seconds?: number;
  readonly samples?: number;
}

/** In nanoseconds per frame. */
export interface Timing {
  readonly name: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Times one stage. @throws the error that the work threw */
export function measure(name: string, [frames, work]: Stage, { seconds = 1, samples = 15 }: Effort): Timing {
  const bench = new Benchmark(name, work, { maxTime: seconds, minSamples: samples });
  bench.run({ async: false });
  const { error } = bench as { error?: unknown };
  if (error !== undefined) throw error;
  const perFrame = bench.stats.sample.map((taken) => (taken * 1e9) / frames).sort((a, b) => a - b);
  return {
    name,
    median: perFrame[perFrame.length >> 1],
    low: perFrame[0],
    high: perFrame[perFrame.length - 1],
  };
}

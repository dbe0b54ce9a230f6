/**
 * An observer that wants one frame of so many, at random, so that no pattern of the traffic meets that of the samples (sFlow version 5,
 * section 2.2.1). Frames that the switch itself makes, and those kept between two batches, are not sampled.
 */
import { Observer } from './observer.js';

/** Words of the ring's records: 256 KiB. A full one loses samples, and counts them. */
export const SAMPLER_WORDS = 64 * 1024;
/** Bytes of a frame that are kept. */
export const SAMPLED_BYTES = 128;

export class Sampler extends Observer {
  private left = 1;

  /** @param interval one frame of so many, on average */
  constructor(
    memory: SharedArrayBuffer,
    rows: number,
    now: () => number,
    private readonly interval: number,
    private readonly random: () => number = Math.random,
  ) {
    super(memory, { ports: null, snaplen: SAMPLED_BYTES }, rows, now);
  }

  override wants(): boolean {
    if (--this.left > 0) return false;
    this.left = 1 + Math.floor(this.random() * (2 * this.interval - 1));
    return true;
  }
}

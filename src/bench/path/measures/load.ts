/**
 * Round trips while frames flow: half as many as arrive when they are sent as fast as possible, at a constant rate. A switch that is
 * only fast when it is empty, or when it is full, shows here.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Measured } from '../proof/prove.js';
import type { Site } from '../site/site.js';
import { outcomeOf, sendTraffic, startTraffic } from './frame-sender.js';
import { measureLatency } from './latency.js';

const SHARE = 0.5;
const SIZE = 64;
const BEFORE_MS = 250;
const AFTER_MS = 500;
/** Less of the load that arrived would not be the load that is meant. */
const LEAST_ARRIVED = 0.5;

interface LoadMeasure {
  readonly seconds: number;
  readonly senders: number;
  /** Frames a second that arrive at most; null: not known yet. */
  readonly most: number | null;
}

/** @returns microseconds of a round trip, and the load in thousands of frames a second */
export async function measureLoad(site: Site, { seconds, senders, most }: LoadMeasure): Promise<Measured> {
  const traffic = { sizes: [SIZE], flows: 1, senders };
  const rate = SHARE * (most ?? (await flatOut(site, traffic)));
  const ms = seconds * 1000 + BEFORE_MS + AFTER_MS;
  const program = await startTraffic(site, { ...traffic, rate, ms });
  try {
    await delay(BEFORE_MS, null, { signal: site.signal });
    const { values, carried } = await measureLatency(site, { seconds });
    const { intended, received } = await outcomeOf(site, program, ms);
    if (received < intended * LEAST_ARRIVED)
      throw new Error(`only ${received} of ${intended} frames of the load arrived: the round trips mean nothing`);
    const renamed = Object.entries(values).map(([name, value]) => [`load-${name}`, value]);
    return { values: { ...Object.fromEntries(renamed), 'load-rate': rate / 1000 }, carried };
  } finally {
    await program.end('SIGKILL');
  }
}

async function flatOut(site: Site, traffic: { sizes: number[]; flows: number; senders: number }): Promise<number> {
  const { received, ns } = await sendTraffic(site, { ...traffic, rate: 0, ms: 1000 });
  if (received === 0) throw new Error('no frame arrived that was sent as fast as possible');
  return (received * 1e9) / ns;
}

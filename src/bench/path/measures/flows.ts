/**
 * Many flows: frames of 64 bytes, and a mix of lengths (IMIX), with 1,024 pairs of ports. What is joined or remembered for a flow does
 * not help here.
 */
import type { Measured } from '../proof/prove.js';
import type { Site } from '../site/site.js';
import { sendTraffic } from './frame-sender.js';
import { ETHERNET_BYTES } from './trafgen.js';

const FLOWS = 1024;
/** Seven small, four middle-sized, one large (in the proportion of the simple IMIX), in an order that spreads them. */
const IMIX = [64, 570, 64, 64, 570, 64, 64, 570, 64, 64, 570, 1400];
/** What is measured, by the names of the values. */
export const MIXES = [
  { name: 'flows64', sizes: [64] },
  { name: 'imix', sizes: IMIX },
];
/** So that everything is learned and warm. */
const WARM_MS = 300;

interface FlowsMeasure {
  readonly seconds: number;
  readonly senders: number;
}

/** @returns thousands of frames that arrived a second */
export async function measureFlows(
  site: Site,
  { name, sizes }: { name: string; sizes: readonly number[] },
  { seconds, senders }: FlowsMeasure,
): Promise<Measured> {
  const traffic = { sizes, flows: FLOWS, rate: 0, senders };
  await sendTraffic(site, { ...traffic, ms: WARM_MS });
  const { received, ns } = await sendTraffic(site, { ...traffic, ms: seconds * 1000 });
  if (received === 0) throw new Error(`no frame of ${name} arrived in ${seconds} s`);
  const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  return {
    values: { [name]: (received * 1e6) / ns },
    carried: { there: Math.floor(received * (mean - ETHERNET_BYTES)), back: 0 },
  };
}

/** Round-trip times of small UDP datagrams between the guests, one at a time, by sockperf. */
import { waitUntil } from '../../lab/testbed/wait.js';
import type { Site } from './site.js';
import type { Values } from './types.js';

const PORT = 5202;
const MESSAGE_BYTES = 64;
/** Fewer round trips give no meaningful p99. */
const LEAST_ROUND_TRIPS = 200;

/** @returns microseconds of a whole round trip: median, p99 and p99.9 */
export async function measureLatency(site: Site, { seconds }: { seconds: number }): Promise<Values> {
  const [client, server] = site.guests;
  const where = ['-i', server.address, '-p', `${PORT}`];
  const answering = site.start(server.netns, ['sockperf', 'server', ...where]);
  try {
    const listens = (): boolean =>
      answering.output.includes('[SERVER] listen on') && answering.output.includes('to block');
    await waitUntil(listens, { what: `${answering.name} listens`, limitMs: 5000, signal: site.signal });
    const what = ['-t', `${seconds}`, '-m', `${MESSAGE_BYTES}`, '--full-rtt'];
    const text = await site.run(client.netns, ['sockperf', 'ping-pong', ...where, ...what], {
      limitMs: (seconds + 15) * 1000,
    });
    const count = Number(/Total (\d+) observations/.exec(text)?.[1]);
    if (!(count >= LEAST_ROUND_TRIPS)) throw new Error(`sockperf made only ${count || 0} round trips in ${seconds} s`);
    return { p50: percentile(text, '50.000'), p99: percentile(text, '99.000'), 'p99.9': percentile(text, '99.900') };
  } finally {
    await answering.end('SIGINT');
  }
}

function percentile(text: string, name: string): number {
  const value = Number(new RegExp(`percentile ${name} =\\s*([\\d.]+)`).exec(text)?.[1]);
  if (!(value > 0)) throw new Error(`no percentile ${name} in the output of sockperf: ${text.slice(-400)}`);
  return value;
}

/** Round-trip times of small UDP datagrams between the guests, one at a time, by sockperf. */
import type { Program } from '../../../lab/testbed/program.js';
import { waitUntil } from '../../../lab/testbed/wait.js';
import type { Measured } from '../proof/prove.js';
import type { Guest, Site } from '../site/site.js';

const PORT = 5202;
const MESSAGE_BYTES = 64;
/** Fewer round trips give no meaningful p99. */
const LEAST_ROUND_TRIPS = 200;

const whereOf = ({ address }: Guest): string[] => ['-i', address, '-p', `${PORT}`];

/** @returns microseconds of a whole round trip: median, p99 and p99.9 */
export async function measureLatency(site: Site, { seconds }: { seconds: number }): Promise<Measured> {
  const answering = await startLatencyServer(site);
  try {
    return await clientLatency(site, { seconds });
  } finally {
    await answering.end('SIGINT');
  }
}

/** Starts the server in guest 2. */
export async function startLatencyServer(site: Site): Promise<Program> {
  const server = site.guests[1];
  const answering = site.start(server.netns, ['sockperf', 'server', ...whereOf(server)]);
  const listens = (): boolean =>
    answering.output.includes('[SERVER] listen on') && answering.output.includes('to block');
  await waitUntil(listens, { what: `${answering.name} listens`, limitMs: 5000, signal: site.signal });
  return answering;
}

/** Measures from guest 1, while the server runs. */
export async function clientLatency(site: Site, { seconds }: { seconds: number }): Promise<Measured> {
  const [client, server] = site.guests;
  const what = ['-t', `${seconds}`, '-m', `${MESSAGE_BYTES}`, '--full-rtt'];
  const text = await site.run(client.netns, ['sockperf', 'ping-pong', ...whereOf(server), ...what], {
    limitMs: (seconds + 15) * 1000,
  });
  const count = Number(/Total (\d+) observations/.exec(text)?.[1]);
  if (!(count >= LEAST_ROUND_TRIPS)) throw new Error(`sockperf made only ${count || 0} round trips in ${seconds} s`);
  const values = {
    p50: percentile(text, '50.000'),
    p99: percentile(text, '99.000'),
    'p99.9': percentile(text, '99.900'),
  };
  return { values, carried: { there: count * MESSAGE_BYTES, back: count * MESSAGE_BYTES } };
}

function percentile(text: string, name: string): number {
  const value = Number(new RegExp(`percentile ${name} =\\s*([\\d.]+)`).exec(text)?.[1]);
  if (!(value > 0)) throw new Error(`no percentile ${name} in the output of sockperf: ${text.slice(-400)}`);
  return value;
}

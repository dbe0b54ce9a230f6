/**
 * TCP throughput by iperf3, counted by the receiver, and its processor time, which includes both iperf3 processes in every
 * variant.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Program } from '../../../lab/testbed/program.js';
import { waitUntil } from '../../../lab/testbed/wait.js';
import type { Measured } from '../proof/prove.js';
import type { Site } from '../site/site.js';
import { busySeconds } from './cpu.js';

const PORT = 5201;
/** Time limit of the first connection: neighbours and MACs are unknown, and some switches set up flows on demand. */
const REACH_LIMIT_MS = 15_000;

/** Starts the iperf3 server in guest 2; it runs until the site is taken down. */
export async function startTcpServer(site: Site): Promise<Program> {
  const server = site.start(site.guests[1].netns, ['iperf3', '-s', '-p', `${PORT}`, '--forceflush']);
  const listens = (): boolean => server.output.includes('Server listening');
  await waitUntil(listens, { what: `${server.name} listens`, limitMs: 5000, signal: site.signal });
  return server;
}

/** Waits until the guests reach each other, and warms the path up by one second of TCP. */
export async function warmUp(site: Site): Promise<void> {
  const deadline = performance.now() + REACH_LIMIT_MS;
  for (;;) {
    try {
      await transfer(site, { seconds: 1, streams: 1, back: false });
      return;
    } catch (error) {
      if (site.signal.aborted || performance.now() > deadline) throw error;
      await delay(200, null, { signal: site.signal });
    }
  }
}

/**
 * Measures both directions, one after the other.
 * @returns Gb/s in each direction, and seconds of processor time per gigabit (10^9 bits) of both
 */
export async function measureTcp(
  site: Site,
  { seconds, streams }: { seconds: number; streams: number },
): Promise<Measured> {
  const before = busySeconds();
  const there = await transfer(site, { seconds, streams, back: false });
  const back = await transfer(site, { seconds, streams, back: true });
  const spent = busySeconds() - before;
  const values = {
    [`tcp${streams}-there`]: there.bitsPerSecond / 1e9,
    [`tcp${streams}-back`]: back.bitsPerSecond / 1e9,
    [`cpu${streams}`]: spent / (((there.bytes + back.bytes) * 8) / 1e9),
  };
  return { values, carried: { there: there.bytes, back: back.bytes }, isTcp: true };
}

async function transfer(
  site: Site,
  { seconds, streams, back }: { seconds: number; streams: number; back: boolean },
): Promise<{ bitsPerSecond: number; bytes: number }> {
  const [client, server] = site.guests;
  const where = ['-c', server.address, '-p', `${PORT}`, '--connect-timeout', '1000'];
  const what = ['-t', `${seconds}`, '-P', `${streams}`, '-i', '0', ...(back ? ['-R'] : [])];
  const text = await site.run(client.netns, ['iperf3', '-J', ...where, ...what], { limitMs: (seconds + 15) * 1000 });
  const { end, error } = JSON.parse(text);
  const received = end?.sum_received;
  if (!(received?.bytes > 0)) {
    const why = error === undefined ? '' : `: ${error}`;
    throw new Error(`iperf3 transferred nothing ${back ? 'back' : 'there'} with ${streams} streams${why}`);
  }
  return { bitsPerSecond: received.bits_per_second, bytes: received.bytes };
}

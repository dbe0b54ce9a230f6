/**
 * The benchmark's own sender and counter of frames (src/bench/native/frames.c): constant rates, many flows and several lengths, and
 * an exact count of those that arrive. Frames go from guest 1 to a MAC behind guest 2, as trafgen's do.
 */
import { NETNS_DIR } from '../../../lab/testbed/namespaces.js';
import type { Program } from '../../../lab/testbed/program.js';
import { compiledProgram } from '../programs/compile.js';
import { NIC, type Site } from '../site/site.js';
import { announcement, sendOnce } from './trafgen.js';

/** What is sent. */
export interface Traffic {
  /** Lengths without FCS, in the order in which they are sent. */
  readonly sizes: readonly number[];
  /** 1, or up to 1024 flows with ports of their own. */
  readonly flows: number;
  /** Frames a second; 0: as fast as the senders can. */
  readonly rate: number;
  readonly ms: number;
  readonly senders: number;
}

/** What became of it. `refused`: by the guest's NIC, whose queue was full. */
export interface Outcome {
  readonly intended: number;
  readonly sent: number;
  readonly refused: number;
  readonly received: number;
  /** Time of sending. */
  readonly ns: number;
}

const MARGIN_MS = 15_000;
/** The trial's number in its frames, so that a late frame of another one is not counted. */
let trial = 0;

/** Starts a sender. @returns its program, whose output `outcomeOf` reads */
export async function startTraffic(site: Site, traffic: Traffic): Promise<Program> {
  const [from, to] = site.guests;
  await sendOnce(site, to, announcement(site));
  trial = (trial + 1) & 0xffff;
  const words = {
    from: `${NETNS_DIR}/${from.netns}`,
    to: `${NETNS_DIR}/${to.netns}`,
    ifname: NIC,
    smac: from.mac,
    dmac: site.behind.hop,
    sip: from.address,
    dip: site.behind.address,
    sizes: traffic.sizes.join(','),
    flows: traffic.flows,
    rate: traffic.rate,
    ms: Math.round(traffic.ms),
    senders: traffic.senders,
    trial,
  };
  const path = await compiledProgram('frames', site.signal);
  const command = [path, ...Object.entries(words).map(([key, value]) => `${key}=${value}`)];
  return site.start(from.netns, command, { ownSession: true });
}

/** Waits for the end of a sender. */
export async function outcomeOf(site: Site, program: Program, ms: number): Promise<Outcome> {
  return JSON.parse(await program.toEnd(ms + MARGIN_MS, site.signal));
}

/** Sends, and counts what arrives. */
export async function sendTraffic(site: Site, traffic: Traffic): Promise<Outcome> {
  return outcomeOf(site, await startTraffic(site, traffic), traffic.ms);
}

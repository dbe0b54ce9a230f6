/** Proofs that several labs share: reachability, TCP transfer, exactly one copy, MTU. Each returns the observation in words. */
import { randomBytes } from 'node:crypto';
import { SHOUT_GROUP, SHOUT_PORT, shoutMark } from '../agents/agent-protocol.js';
import type { ObservedFrame } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import { broadcastOf, type Station } from '../setup/topology.js';
import { becomesTrue, quietFor } from '../testbed/wait.js';
import type { Seen } from './findings.js';
import type { Inspection } from './inspection.js';

/** MTU of a guest's NIC with an underlay MTU of 1500 bytes, less 20 for IPv4, 8 UDP, 8 VXLAN and 14 inner Ethernet. */
export const GUEST_MTU = 1450;

/** Long enough for a repeated ARP request: the kernel repeats it after a second. */
const PROBE_LIMIT_MS = 3000;
export const TRANSFER_BYTES = 10_000_000;
/** Much longer than an answer takes. */
const SILENCE_MS = 400;
const TRANSFER_LIMIT_MS = 30_000;
const TRANSFER_PORT = 5001;
const HEAR_LIMIT_MS = 5000;
/** How long to wait for a second copy after all first copies have arrived. */
const ECHO_TIME_MS = 200;
/** Milliseconds between two shouts, so that they keep their order on the wire. */
const SHOUT_INTERVAL_MS = 10;

/** Number of shouts in a series. */
export const SHOUTS = 10;
export type ShoutKind = 'broadcast' | 'multicast';

/** All ordered pairs of different members. */
export function pairsOf<T>(members: readonly T[]): [T, T][] {
  return members.flatMap((one) => members.filter((other) => other !== one).map((other): [T, T] => [one, other]));
}

/** Proves that a station reaches another: every probe is answered. */
export async function reach(inspection: Inspection, from: Station, to: Station, count = 5): Promise<Seen> {
  const ask = { from: from.address, to: to.address, count, timeoutMs: PROBE_LIMIT_MS, untilLost: true };
  const { sent, received, medianMs, error } = await inspection.agent(from).ask('ping', ask);
  const rest = received > 0 ? `, median ${medianMs.toFixed(2)} ms` : '';
  return {
    holds: received === sent,
    seen: `${received} of ${sent} probes answered${rest}${error ? ` (${error})` : ''}`,
  };
}

/** Proves that every station reaches every other. */
export async function allReach(inspection: Inspection, stations: readonly Station[]): Promise<Seen> {
  const failures: string[] = [];
  const pairs = pairsOf(stations);
  for (const [from, to] of pairs) {
    const { holds, seen } = await reach(inspection, from, to, 3);
    if (!holds) failures.push(`${from.name} -> ${to.name}: ${seen}`);
  }
  const seen = failures.length === 0 ? `${pairs.length} pairs, 3 of 3 probes answered in each` : failures.join('; ');
  return { holds: failures.length === 0, seen };
}

/** Sends two probes. Proves that none arrives. */
export async function unanswered(inspection: Inspection, from: Station, to: Station): Promise<Seen> {
  const arrivals = async (): Promise<number> =>
    (await inspection.agent(to).ask('echoed', {})).bySource[from.address] ?? 0;
  const before = await arrivals();
  const ask = { from: from.address, to: to.address, count: 2, timeoutMs: SILENCE_MS, untilLost: false };
  const { sent, received, error } = await inspection.agent(from).ask('ping', ask);
  const arrived = (await arrivals()) - before;
  const why = error === null ? '' : ` (${error})`;
  return { holds: received + arrived === 0, seen: `${sent} probes, ${arrived} arrived, ${received} answered${why}` };
}

/** Proves that bytes sent over TCP arrive unchanged. */
export async function transfer(
  inspection: Inspection,
  from: Station,
  to: Station,
  size = TRANSFER_BYTES,
): Promise<Seen> {
  const [sender, receiver] = [inspection.agent(from), inspection.agent(to)];
  const port = TRANSFER_PORT;
  await receiver.ask('receiveTcp', { port, timeoutMs: TRANSFER_LIMIT_MS });
  const ask = { to: to.address, port, bytes: size, timeoutMs: TRANSFER_LIMIT_MS };
  const sent = await sender.ask('sendTcp', ask);
  const got = await receiver.ask('receivedTcp', { port });
  const holds = got.bytes === size && got.sha256 === sent.sha256;
  const hashes = holds
    ? `SHA-256 ${got.sha256.slice(0, 12)}... at both ends`
    : `SHA-256 ${got.sha256.slice(0, 12)}... received, ${sent.sha256.slice(0, 12)}... sent`;
  return { holds, seen: `${got.bytes} bytes in ${(sent.ms / 1000).toFixed(2)} s, ${hashes}` };
}

/** Proves that the NIC of every station has the right MTU, although no configuration sets it. */
export async function mtuIsRight(
  inspection: Inspection,
  stations: readonly Station[],
  right = GUEST_MTU,
): Promise<Seen> {
  const seen: string[] = [];
  let holds = true;
  for (const station of stations) {
    const { mtu } = await inspection.agent(station).ask('nic', { ifname: station.ifname });
    holds &&= mtu === right;
    seen.push(`${station.name} ${mtu}`);
  }
  return { holds, seen: seen.join(', ') };
}

/** A new random tag for one series of shouts. */
export function freshTag(): string {
  return randomBytes(6).toString('hex');
}

/** The broadcast address of the station's subnet, or the multicast group of the agents. */
function shoutAddress(from: Station, kind: ShoutKind): string {
  return kind === 'multicast' ? SHOUT_GROUP : broadcastOf(from);
}

/** Sends a series of shouts from a station. */
export async function shout(inspection: Inspection, from: Station, to: string, tag: string): Promise<void> {
  const ask = { from: from.address, to, port: SHOUT_PORT, tag, count: SHOUTS, intervalMs: SHOUT_INTERVAL_MS };
  await inspection.agent(from).ask('shout', ask);
}

/** How often a station has received each shout of a series. */
async function heard(inspection: Inspection, station: Station, tag: string): Promise<number[]> {
  const { times } = await inspection.agent(station).ask('heard', { port: SHOUT_PORT, tag });
  return Array.from({ length: Math.max(SHOUTS, times.length) }, (_, number) => times[number] ?? 0);
}

/**
 * Proves that each broadcast or multicast of a station reaches every listener exactly once, and no other station.
 * @param deaf stations that must not receive any
 * @param tag from `freshTag`, if the caller also looks for the shouts in captures
 */
export async function heardOnce(
  inspection: Inspection,
  from: Station,
  kind: ShoutKind,
  listeners: readonly Station[],
  deaf: readonly Station[] = [],
  tag = freshTag(),
): Promise<Seen> {
  await shout(inspection, from, shoutAddress(from, kind), tag);
  const allHeard = async (): Promise<boolean> => {
    const series = await Promise.all(listeners.map((station) => heard(inspection, station, tag)));
    return series.every((times) => times.every((n) => n > 0));
  };
  await becomesTrue(allHeard, { limitMs: HEAR_LIMIT_MS, signal: inspection.signal });
  await quietFor(ECHO_TIME_MS, inspection.signal);

  const failures: string[] = [];
  for (const station of listeners) {
    const times = await heard(inspection, station, tag);
    const missing = times.filter((n) => n === 0).length;
    const repeated = times.filter((n) => n > 1).length;
    if (missing + repeated > 0) failures.push(`${station.name}: ${missing} missing, ${repeated} more than once`);
  }
  for (const station of deaf) {
    const leaked = (await heard(inspection, station, tag)).filter((n) => n > 0).length;
    if (leaked > 0) failures.push(`${station.name}: received ${leaked} of another segment`);
  }
  const names = (stations: readonly Station[]): string => stations.map(({ name }) => name).join(', ');
  const never = deaf.length > 0 ? `; none at ${names(deaf)}` : '';
  const good = `${SHOUTS} sent, ${SHOUTS} received once each at ${names(listeners)}${never}`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

/**
 * The captured shouts of a series, from a guest's NIC or inside VXLAN datagrams.
 * @param from only datagrams from this underlay address
 */
export function shoutsIn(sniffer: Sniffer, tag: string, from?: string): ObservedFrame[] {
  sniffer.drain();
  const mark = shoutMark(tag);
  const tunnelled = sniffer.tunnel.filter((seen) => from === undefined || seen.from === from);
  return [...sniffer.frames, ...tunnelled.map(({ frame }) => frame)].filter(({ text }) => text.startsWith(mark));
}

/** The number of captured shouts of a series; parameters as in `shoutsIn`. */
export function countShouts(sniffer: Sniffer, tag: string, from?: string): number {
  return shoutsIn(sniffer, tag, from).length;
}

/**
 * Owns the proofs that several labs share: reach, transfer, exactly once, MTU. Each gives what was seen in words.
 */
import { randomBytes } from 'node:crypto';
import { SHOUT_GROUP, SHOUT_PORT, shoutMark } from '../agents/agent-protocol.js';
import type { ObservedFrame } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import type { Station } from '../setup/topology.js';
import { becomesTrue, quietFor } from '../testbed/wait.js';
import type { Seen } from './findings.js';
import type { Inspection } from './inspection.js';

/** What a guest's NIC must carry on an underlay of 1500 bytes: 20 IPv4, 8 UDP, 8 VXLAN and 14 Ethernet are the tunnel's. */
export const GUEST_MTU = 1450;

/** Room for an ARP request that has to be repeated: the kernel does so after a second. */
const PROBE_LIMIT_MS = 3000;
const TRANSFER_BYTES = 10_000_000;
const TRANSFER_LIMIT_MS = 30_000;
const TRANSFER_PORT = 5001;
const HEAR_LIMIT_MS = 5000;
/** How long a second copy gets to show up after all first ones have. */
const ECHO_TIME_MS = 200;
/** Between two shouts. Wide enough to keep the order on the wire, so that what is seen there can be told apart. */
const SHOUT_INTERVAL_MS = 10;

/** Datagrams in a series. */
export const SHOUTS = 10;
export type ShoutKind = 'broadcast' | 'multicast';

/** Every ordered pair of different members. */
export function pairsOf<T>(members: readonly T[]): [T, T][] {
  return members.flatMap((one) => members.filter((other) => other !== one).map((other): [T, T] => [one, other]));
}

/** Proves that a station gets an answer from another: every probe, not most. */
export async function reach(inspection: Inspection, from: Station, to: Station, count = 5): Promise<Seen> {
  const ask = { from: from.address, to: to.address, count, timeoutMs: PROBE_LIMIT_MS, untilLost: true };
  const { sent, received, medianMs, error } = await inspection.agent(from).ask('ping', ask);
  const rest = received > 0 ? `, median ${medianMs.toFixed(2)} ms` : '';
  return {
    holds: received === sent,
    seen: `${received} of ${sent} probes answered${rest}${error ? ` (${error})` : ''}`,
  };
}

/** Proves that every ordered pair of stations reaches each other. */
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

/** Proves that 10 MB over TCP arrive as they were sent. */
export async function transfer(inspection: Inspection, from: Station, to: Station): Promise<Seen> {
  const [sender, receiver] = [inspection.agent(from), inspection.agent(to)];
  const port = TRANSFER_PORT;
  await receiver.ask('receiveTcp', { port, timeoutMs: TRANSFER_LIMIT_MS });
  const ask = { to: to.address, port, bytes: TRANSFER_BYTES, timeoutMs: TRANSFER_LIMIT_MS };
  const sent = await sender.ask('sendTcp', ask);
  const got = await receiver.ask('receivedTcp', { port });
  const holds = got.bytes === TRANSFER_BYTES && got.sha256 === sent.sha256;
  const hashes = holds
    ? `SHA-256 ${got.sha256.slice(0, 12)}... at both ends`
    : `SHA-256 ${got.sha256.slice(0, 12)}... and not ${sent.sha256.slice(0, 12)}...`;
  return { holds, seen: `${got.bytes} bytes in ${(sent.ms / 1000).toFixed(2)} s, ${hashes}` };
}

/** Proves that the NIC of every station has the right MTU, which nobody has set by hand. */
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

/** A fresh word that marks one series of shouts, on the wire too. */
export function freshTag(): string {
  return randomBytes(6).toString('hex');
}

/** The subnet's broadcast address, or the group that every agent has joined. */
export function shoutAddress(from: Station, kind: ShoutKind): string {
  return kind === 'multicast' ? SHOUT_GROUP : from.address.replace(/\.\d+$/, '.255');
}

/** Has a station send ten numbered datagrams. */
export async function shout(inspection: Inspection, from: Station, to: string, tag: string): Promise<void> {
  const ask = { from: from.address, to, port: SHOUT_PORT, tag, count: SHOUTS, intervalMs: SHOUT_INTERVAL_MS };
  await inspection.agent(from).ask('shout', ask);
}

/** How often each shout of a tag was heard at a station. */
async function heard(inspection: Inspection, station: Station, tag: string): Promise<number[]> {
  const { times } = await inspection.agent(station).ask('heard', { port: SHOUT_PORT, tag });
  return Array.from({ length: Math.max(SHOUTS, times.length) }, (_, number) => times[number] ?? 0);
}

/**
 * Proves that a station's broadcasts or multicasts reach each listener exactly once, and the deaf ones never.
 * @param tag as from `freshTag`, when the caller also looks for the shouts on the wire
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
    if (leaked > 0) failures.push(`${station.name}: heard ${leaked} that are not for it`);
  }
  const names = (stations: readonly Station[]): string => stations.map(({ name }) => name).join(', ');
  const never = deaf.length > 0 ? `; none at ${names(deaf)}` : '';
  const good = `${SHOUTS} sent, ${SHOUTS} heard once each at ${names(listeners)}${never}`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

/**
 * What a sniffer has seen of the shouts of a tag, bare or tunnelled.
 * @param from only what this address of the underlay has sent
 */
export function shoutsIn(sniffer: Sniffer, tag: string, from?: string): ObservedFrame[] {
  sniffer.drain();
  const mark = shoutMark(tag);
  const tunnelled = sniffer.tunnel.filter((seen) => from === undefined || seen.from === from);
  return [...sniffer.frames, ...tunnelled.map(({ frame }) => frame)].filter(({ text }) => text.startsWith(mark));
}

/** How many shouts of a tag a sniffer has seen; as `shoutsIn`. */
export function countShouts(sniffer: Sniffer, tag: string, from?: string): number {
  return shoutsIn(sniffer, tag, from).length;
}

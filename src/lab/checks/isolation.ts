/**
 * Owns the proof that stations which must not meet do not, although everything is done in their namespaces to bring
 * them together: routes into each other's subnet, and static neighbours. What keeps them apart is the switch alone.
 */

import type { ObservedDatagram } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import { type Station, subnetOf } from '../setup/topology.js';
import { addNeighbour, addRoute, deleteNeighbour, deleteRoute } from '../testbed/namespaces.js';
import type { Seen } from './findings.js';
import type { Inspection } from './inspection.js';

const PROBES = 2;
/** Far more than an answer takes here; all pairs wait at the same time. */
const PROBE_LIMIT_MS = 250;

export type Pair = readonly [from: Station, to: Station];
/** Whether a datagram carries a frame the way that frames of its sender must be carried, such as in its own VNI. */
export type IsOwn = (from: Station, seen: ObservedDatagram) => boolean;

/**
 * Proves that no probe of any pair arrives, and that each was tried: its frames were on the underlay, carried as those
 * of their sender.
 */
export async function neverMeet(
  inspection: Inspection,
  wire: Sniffer,
  pairs: readonly Pair[],
  isOwn: IsOwn,
): Promise<Seen> {
  for (const [from, to] of pairs) {
    await inspection.temporarily(
      () => addRoute(from, subnetOf(to)),
      () => deleteRoute(from, subnetOf(to)),
    );
    await inspection.temporarily(
      () => addNeighbour(from, to.address, to.mac),
      () => deleteNeighbour(from, to.address),
    );
  }
  const meetings = await Promise.all(pairs.map((pair) => meeting(inspection, wire, pair, isOwn)));
  await inspection.undoAll();
  const failures = meetings.flat();
  const good = `${pairs.length} pairs tried, each attempt seen on the wire as its sender's own, none arrived`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

/** @returns what is wrong about the outcome */
async function meeting(inspection: Inspection, wire: Sniffer, [from, to]: Pair, isOwn: IsOwn): Promise<string[]> {
  const failures: string[] = [];
  const ask = { from: from.address, to: to.address, count: PROBES, timeoutMs: PROBE_LIMIT_MS, untilLost: false };
  const { received } = await inspection.agent(from).ask('ping', ask);
  const arrived = (await inspection.agent(to).ask('echoed', {})).bySource[from.address] ?? 0;
  if (received + arrived > 0) failures.push(`${from.name} -> ${to.name}: ${arrived} arrived, ${received} answered`);
  // Without this the claim would hold for probes that were never sent.
  const tried = ({ frame }: ObservedDatagram): boolean => frame.source === from.mac && frame.destination === to.mac;
  const wasTried = await wire.sees(() => wire.tunnel.some(tried), inspection.signal);
  if (!wasTried) failures.push(`${from.name} -> ${to.name}: the attempt is not on the wire`);
  const astray = wire.tunnel.filter((seen) => tried(seen) && !isOwn(from, seen)).length;
  if (astray > 0) failures.push(`${from.name} -> ${to.name}: ${astray} frames were carried as another's`);
  return failures;
}

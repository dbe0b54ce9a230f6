/**
 * The proof that stations cannot reach each other. It adds routes to each other's subnet and static neighbours in their
 * namespaces, so that only the switch separates them.
 */

import type { ObservedDatagram } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import { type Station, subnetOf } from '../setup/topology.js';
import { addNeighbour, addRoute, deleteNeighbour, deleteRoute } from '../testbed/namespaces.js';
import type { Seen } from './findings.js';
import type { Inspection } from './inspection.js';

const PROBES = 2;
/** Much longer than an answer takes; all pairs wait at the same time. */
const PROBE_LIMIT_MS = 250;

export type Pair = readonly [from: Station, to: Station];
/** Whether a datagram carries a frame as its sender's frames must be carried, for example in the sender's VNI. */
export type IsOwn = (from: Station, seen: ObservedDatagram) => boolean;

/**
 * Proves that no probe of any pair arrives, although its frames were on the underlay, carried as frames of their sender.
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
  const good = `${pairs.length} pairs tried, each probe seen on the wire in its sender's segment, none arrived`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

/** Probes one pair. @returns the failures */
async function meeting(inspection: Inspection, wire: Sniffer, [from, to]: Pair, isOwn: IsOwn): Promise<string[]> {
  const failures: string[] = [];
  const ask = { from: from.address, to: to.address, count: PROBES, timeoutMs: PROBE_LIMIT_MS, untilLost: false };
  const { received } = await inspection.agent(from).ask('ping', ask);
  const arrived = (await inspection.agent(to).ask('echoed', {})).bySource[from.address] ?? 0;
  if (received + arrived > 0) failures.push(`${from.name} -> ${to.name}: ${arrived} arrived, ${received} answered`);
  // Otherwise the claim would hold for probes that were never sent.
  const tried = ({ frame }: ObservedDatagram): boolean => frame.source === from.mac && frame.destination === to.mac;
  const wasTried = await wire.sees(() => wire.tunnel.some(tried), inspection.signal);
  if (!wasTried) failures.push(`${from.name} -> ${to.name}: no probe seen on the wire`);
  const astray = wire.tunnel.filter((seen) => tried(seen) && !isOwn(from, seen)).length;
  if (astray > 0) failures.push(`${from.name} -> ${to.name}: ${astray} frames carried outside their sender's segment`);
  return failures;
}

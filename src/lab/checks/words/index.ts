/** All check words, and the run of a list of checks. */
import type { Sniffer } from '../../capture/sniffer.js';
import { underlayOf } from '../../setup/topology.js';
import type { Inspection } from '../inspection.js';
import { FDB, WIRE_CARRIES, WIRE_ROUTES } from './carried.js';
import { BROADCAST_ONCE, MULTICAST_ONCE, UNKNOWN_ONCE } from './flood.js';
import { ISOLATED, MTU, NOT_PING, PING, TCP } from './reach.js';
import type { CheckOf, CheckWord, Place } from './word.js';

export const CHECK_WORDS: readonly CheckWord[] = [
  PING,
  NOT_PING,
  TCP,
  MTU,
  BROADCAST_ONCE,
  MULTICAST_ONCE,
  UNKNOWN_ONCE,
  ISOLATED,
  WIRE_CARRIES,
  WIRE_ROUTES,
  FDB,
];

/** Proves the checks in order. Captures begin before the first one, and end before the first that moves much. */
export async function runChecks(inspection: Inspection, checks: readonly CheckOf[]): Promise<void> {
  const wires = new Map<string, Sniffer>();
  const place = placeOf(inspection, wires);
  const names = place.topology.hosts.map(({ name }) => name);
  const firstBulk = checks.findIndex(({ word }) => word.isBulk);
  const captured = firstBulk === -1 ? checks : checks.slice(0, firstBulk);
  for (const host of new Set(captured.flatMap(({ word, args }) => word.wires(args, names))))
    wires.set(host, inspection.sniffUnderlay(underlayOf(place.host(host))));
  for (const [index, { word, args, claim }] of checks.entries()) {
    if (index === firstBulk) for (const wire of wires.values()) wire.stop();
    await inspection.prove(claim, () => word.prove(place, args));
  }
}

function placeOf(inspection: Inspection, wires: ReadonlyMap<string, Sniffer>): Place {
  const { topology } = inspection;
  const named = <T extends { readonly name: string }>(list: readonly T[], name: string): T => {
    const found = list.find((one) => one.name === name);
    if (found === undefined) throw new RangeError(`the lab has no ${name}`);
    return found;
  };
  return {
    inspection,
    topology,
    guest: (name) => named(topology.stations, name),
    guests: (names) => names?.map((name) => named(topology.stations, name)) ?? topology.stations,
    host: (name) => named(topology.hosts, name),
    wire: (host) => {
      const wire = wires.get(host);
      if (wire === undefined) throw new RangeError(`the wire of ${host} is not captured`);
      return wire;
    },
  };
}

/** Proofs that a flooded frame has exactly the copies it should: at guests, on every wire, and none back at its sender. */
import type { Sniffer } from '../capture/sniffer.js';
import { broadcastOf, type Station } from '../setup/topology.js';
import { addNeighbour, deleteNeighbour } from '../testbed/namespaces.js';
import { quietFor } from '../testbed/wait.js';
import type { Seen } from './findings.js';
import { countShouts, freshTag, heardOnce, SHOUTS, type ShoutKind, shout } from './probes.js';
import type { Place } from './words/word.js';

/** A MAC that no guest has. */
const UNUSED_MAC = '02:00:00:00:ff:ff';
/** How long to wait for a frame that returns by a loop. */
const ROUND_TRIP_MS = 200;

/** Proves it for broadcast and multicast. */
export async function floodsOnce(place: Place, from: Station, kind: ShoutKind): Promise<Seen> {
  const { stations, hosts } = place.topology;
  const own = place.inspection.sniffGuest(from);
  const tag = freshTag();
  const others = stations.filter((station) => station !== from);
  const heard = await heardOnce(place.inspection, from, kind, others, [], tag);
  const failures = [...copyFailures(place, from, tag), ...returnFailures(own, from, tag)];
  own.stop();
  const good = `${heard.seen}; ${hosts.length - 1} copies of each on the underlay, none came back`;
  return {
    holds: heard.holds && failures.length === 0,
    seen: failures.length === 0 ? good : `${heard.seen}; ${failures.join('; ')}`,
  };
}

/** Sends to an unknown MAC and counts the copies at every guest's NIC. */
export async function unknownFloodsOnce(place: Place, from: Station): Promise<Seen> {
  const { inspection, topology } = place;
  const nics = new Map(topology.stations.map((station) => [station, inspection.sniffGuest(station)]));
  const others = topology.stations.filter((station) => station !== from);
  const tag = freshTag();
  const unused = unusedBy(topology.stations, from);
  await inspection.temporarily(
    () => addNeighbour(from, unused, UNUSED_MAC),
    () => deleteNeighbour(from, unused),
  );
  await shout(inspection, from, unused, tag);
  await inspection.undoAll();
  const at = (station: Station): number => countShouts(nics.get(station) as Sniffer, tag);
  const last = nics.get(others.at(-1) as Station) as Sniffer;
  await last.sees(() => others.every((station) => at(station) >= SHOUTS), inspection.signal);
  await quietFor(ROUND_TRIP_MS, inspection.signal);

  const failures = others
    .filter((station) => at(station) !== SHOUTS)
    .map((station) => `${at(station)} of ${SHOUTS} at ${station.name}`);
  failures.push(...copyFailures(place, from, tag), ...returnFailures(nics.get(from) as Sniffer, from, tag));
  for (const nic of nics.values()) nic.stop();
  const good = `${SHOUTS} frames to ${UNUSED_MAC}, each once at the NICs of ${others.map(({ name }) => name).join(', ')}`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

/** The highest address of a guest's subnet that no guest has. */
function unusedBy(stations: readonly Station[], from: Station): string {
  const [, network = '', last = ''] = /^(.*\.)(\d+)$/.exec(broadcastOf(from)) ?? [];
  const taken = new Set(stations.map(({ address }) => address));
  for (let digit = Number(last) - 1; digit > 0; digit--)
    if (!taken.has(`${network}${digit}`)) return `${network}${digit}`;
  throw new RangeError(`no address of the subnet of ${from.name} is free`);
}

/** The sender's host must send one copy to each other host; the other hosts must send none. */
function copyFailures(place: Place, from: Station, tag: string): string[] {
  const { hosts } = place.topology;
  return hosts.flatMap((host) => {
    const expected = host.name === from.host ? SHOUTS * (hosts.length - 1) : 0;
    const sent = countShouts(place.wire(host.name), tag, host.address);
    return sent === expected ? [] : [`${host.name} sent ${sent} copies instead of ${expected}`];
  });
}

/** Each frame must pass the sender's NIC once, on its way out. */
function returnFailures(own: Sniffer, from: Station, tag: string): string[] {
  const passed = countShouts(own, tag);
  return passed === SHOUTS ? [] : [`${passed} frames passed the NIC of ${from.name}, which sent ${SHOUTS}`];
}

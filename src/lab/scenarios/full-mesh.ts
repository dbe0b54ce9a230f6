/**
 * Lab full-mesh: three switches, each with a tunnel to both others. The tunnels form a ring without a spanning tree. Split
 * horizon prevents loops: a frame from a remote is never sent to another remote.
 *
 *                  h1-a h1-b
 *                     h1
 *                   //  \\
 *        h2-a h2-b h2 == h3 h3-a h3-b
 */

import type { Sniffer } from '../capture/sniffer.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import {
  allReach,
  countShouts,
  freshTag,
  heardOnce,
  mtuIsRight,
  SHOUTS,
  type ShoutKind,
  shout,
  transfer,
} from '../checks/probes.js';
import type { Lab } from '../lab.js';
import { type Host, type Station, underlayOf } from '../setup/topology.js';
import { addNeighbour, deleteNeighbour } from '../testbed/namespaces.js';
import { quietFor } from '../testbed/wait.js';
import { mesh } from './mesh.js';

const NAME = 'full-mesh';

const { topology, config } = mesh({
  lab: NAME,
  prefix: 'ovt-mesh',
  vni: 100,
  numbers: [1, 2, 3],
  underlay: (number) => `192.0.2.${number}`,
  router: '192.0.2.254',
  guests: ['a', 'b'],
  overlay: (number, guest) => `10.0.0.${number * 10 + guest}`,
});

/** An unused address and MAC. */
const UNUSED = { address: '10.0.0.200', mac: '02:00:00:00:ff:ff' };
/** How long to wait for a frame that returns by a loop. */
const ROUND_TRIP_MS = 200;

interface Wires {
  readonly underlay: ReadonlyMap<Host, Sniffer>;
  readonly guest: ReadonlyMap<Station, Sniffer>;
}

async function check(inspection: Inspection): Promise<void> {
  const { hosts, stations } = topology;
  const wires: Wires = {
    underlay: new Map(hosts.map((host) => [host, inspection.sniffUnderlay(underlayOf(host))])),
    guest: new Map(stations.map((station) => [station, inspection.sniffGuest(station)])),
  };
  await inspection.prove('the guests have the right MTU without configuration', () => mtuIsRight(inspection, stations));
  await inspection.prove('unknown unicast reaches every guest once', () => unknownFloodsOnce(inspection, wires));
  await inspection.prove('all pairs of guests reach each other', () => allReach(inspection, stations));
  for (const kind of ['broadcast', 'multicast'] as const) {
    for (const host of hosts) {
      const from = stations.find((station) => station.host === host.name) as Station;
      const claim = `each ${kind} of ${from.name} arrives once at every guest, and no host sends an extra copy`;
      await inspection.prove(claim, () => floodsOnce(inspection, wires, from, kind));
    }
  }
  for (const wire of [...wires.underlay.values(), ...wires.guest.values()]) wire.stop();
  const [from, to] = [stations[0], stations.at(-1)] as [Station, Station];
  await inspection.prove('10 MB over TCP', () => transfer(inspection, from, to));
}

async function floodsOnce(inspection: Inspection, wires: Wires, from: Station, kind: ShoutKind): Promise<Seen> {
  const others = topology.stations.filter((station) => station !== from);
  const tag = freshTag();
  const heard = await heardOnce(inspection, from, kind, others, [], tag);
  const failures = [...copyFailures(wires, from, tag), ...returnFailures(wires, from, tag)];
  const good = `${heard.seen}; ${topology.hosts.length - 1} copies of each on the underlay, none came back`;
  return {
    holds: heard.holds && failures.length === 0,
    seen: failures.length === 0 ? good : `${heard.seen}; ${failures.join('; ')}`,
  };
}

/** The sender's host must send one copy to each other host; the other hosts must send none. */
function copyFailures(wires: Wires, from: Station, tag: string): string[] {
  return topology.hosts.flatMap((host) => {
    const expected = host.name === from.host ? SHOUTS * (topology.hosts.length - 1) : 0;
    const sent = countShouts(wires.underlay.get(host) as Sniffer, tag, host.address);
    return sent === expected ? [] : [`${host.name} sent ${sent} copies instead of ${expected}`];
  });
}

/** Each frame must pass the sender's NIC once, on its way out. */
function returnFailures(wires: Wires, from: Station, tag: string): string[] {
  const passed = countShouts(wires.guest.get(from) as Sniffer, tag);
  return passed === SHOUTS ? [] : [`${passed} frames passed the NIC of ${from.name}, which sent ${SHOUTS}`];
}

/** Sends to an unknown MAC and counts the copies at every guest's NIC. */
async function unknownFloodsOnce(inspection: Inspection, wires: Wires): Promise<Seen> {
  const from = topology.stations[0] as Station;
  const others = topology.stations.filter((station) => station !== from);
  const tag = freshTag();
  await inspection.temporarily(
    () => addNeighbour(from, UNUSED.address, UNUSED.mac),
    () => deleteNeighbour(from, UNUSED.address),
  );
  await shout(inspection, from, UNUSED.address, tag);
  await inspection.undoAll();
  const at = (station: Station): number => countShouts(wires.guest.get(station) as Sniffer, tag);
  const last = wires.guest.get(others.at(-1) as Station) as Sniffer;
  await last.sees(() => others.every((station) => at(station) >= SHOUTS), inspection.signal);
  await quietFor(ROUND_TRIP_MS, inspection.signal);

  const failures = others
    .filter((station) => at(station) !== SHOUTS)
    .map((station) => `${at(station)} of ${SHOUTS} at ${station.name}`);
  failures.push(...copyFailures(wires, from, tag), ...returnFailures(wires, from, tag));
  const good = `${SHOUTS} frames to ${UNUSED.mac}, each once at the NICs of ${others.map(({ name }) => name).join(', ')}`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

export const fullMesh: Lab = {
  name: NAME,
  summary: 'three switches in a triangle of tunnels: no loop, no duplicate',
  topology,
  config,
  check,
};

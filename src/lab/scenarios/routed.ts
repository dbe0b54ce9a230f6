/**
 * Lab routed: two separate bridges, joined by two routers. Each router has one NIC in its bridge and one in a transit network,
 * which is a second bridge on each host, and the only one with a tunnel.
 *
 *     h1  10.0.0.1 --.                                                        .-- h3  10.0.1.1
 *                     bridge1 -- r1 -- transit1 == VNI 100 == transit2 -- r2 -- bridge2
 *     h2  10.0.0.2 --'     .254   10.0.2.1                10.0.2.2   .254     '-- h4  10.0.1.2
 *
 * A guest's frame never leaves its bridge: the routers send the packet on in frames of their own. The check sees this by the
 * MACs on the wire, by the TTL, which each router decrements, and by broadcasts, which end at the router. The guests have an
 * MTU of 1500, the transit network 50 less: TCP adapts to the routers' ICMP messages.
 */
import type { ObservedFrame } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { countShouts, freshTag, GUEST_MTU, heardOnce, SHOUTS, shout, shoutsIn } from '../checks/probes.js';
import { type FileChecks, readyLab } from '../file/ready.js';
import type { Lab } from '../lab.js';
import { type Station, underlayOf } from '../setup/topology.js';
import type { Cable } from './yaml-fragments.js';

const PREFIX = 'ovt-rtd';
const VNI = 100;

export const routed: Lab = readyLab('routed', check);
const { hosts } = routed.topology;
const guests = routed.topology.stations as unknown as readonly [Station, Station, Station, Station];
type Guest = Station;

interface Leg extends Cable {
  readonly address: string;
}

interface Router {
  readonly netns: string;
  readonly lan: Leg;
  readonly transit: Leg;
}

function router(side: 0 | 1): Router {
  const name = `r${side + 1}`;
  const netns = `${PREFIX}-${name}`;
  const leg = (ifname: string, address: string, group: string): Leg => ({
    port: `${name}-${ifname}`,
    netns,
    ifname,
    mac: `02:00:00:00:${group}:0${side + 1}`,
    address,
    addresses: [`${address}/24`],
  });
  return { netns, lan: leg('lan', `10.0.${side}.254`, 'fe'), transit: leg('transit', `10.0.2.${side + 1}`, '02') };
}
const routers = [router(0), router(1)] as const;

async function check(inspection: Inspection, words: FileChecks): Promise<void> {
  const wire = inspection.sniffUnderlay(underlayOf(hosts[0]));
  const [near, neighbour, far, farther] = guests;
  const ends = [inspection.sniffGuest(near), inspection.sniffGuest(far)] as const;
  await words.look();
  await inspection.prove(`the transit network has an MTU of ${GUEST_MTU}`, () => transitMtuIsRight(inspection));
  await inspection.prove("the path is routed: each router decrements the TTL, and the MACs are the routers'", () =>
    isRouted(inspection, wire, ends),
  );
  await inspection.prove('a broadcast of h1 stays on its bridge', () =>
    broadcastStays(inspection, wire, [neighbour], [far, farther]),
  );
  await inspection.prove('no MAC of a guest was on the wire', async () => macsAreRouters(wire));
  for (const sniffer of [wire, ...ends]) sniffer.stop();
  await words.move();
}

async function transitMtuIsRight(inspection: Inspection): Promise<Seen> {
  const ports = routers.map(({ transit }) => transit.port);
  const answers = await Promise.all(hosts.map(({ name }) => inspection.client(name).get('/v1/links')));
  const found = answers.flat().filter(({ ifname }) => ports.includes(ifname));
  const holds = found.length === ports.length && found.every(({ mtu }) => mtu === GUEST_MTU);
  return { holds, seen: found.map(({ ifname, mtu }) => `${ifname} ${mtu}`).join(', ') || 'no such port' };
}

/** A series of shouts at one NIC, in words. */
function hop(frames: readonly ObservedFrame[]): string {
  const kinds = frames.map(({ source, destination, ttl }) => `${source} > ${destination} ttl ${ttl}`);
  return `${frames.length} x ${[...new Set(kinds)].join(', ')}`;
}

/** Sends a series from the first guest to a guest behind both routers, and captures it at three NICs. */
async function isRouted(inspection: Inspection, wire: Sniffer, ends: readonly [Sniffer, Sniffer]): Promise<Seen> {
  const [from, , to] = guests;
  const mark = freshTag();
  await shout(inspection, from, to.address, mark);
  const [start, end] = ends;
  await end.sees(() => shoutsIn(end, mark).length >= SHOUTS, inspection.signal);
  const hops = [start, wire, end].map((sniffer) => shoutsIn(sniffer, mark));
  const ttl = hops[0]?.[0]?.ttl ?? 0;
  const [r1, r2] = routers;
  const expected = [
    `${SHOUTS} x ${from.mac} > ${r1.lan.mac} ttl ${ttl}`,
    `${SHOUTS} x ${r1.transit.mac} > ${r2.transit.mac} ttl ${ttl - 1}`,
    `${SHOUTS} x ${r2.lan.mac} > ${to.mac} ttl ${ttl - 2}`,
  ];
  const seen = hops.map(hop);
  return { holds: ttl > 2 && seen.join() === expected.join(), seen: seen.join('; ') };
}

/** Proves that a broadcast stays on its bridge. A unicast series sent after it shows that no copy is still on its way. */
async function broadcastStays(
  inspection: Inspection,
  wire: Sniffer,
  listeners: readonly Guest[],
  deaf: readonly Guest[],
): Promise<Seen> {
  const [from, , to] = guests;
  const mark = freshTag();
  const heard = await heardOnce(inspection, from, 'broadcast', listeners, deaf, mark);
  const fence = freshTag();
  await shout(inspection, from, to.address, fence);
  const passed = await wire.sees(() => countShouts(wire, fence) >= SHOUTS, inspection.signal);
  const crossed = countShouts(wire, mark);
  const rest = passed ? '' : '; the unicast series after it did not pass';
  return { holds: heard.holds && passed && crossed === 0, seen: `${heard.seen}; ${crossed} on the wire${rest}` };
}

function macsAreRouters(wire: Sniffer): Seen {
  wire.drain();
  const macs = routers.map(({ transit }) => transit.mac);
  const foreign = wire.tunnel.filter(({ frame, vni }) => !macs.includes(frame.source) || vni !== VNI);
  const sources = [...new Set(wire.tunnel.map(({ frame }) => frame.source))].sort();
  const seen = `${wire.tunnel.length} datagrams in VNI ${VNI}, sent by ${sources.join(', ')}`;
  return { holds: foreign.length === 0 && sources.length === macs.length, seen };
}

/**
 * Lab three-hosts-unicast: three hosts, one VNI, and an underlay without multicast: the sending switch makes a copy
 * for each remote of its flood list, until it has learned where a MAC is.
 *
 *        198.18.0.2        198.18.0.3        198.18.0.4
 *            |                 |                 |
 *          vxlan0 ========== vxlan0 ========== vxlan0       VNI 42, UDP 4789
 *       192.168.0.2       192.168.0.3       192.168.0.4
 */
import type { Seen } from '../findings.js';
import type { Inspection } from '../inspection.js';
import type { Lab } from '../lab.js';
import { allReach, heardOnce, mtuIsRight, reach, transfer } from '../probes.js';
import type { TunnelSighting } from '../sighting.js';
import type { Sniffer } from '../sniffer.js';
import { type Station, underlayOf } from '../topology.js';
import { mesh } from './mesh.js';

const NAME = 'three-hosts-unicast';
const VNI = 42;

const { topology, config } = mesh({
  lab: NAME,
  prefix: 'ovt-3hu',
  vni: VNI,
  numbers: [2, 3, 4],
  underlay: (number) => `192.168.0.${number}`,
  router: '192.168.0.1',
  guests: ['g'],
  overlay: (number) => `198.18.0.${number}`,
});

type Three<T> = [T, T, T];

async function check(inspection: Inspection): Promise<void> {
  const wires = topology.hosts.map((host) => inspection.sniffUnderlay(underlayOf(host))) as Three<Sniffer>;
  const guests = topology.stations as unknown as Three<Station>;
  const [first, ...others] = guests;
  await inspection.prove('the guests have the right MTU by themselves', () => mtuIsRight(inspection, guests));
  await inspection.prove('all pairs of guests reach each other', () => allReach(inspection, guests));
  for (const kind of ['broadcast', 'multicast'] as const) {
    const claim = `each ${kind} of ${first.name} arrives once at both others`;
    await inspection.prove(claim, () => heardOnce(inspection, first, kind, others));
  }
  await inspection.prove('once learned, a unicast frame goes to one host only', () =>
    unicastIsDirect(inspection, guests, wires),
  );
  await inspection.prove('the underlay carries VNI 42 from host to host, and no multicast', () =>
    underlayIsUnicast(wires),
  );
  for (const wire of wires) wire.stop();
  await inspection.prove('10 MB over TCP', () => transfer(inspection, guests[0], guests[1]));
  inspection.later('ARP requests for known bindings are answered locally', 'neigh_suppress is not built yet');
}

/** Watches the third host's wire while the first two guests talk. */
async function unicastIsDirect(inspection: Inspection, guests: Three<Station>, wires: Three<Sniffer>): Promise<Seen> {
  const [first, second, third] = guests;
  for (const wire of wires) wire.drain();
  const starts = wires.map((wire) => wire.tunnel.length) as Three<number>;
  const passed = (index: 1 | 2, from: Station, to: Station): number =>
    wires[index].tunnel
      .slice(starts[index])
      .filter(({ frame }) => frame.source === from.mac && frame.destination === to.mac).length;
  const talk = await reach(inspection, first, second, 10);
  // A copy for the third host would have left before this probe does, and the wire keeps the order.
  const fence = await reach(inspection, first, third, 1);
  const inOrder = await wires[2].sees(() => passed(2, first, third) > 0, inspection.signal);
  const atSecond = (await wires[1].sees(() => passed(1, first, second) >= 10, inspection.signal))
    ? passed(1, first, second)
    : 0;
  const atThird = passed(2, first, second) + passed(2, second, first);
  return {
    holds: talk.holds && fence.holds && inOrder && atSecond >= 10 && atThird === 0,
    seen: `${talk.seen}; ${atSecond} frames to h2, ${atThird} to h3`,
  };
}

async function underlayIsUnicast(wires: readonly Sniffer[]): Promise<Seen> {
  const addresses = new Set(topology.hosts.map((host) => host.address));
  for (const wire of wires) wire.drain();
  const all = wires.flatMap((wire) => wire.tunnel);
  const isRight = (seen: TunnelSighting): boolean =>
    addresses.has(seen.from) && addresses.has(seen.to) && seen.vni === VNI && seen.reserved === 0;
  const wrong = all.filter((seen) => !isRight(seen));
  const examples = [...new Set(wrong.map((seen) => `${seen.from} -> ${seen.to} VNI ${seen.vni}`))].slice(0, 3);
  const seen =
    wrong.length > 0
      ? `${wrong.length} of ${all.length} datagrams are wrong: ${examples.join(', ')}`
      : `${all.length} sightings on three wires, all unicast in VNI ${VNI}, reserved bits zero`;
  return { holds: all.length > 0 && wrong.length === 0, seen };
}

export const threeHostsUnicast: Lab = {
  name: NAME,
  summary: 'three hosts, one VNI, flood lists instead of underlay multicast',
  topology,
  config,
  check,
};

/**
 * Lab three-hosts-unicast: three hosts, one VNI, and an underlay without multicast. The switch sends one copy of a flood to
 * each remote of its flood list, until it has learned the MAC. It answers ARP and ND requests for known addresses itself
 * (neigh_suppress), so that they are not flooded.
 *
 *        198.18.0.2        198.18.0.3        198.18.0.4
 *            |                 |                 |
 *          vxlan0 ========== vxlan0 ========== vxlan0       VNI 42, UDP 4789
 *       192.168.0.2       192.168.0.3       192.168.0.4
 */
import type { NeighRequest, NeighRow } from '../../api/api.js';
import type { ObservedDatagram } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import { type Prober, probeAddress, requestFrame } from '../checks/arp-probe.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { reach } from '../checks/probes.js';
import { type FileChecks, readyLab } from '../file/ready.js';
import type { Lab } from '../lab.js';
import { type Host, type Station, underlayOf } from '../setup/topology.js';
import { forgetNeighbours } from '../testbed/namespaces.js';
import { waitUntil } from '../testbed/wait.js';

const NAME = 'three-hosts-unicast';
const VNI = 42;

export const threeHostsUnicast: Lab = readyLab(NAME, check);
const { topology } = threeHostsUnicast;

const DEV = 'vxlan0';
/** Unused addresses, IPv4 and IPv6; and unused addresses that the check adds by `neigh add`. */
const UNUSED = ['198.18.0.99', 'fd00:42::99'] as const;
const ADDED = ['198.18.0.104', 'fd00:42::104'] as const;
/** Number of requests for a known address: none may enter the tunnel. */
const REQUESTS = 100;
/** Number of requests for an unknown address: each goes to every other host. */
const FLOODED = 5;
const LEARN_LIMIT_MS = 3000;

type Three<T> = [T, T, T];

async function check(inspection: Inspection, words: FileChecks): Promise<void> {
  const wires = topology.hosts.map((host) => inspection.sniffUnderlay(underlayOf(host))) as Three<Sniffer>;
  const guests = topology.stations as unknown as Three<Station>;
  await words.look();
  await inspection.prove('once learned, a unicast frame goes to one host only', () =>
    unicastIsDirect(inspection, guests, wires),
  );
  await inspection.prove('the underlay carries VNI 42 between the hosts, and no multicast', () =>
    underlayIsUnicast(wires),
  );
  for (const wire of wires) wire.stop();
  await words.move();
  await checkSuppression(inspection, guests);
}

/** Sends requests in the first guest's name, and captures at its NIC and on its host's underlay. */
async function checkSuppression(inspection: Inspection, [first, second, third]: Three<Station>): Promise<void> {
  const [host] = topology.hosts;
  const prober: Prober = {
    guest: first,
    nic: inspection.sniffGuest(first),
    wire: inspection.sniffUnderlay(underlayOf(host as Host)),
    fence: () => reach(inspection, first, second, 1),
  };
  const unknown = { requests: FLOODED, mac: null, crossing: FLOODED * (topology.hosts.length - 1) };
  for (const [index, what] of ['an ARP request', 'a neighbour solicitation'].entries()) {
    const [unused, added] = [UNUSED[index], ADDED[index]] as [string, string];
    await inspection.prove(`${what} for an unknown address is flooded`, () =>
      probeAddress(inspection, prober, unused, unknown),
    );
    for (const owner of [second, third]) {
      const target = (index === 0 ? owner.address : owner.address6) as string;
      const claim = `${what} for ${owner.name}, whose address was snooped, is answered once and not flooded`;
      await inspection.prove(claim, () => isSuppressed(inspection, prober, target, owner.mac));
    }
    await inspection.prove(`${what} for ${added} is flooded before "neigh add", and answered after it`, () =>
      answersAdded(inspection, prober, added, third.mac, unknown.crossing),
    );
  }
  for (const sniffer of [prober.nic, prober.wire]) sniffer.stop();
  await inspection.prove("the guest's kernel accepts these answers to its own requests", async () => {
    await forgetNeighbours(first);
    return reach(inspection, first, third);
  });
}

/** Sends one request, which is flooded if the address is still unknown, and then many, which must not be flooded. */
async function isSuppressed(inspection: Inspection, prober: Prober, target: string, mac: string): Promise<Seen> {
  const isKnown = (rows: readonly NeighRow[]): boolean => rows.some((row) => row.dst === target && row.lladdr === mac);
  inspection.send(prober.guest, [requestFrame(prober.guest, target)]);
  const client = inspection.client(prober.guest.host);
  const what = `neigh show has ${target}`;
  await waitUntil(async () => isKnown(await client.get('/v1/neigh')), {
    what,
    limitMs: LEARN_LIMIT_MS,
    signal: inspection.signal,
  });
  // After this exchange the answer to the first request has arrived too.
  await prober.fence?.();
  return probeAddress(inspection, prober, target, { requests: REQUESTS, mac, crossing: 0 });
}

/** Proves that requests are flooded before `neigh add`, and answered after it. */
async function answersAdded(
  inspection: Inspection,
  prober: Prober,
  target: string,
  mac: string,
  crossing: number,
): Promise<Seen> {
  const before = await probeAddress(inspection, prober, target, { requests: FLOODED, mac: null, crossing });
  const client = inspection.client(prober.guest.host);
  const add: NeighRequest = { op: 'add', dst: target, lladdr: mac, dev: DEV };
  const del: NeighRequest = { op: 'del', dst: target, dev: DEV };
  await inspection.temporarily(
    () => client.post('/v1/neigh', add),
    () => client.post('/v1/neigh', del),
  );
  const after = await probeAddress(inspection, prober, target, { requests: REQUESTS, mac, crossing: 0 });
  await inspection.undoAll();
  return { holds: before.holds && after.holds, seen: `before: ${before.seen}; after: ${after.seen}` };
}

/** Captures on the third host's wire while the first two guests exchange probes. */
async function unicastIsDirect(inspection: Inspection, guests: Three<Station>, wires: Three<Sniffer>): Promise<Seen> {
  const [first, second, third] = guests;
  for (const wire of wires) wire.drain();
  const starts = wires.map((wire) => wire.tunnel.length) as Three<number>;
  const passed = (index: 1 | 2, from: Station, to: Station): number =>
    wires[index].tunnel
      .slice(starts[index])
      .filter(({ frame }) => frame.source === from.mac && frame.destination === to.mac).length;
  const talk = await reach(inspection, first, second, 10);
  // A copy to the third host would have arrived before this probe: the wire keeps the order.
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
  const isRight = (seen: ObservedDatagram): boolean =>
    addresses.has(seen.from) && addresses.has(seen.to) && seen.vni === VNI && seen.reserved === 0;
  const wrong = all.filter((seen) => !isRight(seen));
  const examples = [...new Set(wrong.map((seen) => `${seen.from} -> ${seen.to} VNI ${seen.vni}`))].slice(0, 3);
  const seen =
    wrong.length > 0
      ? `${wrong.length} of ${all.length} datagrams are wrong: ${examples.join(', ')}`
      : `${all.length} datagrams on three wires, all unicast in VNI ${VNI}, reserved bits zero`;
  return { holds: all.length > 0 && wrong.length === 0, seen };
}

/**
 * Lab multicast-underlay: VXLAN with a multicast group, as in RFC 7348. No host has remotes. Each joins one group of the
 * underlay, floods go to the group once, and VTEPs are learned. The underlay is a switch that carries multicast.
 *
 *        198.18.0.2        198.18.0.3        198.18.0.4
 *            |                 |                 |
 *          vxlan0            vxlan0            vxlan0         VNI 42, UDP 4789, group 239.1.1.1
 *       192.168.0.2       192.168.0.3       192.168.0.4
 *            '---------------- net --------------'
 */
import type { ObservedDatagram } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { countShouts, freshTag, heardOnce, reach, SHOUTS, type ShoutKind } from '../checks/probes.js';
import { type FileChecks, readyLab } from '../file/ready.js';
import type { Lab } from '../lab.js';
import { type Host, type Station, UNDERLAY_NIC, underlayOf } from '../setup/topology.js';
import { groupsOf } from '../testbed/namespaces.js';
import { becomesTrue } from '../testbed/wait.js';

const NAME = 'multicast-underlay';
const VNI = 42;
const GROUP = '239.1.1.1';
const ALL_ZEROS = '00:00:00:00:00:00';
const LEAVE_LIMIT_MS = 2000;

type Three<T> = readonly [T, T, T];

export const multicastUnderlay: Lab = readyLab(NAME, check);
const hosts = multicastUnderlay.topology.hosts as unknown as Three<Host>;
const guests = multicastUnderlay.topology.stations as unknown as Three<Station>;

type Wires = Three<Sniffer>;

async function check(inspection: Inspection, words: FileChecks): Promise<void> {
  const wires = hosts.map((host) => inspection.sniffUnderlay(underlayOf(host))) as unknown as Wires;
  const [first, , third] = guests;
  await inspection.prove(`every host has joined ${GROUP} on ${UNDERLAY_NIC}`, () => membersAre(inspection, hosts));
  await inspection.prove('no remote is configured: the flood list is the group', () => floodsToGroup(inspection));
  await words.look();
  for (const kind of ['broadcast', 'multicast'] as const) {
    for (const [index, guest] of guests.entries()) {
      const claim = `each ${kind} of ${guest.name} is one datagram to the group, and arrives once at every guest`;
      await inspection.prove(claim, () => crossesOnce(inspection, wires, index, kind));
    }
  }
  await inspection.prove('once learned, a unicast frame goes to its VTEP only', () =>
    unicastIsDirect(inspection, wires),
  );
  await inspection.prove(`all datagrams are in VNI ${VNI}, and those to the group have a TTL of 1`, async () =>
    headersAreRight(wires),
  );
  for (const wire of wires) wire.stop();
  await words.move();
  const [kept, alsoKept, ended] = hosts;
  await inspection.prove(`the switch of ${ended.name} ends and has left the group; the others have not`, () =>
    leaves(inspection, ended, [kept, alsoKept]),
  );
  await inspection.prove('it starts again and has joined the group again', () => joinsAgain(inspection, ended));
  await inspection.prove(`and ${first.name} reaches ${third.name} as before`, () => reach(inspection, first, third));
}

/** The hosts whose kernel lists the group on the underlay NIC. */
async function members(): Promise<Host[]> {
  const joined = await Promise.all(hosts.map(async (host) => (await groupsOf(underlayOf(host))).includes(GROUP)));
  return hosts.filter((_, index) => joined[index]);
}

/** Proves that exactly these hosts are members, at the latest after the time that leaving may take. */
async function membersAre({ signal }: Inspection, expected: readonly Host[]): Promise<Seen> {
  let found: Host[] = [];
  const holds = await becomesTrue(
    async () => {
      found = await members();
      return found.map(({ name }) => name).join() === expected.map(({ name }) => name).join();
    },
    { limitMs: LEAVE_LIMIT_MS, signal },
  );
  return { holds, seen: `ip maddress lists the group on ${found.map(({ name }) => name).join(', ') || 'no host'}` };
}

async function floodsToGroup(inspection: Inspection): Promise<Seen> {
  const answers = await Promise.all(hosts.map(({ name }) => inspection.client(name).get('/v1/fdb')));
  const lists = answers.map((rows) => rows.filter(({ mac }) => mac === ALL_ZEROS).map(({ dst }) => dst));
  const holds = lists.every((list) => list.length === 1 && list[0] === GROUP);
  const seen = lists.map((list, index) => `${hosts[index]?.name} dst ${list.join(', ') || 'none'}`);
  return { holds, seen: seen.join('; ') };
}

/** Proves that each shout is one datagram on the wire of each host, and does not return to its sender. */
async function crossesOnce(inspection: Inspection, wires: Wires, index: number, kind: ShoutKind): Promise<Seen> {
  const [from, host] = [guests[index], hosts[index]] as [Station, Host];
  const others = guests.filter((guest) => guest !== from);
  const own = inspection.sniffGuest(from);
  const mark = freshTag();
  const heard = await heardOnce(inspection, from, kind, others, [], mark);
  const failures = heard.holds ? [] : [heard.seen];
  for (const [place, wire] of wires.entries()) {
    const all = countShouts(wire, mark);
    const right = wire.tunnel.filter((seen) => seen.to === GROUP && seen.from === host.address);
    const toGroup = right.filter(({ frame }) => frame.text.includes(mark)).length;
    if (all !== SHOUTS || toGroup !== SHOUTS)
      failures.push(`${all} on the wire of ${hosts[place]?.name}, ${toGroup} of them to ${GROUP}`);
  }
  const passed = countShouts(own, mark);
  own.stop();
  if (passed !== SHOUTS) failures.push(`${passed} passed the NIC of ${from.name}, which sent ${SHOUTS}`);
  const good = `${heard.seen}; ${SHOUTS} datagrams to ${GROUP} on each wire, none came back`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

/** Captures on the third host's wire while the first two guests exchange probes. */
async function unicastIsDirect(inspection: Inspection, wires: Wires): Promise<Seen> {
  const [first, second, third] = guests;
  const [own, , far] = wires;
  for (const wire of wires) wire.drain();
  const starts = [own.tunnel.length, far.tunnel.length] as const;
  const between = (one: Station, other: Station) => (seen: ObservedDatagram) =>
    seen.frame.source === one.mac && seen.frame.destination === other.mac;
  const talk = await reach(inspection, first, second, 10);
  // A copy to the third host would have arrived before this probe: the wire keeps the order.
  const fence = await reach(inspection, first, third, 1);
  const inOrder = await far.sees(() => far.tunnel.slice(starts[1]).some(between(first, third)), inspection.signal);
  own.drain();
  const sent = own.tunnel.slice(starts[0]).filter(between(first, second));
  const direct = sent.filter(({ to }) => to === hosts[1].address).length;
  const astray = far.tunnel.slice(starts[1]).filter(between(first, second)).length;
  const rows = await inspection.client(hosts[0].name).get('/v1/fdb');
  const entry = rows.find(({ mac, dst }) => mac === second.mac && dst !== undefined);
  return {
    holds: talk.holds && fence.holds && inOrder && direct >= 10 && direct === sent.length && astray === 0,
    seen: `${talk.seen}; ${direct} of ${sent.length} frames to ${entry?.dst ?? 'nowhere'}, ${astray} at ${hosts[2].name}`,
  };
}

function headersAreRight(wires: Wires): Seen {
  const addresses = hosts.map(({ address }) => address);
  const isRight = ({ from, to, ttl, vni, reserved }: ObservedDatagram): boolean =>
    addresses.includes(from) && (to === GROUP ? ttl === 1 : addresses.includes(to)) && vni === VNI && reserved === 0;
  for (const wire of wires) wire.drain();
  const all = wires.flatMap((wire) => wire.tunnel);
  const wrong = all.filter((seen) => !isRight(seen));
  const toGroup = all.filter(({ to }) => to === GROUP).length;
  const examples = wrong.slice(0, 3).map(({ from, to, ttl, vni }) => `${from} -> ${to} ttl ${ttl} VNI ${vni}`);
  const rest = wrong.length > 0 ? `; ${wrong.length} wrong: ${examples.join(', ')}` : '';
  return {
    holds: toGroup > 0 && toGroup < all.length && wrong.length === 0,
    seen: `${all.length} datagrams on three wires, ${toGroup} of them to the group${rest}`,
  };
}

async function leaves(inspection: Inspection, ended: Host, others: readonly Host[]): Promise<Seen> {
  const how = await inspection.endSwitch(ended.name);
  const { holds, seen } = await membersAre(inspection, others);
  return { holds: holds && how === 'ended', seen: `the switch has ${how}; ${seen}` };
}

async function joinsAgain(inspection: Inspection, host: Host): Promise<Seen> {
  await inspection.startSwitch(host.name);
  return membersAre(inspection, hosts);
}

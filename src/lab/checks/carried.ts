/** Proofs about the VNIs on the wire and about entries of the FDB, for any lab. */
import type { ObservedDatagram } from '../capture/observed-frame.js';
import type { Host, Station } from '../setup/topology.js';
import type { Seen } from './findings.js';
import type { SegmentArgs } from './words/rows.js';
import type { Place } from './words/word.js';

const ALL_ZEROS = '00:00:00:00:00:00';

/** Proves that every segment was seen from every host that has guests in it, and that all frames were in the VNI of their sender. */
export async function wireCarries(place: Place, at: string, segments: readonly SegmentArgs[]): Promise<Seen> {
  const wire = place.wire(at);
  const vniOf = new Map(segments.flatMap(({ vni, guests }) => place.guests(guests).map(({ mac }) => [mac, vni])));
  const expected = place.topology.hosts.flatMap((host) =>
    segments.filter((segment) => isOn(place, segment, host)).map(({ vni }) => ({ host, vni })),
  );
  const silent = new Set(place.guests().flatMap(({ mac }) => (vniOf.has(mac) ? [] : [mac])));
  /** Without the frames of guests that no segment names. */
  const carried = (): ObservedDatagram[] => wire.tunnel.filter(({ frame }) => !silent.has(frame.source));
  const passed = ({ host, vni }: (typeof expected)[number]): boolean =>
    carried().some((seen) => seen.from === host.address && seen.vni === vni);
  await wire.sees(() => expected.every(passed), place.inspection.signal);

  const failures = expected
    .filter((one) => !passed(one))
    .map(({ host, vni }) => `no datagram from ${host.name} in VNI ${vni}`);
  const count = (what: string, wrong: (seen: ObservedDatagram) => boolean): void => {
    const found = carried().filter(wrong);
    const vnis = [...new Set(found.map((seen) => seen.vni ?? 'none'))].join(', ');
    if (found.length > 0) failures.push(`${found.length} datagrams ${what} (VNI ${vnis})`);
  };
  count('with reserved bits set', (seen) => seen.reserved !== 0);
  count('without a mapped VNI', (seen) => !segments.some(({ vni }) => vni === seen.vni));
  count("outside the VNI of their guest's segment", (seen) => vniOf.get(seen.frame.source) !== seen.vni);
  count('with an inner tag', (seen) => seen.frame.vid !== null);
  const tally = segments.map(({ vni }) => `${carried().filter((seen) => seen.vni === vni).length} in VNI ${vni}`);
  const good = `${carried().length} datagrams: ${tally.join(', ')}; all reserved bits zero, no inner tag`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

export interface RoutedArgs {
  readonly from: Station;
  readonly to: Station;
  readonly vni: number;
}

/** A hop takes one from the TTL; guests send with the default of Linux. */
const TTL_ROUTED = 63;

/**
 * Proves that packets between two guests of different VLANs were routed on the host of their sender: on the wire from that host to the other,
 * in the VNI of the receiver only, to its MAC, from a MAC that is no guest's, with one hop taken from the TTL.
 */
export async function wireRoutes(place: Place, at: string, { from, to, vni }: RoutedArgs): Promise<Seen> {
  const wire = place.wire(at);
  const between = (): ObservedDatagram[] =>
    wire.tunnel.filter(({ frame: { ipv4 } }) => ipv4?.from === from.address && ipv4.to === to.address);
  await wire.sees(() => between().length > 0, place.inspection.signal);
  const [near, far] = [from, to].map(({ host }) => place.host(host).address);
  const macs = new Set(place.guests().map(({ mac }) => mac));
  const failures = between().length === 0 ? [`no packet from ${from.name} to ${to.name}`] : [];
  const count = (what: string, wrong: (seen: ObservedDatagram) => boolean): void => {
    const found = between().filter(wrong).length;
    if (found > 0) failures.push(`${found} ${what}`);
  };
  count(`in another VNI than ${vni}`, (seen) => seen.vni !== vni);
  count(`on another way than ${from.host} to ${to.host}`, (seen) => seen.from !== near || seen.to !== far);
  count(`to another MAC than that of ${to.name}`, ({ frame }) => frame.destination !== to.mac);
  count('from the MAC of a guest', ({ frame }) => macs.has(frame.source));
  count('with another TTL', ({ frame }) => frame.ttl !== TTL_ROUTED);
  count('with an inner tag', ({ frame }) => frame.vid !== null);
  const [first] = between();
  const good = `${between().length} packets, ${first?.from} > ${first?.to} VNI ${vni}, from MAC ${first?.frame.source}, TTL ${TTL_ROUTED}`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

/** Whether the frames of a segment's guests on this host pass the wire that is read: with others beyond it only. */
function isOn(place: Place, { guests }: SegmentArgs, host: Host): boolean {
  return place.guests(guests).some((guest) => guest.host === host.name);
}

export interface FdbArgs {
  readonly host: string;
  readonly port: string;
  readonly via: string;
  readonly guests: readonly string[];
  readonly segments: readonly SegmentArgs[] | undefined;
  readonly flood: boolean;
}

/** An entry that must be there. */
interface Wanted {
  readonly mac: string;
  readonly vni?: number | undefined;
  readonly vlan?: number | undefined;
}

function wantedBy(place: Place, { guests, segments = [], flood }: FdbArgs): Wanted[] {
  if (flood) return [{ mac: ALL_ZEROS }];
  const each = (names: readonly string[], more: Omit<Wanted, 'mac'>): Wanted[] =>
    place.guests(names).map(({ mac }) => ({ mac, ...more }));
  return [...each(guests, {}), ...segments.flatMap(({ vni, vlan, guests: names }) => each(names, { vni, vlan }))];
}

/** Proves that the FDB has exactly one entry of each, with the remote; a guest's entry must be learned. */
export async function fdbHolds(place: Place, args: FdbArgs): Promise<Seen> {
  const rows = await place.inspection.client(args.host).get('/v1/fdb');
  const remote = place.host(args.via).address;
  const wanted = wantedBy(place, args);
  const found = rows.filter((row) => row.ifname === args.port && wanted.some(({ mac }) => mac === row.mac));
  const isRight = ({ mac, vni = undefined, vlan = undefined }: Wanted): boolean =>
    found.some(
      (row) =>
        row.mac === mac &&
        row.dst === remote &&
        (args.flood || row.state === 'dynamic') &&
        (vni === undefined || row.vni === vni) &&
        (vlan === undefined || row.vlan === vlan),
    );
  const seen = found.map((row) =>
    args.segments === undefined
      ? `${row.mac} dev ${row.ifname} dst ${row.dst} ${row.state}`
      : `${row.mac} vlan ${row.vlan} vni ${row.vni} dst ${row.dst}`,
  );
  return {
    holds: found.length === wanted.length && wanted.every(isRight),
    seen: seen.join(', ') || `no entry among ${rows.length}`,
  };
}

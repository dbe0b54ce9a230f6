/** Proofs about the VNIs on the wire and about entries of the FDB, for any lab. */
import type { ObservedDatagram } from '../capture/observed-frame.js';
import type { Host } from '../setup/topology.js';
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

/**
 * The VTEPs of vxlan ports known by configuration or command, and their engine indexes: the remotes.
 *
 * A VTEP has one home remote: datagrams from its address belong to it, and learned entries lead to it. The home's UDP port is
 * chosen from the entries (docs/semantics.md): the port's `dstport` if an entry gives none, else the lowest given by a
 * flood-list row, else the lowest of all. A destination with another UDP port, or with a VNI of its own, gets a remote beside
 * the home.
 *
 * Indexes are settled at the end of a change, because all entries of a VTEP together determine its remotes.
 */
import { GROUP_REMOTES } from '../../dataplane/state/destination.js';
import { STATIC_REMOTES } from '../../encap/remotes.js';
import { parseAddress } from '../../wire/ip-address.js';
import { type Entry, isFloodRow } from '../model/entries.js';
import type { OtherRemote, Vtep, VxlanPort } from '../model/model.js';
import { Numbers } from '../model/numbers.js';
import type { Transition } from '../model/transition.js';
import type { VniNumbers } from './vni-numbers.js';

/** Destination of an entry. */
export type Destination = Pick<Entry, 'mac' | 'dst' | 'udpPort' | 'sentVni' | 'nhid'>;

export class Vteps {
  private readonly numbers = new Numbers('remotes', 1, STATIC_REMOTES); // 0 means none
  /** VTEPs to settle; a reference dropped may return later in the same change. */
  private readonly touched = new Map<VxlanPort, Set<Vtep>>();

  constructor(private readonly vnis: VniNumbers) {}

  /** @param others VTEPs added without an entry @throws DeviceError when the table of remotes is too full */
  checkRoom(
    added: readonly (Destination & Pick<Entry, 'port'>)[],
    others: number,
    portOf: (name: string) => VxlanPort | undefined,
  ): void {
    const homes = new Set<string>();
    const apart = new Set<string>();
    const withVni = new Set<string>();
    for (const { port, dst, udpPort, sentVni } of added) {
      if (dst === undefined) continue;
      const known = portOf(port)?.vteps.get(dst);
      // If a home changes its UDP port, entries that gave the former one get a remote of their own.
      if (known === undefined || known.udpPort !== portOf(port)?.config.dstport) homes.add(`${port} ${dst}`);
      if (udpPort !== undefined || sentVni !== undefined) apart.add(`${port} ${dst} ${udpPort} ${sentVni}`);
      if (sentVni !== undefined) withVni.add(`${port} ${dst} ${udpPort} ${sentVni}`);
    }
    this.numbers.need(homes.size + apart.size + others);
    this.vnis.need(withVni.size);
  }

  /** Whether an entry there would need no further index. */
  isNamed(port: VxlanPort, destination: Destination): boolean {
    const { dst } = destination;
    return dst === undefined || port.vteps.get(dst)?.said.has(keyOf(port, destination)) === true;
  }

  /** Adds a reference to an address, whatever its UDP port. @returns the index of its home */
  hold(port: VxlanPort, address: string): number {
    const vtep = port.vteps.get(address) ?? this.begin(port, address);
    vtep.users++;
    this.touch(port, vtep);
    return vtep.home;
  }

  /** Drops a reference to an address; no effect after its port was deleted. */
  release(port: VxlanPort, address: string): void {
    const vtep = port.vteps.get(address);
    if (vtep === undefined) return;
    vtep.users--;
    if (vtep.users > 0 || vtep.udpPort !== 0) {
      this.touch(port, vtep);
      return;
    }
    // No engine has known it.
    this.touched.get(port)?.delete(vtep);
    port.vteps.delete(address);
    this.numbers.give(vtep.home);
  }

  /** Adds the reference of an entry. */
  name(port: VxlanPort, destination: Destination): void {
    this.say(port, destination, 1);
  }

  unname(port: VxlanPort, destination: Destination): void {
    this.say(port, destination, -1);
  }

  private say(port: VxlanPort, destination: Destination, more: 1 | -1): void {
    const { dst } = destination;
    if (dst === undefined) return;
    if (more > 0) this.hold(port, dst);
    const vtep = port.vteps.get(dst);
    if (vtep === undefined) return;
    const key = keyOf(port, destination);
    const { udpPort = port.config.dstport, sentVni: vni } = destination;
    const said = vtep.said.get(key) ?? { udpPort, vni, flood: 0, others: 0 };
    said[isFloodRow(destination) ? 'flood' : 'others'] += more;
    if (said.flood + said.others > 0) vtep.said.set(key, said);
    else vtep.said.delete(key);
    if (more < 0) this.release(port, dst);
  }

  private begin(port: VxlanPort, address: string): Vtep {
    const vtep: Vtep = { address, home: this.numbers.take(), udpPort: 0, others: new Map(), said: new Map(), users: 0 };
    port.vteps.set(address, vtep);
    return vtep;
  }

  private touch(port: VxlanPort, vtep: Vtep): void {
    this.touched.set(port, (this.touched.get(port) ?? new Set<Vtep>()).add(vtep));
  }

  /** Allocates and releases indexes. @returns addresses whose entries now lead to other remotes */
  settle(change: Transition): Map<VxlanPort, Set<string>> {
    const moved = new Map<VxlanPort, Set<string>>();
    for (const [port, vteps] of this.touched) {
      const addresses = new Set<string>();
      for (const vtep of vteps) {
        if (vtep.users === 0) this.letGo(port, vtep, change);
        else if (this.place(port, vtep, change)) addresses.add(vtep.address);
      }
      if (addresses.size > 0) moved.set(port, addresses);
    }
    this.touched.clear();
    return moved;
  }

  /** @returns whether the home's UDP port has changed */
  private place(port: VxlanPort, vtep: Vtep, change: Transition): boolean {
    const before = vtep.udpPort;
    vtep.udpPort = homePort(port, vtep);
    if (vtep.udpPort !== before) tell(port, vtep.address, { remote: vtep.home, udpPort: vtep.udpPort }, change);
    const apart = new Map(
      [...vtep.said].filter(([, { udpPort, vni }]) => vni !== undefined || udpPort !== vtep.udpPort),
    );
    for (const [key, other] of vtep.others) {
      if (apart.has(key)) continue;
      vtep.others.delete(key);
      this.endOther(port, other, change);
    }
    for (const [key, { udpPort, vni }] of apart) {
      if (vtep.others.has(key)) continue;
      const sent = vni === undefined ? {} : { sent: { vni, ...this.vnis.take(vni) } };
      const other: OtherRemote = { remote: this.numbers.take(), udpPort, ...sent };
      vtep.others.set(key, other);
      if (other.sent !== undefined) port.sentVnis.set(other.remote, other.sent);
      tell(port, vtep.address, other, change);
    }
    return before !== 0 && before !== vtep.udpPort;
  }

  /** A port was deleted; its remaining VTEPs are removed. */
  end(port: VxlanPort, change: Transition): void {
    this.touched.delete(port);
    for (const vtep of [...port.vteps.values()]) this.letGo(port, vtep, change);
  }

  /** Flushes entries learned behind a VTEP. */
  private letGo(port: VxlanPort, vtep: Vtep, change: Transition): void {
    port.vteps.delete(vtep.address);
    if (vtep.udpPort === 0) {
      this.numbers.give(vtep.home);
      return;
    }
    this.endOther(port, { remote: vtep.home, udpPort: vtep.udpPort }, change);
    for (const other of vtep.others.values()) this.endOther(port, other, change);
  }

  private endOther(port: VxlanPort, { remote, sent }: OtherRemote, change: Transition): void {
    port.sentVnis.delete(remote);
    change.letGo(port.index, remote);
    change.afterwards.push(() => {
      this.numbers.give(remote);
      if (sent !== undefined) this.vnis.give(sent.header);
    });
  }
}

/** The UDP port of a VTEP's home. */
function homePort({ config }: VxlanPort, { said }: Vtep): number {
  const all = [...said.values()];
  const lists = all.filter(({ flood }) => flood > 0);
  const named = (lists.length > 0 ? lists : all).map(({ udpPort }) => udpPort);
  if (named.length === 0 || all.some(({ udpPort }) => udpPort === config.dstport)) return config.dstport;
  return Math.min(...named);
}

function tell(port: VxlanPort, address: string, { remote, udpPort, sent }: OtherRemote, change: Transition): void {
  const parsed = parseAddress(address);
  if (parsed === null) throw new TypeError(`not an address: ${address}`);
  const known = port.vteps.get(address)?.home === remote;
  const place = { port: port.index, address: parsed.words, udpPort };
  change.entries.push({ op: 'remote', remote, ...place, known, ...(sent === undefined ? {} : { sent }) });
}

function keyOf(port: VxlanPort, { udpPort, sentVni }: Destination): string {
  return `${udpPort ?? port.config.dstport} ${sentVni ?? ''}`;
}

/** Index of the remote that an entry sends to; 0: none, as for a dead one without a backup. Valid after settling. */
export function remoteOf(port: VxlanPort, destination: Destination): number {
  const { dst: named, udpPort, sentVni, nhid } = destination;
  if (nhid !== undefined) return groupRemote(port, nhid);
  const dst = isDead(port, named) ? livingBackup(port) : named;
  const vtep = dst === undefined ? undefined : port.vteps.get(dst);
  if (vtep === undefined) return 0;
  if (sentVni === undefined && (udpPort ?? port.config.dstport) === vtep.udpPort) return vtep.home;
  return vtep.others.get(keyOf(port, destination))?.remote ?? 0;
}

export function isDead({ dead }: Pick<VxlanPort, 'dead'>, address: string | undefined): boolean {
  return dead !== undefined && address !== undefined && dead.has(address);
}

/** What takes the place of a dead VTEP. */
function livingBackup(port: VxlanPort): string | undefined {
  const { bfd_backup: backup } = port.config;
  return isDead(port, backup) ? undefined : backup;
}

/** The remote of a nexthop group in FDB destinations; 0: the port does not have it. */
function groupRemote(port: VxlanPort, nhid: number): number {
  const use = port.nexthops.get(nhid);
  return use === undefined ? 0 : GROUP_REMOTES + use.index;
}

/** All remotes of a port with their addresses. */
export function* remotesOf(port: VxlanPort): Generator<[remote: number, address: string]> {
  for (const { address, home, others } of port.vteps.values()) {
    yield [home, address];
    for (const { remote } of others.values()) yield [remote, address];
  }
}

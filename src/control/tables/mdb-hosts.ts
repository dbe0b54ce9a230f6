/**
 * Places of hosts. On a port with `mcast_to_unicast` each host that reports is a member of its own, since it gets a copy of its own
 * (Linux `br_port_group_equal`). Its place is that of its port with a number of the host above: `destinationPort` reads it as any other.
 *
 * Hosts choose their MACs freely, so they are bounded; one too many is a member as the port itself is, which gets one multicast copy.
 */
import { destinationPort } from '../../dataplane/state/destination.js';
import type { Group } from './mdb-state.js';

/** Members of one group behind one port that get copies of their own. */
export const MAX_HOSTS_OF_GROUP = 64;
/** Memberships of hosts behind one port, and of all ports. */
export const MAX_HOSTS_OF_PORT = 512;
export const MAX_HOSTS = 16_384;

/** Places of ports and remotes are less. */
const HOST = 2 ** 32;

/** The port, or remote, of a place. */
export function baseOf(place: number): number {
  return place % HOST;
}

export function isHost(place: number): boolean {
  return place >= HOST;
}

/** Whether a port, or a remote, has any membership of a group. */
export function isMemberAt({ members, hosts }: Group, base: number): boolean {
  return members.has(base) || hosts.has(base);
}

/** The places with a membership of a group at a port or remote: of itself, and of hosts. */
export function placesAt({ members, hosts }: Group, base: number): number[] {
  if (!hosts.has(base)) return members.has(base) ? [base] : [];
  return [...members.keys()].filter((place) => baseOf(place) === base);
}

/** A MAC and the memberships of its host. */
interface Known {
  id: number;
  mac: number;
  uses: number;
}

export class MdbHosts {
  private readonly byMac = new Map<number, Known>();
  private readonly byId = new Map<number, Known>();
  private readonly free: number[] = [];
  private readonly ofPort = new Map<number, number>();
  private uses = 0;

  /** The place of a host behind a port. @param mac 48 bits @returns undefined: it has no membership anywhere */
  find(base: number, mac: number): number | undefined {
    const known = this.byMac.get(mac);
    return known === undefined ? undefined : known.id * HOST + base;
  }

  /** The place of a host that joins a group; that of its port where there are too many hosts. `settle` ends it. */
  claim(group: Group | undefined, base: number, mac: number): number {
    const port = destinationPort(base);
    const isFull =
      (group?.hosts.get(base) ?? 0) >= MAX_HOSTS_OF_GROUP ||
      (this.ofPort.get(port) ?? 0) >= MAX_HOSTS_OF_PORT ||
      this.uses >= MAX_HOSTS;
    if (isFull) return base;
    const known = this.byMac.get(mac);
    if (known !== undefined) return known.id * HOST + base;
    const id = this.free.pop() ?? this.byId.size + 1;
    const added = { id, mac, uses: 0 };
    this.byMac.set(mac, added);
    this.byId.set(id, added);
    return id * HOST + base;
  }

  /** Forgets the host of a place that has not become a member. */
  settle(place: number): void {
    const known = this.byId.get(idOf(place));
    if (known === undefined || known.uses > 0) return;
    this.byId.delete(known.id);
    this.byMac.delete(known.mac);
    this.free.push(known.id);
  }

  /** A membership begins (1) or ends (-1). */
  count(group: Group, place: number, more: 1 | -1): void {
    const known = this.byId.get(idOf(place));
    if (known === undefined) return;
    known.uses += more;
    this.uses += more;
    add(this.ofPort, destinationPort(place), more);
    add(group.hosts, baseOf(place), more);
    if (more < 0) this.settle(place);
  }

  /** The MAC of the host of a place, 48 bits. */
  macOf(place: number): number {
    return this.byId.get(idOf(place))?.mac ?? 0;
  }
}

function idOf(place: number): number {
  return Math.floor(place / HOST);
}

function add(counts: Map<number, number>, key: number, more: number): void {
  const now = (counts.get(key) ?? 0) + more;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
}

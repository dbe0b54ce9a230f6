/**
 * The multicast database of tunnel ports: for a group of IP in a VNI, and for pairs of a source and a group, the remotes that get
 * the frames. Keeps the VTEPs that it names, and tells the engines what has changed. Which entries there may be: `tables/tunnel-mdb.ts`.
 */
import type { Operation } from '../../dataplane/operations/operations.js';
import { parseAddress } from '../../wire/ip-address.js';
import type { VxlanPort } from '../model/model.js';
import type { Transition } from '../model/transition.js';
import { type Destination, remoteOf, type Vteps } from './vteps.js';

/** Most remotes of all entries: a port's table has at most two rows for each (`dataplane/state/groups.ts`, MAX_GROUPS). */
export const MAX_TUNNEL_MEMBERS = 49_152;

/** A MAC of no flood list, for the references of VTEPs. */
const GROUP_MAC = '01:00:5e:00:00:00';

/** One remote of an entry. */
export interface TunnelMember {
  dst: string;
  /** Absent: that of the port. */
  dstPort?: number;
  /** That frames are sent with; absent: that of the entry. */
  vni?: number;
  via?: string;
  mode: 'include' | 'exclude';
  sources: readonly string[];
  proto: number;
  /** Of a pair: its frames do not go to the remote. */
  isBlocked: boolean;
  /** Of a pair: it is there because the group's entry names the source. */
  isOfGroup: boolean;
}

/** Remotes by address, in the order of insertion. */
export type TunnelMembers = Map<string, TunnelMember>;

export interface TunnelGroup {
  vni: number;
  /** All zeros: the groups without an entry. */
  grp: string;
  any: TunnelMembers;
  /** By source. */
  pairs: Map<string, TunnelMembers>;
}

/** A remote has come to an entry, in place of the one with its address where there was one, or has gone. */
export interface TunnelChange {
  change: 'added' | 'deleted';
  port: VxlanPort;
  vni: number;
  grp: string;
  src: string | undefined;
  dst: string;
}

export class TunnelGroups {
  private readonly ports = new Map<VxlanPort, Map<string, TunnelGroup>>();
  private readonly stale = new Map<VxlanPort, Set<string>>();
  private members = 0;
  private changes: TunnelChange[] = [];

  constructor(private readonly vteps: Vteps) {}

  /** Remotes of all entries. */
  get size(): number {
    return this.members;
  }

  *groups(): Generator<[port: VxlanPort, group: TunnelGroup]> {
    for (const [port, groups] of this.ports) for (const group of groups.values()) yield [port, group];
  }

  find(port: VxlanPort, vni: number, grp: string): TunnelGroup | undefined {
    return this.ports.get(port)?.get(keyOf(vni, grp));
  }

  /** @throws DeviceError when the table of VTEPs is too full for that of a remote */
  checkRoom(port: VxlanPort, vni: number, member: TunnelMember): void {
    this.vteps.checkRoom([{ port: port.name, ...destinationOf(vni, member) }], 0, () => port);
  }

  /** Puts a remote into the entry of a group, or of a source and the group, in place of the one with its address. */
  put(port: VxlanPort, vni: number, grp: string, src: string | undefined, member: TunnelMember): void {
    const groups = this.ports.get(port) ?? new Map<string, TunnelGroup>();
    this.ports.set(port, groups);
    const key = keyOf(vni, grp);
    const group = groups.get(key) ?? { vni, grp, any: new Map(), pairs: new Map() };
    groups.set(key, group);
    const members = src === undefined ? group.any : (group.pairs.get(src) ?? new Map<string, TunnelMember>());
    if (src !== undefined) group.pairs.set(src, members);
    const before = members.get(member.dst);
    this.vteps.name(port, destinationOf(vni, member));
    if (before !== undefined) this.vteps.unname(port, destinationOf(vni, before));
    else this.members++;
    members.set(member.dst, member);
    this.touch(port, key);
    this.changes.push({ change: 'added', port, vni, grp, src, dst: member.dst });
  }

  /** Takes a remote out of an entry; a missing one is no error. */
  remove(port: VxlanPort, { vni, grp }: Pick<TunnelGroup, 'vni' | 'grp'>, src: string | undefined, dst: string): void {
    const group = this.find(port, vni, grp);
    const members = src === undefined ? group?.any : group?.pairs.get(src);
    const member = members?.get(dst);
    if (group === undefined || members === undefined || member === undefined) return;
    members.delete(dst);
    this.members--;
    this.vteps.unname(port, destinationOf(vni, member));
    if (src !== undefined && members.size === 0) group.pairs.delete(src);
    const key = keyOf(vni, grp);
    this.touch(port, key);
    if (group.any.size + group.pairs.size === 0) this.ports.get(port)?.delete(key);
    this.changes.push({ change: 'deleted', port, vni, grp, src, dst });
  }

  /** The port is deleted, and its VTEPs with it. */
  end(port: VxlanPort): void {
    for (const { vni, grp, any, pairs } of this.ports.get(port)?.values() ?? []) {
      for (const [src, members] of [[undefined, any], ...pairs] as [string | undefined, TunnelMembers][]) {
        this.members -= members.size;
        for (const dst of members.keys()) this.changes.push({ change: 'deleted', port, vni, grp, src, dst });
      }
    }
    this.ports.delete(port);
    this.stale.delete(port);
  }

  /** What has changed since the last call. */
  takeChanges(): TunnelChange[] {
    const { changes } = this;
    if (changes.length > 0) this.changes = [];
    return changes;
  }

  /** Addresses of the remotes of a port's entries. */
  addressesOf(port: VxlanPort): Set<string> {
    const addresses = new Set<string>();
    for (const group of this.ports.get(port)?.values() ?? [])
      for (const members of [group.any, ...group.pairs.values()]) for (const dst of members.keys()) addresses.add(dst);
    return addresses;
  }

  /** Sends what has changed. @param moved addresses whose entries lead to other remotes now */
  tell(moved: ReadonlyMap<VxlanPort, ReadonlySet<string>>, change: Transition): void {
    for (const [port, addresses] of moved) {
      for (const [key, { any, pairs }] of this.ports.get(port) ?? []) {
        const isMoved = [any, ...pairs.values()].some((members) =>
          [...members.keys()].some((dst) => addresses.has(dst)),
        );
        if (isMoved) this.touch(port, key);
      }
    }
    for (const [port, keys] of this.stale) for (const key of keys) change.entries.push(this.operation(port, key));
    this.stale.clear();
  }

  private touch(port: VxlanPort, key: string): void {
    this.stale.set(port, (this.stale.get(port) ?? new Set<string>()).add(key));
  }

  private operation(port: VxlanPort, key: string): Operation {
    const [vni, grp] = key.split(' ');
    const group = this.ports.get(port)?.get(key);
    const any = group?.any.size ? [...group.any.values()].filter(({ mode }) => mode === 'exclude') : null;
    return {
      op: 'tunnel-group',
      ...{ port: port.index, vni: Number(vni), address: wordsOf(grp) },
      remotes: any?.map((member) => remoteOf(port, destinationOf(Number(vni), member))).filter(isThere) ?? null,
      sources: [...(group?.pairs ?? [])].map(([src, members]) => ({
        address: wordsOf(src),
        destinations: [...members.values()]
          .filter(({ isBlocked }) => !isBlocked)
          .map((member) => remoteOf(port, destinationOf(Number(vni), member)))
          .filter(isThere),
      })),
    };
  }
}

/** A dead remote leads nowhere. */
const isThere = (remote: number): boolean => remote !== 0;

function keyOf(vni: number, grp: string): string {
  return `${vni} ${grp}`;
}

/** What the VTEP of a remote is asked for. */
function destinationOf(vni: number, { dst, dstPort, vni: sent }: TunnelMember): Destination {
  return {
    mac: GROUP_MAC,
    dst,
    ...(dstPort === undefined ? {} : { udpPort: dstPort }),
    ...(sent === undefined || sent === vni ? {} : { sentVni: sent }),
  };
}

function wordsOf(address: string): number[] {
  return [...(parseAddress(address)?.words ?? [])];
}

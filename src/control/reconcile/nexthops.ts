/**
 * Nexthop groups of vxlan ports: a group has an engine index on each port that names it, and a table of buckets that lead to the
 * remotes of its members. Each flow hashes to a bucket.
 */
import type { NexthopConfig } from '../../config/types.js';
import { familyOf } from '../../values/address.js';
import type { Entry } from '../model/entries.js';
import type { NexthopUse, VxlanPort } from '../model/model.js';
import { Numbers } from '../model/numbers.js';
import type { Transition } from '../model/transition.js';
import { bucketsOf } from './buckets.js';
import { isDead, remoteOf, type Vteps } from './vteps.js';

/** Most groups, each counted once for each port that names it: 4 KiB each in every engine. */
export const MAX_GROUPS = 4096;
/** As the entries of a member name it: unicast, with the UDP port and the VNI of the port. */
const MEMBER = { mac: '02:00:00:00:00:00' };

export class Nexthops {
  private readonly numbers = new Numbers('groups of nexthops on its ports', 0, MAX_GROUPS);
  private known = new Map<number, NexthopConfig>();
  /** Groups to send again, or to end. */
  private readonly touched = new Map<VxlanPort, Set<NexthopUse>>();

  constructor(private readonly vteps: Vteps) {}

  /**
   * The nexthops of the configuration from now on; groups in use follow.
   * @returns IDs that are no longer groups
   */
  define(nexthops: readonly NexthopConfig[], ports: Iterable<VxlanPort>): void {
    const before = this.known;
    this.known = new Map(nexthops.map((one) => [one.id, one]));
    if (before.size === 0 && this.known.size === 0) return;
    for (const port of ports) for (const use of port.nexthops.values()) this.nameMembers(port, use);
  }

  isGroup(nhid: number): boolean {
    return this.known.get(nhid)?.group !== undefined;
  }

  /** @throws DeviceError when groups of these entries find no room. @returns the number of their members */
  needRoom(added: readonly Entry[], nexthops: readonly NexthopConfig[]): number {
    const uses = new Set(added.flatMap(({ port, nhid }) => (nhid === undefined ? [] : [`${port} ${nhid}`])));
    this.numbers.need(uses.size);
    const sizes = new Map(nexthops.map(({ id, group }) => [id, group?.length ?? 0]));
    return [...uses].reduce((sum, use) => sum + (sizes.get(Number(use.split(' ')[1])) ?? 0), 0);
  }

  /** Adds a reference to a group. A group that is unknown leads nowhere until it is defined. */
  hold(port: VxlanPort, nhid: number): NexthopUse {
    let use = port.nexthops.get(nhid);
    if (use === undefined) {
      use = { nhid, index: this.numbers.take(), users: 0, members: [] };
      port.nexthops.set(nhid, use);
      this.nameMembers(port, use);
    }
    use.users++;
    this.touch(port, use);
    return use;
  }

  /** Drops a reference; no effect after the port was deleted. */
  release(port: VxlanPort, nhid: number): void {
    const use = port.nexthops.get(nhid);
    if (use === undefined) return;
    use.users--;
    this.touch(port, use);
  }

  /** Ends groups without users. Before remotes are settled. */
  settle(change: Transition): void {
    for (const [port, uses] of this.touched) {
      for (const use of uses) if (use.users === 0) this.end(port, use, change);
    }
  }

  /** Sends the buckets of changed groups. After remotes were settled. @param moved addresses that lead to other remotes now */
  tell(moved: ReadonlyMap<VxlanPort, ReadonlySet<string>>, change: Transition): void {
    for (const [port, addresses] of moved) {
      for (const use of port.nexthops.values()) {
        if (use.members.some(({ address }) => addresses.has(address))) this.touch(port, use);
      }
    }
    for (const [port, uses] of this.touched) {
      for (const use of uses) {
        // Members take over for each other; only when all are dead, the backup of the port does.
        const living = use.members.filter(({ address }) => !isDead(port, address));
        const members = (living.length > 0 ? living : use.members).map(({ id, address, weight }) => ({
          id,
          weight,
          remote: remoteOf(port, { ...MEMBER, dst: address }),
        }));
        change.entries.push({ op: 'nexthop', group: use.index, remotes: bucketsOf(members) });
      }
    }
    this.touched.clear();
  }

  /** The port was deleted, with its remotes. */
  endPort(port: VxlanPort, change: Transition): void {
    for (const use of port.nexthops.values()) this.end(port, { ...use, members: [] }, change);
    this.touched.delete(port);
  }

  private nameMembers(port: VxlanPort, use: NexthopUse): void {
    const members = (this.known.get(use.nhid)?.group ?? []).flatMap(({ id, weight }) => {
      const address = this.known.get(id)?.via;
      // A group of the other family leads nowhere: only a backup can name one.
      return address === undefined || familyOf(address) !== port.config.family ? [] : [{ id, weight, address }];
    });
    if (JSON.stringify(members) === JSON.stringify(use.members)) return;
    for (const { address } of members) this.vteps.name(port, { ...MEMBER, dst: address });
    for (const { address } of use.members) this.vteps.unname(port, { ...MEMBER, dst: address });
    use.members = members;
    this.touch(port, use);
  }

  private touch(port: VxlanPort, use: NexthopUse): void {
    this.touched.set(port, (this.touched.get(port) ?? new Set<NexthopUse>()).add(use));
  }

  private end(port: VxlanPort, use: NexthopUse, change: Transition): void {
    this.touched.get(port)?.delete(use);
    port.nexthops.delete(use.nhid);
    for (const { address } of use.members) this.vteps.unname(port, { ...MEMBER, dst: address });
    change.structure.push({ op: 'nexthop', group: use.index, remotes: [] });
    change.afterwards.push(() => this.numbers.give(use.index));
  }
}

/**
 * How many entries a port has, in all and in each VLAN (the kernel's `mcast_n_groups`), and how many it may have (`mcast_max_groups`).
 *
 * An entry is a membership of a group, a source that the member names, or a membership of a pair of source and group. Those that a port
 * has because others name a source do not count, so that no guest uses up what another may have.
 */

export interface PortLimits {
  /** 0: no limit. */
  all: number;
  /** By VID, where VLANs have limits of their own. */
  vlans: ReadonlyMap<number, number>;
}

export class MdbCounts {
  private readonly all = new Map<number, number>();
  /** By `port << 12 | vid`. */
  private readonly vlans = new Map<number, number>();
  private readonly limits = new Map<number, PortLimits>();

  /** @param limits undefined: the port is gone */
  setLimits(port: number, limits: PortLimits | undefined): void {
    if (limits === undefined) this.limits.delete(port);
    else this.limits.set(port, limits);
  }

  add(port: number, vid: number, more: number): void {
    count(this.all, port, more);
    count(this.vlans, (port << 12) | vid, more);
  }

  of(port: number): number {
    return this.all.get(port) ?? 0;
  }

  inVlan(port: number, vid: number): number {
    return this.vlans.get((port << 12) | vid) ?? 0;
  }

  /** Whether the port may have one more in a VLAN. */
  hasRoom(port: number, vid: number): boolean {
    const limits = this.limits.get(port);
    return limits === undefined || this.fits(port, limits, [[vid, 1]]);
  }

  /** Whether the port may have so many more in these VLANs. */
  mayHold(port: number, more: readonly (readonly [vid: number, more: number])[]): boolean {
    const limits = this.limits.get(port);
    return limits === undefined || this.fits(port, limits, more);
  }

  private fits(port: number, { all, vlans }: PortLimits, more: readonly (readonly [number, number])[]): boolean {
    const sum = more.reduce((before, [, one]) => before + one, 0);
    if (all !== 0 && sum > 0 && this.of(port) + sum > all) return false;
    return more.every(([vid, one]) => {
      const limit = vlans.get(vid) ?? 0;
      return limit === 0 || one <= 0 || this.inVlan(port, vid) + one <= limit;
    });
  }
}

function count(counts: Map<number, number>, key: number, more: number): void {
  const now = (counts.get(key) ?? 0) + more;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
}

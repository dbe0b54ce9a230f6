/** What a trace is told of: names for the numbers of the data path, and rows of tables. */
import type { TraceStep } from '../../api/api.js';
import { TICK_MS } from '../../dataplane/engine.js';
import { destinationPort, destinationRemote, isGroup } from '../../dataplane/state/destination.js';
import { fidParts } from '../../dataplane/state/fid.js';
import type { RemoteTable } from '../../encap/remotes.js';
import { ageOf, type FdbRow } from '../../fdb/table.js';
import { NEIGH_EXTERN, NEIGH_MANUAL, NEIGH_ROUTER, type NeighRow } from '../../neigh/table.js';
import { formatMac } from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import { isTunnel, type Port, type SwitchModel } from '../model/model.js';
import { nhidOf, vniOf } from '../model/naming.js';
import { entryRow } from '../views/views.js';

type Entry = NonNullable<TraceStep['entry']>;

export class Site {
  /** @param remotes as the shadow sees them: with a VTEP that is just being learned */
  constructor(
    readonly model: SwitchModel,
    readonly remotes: RemoteTable,
    readonly tick: number,
  ) {}

  port(index: number): Port | undefined {
    return this.model.portAt[index];
  }

  name(index: number): string {
    return this.model.portAt[index]?.name ?? `port ${index}`;
  }

  bridgeOf(port: number): string {
    return this.model.portAt[port]?.bridge?.name ?? 'no bridge';
  }

  address(remote: number): string {
    return formatAddress(...this.remotes.address(remote));
  }

  /** `tap2`, or `192.0.2.2 by vxlan0`. */
  place(destination: number): string {
    const name = this.name(destinationPort(destination));
    const remote = destinationRemote(destination);
    const port = this.port(destinationPort(destination));
    if (isGroup(remote)) return `nexthop ${isTunnel(port) ? nhidOf(port, remote) : remote} by ${name}`;
    return remote === 0 ? name : `${this.address(remote)} by ${name}`;
  }

  vni(port: number, vid: number): number | undefined {
    const tunnel = this.model.portAt[port];
    return isTunnel(tunnel) ? vniOf(tunnel, vid) : undefined;
  }

  /** An FDB entry as its listing shows it. */
  fdb(entry: FdbRow): Entry {
    return { table: 'fdb', ...entryRow(this, entry, this.tick) };
  }

  /** The words of `overtap fdb show`, shortened. */
  fdbWords(entry: FdbRow): string {
    const row = entryRow(this, entry, this.tick);
    const vlan = row?.vlan === undefined ? '' : ` vlan ${row.vlan}`;
    const place = row === null ? '' : ` dev ${row.ifname}`;
    const remote = row?.dst === undefined ? (row?.nhid === undefined ? '' : ` nhid ${row.nhid}`) : ` dst ${row.dst}`;
    const source = row?.source === undefined ? '' : ` extern_learn by ${row.source}`;
    return `fdb ${formatMac(entry.high, entry.low)}${place}${vlan}${remote} ${row?.state ?? ''}${source}`.trimEnd();
  }

  neigh({ fid, address, high, low, flags, port, stamp }: NeighRow): Entry {
    const vid = fidParts(fid)?.vid ?? 0;
    const isManual = (flags & NEIGH_MANUAL) !== 0;
    const isExtern = (flags & NEIGH_EXTERN) !== 0;
    return {
      table: 'neigh',
      dst: formatAddress(...address),
      lladdr: formatMac(high, low),
      ifname: this.name(port),
      ...(vid === 0 ? {} : { vlan: vid }),
      state: isManual ? 'permanent' : isExtern ? 'extern_learn' : 'learned',
      ...((flags & NEIGH_ROUTER) !== 0 ? { router: true } : {}),
      ...(isManual ? {} : { updated: Math.floor((ageOf(this.tick, stamp) * TICK_MS) / 1000) }),
    };
  }

  /** A membership in a VLAN. */
  vlan(port: number, vid: number): Entry {
    const found = this.model.portAt[port];
    const membership = found?.vlans.get(vid);
    const flags = [
      ...(found?.pvid === vid ? ['PVID'] : []),
      ...(membership?.untagged === true ? ['Egress Untagged'] : []),
    ];
    return { table: 'vlan', ifname: this.name(port), vlan: vid, flags };
  }
}

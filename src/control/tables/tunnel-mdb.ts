/**
 * The multicast database of tunnel ports by command: `mdb add dev vxlan0 port vxlan0`, as the vxlan device of Linux has it
 * (`drivers/net/vxlan/vxlan_mdb.c`). It is filled by hand or by a control program, and needs no snooping.
 *
 * The sources of a group's entry are pairs of source and group with the same remote: where the filter is `exclude` their frames do not
 * go there, where it is `include` only theirs do.
 */
import type { MdbRequest, MdbRow, SwitchEvent } from '../../api/api.js';
import { checkDestination } from '../../config/edit/check-entry.js';
import { isAllGroups, tunnelGroupFault } from '../../config/rules/tunnel-group.js';
import type { GroupConfig } from '../../config/types.js';
import { command } from '../../text/shell.js';
import { protocolName, routingProtocol } from '../../values/routing-protocol.js';
import { ChangeRefused } from '../controls.js';
import type { SwitchModel, VxlanPort } from '../model/model.js';
import {
  MAX_TUNNEL_MEMBERS,
  type TunnelChange,
  type TunnelGroup,
  type TunnelGroups,
  type TunnelMember,
} from '../reconcile/tunnel-groups.js';

type Put = Extract<MdbRequest, { op: 'add' | 'replace' }>;
type Del = Extract<MdbRequest, { op: 'del' }>;
type Flush = Extract<MdbRequest, { op: 'flush' }>;

/** RTPROT_STATIC. */
const STATIC = 4;

export class TunnelMdb {
  constructor(
    private readonly model: SwitchModel,
    private readonly groups: TunnelGroups,
  ) {}

  /** The operations for the engines come when the port's VTEPs are settled. @throws ChangeRefused, EditRefused, DeviceError; nothing has changed then */
  change(port: VxlanPort, request: MdbRequest): void {
    if (port.bridge === null)
      throw new ChangeRefused(`port ${port.name} belongs to no bridge; give it one with "link set"`);
    if (request.port !== undefined && request.port !== port.name)
      throw new ChangeRefused(`port: the entries of ${port.name} are its own; give "port ${port.name}"`);
    if (request.vid !== undefined)
      throw new ChangeRefused('vid: entries of a tunnel are of a VNI, not of a VLAN; give src_vni');
    if (request.op === 'flush') this.flush(port, request);
    else if (request.op === 'del') this.del(port, request);
    else this.put(port, request);
  }

  /** What has been added and removed since the last call. */
  takeEvents(): SwitchEvent[] {
    return this.groups.takeChanges().map(eventOf);
  }

  // ---- One entry ----

  private put(port: VxlanPort, request: Put): void {
    const { name, config } = port;
    const fault = tunnelGroupFault(request, { name, id: config.id, dev: config.dev });
    if (fault !== undefined) throw new ChangeRefused(`${fault.key}: ${fault.message}`);
    if (request.state === 'temp') throw new ChangeRefused('entries of a tunnel are always permanent; leave temp out');
    const vni = vniOf(port, request);
    const { grp, src } = request;
    const member = memberOf(port, request, vni);
    this.refuseKnown(port, vni, request, member);
    const sources = member.sources.length;
    if (this.groups.size + 1 + sources > MAX_TUNNEL_MEMBERS)
      throw new ChangeRefused(`the switch holds as many remotes of groups as it may; delete some first`, 'full');
    this.groups.checkRoom(port, vni, member);
    const before = src === undefined ? this.groups.find(port, vni, grp)?.any.get(member.dst) : undefined;
    this.groups.put(port, vni, grp, src, member);
    for (const source of member.sources) this.groups.put(port, vni, grp, source, pairOf(member));
    for (const source of before?.sources ?? [])
      if (!member.sources.includes(source)) this.groups.remove(port, { vni, grp }, source, member.dst);
  }

  private refuseKnown(port: VxlanPort, vni: number, { op, grp, src }: Put, { dst, sources }: TunnelMember): void {
    const group = this.groups.find(port, vni, grp);
    const present = src === undefined ? group?.any.get(dst) : group?.pairs.get(src)?.get(dst);
    if (present !== undefined && op === 'add')
      throw new ChangeRefused(`${dst} is a remote of ${grp} already; change it with "mdb replace"`, 'exists');
    if (present?.isOfGroup === true)
      throw new ChangeRefused(`src: ${src} is in the source_list of ${grp} for ${dst}; change that entry`, 'exists');
    const own = sources.find((source) => group?.pairs.get(source)?.get(dst)?.isOfGroup === false);
    if (own !== undefined)
      throw new ChangeRefused(
        `source_list: ${own} has an entry of its own for ${grp} and ${dst}; delete that first`,
        'exists',
      );
  }

  private del(port: VxlanPort, request: Del): void {
    const { grp, src, dst } = request;
    const { name, config } = port;
    const fault = tunnelGroupFault({ ...request, proto: undefined }, { name, id: config.id, dev: request.via });
    // A remote that is a group may be left when the port has no device any more.
    if (fault !== undefined && fault.key !== 'dst') throw new ChangeRefused(`${fault.key}: ${fault.message}`);
    if (dst === undefined) throw new ChangeRefused('dst: is missing; say which remote of the entry goes');
    const vni = vniOf(port, request);
    const group = this.groups.find(port, vni, grp);
    const member = src === undefined ? group?.any.get(dst) : group?.pairs.get(src)?.get(dst);
    if (group === undefined || member === undefined)
      throw new ChangeRefused(
        `${name} has no such entry of ${grp} with ${dst}; "${command`mdb show dev ${name}`}" lists those it has`,
        'not_found',
      );
    if (member.isOfGroup)
      throw new ChangeRefused(`src: ${src} is in the source_list of ${grp} for ${dst}; change that entry`);
    this.remove(port, group, src, member);
  }

  private remove(port: VxlanPort, group: TunnelGroup, src: string | undefined, { dst, sources }: TunnelMember): void {
    this.groups.remove(port, group, src, dst);
    if (src === undefined) for (const source of sources) this.groups.remove(port, group, source, dst);
  }

  // ---- Many ----

  /** Removes all entries that fit, as `bridge mdb flush`; no entry is no fault. */
  private flush(port: VxlanPort, { state, proto, dst, dst_port, vni, src_vni }: Flush): void {
    if (state === 'temp') throw new ChangeRefused('entries of a tunnel are always permanent; leave nopermanent out');
    const number = proto === undefined ? undefined : routingProtocol(proto);
    if (number === null) throw new ChangeRefused(`proto: "${proto}" is no protocol; give "static", "bgp" or another`);
    const fits = (group: TunnelGroup, member: TunnelMember): boolean =>
      (src_vni === undefined || group.vni === src_vni) &&
      (dst === undefined || member.dst === dst) &&
      (dst_port === undefined || (member.dstPort ?? port.config.dstport) === dst_port) &&
      (vni === undefined || (member.vni ?? group.vni) === vni) &&
      (number === undefined || member.proto === number);
    for (const [src, group, member] of [...this.rowsOf(port)])
      if (!member.isOfGroup && fits(group, member)) this.remove(port, group, src, member);
  }

  private *rowsOf(port?: VxlanPort): Generator<[string | undefined, TunnelGroup, TunnelMember, VxlanPort]> {
    for (const [holder, group] of this.groups.groups()) {
      if (port !== undefined && holder !== port) continue;
      for (const member of group.any.values()) yield [undefined, group, member, holder];
      for (const [src, members] of group.pairs)
        for (const member of members.values()) yield [src, group, member, holder];
    }
  }

  /** Follows the model after a change: a port that leaves its bridge, or has another VNI, loses its entries as those of the FDB. */
  follow(): void {
    for (const [src, group, member, port] of [...this.rowsOf()]) {
      const { bridge, config } = port;
      if (this.model.ports.get(port.name) !== port) this.groups.end(port);
      else if (bridge === null || (config.id !== undefined && config.id !== group.vni))
        this.groups.remove(port, group, src, member.dst);
    }
  }

  // ---- Views ----

  rows(): MdbRow[] {
    return [...this.rowsOf()].map(([src, group, member, port]) => rowOf(src, group, member, port));
  }

  /** Entries as in a file. Pairs that a group's entry names are part of it. */
  configured(): GroupConfig[] {
    return [...this.rowsOf()]
      .filter(([, , { isOfGroup }]) => !isOfGroup)
      .map(([src, { vni, grp }, member, { name, config }]): GroupConfig => {
        const { dst, dstPort, via, mode, sources, proto } = member;
        return {
          ...{ dev: name, port: name, grp },
          ...(src === undefined ? {} : { src }),
          dst,
          ...(dstPort === undefined ? {} : { dst_port: dstPort }),
          ...(member.vni === undefined ? {} : { vni: member.vni }),
          ...(config.id === undefined ? { src_vni: vni } : {}),
          ...(via === undefined ? {} : { via }),
          ...(sources.length === 0 ? {} : { filter_mode: mode, source_list: [...sources] }),
          ...(proto === STATIC ? {} : { proto: protocolName(proto) }),
        };
      });
  }

  /** Homes of the VTEPs that entries name. */
  remotes(): Set<number> {
    const homes = new Set<number>();
    for (const port of new Set([...this.groups.groups()].map(([holder]) => holder)))
      for (const address of this.groups.addressesOf(port)) {
        const home = port.vteps.get(address)?.home;
        if (home !== undefined) homes.add(home);
      }
    return homes;
  }
}

function eventOf({ change, port: { name, config }, vni, grp, src, dst }: TunnelChange): SwitchEvent {
  const of = { ...(src === undefined ? {} : { src }), ...(config.id === undefined ? { src_vni: vni } : {}) };
  return { event: 'mdb', change, dev: name, port: name, grp, dst, ...of };
}

function vniOf({ config }: VxlanPort, { src_vni }: Put | Del): number {
  return config.id ?? src_vni ?? 0;
}

function memberOf({ config }: VxlanPort, request: Put, vni: number): TunnelMember {
  const { src, dst = '', dst_port, via, filter_mode, source_list = [], proto } = request;
  return {
    dst: checkDestination(dst, config),
    ...(dst_port === undefined || dst_port === config.dstport ? {} : { dstPort: dst_port }),
    ...(request.vni === undefined || (config.id !== undefined && request.vni === vni) ? {} : { vni: request.vni }),
    ...(via === undefined ? {} : { via }),
    mode: src === undefined ? (filter_mode ?? 'exclude') : 'include',
    sources: source_list,
    proto: proto === undefined ? STATIC : (routingProtocol(proto) ?? STATIC),
    isBlocked: false,
    isOfGroup: false,
  };
}

/** The remote of a pair that a group's entry names. */
function pairOf(member: TunnelMember): TunnelMember {
  return { ...member, mode: 'include', sources: [], isBlocked: member.mode === 'exclude', isOfGroup: true };
}

function rowOf(src: string | undefined, { vni, grp }: TunnelGroup, member: TunnelMember, port: VxlanPort): MdbRow {
  const { dst, dstPort, via, mode, sources, proto, isBlocked } = member;
  return {
    ...{ dev: port.name, port: port.name, dst, grp },
    ...(src === undefined ? {} : { src }),
    state: 'permanent',
    ...(isAllGroups(grp) ? {} : { filter_mode: mode }),
    ...(sources.length === 0 ? {} : { source_list: sources.map((address) => ({ address, timer: 0 })) }),
    protocol: protocolName(proto),
    flags: isBlocked ? ['blocked'] : [],
    ...(dstPort === undefined ? {} : { dst_port: dstPort }),
    ...(member.vni === undefined ? {} : { vni: member.vni }),
    ...(via === undefined ? {} : { via }),
    ...(port.config.id === undefined ? { src_vni: vni } : {}),
  };
}

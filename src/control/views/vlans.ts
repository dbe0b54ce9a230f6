/**
 * Listings of VLANs: memberships of ports, their VNIs, and the options of VLANs of bridges. Consecutive VLANs that are alike are one row.
 */
import type { GlobalRange, MstRow, TunnelRange, VlanRange, VlansAnswer } from '../../api/api.js';
import { bridgeVlanOptions } from '../../config/options/mcast.js';
import { defaultsOf } from '../../config/options/option.js';
import type { VlanGlobalConfig, VlanMembership } from '../../config/types.js';
import { VLAN_ID } from '../../values/id-range.js';
import type { PortStateName } from '../../values/port-state.js';
import { type BridgeModel, isTunnel, type Port, type SwitchModel } from '../model/model.js';
import { stateOfTree } from '../spanning-tree/facts.js';
import type { TreeControl } from '../spanning-tree/tree-control.js';
import { vniRanges } from './vnis.js';

export interface VlanSources {
  model: SwitchModel;
  /** Entries of a port in the multicast database, or of it in a VLAN. */
  multicast?: { entriesOf(port: number, vid?: number): number };
  /** Spanning trees. */
  trees?: Pick<TreeControl, 'memberOf'>;
}

const OPTIONS = Object.keys(bridgeVlanOptions) as (keyof typeof bridgeVlanOptions)[];
const DEFAULT_NUMBERS = numbersOf({ vid: 0, ...defaultsOf(bridgeVlanOptions) });

export function viewVlans(sources: VlanSources): VlansAnswer {
  const { model } = sources;
  const ports = [...model.ports.values()];
  const vlans = ports
    .filter((port) => port.config.vlans.length > 0)
    .map((port) => ({ ifname: port.name, vlans: vlanRanges(port, sources) }));
  const tunnels = ports.flatMap((port) =>
    isTunnel(port) && port.config.vlan_tunnel ? [{ ifname: port.name, tunnels: tunnelRanges(port.config.vlans) }] : [],
  );
  const globals = [...model.bridges.values()]
    .filter(({ config }) => config.vlan_filtering)
    .map((bridge) => ({ ifname: bridge.name, vlans: globalRanges(bridge) }));
  const vnis = ports
    .filter(isTunnel)
    .map(({ name, config }) => ({ ifname: name, vnis: vniRanges(config) }))
    .filter((row) => row.vnis.length > 0);
  const mst = ports.map((port) => instancesOf(port, sources)).filter((row) => row.mst.length > 0);
  return { vlans, tunnels, globals, mst, vnis };
}

/** The PVID has a row of its own, as in `bridge vlan show`. There may be millions of memberships: few make a row. */
function vlanRanges(port: Port, sources: VlanSources): VlanRange[] {
  const { multicast } = sources;
  const ranges: VlanRange[] = [];
  const snoops = port.bridge?.config.mcast_vlan_snooping === true;
  const silent = new Set(snoops ? port.bridge?.config.vlan_global.flatMap(withoutSnooping) : []);
  let previous: VlanMembership | undefined;
  for (const vlan of port.config.vlans) {
    const last = ranges.at(-1);
    const joins =
      previous !== undefined &&
      previous.vid + 1 === vlan.vid &&
      !previous.pvid &&
      !vlan.pvid &&
      previous.untagged === vlan.untagged &&
      previous.isolated === vlan.isolated &&
      stateOf(port, previous, sources) === stateOf(port, vlan, sources) &&
      (!port.config.neigh_vlan_suppress || previous.neigh_suppress === vlan.neigh_suppress) &&
      // As the kernel (br_vlan_opts_eq_range): VLANs that differ in whether they snoop are no range.
      silent.has(previous.vid) === silent.has(vlan.vid) &&
      (!snoops || snoopsAlike(port, previous, vlan, multicast));
    if (last !== undefined && joins) last.vlanEnd = vlan.vid;
    else ranges.push(rowOf(port, vlan, sources));
    previous = vlan;
  }
  return ranges;
}

function withoutSnooping({ vid, mcast_snooping }: VlanGlobalConfig): number[] {
  return mcast_snooping ? [] : [vid];
}

function snoopsAlike(
  { index }: Port,
  one: VlanMembership,
  other: VlanMembership,
  multicast: VlanSources['multicast'],
): boolean {
  return (
    one.mcast_router === other.mcast_router &&
    one.mcast_max_groups === other.mcast_max_groups &&
    multicast?.entriesOf(index, one.vid) === multicast?.entriesOf(index, other.vid)
  );
}

function rowOf(port: Port, vlan: VlanMembership, sources: VlanSources): VlanRange {
  const { index, bridge, config } = port;
  const { vid, pvid, untagged, neigh_suppress, mcast_router = 1, mcast_max_groups = 0 } = vlan;
  const flags: VlanRange['flags'] = [];
  if (pvid) flags.push('PVID');
  if (untagged) flags.push('Egress Untagged');
  return {
    vlan: vid,
    flags,
    ...(config.neigh_vlan_suppress ? { neigh_suppress: neigh_suppress === true } : {}),
    ...(config.vlans.some((one) => one.isolated === true) ? { isolated: vlan.isolated === true } : {}),
    ...(config.vlans.some((one) => one.state !== undefined || one.msti !== undefined)
      ? { state: stateOf(port, vlan, sources) }
      : {}),
    ...(bridge?.config.mcast_vlan_snooping === true
      ? { mcast_router, mcast_max_groups, mcast_n_groups: sources.multicast?.entriesOf(index, vid) ?? 0 }
      : {}),
  };
}

/** The state of a VLAN: in instance 0 it is that of the port, which a tree may say. */
function stateOf(port: Port, { msti, state }: VlanMembership, { trees }: VlanSources): PortStateName {
  if (msti !== 0) return state ?? 'forwarding';
  const member = trees?.memberOf(port);
  return member === undefined ? port.config.state : stateOfTree(member);
}

/** As the kernel (br_mst_fill_info), the instances that a VLAN of the port belongs to. */
function instancesOf(port: Port, sources: VlanSources): MstRow {
  const states = new Map<number, PortStateName>();
  for (const vlan of port.config.vlans)
    if (vlan.msti !== undefined && !states.has(vlan.msti)) states.set(vlan.msti, stateOf(port, vlan, sources));
  const mst = [...states].map(([msti, state]) => ({ msti, state })).sort((one, other) => one.msti - other.msti);
  return { ifname: port.name, mst };
}

/** Of the VLANs that a port is in, or that have options. There may be thousands, on many ports. */
function globalRanges({ config, ports }: BridgeModel): GlobalRange[] {
  const isThere = new Uint8Array(VLAN_ID.max + 1);
  for (const { vlans } of ports) for (const vid of vlans.keys()) isThere[vid] = 1;
  const given = new Map(config.vlan_global.map((one) => [one.vid, numbersOf(one)]));
  for (const vid of given.keys()) isThere[vid] = 1;
  const ranges: GlobalRange[] = [];
  for (let vid = 1; vid <= VLAN_ID.max; vid++) {
    if (isThere[vid] === 0) continue;
    const options = given.get(vid) ?? DEFAULT_NUMBERS;
    const last = ranges.at(-1);
    const joins =
      last !== undefined &&
      (last.vlanEnd ?? last.vlan) + 1 === vid &&
      OPTIONS.every((key) => last[key] === options[key]);
    if (last !== undefined && joins) last.vlanEnd = vid;
    else ranges.push({ vlan: vid, ...options });
  }
  return ranges;
}

/** Flags as 0 and 1. */
function numbersOf({ vid: _, ...options }: VlanGlobalConfig): Omit<GlobalRange, 'vlan' | 'vlanEnd'> {
  const numbers = Object.entries(options).map(([key, value]) => [key, Number(value)]);
  return Object.fromEntries(numbers) as Omit<GlobalRange, 'vlan' | 'vlanEnd'>;
}

/** Merges runs in which VID and VNI both increase by one into one row. */
function tunnelRanges(vlans: readonly VlanMembership[]): TunnelRange[] {
  const ranges: TunnelRange[] = [];
  for (const { vid, vni } of vlans) {
    if (vni === undefined) continue;
    const last = ranges.at(-1);
    if (last !== undefined && vid === (last.vlanEnd ?? last.vlan) + 1 && vni === (last.tunidEnd ?? last.tunid) + 1) {
      last.vlanEnd = vid;
      last.tunidEnd = vni;
    } else {
      ranges.push({ vlan: vid, tunid: vni });
    }
  }
  return ranges;
}

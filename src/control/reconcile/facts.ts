/**
 * What the engines have to know of a port or a bridge, from its configuration: flags, limits, MTUs. Pure.
 */
import type { BridgeConfig, PortConfig, TapConfig, VxlanConfig } from '../../config/types.js';
import { TICK_MS } from '../../dataplane/engine.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { TOS_INHERIT } from '../../encap/tunnel.js';
import { AGEING_NEVER } from '../../fdb/table.js';
import type { BridgeModel, Port, PortRole, SwitchModel, TapPort, VxlanPort } from '../model/model.js';
import { portFlags, vxlanFlags } from './port-flags.js';

const TICKS_PER_SECOND = 1000 / TICK_MS;

/** What makes a present port the one that it is. */
export function asWanted(port: Port): { role: PortRole; config: PortConfig } {
  return { role: port.kind === 'tap' ? port.role : 'guest', config: port.config };
}

export function hostOf(model: SwitchModel, vxlan: string): TapPort | null {
  for (const port of model.ports.values()) {
    if (port.kind === 'tap' && port.role === 'vxlan' && port.config.ifname === vxlan) return port;
  }
  return null;
}

export function flagsOf(port: Port): number {
  const flags = portFlags(port.bridge?.config ?? null, port.config);
  return port.kind === 'tap' ? flags : flags | vxlanFlags(port.config);
}

/** Bridge, flags and MTU of a port that is there. */
export function portOperation(port: Port): Operation {
  const mtu = port.kind === 'tap' ? port.tap.mtu : 0;
  return { op: 'port', port: port.index, bridge: port.bridge?.index ?? 0, flags: flagsOf(port), mtu };
}

export function tunnelOptions({ tos, ageing, maxaddress }: VxlanConfig): {
  tos: number;
  ageingTicks: number;
  maxLearned: number;
} {
  return {
    tos: tos === 'inherit' ? TOS_INHERIT : tos,
    ageingTicks: ageing === undefined ? 0 : ageing === 0 ? AGEING_NEVER : ageing * TICKS_PER_SECOND,
    maxLearned: maxaddress,
  };
}

export function sameTunnel(one: VxlanConfig, other: VxlanConfig): boolean {
  return JSON.stringify(tunnelOptions(one)) === JSON.stringify(tunnelOptions(other));
}

/** Makes or changes a bridge. */
export function bridgeOperation({ index, config }: BridgeModel): Operation {
  return {
    op: 'bridge',
    bridge: index,
    filtering: config.vlan_filtering,
    // With ageing time 0 nothing is learned (portFlags); what is configured stays.
    ageingTicks: config.ageing_time === 0 ? AGEING_NEVER : config.ageing_time * TICKS_PER_SECOND,
    maxLearned: config.fdb_max_learned,
    groupFwdMask: config.group_fwd_mask,
    snooping: config.mcast_snooping,
  };
}

export function sameBridge(one: BridgeConfig, other: BridgeConfig): boolean {
  const facts = ({
    vlan_filtering,
    ageing_time,
    fdb_max_learned,
    group_fwd_mask,
    mcast_snooping,
  }: BridgeConfig): string =>
    JSON.stringify([vlan_filtering, ageing_time, fdb_max_learned, group_fwd_mask, mcast_snooping]);
  return facts(one) === facts(other);
}

export function addresses(port: VxlanPort): string[] {
  return [...port.vteps.keys()];
}

export function tapMtu(config: TapConfig, automatic: number): number {
  return config.mtu === 'auto' ? automatic : config.mtu;
}

/** Every address that frames may be sent to. */
export function remotesOf(port: VxlanConfig): Set<string> {
  const own = port.vlans.flatMap((vlan) => vlan.remotes);
  const entries = port.fdb.flatMap((entry) => (entry.dst === undefined ? [] : [entry.dst]));
  return new Set([...(port.group === undefined ? [] : [port.group]), ...port.remotes, ...own, ...entries]);
}

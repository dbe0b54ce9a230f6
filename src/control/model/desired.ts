/**
 * The ports that a configuration asks for, in one list: those of bridges, those of none, and the host ports that come with
 * a bridge or a vxlan port. Pure; what is to be done about them is in `reconcile.ts`.
 */
import { defaultsOf } from '../../config/options/option.js';
import { portOptions } from '../../config/options/port.js';
import type { BridgeConfig, PortConfig, SwitchConfig, TapConfig, VxlanConfig } from '../../config/types.js';
import { hostPortName, type PortRole } from './model.js';

export interface DesiredPort {
  /** As links show it. */
  name: string;
  /** Null: it belongs to none. */
  bridge: BridgeConfig | null;
  role: PortRole;
  config: PortConfig;
}

/** Every port of a configuration; a host port stands before the port that it belongs to, which has to know its MAC. */
export function desiredPorts(config: SwitchConfig): DesiredPort[] {
  return [
    ...config.bridges.flatMap((bridge) => [
      ...(bridge.host_port ? [desiredHost(bridge, bridge, 'bridge')] : []),
      ...bridge.ports.flatMap((port) => withHost(bridge, port)),
    ]),
    ...config.ports.flatMap((port) => withHost(null, port)),
  ];
}

/** The configuration of a port with VTEPs and VNIs. */
export function isTunnelConfig(port: PortConfig): port is VxlanConfig {
  return port.type === 'vxlan';
}

function withHost(bridge: BridgeConfig | null, port: PortConfig): DesiredPort[] {
  const own: DesiredPort = { name: port.name, bridge, role: 'guest', config: port };
  return isTunnelConfig(port) && port.host_port ? [desiredHost(bridge, port, 'vxlan'), own] : [own];
}

/** The host's own port: a TAP like a guest's, in the switch's namespace, named as its link is. */
function desiredHost(
  bridge: BridgeConfig | null,
  link: BridgeConfig | VxlanConfig,
  role: 'bridge' | 'vxlan',
): DesiredPort {
  const { name, addresses, mtu, persist } = link;
  const config: TapConfig = {
    type: 'tap',
    ...defaultsOf(portOptions),
    up: link.up,
    name: role === 'bridge' ? name : hostPortName(name),
    ifname: name,
    addresses,
    mtu,
    persist,
    ...(link.mac === undefined ? {} : { mac: link.mac }),
    vlans: hostVlans(bridge, link),
    fdb: [],
    options: {},
  };
  return { name: config.name, bridge, role, config };
}

/** A bridge's host port has the bridge's `vlans`; that of a vxlan port with a single VNI those of its port. */
function hostVlans(bridge: BridgeConfig | null, link: BridgeConfig | VxlanConfig): TapConfig['vlans'] {
  if (!('type' in link)) return link.vlans;
  if (!link.vlan_tunnel && link.vlans.length > 0) return link.vlans;
  const pvid = bridge?.vlan_filtering === true ? bridge.vlan_default_pvid : 0;
  return pvid === 0 ? [] : [{ vid: pvid, pvid: true, untagged: true, remotes: [] }];
}

/** Every VNI of a port, with the VLAN that stands for it; null: all that the port carries. */
export function vnisOf(config: VxlanConfig): { vni: number; vid: number | null }[] {
  if (!config.vlan_tunnel) return config.id === undefined ? [] : [{ vni: config.id, vid: null }];
  return config.vlans.flatMap(({ vid, vni }) => (vni === undefined ? [] : [{ vni, vid }]));
}

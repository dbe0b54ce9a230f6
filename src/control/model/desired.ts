/**
 * The ports of a configuration in one list: ports of bridges, ports without a bridge, and the host ports of bridges and vxlan
 * ports. Pure; `reconcile/` makes the switch match.
 */
import { isTunnelPort } from '../../config/options/kinds.js';
import { defaultsOf } from '../../config/options/option.js';
import { portOptions } from '../../config/options/port.js';
import type { BridgeConfig, PortConfig, SwitchConfig, TapConfig, VxlanConfig } from '../../config/types.js';
import { hostPortName, type PortRole } from './model.js';

export interface DesiredPort {
  /** Name shown by `link`. */
  name: string;
  /** Null: no bridge. */
  bridge: BridgeConfig | null;
  role: PortRole;
  config: PortConfig;
}

/** All ports of a configuration; a host port precedes its vxlan port, which needs its MAC. */
export function desiredPorts(config: SwitchConfig): DesiredPort[] {
  return [
    ...config.bridges.flatMap((bridge) => [
      ...(bridge.host_port ? [desiredHost(bridge, bridge, 'bridge')] : []),
      ...bridge.ports.flatMap((port) => withHost(bridge, port)),
    ]),
    ...config.ports.flatMap((port) => withHost(null, port)),
  ];
}

/** The configuration of a tunnel port. */
export function isTunnelConfig(port: PortConfig): port is VxlanConfig {
  return isTunnelPort(port);
}

function withHost(bridge: BridgeConfig | null, port: PortConfig): DesiredPort[] {
  const own: DesiredPort = { name: port.name, bridge, role: 'guest', config: port };
  return isTunnelConfig(port) && port.host_port ? [desiredHost(bridge, port, 'tunnel'), own] : [own];
}

/** A host port: a TAP in the switch's namespace, with the name of its link. */
function desiredHost(
  bridge: BridgeConfig | null,
  link: BridgeConfig | VxlanConfig,
  role: 'bridge' | 'tunnel',
): DesiredPort {
  const { name, addresses, mtu, persist } = link;
  const config: TapConfig = {
    type: 'tap',
    ...defaultsOf(portOptions),
    mirror_ports: [],
    mirror_vlans: [],
    arp_guard: [],
    allowed_macs: [],
    mst: [],
    trusted: true,
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

/** Memberships of a host port: of a bridge, the bridge's `vlans`; of a single-VNI vxlan port, those of the port. */
function hostVlans(bridge: BridgeConfig | null, link: BridgeConfig | VxlanConfig): TapConfig['vlans'] {
  if (!('type' in link)) return link.vlans;
  if (!link.vlan_tunnel && link.vlans.length > 0) return link.vlans;
  const pvid = bridge?.vlan_filtering === true ? bridge.vlan_default_pvid : 0;
  return pvid === 0 ? [] : [{ vid: pvid, pvid: true, untagged: true, remotes: [] }];
}

/** Every VNI of a port with its VLAN; null: all VLANs of the port. */
export function vnisOf(config: VxlanConfig): { vni: number; vid: number | null }[] {
  if (!config.vlan_tunnel) return config.id === undefined ? [] : [{ vni: config.id, vid: null }];
  return config.vlans.flatMap(({ vid, vni }) => (vni === undefined ? [] : [{ vni, vid }]));
}

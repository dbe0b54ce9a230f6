/**
 * The ports that a configuration asks for, in one list: those of bridges, those of none, and the host ports that come with
 * a bridge or a vxlan port. Pure; what is to be done about them is in `reconcile.ts`.
 */
import { defaultsOf, keysThat } from '../../config/options/option.js';
import { portOptions } from '../../config/options/port.js';
import { tapOptions } from '../../config/options/tap.js';
import { vxlanOptions } from '../../config/options/vxlan.js';
import type { BridgeConfig, PortConfig, SwitchConfig, TapConfig, VxlanConfig } from '../../config/types.js';
import { hostPortName, type PortRole } from '../model/model.js';

export interface WantedPort {
  /** As links show it. */
  name: string;
  /** Null: it belongs to none. */
  bridge: BridgeConfig | null;
  role: PortRole;
  config: PortConfig;
}

/** Every port of a configuration; a host port stands before the port that it belongs to, which has to know its MAC. */
export function wantedPorts(config: SwitchConfig): WantedPort[] {
  return [
    ...config.bridges.flatMap((bridge) => [
      ...(bridge.host_port ? [wantedHost(bridge, bridge, 'bridge')] : []),
      ...bridge.ports.flatMap((port) => withHost(bridge, port)),
    ]),
    ...config.ports.flatMap((port) => withHost(null, port)),
  ];
}

function withHost(bridge: BridgeConfig | null, port: PortConfig): WantedPort[] {
  const own: WantedPort = { name: port.name, bridge, role: 'guest', config: port };
  return port.type === 'vxlan' && port.host_port ? [wantedHost(bridge, port, 'vxlan'), own] : [own];
}

/** The host's own port: a TAP like a guest's, in the switch's namespace, named as its link is. */
function wantedHost(
  bridge: BridgeConfig | null,
  link: BridgeConfig | VxlanConfig,
  role: 'bridge' | 'vxlan',
): WantedPort {
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

/**
 * What makes a port the one that it is: where this differs it is made anew, everything else changes while it runs. The
 * device of a TAP; the address that a vxlan port receives on, and whether it has a host port, whose MAC it must know.
 */
export function identityOf({ role, config }: { role: PortRole; config: PortConfig }): string {
  if (config.type === 'tap')
    return JSON.stringify([role, ...keysThat('new port', tapOptions).map((key) => config[key])]);
  const own = keysThat('new port', vxlanOptions).map((key) => config[key]);
  return JSON.stringify([config.type, ...own, config.family, config.mac]);
}

/** What a pool of sending sockets is opened with. */
export function poolOf({ srcport, df, udpcsum, ttl }: VxlanConfig): string {
  return JSON.stringify([srcport, df, udpcsum, ttl]);
}

/** Every VNI of a port, with the VLAN that stands for it; null: all that the port carries. */
export function vnisOf(config: VxlanConfig): { vni: number; vid: number | null }[] {
  if (!config.vlan_tunnel) return config.id === undefined ? [] : [{ vni: config.id, vid: null }];
  return config.vlans.flatMap(({ vid, vni }) => (vni === undefined ? [] : [{ vni, vid }]));
}

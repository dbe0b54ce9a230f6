/**
 * Which VLAN and which VNI a new network gets on the driver's bridge. Pure.
 */
import type { BridgeConfig, PortConfig, SwitchConfig, VxlanConfig } from '../../config/types.js';
import { isTunnelType } from '../../config/options/kinds.js';
import { ProtocolError } from './contract.js';
import type { Network } from './records.js';

/** What is asked of a new network. */
export interface NetworkOptions {
  vni?: number;
  /** VLAN of the bridge; absent: the lowest free one. */
  vlan?: number;
  /** Flood list of the VNI, beside that of the port. */
  remotes: string[];
  /** The vxlan port, where the bridge has several. */
  port?: string;
  /** MTU of the containers' NICs; absent: what the underlay carries. */
  mtu?: number;
  /** `none`: containers get no default route. */
  gateway?: 'none';
}

/** VLAN 1 is the default PVID of ports. */
const FIRST_VLAN = 2;
const LAST_VLAN = 4094;

type Membership = Pick<Network, 'bridge' | 'vlan' | 'vni' | 'port'>;

/** @param others the networks that there are @throws ProtocolError with the remedy */
export function planNetwork(
  bridgeName: string,
  config: Pick<SwitchConfig, 'bridges'>,
  options: NetworkOptions,
  others: readonly Network[],
): Membership {
  const bridge = config.bridges.find(({ name }) => name === bridgeName);
  if (bridge === undefined) throw new ProtocolError(`the switch has no bridge ${bridgeName} any more`);
  const tunnels = bridge.ports.filter(isTunnelPort);
  if (!bridge.vlan_filtering) return planPlain(bridge, tunnels, options, others);
  return planVlan(bridge, tunnels, options, others);
}

/** A bridge without VLANs is one network. */
function planPlain(
  { name }: BridgeConfig,
  tunnels: readonly VxlanConfig[],
  { vni, vlan, remotes }: NetworkOptions,
  others: readonly Network[],
): Membership {
  if (others.length > 0)
    throw new ProtocolError(`bridge ${name} has no vlan_filtering, so it is one network, which there is already`);
  if (vlan !== undefined) throw new ProtocolError(`option vlan: bridge ${name} has no vlan_filtering; set it to true`);
  if (vni === undefined) return { bridge: name };
  if (!tunnels.some(({ id }) => id === vni))
    throw new ProtocolError(
      `option vni: bridge ${name} has no vlan_filtering and no vxlan port with id ${vni}; give it vlan_filtering and a vxlan port with vlan_tunnel: true`,
    );
  if (remotes.length > 0) throw remotesOfFile(vni);
  return { bridge: name, vni };
}

function planVlan(
  bridge: BridgeConfig,
  tunnels: readonly VxlanConfig[],
  options: NetworkOptions,
  others: readonly Network[],
): Membership {
  const { name } = bridge;
  const { vni, remotes } = options;
  if (options.vlan !== undefined) refuseShared(options.vlan, others);
  if (vni === undefined) return { bridge: name, vlan: options.vlan ?? freeVlan(bridge, others) };
  if (others.some((other) => other.vni === vni)) throw new ProtocolError(`option vni: another network has VNI ${vni}`);
  const port = tunnelFor(name, tunnels, options);
  const known = port.vlans.find((row) => row.vni === vni);
  if (known !== undefined) {
    refuseShared(known.vid, others);
    return ofFile(name, known.vid, vni, options, remotes);
  }
  const vlan = options.vlan ?? freeVlan(bridge, others);
  const holder = port.vlans.find((row) => row.vid === vlan);
  if (holder !== undefined)
    throw new ProtocolError(`option vlan: VLAN ${vlan} is on port ${port.name} already; choose another one`);
  return { bridge: name, vlan, vni, port: port.name };
}

/** Containers of two networks in one VLAN would reach each other. */
function refuseShared(vlan: number, others: readonly Network[]): void {
  if (others.some((other) => other.vlan === vlan))
    throw new ProtocolError(
      `option vlan: another network of containers has VLAN ${vlan}; choose another one, or leave the option out`,
    );
}

/** The configuration has the VNI already: it stays as it is. */
function ofFile(bridge: string, vlan: number, vni: number, options: NetworkOptions, remotes: string[]): Membership {
  if (options.vlan !== undefined && options.vlan !== vlan)
    throw new ProtocolError(`option vlan: VNI ${vni} is VLAN ${vlan} in the configuration`);
  if (remotes.length > 0) throw remotesOfFile(vni);
  return { bridge, vlan, vni };
}

function tunnelFor(bridge: string, tunnels: readonly VxlanConfig[], { port, vni }: NetworkOptions): VxlanConfig {
  const able = tunnels.filter((one) => one.vlan_tunnel && (port === undefined || one.name === port));
  const [first, second] = able;
  if (first === undefined) {
    const which = port === undefined ? 'vxlan port' : `vxlan port ${port}`;
    throw new ProtocolError(`option vni: bridge ${bridge} has no ${which} with vlan_tunnel: true; add one`);
  }
  const holder = able.find(({ vlans }) => vlans.some((row) => row.vni === vni));
  if (second !== undefined && holder === undefined)
    throw new ProtocolError(`option port: name the vxlan port, one of ${able.map(({ name }) => name).join(', ')}`);
  return holder ?? first;
}

/** The lowest VLAN that neither a port nor another network has. */
function freeVlan(bridge: BridgeConfig, others: readonly Network[]): number {
  const used = new Set([bridge, ...bridge.ports].flatMap(({ vlans }) => vlans.map(({ vid }) => vid)));
  for (const { vlan } of others) if (vlan !== undefined) used.add(vlan);
  for (let vid = FIRST_VLAN; vid <= LAST_VLAN; vid++) if (!used.has(vid)) return vid;
  throw new ProtocolError(`bridge ${bridge.name} has no VLAN left; remove a network, or give one with -o vlan=`);
}

function isTunnelPort(port: PortConfig): port is VxlanConfig {
  return isTunnelType(port.type);
}

const remotesOfFile = (vni: number): ProtocolError =>
  new ProtocolError(`option remotes: VNI ${vni} is in the configuration of the switch; add the remotes there`);

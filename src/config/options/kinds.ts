/**
 * Registry of the kinds of ports, for the configuration. A new kind is one file beside this one and one line here; types,
 * schemas, words of `link`, help and the reference are derived.
 */
import { GENEVE } from './geneve.js';
import { GATEWAY } from './gateway.js';
import type { Kind } from './kind.js';
import { NETDEV } from './netdev.js';
import { PATCH } from './patch.js';
import { QEMU } from './qemu.js';
import { TAP } from './tap.js';
import { TUN } from './tun.js';
import { UDP } from './udp.js';
import { VXLAN } from './vxlan.js';

const KINDS = {
  tap: TAP,
  vxlan: VXLAN,
  geneve: GENEVE,
  patch: PATCH,
  qemu: QEMU,
  udp: UDP,
  netdev: NETDEV,
  tun: TUN,
  gateway: GATEWAY,
};

type Kinds = typeof KINDS;

export type PortType = keyof Kinds;

export type KindOf<T extends PortType> = Kinds[T];

/** The kinds by type. */
export const PORT_KINDS: Readonly<Record<PortType, Kind>> = KINDS;

export const PORT_TYPES = Object.keys(KINDS) as [PortType, ...PortType[]];

/** Kinds of links that can be added. */
export type LinkType = 'bridge' | PortType;

export const LINK_TYPES: readonly ['bridge', ...PortType[]] = ['bridge', ...PORT_TYPES];

/** The kinds of tunnel ports. */
export type TunnelType = { [T in PortType]: KindOf<T>['tunnels'] extends true ? T : never }[PortType];

/** The kinds whose ports have a NIC of their own. */
export type NicType = { [T in PortType]: KindOf<T>['nic'] extends 'own' ? T : never }[PortType];

/** The kinds whose ports have an interface by name: of their own, or one that exists already. */
export type InterfaceType = { [T in PortType]: KindOf<T>['nic'] extends 'own' | 'attached' ? T : never }[PortType];

/** Whether a port, or something else with a type, is a tunnel port: it has VTEPs and VNIs. */
export function isTunnelPort<T extends { readonly type: unknown }>(
  port: T | undefined,
): port is Extract<T, { readonly type: TunnelType }> {
  return port !== undefined && isTunnelType(port.type);
}

export function isTunnelType(type: unknown): type is TunnelType {
  return isPortType(type) && PORT_KINDS[type].tunnels;
}

/** Whether a port has a NIC that the switch creates for it, regardless of `host_port`. */
export function hasOwnNic<T extends { readonly type: unknown }>(
  port: T,
): port is Extract<T, { readonly type: NicType }> {
  return isPortType(port.type) && PORT_KINDS[port.type].nic === 'own';
}

/** Whether a port names an interface of a namespace, by the options `netns` and `ifname`. */
export function namesInterface<T extends { readonly type: unknown }>(
  port: T,
): port is Extract<T, { readonly type: InterfaceType }> {
  return isPortType(port.type) && ['own', 'attached'].includes(PORT_KINDS[port.type].nic);
}

function isPortType(type: unknown): type is PortType {
  return typeof type === 'string' && Object.hasOwn(PORT_KINDS, type);
}

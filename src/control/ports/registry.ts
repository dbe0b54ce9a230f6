/**
 * Registry of the kinds of ports. A new kind is one file beside this one and one line here.
 */
import type { PortConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { MIRROR, UP } from '../../dataplane/state/forwarding.js';
import type { DesiredPort } from '../model/desired.js';
import type { Port } from '../model/model.js';
import { GATEWAY } from './gateway.js';
import { NETDEV } from './netdev.js';
import { PATCH } from './patch.js';
import { portFlags } from './port-flags.js';
import type { PortKind } from './port-kind.js';
import { QEMU } from './qemu.js';
import { TAP } from './tap.js';
import { TUN } from './tun.js';
import { UDP } from './udp.js';
import { VXLAN } from './vxlan.js';

const KINDS: Readonly<Record<PortConfig['type'], PortKind>> = {
  tap: TAP,
  vxlan: VXLAN,
  geneve: VXLAN,
  patch: PATCH,
  qemu: QEMU,
  udp: UDP,
  netdev: NETDEV,
  tun: TUN,
  gateway: GATEWAY,
};

/** The kind of a configured port. */
export function kindOf({ config }: { config: PortConfig }): PortKind {
  return KINDS[config.type];
}

/** Identity of a present or desired port. */
export function identityOf(port: Port | Pick<DesiredPort, 'role' | 'config'>): string {
  return kindOf(port).identity(port.config, 'role' in port ? port.role : 'guest');
}

export function flagsOf(port: Port): number {
  const kind = kindOf(port);
  const flags = portFlags(port.bridge?.config ?? null, port.config) | kind.flags(port);
  return kind.isDark?.(port) === true ? flags & ~(UP | MIRROR) : flags;
}

/** Bridge, flags and MTU of a present port. */
export function portOperation(port: Port): Operation {
  const mtu = kindOf(port).frameMtu(port);
  return { op: 'port', port: port.index, bridge: port.bridge?.index ?? 0, flags: flagsOf(port), mtu };
}

/** Whether a port is up, as far as its configuration and its bridge are concerned. */
export function isUp(port: Port): boolean {
  return port.config.up && port.bridge?.config.up === true;
}

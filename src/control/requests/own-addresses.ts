/**
 * Addresses of this host among the destinations of ports. Lists of remotes may contain them, because the same list may be used
 * on all hosts; as a single destination they are a mistake.
 */
import { type HostFacts, isOfHost } from '../../config/read/host-facts.js';
import type { SwitchConfig, VxlanConfig } from '../../config/types.js';
import { ChangeRefused } from '../controls.js';
import { isTunnelConfig } from '../model/desired.js';

function vxlansOf({ bridges, ports }: SwitchConfig): VxlanConfig[] {
  const all = [...bridges.flatMap((bridge) => bridge.ports), ...ports];
  return all.filter(isTunnelConfig);
}

/** Whether any vxlan port has no `local`: every address of the host is then its own. */
export function hasAnyLocal(config: SwitchConfig): boolean {
  return vxlansOf(config).some(({ local }) => local === undefined);
}

/** The host's own addresses in all lists, as one text. */
export function ownRemotes(config: SwitchConfig): string {
  return JSON.stringify(vxlansOf(config).map((port) => [port.name, port.ownRemotes ?? []]));
}

/** Whether a VTEP of a port would be this host. */
export function isOwnAddress(
  config: SwitchConfig,
  host: HostFacts,
  dev: string | undefined,
  dst: string | undefined,
): boolean {
  if (dst === undefined) return false;
  const port = vxlansOf(config).find(({ name }) => name === dev);
  if (port === undefined || port.local !== undefined) return false;
  // Asked last: the kernel lists all addresses of the host for it.
  const addresses = host.addresses();
  return addresses !== undefined && isOfHost(dst, port.dev, addresses);
}

/**
 * An entry that leads to this host would loop its frames back. For ports with a `local` the file's rules check this.
 * @throws ChangeRefused
 */
export function refuseOwnAddress(
  config: SwitchConfig,
  host: HostFacts,
  dev: string | undefined,
  dst: string | undefined,
): void {
  if (isOwnAddress(config, host, dev, dst))
    throw new ChangeRefused(`dst: ${dst} is an address of this host, so frames would come back; give another host's`);
}

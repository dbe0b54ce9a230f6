/**
 * Addresses of this host among those that ports send to. A list of remotes may hold them, since one list is to serve all hosts;
 * whoever names one alone has made a mistake.
 */
import { type HostFacts, isOfHost } from '../../config/read/host-facts.js';
import type { SwitchConfig, VxlanConfig } from '../../config/types.js';
import { ChangeRefused } from '../controls.js';
import { isTunnelConfig } from '../model/desired.js';

function vxlansOf({ bridges, ports }: SwitchConfig): VxlanConfig[] {
  const all = [...bridges.flatMap((bridge) => bridge.ports), ...ports];
  return all.filter(isTunnelConfig);
}

/** Whether some vxlan port sends from whatever address the routes say: then every address of the host is its own. */
export function hasAnyLocal(config: SwitchConfig): boolean {
  return vxlansOf(config).some(({ local }) => local === undefined);
}

/** What the lists hold of the host's own addresses, as one text. */
export function ownRemotes(config: SwitchConfig): string {
  return JSON.stringify(vxlansOf(config).map((port) => [port.name, port.ownRemotes ?? []]));
}

/** Whether a VTEP of a port would be this host itself. */
export function isOwnAddress(
  config: SwitchConfig,
  host: HostFacts,
  dev: string | undefined,
  dst: string | undefined,
): boolean {
  const port = vxlansOf(config).find(({ name }) => name === dev);
  const addresses = host.addresses();
  if (dst === undefined || port === undefined || port.local !== undefined || addresses === undefined) return false;
  return isOfHost(dst, port.dev, addresses);
}

/**
 * An entry that leads to the host itself would bring its frames back. Where the port has a `local`, the rules of a file say so.
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

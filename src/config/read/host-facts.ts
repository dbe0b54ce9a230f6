/**
 * What a configuration is read beside: the devices and addresses of the host that it is for. The facts are asked for
 * elsewhere; nothing here looks at the machine.
 */

export interface HostFacts {
  /** Whether a device is in the switch's namespace; undefined: not known. */
  hasDevice(name: string): boolean | undefined;
  /** The addresses of that namespace, in canonical text, link-local ones of IPv6 as `fe80::1%eth0`; undefined: not known. */
  addresses(): ReadonlySet<string> | undefined;
}

export const NO_FACTS: HostFacts = { hasDevice: () => undefined, addresses: () => undefined };

/** Whether an address is one of the host's: any of the loopback network is. @param dev the link of a link-local one */
export function isOfHost(address: string, dev: string | undefined, addresses: ReadonlySet<string>): boolean {
  if (addresses.has(address) || address.startsWith('127.')) return true;
  return dev !== undefined && addresses.has(`${address}%${dev}`);
}

/**
 * The host's devices and addresses, as input for checking a configuration. The caller collects them; nothing here queries the
 * host.
 */

export interface HostFacts {
  /** Whether a device exists in the switch's namespace; undefined: unknown. */
  hasDevice(name: string): boolean | undefined;
  /** Addresses of that namespace in canonical text, link-local IPv6 addresses as `fe80::1%eth0`; undefined: unknown. */
  addresses(): ReadonlySet<string> | undefined;
}

export const NO_FACTS: HostFacts = { hasDevice: () => undefined, addresses: () => undefined };

/** Whether an address belongs to the host; the whole loopback network does. @param dev the link of a link-local address */
export function isOfHost(address: string, dev: string | undefined, addresses: ReadonlySet<string>): boolean {
  if (addresses.has(address) || address.startsWith('127.')) return true;
  return dev !== undefined && addresses.has(`${address}%${dev}`);
}

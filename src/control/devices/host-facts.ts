/**
 * Devices and addresses of this process's network namespace, as input for the rules of a configuration.
 */
import type { HostFacts } from '../../config/read/host-facts.js';
import { hostAddresses } from '../../port/process.js';
import { tapState } from '../../port/tap.js';
import { canonicalAddress, isLinkLocal } from '../../wire/ip-address.js';

/** Queries the kernel on every call; undefined: temporarily unknown. */
export const HOST_FACTS: HostFacts = {
  hasDevice(name) {
    try {
      return tapState(name) !== null;
    } catch {
      return undefined;
    }
  },
  addresses() {
    try {
      const up = hostAddresses().filter((one) => one.up);
      return new Set(up.map(({ address, ifname }) => onLink(address, ifname)));
    } catch {
      return undefined;
    }
  },
};

/** A link-local address is meaningful only together with its link. */
function onLink(text: string, ifname: string): string {
  const address = canonicalAddress(text);
  return isLinkLocal(address) ? `${address}%${ifname}` : address;
}

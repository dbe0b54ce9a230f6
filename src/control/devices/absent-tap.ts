/**
 * Placeholder for a TAP that cannot be opened yet: the port exists and carries no frames.
 */
import type { NicConfig } from '../../config/types.js';
import type { OpenTap } from '../model/model.js';

/** Placeholder for a descriptor: the engine has none. */
export const NO_FD = -1;

/** @param workers engines; @param mac if it is known already */
export function absentTap({ ifname }: NicConfig, mtu: number, workers: number, mac = ''): OpenTap {
  const tap: OpenTap = {
    fds: Array.from({ length: workers }, () => NO_FD),
    vnetHeaderSize: 0,
    ifname,
    mac,
    mtu,
    state: () => null,
    isAt: () => false,
    hasMoved: false,
    setMtu(bytes) {
      tap.mtu = bytes;
    },
    // The NIC will be created as configured at that time.
    setMac: () => undefined,
    addAddresses: () => undefined,
    removeAddresses: () => undefined,
    setPersist: () => undefined,
    bequeath: () => ({ facts: null, fds: [] }),
    close: () => undefined,
    discard: () => undefined,
  };
  return tap;
}

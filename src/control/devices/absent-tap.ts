/**
 * What stands in the place of a TAP that cannot be opened yet: its port is there, and carries nothing.
 */
import type { TapConfig } from '../../config/types.js';
import type { OpenTap } from '../model/model.js';

/** In the place of a descriptor: this engine has none. */
export const NO_FD = -1;

/** @param workers engines */
export function absentTap({ ifname }: TapConfig, mtu: number, workers: number): OpenTap {
  const tap: OpenTap = {
    fds: Array.from({ length: workers }, () => NO_FD),
    vnetHeaderSize: 0,
    ifname,
    mac: '',
    mtu,
    state: () => null,
    isAt: () => false,
    hasMoved: false,
    setMtu(bytes) {
      tap.mtu = bytes;
    },
    // The NIC will be made as it is configured by then.
    setMac: () => undefined,
    addAddresses: () => undefined,
    removeAddresses: () => undefined,
    setPersist: () => undefined,
    close: () => undefined,
    discard: () => undefined,
  };
  return tap;
}

/**
 * An open TAP as a device of the model.
 */
import type { TapHandle } from '../../port/tap.js';
import { progress } from '../guard.js';
import type { OpenTap } from '../model/model.js';

/** @param closing called before the TAP is closed or discarded */
export function asOpenTap(handle: TapHandle, closing: (tap: OpenTap) => void): OpenTap {
  const tap: OpenTap = {
    fds: [handle.fd],
    vnetHeaderSize: handle.vnetHeaderSize,
    ifname: handle.ifname,
    get mac() {
      return handle.mac;
    },
    get mtu() {
      return handle.mtu;
    },
    isUnsteered: handle.isUnsteered === true,
    get hasMoved() {
      return handle.hasMoved;
    },
    state: () => handle.state(),
    isAt: (ifname, netns) => handle.isAt(ifname, netns),
    setMtu(bytes) {
      progress();
      handle.setMtu(bytes);
    },
    setMac: (mac) => handle.setMac(mac),
    addAddresses: (addresses) => handle.addAddresses(addresses),
    removeAddresses: (addresses) => handle.removeAddresses(addresses),
    setPersist: (persist) => handle.setPersist(persist),
    bequeath: () => handle.bequeath(),
    close() {
      progress();
      closing(tap);
      handle.close();
    },
    discard() {
      closing(tap);
      handle.discard();
    },
  };
  return tap;
}

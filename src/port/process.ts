/**
 * Process and host functions that Node lacks: immediate exit, peer of a unix socket, host addresses. Owns nothing.
 */
import * as native from '../native/binding.js';

export type { HostAddress, PeerProcess } from '../native/binding.js';

/**
 * Exits without waiting for threads, since one may block in the kernel. Nothing is flushed. Used when an orderly shutdown
 * has timed out.
 */
export function exitAtOnce(status: number): never {
  return native.exitAtOnce(status);
}

/** The process that connected to the socket `fd`. @throws NativeError */
export function peerOf(fd: number): native.PeerProcess {
  return native.peerOf(fd);
}

/**
 * The IP addresses of this network namespace. In place of `os.networkInterfaces()`, which builds an object by names: a NIC
 * called `constructor` makes that throw.
 * @throws NativeError, as when no descriptor is free
 */
export function hostAddresses(): native.HostAddress[] {
  return native.hostAddresses();
}

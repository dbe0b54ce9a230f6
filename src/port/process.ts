/**
 * The process itself and its place on the host, as far as Node does not tell: an end at once, the other end of a unix
 * socket, the host's addresses. Owns nothing.
 */
import * as native from '../native/binding.js';

export type { HostAddress, PeerProcess } from '../native/binding.js';

/**
 * Ends the process without waiting for its threads, one of which may hang in the kernel. Nothing is flushed: for an end
 * that has waited long enough.
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

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

/** Takes all capabilities but these from all threads, for good, and sets no_new_privs. @throws NativeError */
export function keepCapabilities(capabilities: readonly number[]): void {
  native.keepCapabilities(capabilities);
}

/**
 * Replaces this process by another program with the same number, descriptors 0 to 2, folder and terminal.
 * @param descriptors that it inherits too
 * @throws NativeError
 */
export function execute(
  path: string,
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  descriptors: readonly number[],
): never {
  const texts = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  return native.execute(path, words, texts, descriptors);
}

/** Collects all garbage of the calling thread, which takes it 5 to 50 ms. @returns false if this Node cannot be asked to */
export function collectGarbage(): boolean {
  return native.collectGarbage() === 1;
}

/**
 * Gives back the memory that only the start needed: the clean pages of Node's program file, about 25 MiB. A page that is used
 * later is mapped again from the page cache. @returns bytes of the pages
 */
export function releaseStartPages(): number {
  return native.releaseStartPages();
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

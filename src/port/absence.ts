/**
 * Which failures mean that something is not there yet, and may come: a device, an address, a network namespace. All others, such
 * as a missing right or a port that is taken, are for the user to mend.
 */
import { isNativeError } from '../native/binding.js';
import { TapError } from './tap-error.js';
import { UnderlayError } from './underlay.js';

/**
 * Of sockets. An IPv6 address that is still looked for elsewhere (DAD) cannot be bound to, and a device may get multicast
 * (EOPNOTSUPP) or IPv6 (EAFNOSUPPORT) later.
 */
const OF_SOCKETS = new Set(['ENODEV', 'EADDRNOTAVAIL', 'EOPNOTSUPP', 'EAFNOSUPPORT']);
/** Of a namespace's file: not there, or not yet a namespace, as in the middle of `ip netns add`. */
const OF_NAMESPACES = new Set(['open ENOENT', 'open ENOTDIR', 'setns EINVAL']);

/** @param error as of `openTap`, or of what opens sockets */
export function isAbsent(error: unknown): boolean {
  if (error instanceof UnderlayError) return OF_SOCKETS.has(error.code);
  if (!(error instanceof TapError) || !isNativeError(error.cause)) return false;
  const { syscall, code, message } = error.cause;
  // The owner of the namespace may rename, move or delete a NIC that is being opened: it is gone, and can be made again.
  if ((code === 'ENODEV' && syscall !== 'open') || code === 'EBADFD') return true;
  return message.includes('network namespace') && OF_NAMESPACES.has(`${syscall} ${code}`);
}

/**
 * Which failures a port waits out: those of a device, an address or a network namespace that is not there yet, and those that the
 * owner of a guest's namespace can bring about. All others, such as a missing right or a UDP port in use, are for the user to mend.
 */
import { isNativeError } from '../native/binding.js';
import { netnsIsForeign } from './netns.js';
import { TapError } from './tap-error.js';
import { UnderlayError } from './underlay.js';

/**
 * Of sockets. An IPv6 address that is still looked for elsewhere (DAD) cannot be bound to, and a device may get multicast
 * (EOPNOTSUPP) or IPv6 (EAFNOSUPPORT) later.
 */
const OF_SOCKETS = new Set(['ENODEV', 'EADDRNOTAVAIL', 'EOPNOTSUPP', 'EAFNOSUPPORT']);
/** Of a namespace's file: not there, or not yet a namespace, as in the middle of `ip netns add`. */
const OF_NAMESPACES = new Set(['open ENOENT', 'open ENOTDIR', 'setns EINVAL']);

/**
 * A guest must not be able to stop the switch from starting, for instance with another device of its NIC's name, or with IPv6
 * switched off: but for missing rights of the switch, a failure in a guest's namespace is waited out. A TAP that another process has
 * open is so too where the namespace belongs to another user; else it may be a second switch of this user, which has to be told.
 *
 * @param error as of `openTap`, or of what opens sockets
 * @param netns the guest's namespace, name or path; absent: the device belongs into the switch's own
 */
export function mayPass(error: unknown, netns?: string): boolean {
  return isAbsent(error) || (netns !== undefined && isGuestsDoing(error, netns));
}

function isGuestsDoing(error: unknown, netns: string): boolean {
  if (!(error instanceof TapError) || !isNativeError(error.cause)) return false;
  const { syscall, code } = error.cause;
  if (code === 'EBUSY') return netnsIsForeign(netns);
  return syscall !== 'open' && syscall !== 'setns' && code !== 'EPERM';
}

/** @param error as of `openTap`, or of what opens sockets */
export function isAbsent(error: unknown): boolean {
  if (error instanceof UnderlayError) return OF_SOCKETS.has(error.code);
  if (!(error instanceof TapError) || !isNativeError(error.cause)) return false;
  const { syscall, code, message } = error.cause;
  // The owner of the namespace may rename, move or delete a NIC that is being opened: it is gone, and can be made again.
  if ((code === 'ENODEV' && syscall !== 'open') || code === 'EBADFD') return true;
  return message.includes('network namespace') && OF_NAMESPACES.has(`${syscall} ${code}`);
}

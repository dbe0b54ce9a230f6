/**
 * Classifies failures to open a device: a port waits for a missing device, address or network namespace, and for conditions that
 * the owner of a guest's namespace controls. Other failures, such as a missing capability or a UDP port in use, are errors.
 */
import { isNativeError } from '../native/binding.js';
import { TapError } from './tap-error.js';
import { isHeldHere } from './tap-holder.js';
import { UnderlayError } from './underlay.js';

/**
 * Errors of sockets. A tentative IPv6 address (DAD in progress) cannot be bound, and a device may get multicast (EOPNOTSUPP)
 * or IPv6 (EAFNOSUPPORT) later.
 */
const OF_SOCKETS = new Set(['ENODEV', 'EADDRNOTAVAIL', 'EOPNOTSUPP', 'EAFNOSUPPORT']);
/** Errors of a namespace's file: missing, or not yet a namespace, as during `ip netns add`. */
const OF_NAMESPACES = new Set(['open ENOENT', 'open ENOTDIR', 'setns EINVAL']);

/** A NIC in a guest's namespace, which is a name or path. */
export interface GuestNic {
  readonly netns: string;
  readonly ifname: string;
}

/**
 * A guest must not be able to prevent the start of the switch, for instance by another device with its NIC's name, or by disabling
 * IPv6. So a port waits after any failure in a guest's namespace, except missing capabilities of the switch. It also waits for a TAP
 * that the guest itself has open; if another process of the host has it, such as another switch, that is an error.
 *
 * @param error as of `openTap`, or of what opens sockets
 * @param nic of the guest; absent: the device belongs into the switch's own namespace
 */
export function mayPass(error: unknown, nic?: GuestNic): boolean {
  return isAbsent(error) || (nic !== undefined && isGuestsDoing(error, nic));
}

function isGuestsDoing(error: unknown, { netns, ifname }: GuestNic): boolean {
  if (!(error instanceof TapError) || !isNativeError(error.cause)) return false;
  const { syscall, code } = error.cause;
  if (code === 'EBUSY') return !isHeldHere(ifname, netns);
  return syscall !== 'open' && syscall !== 'setns' && code !== 'EPERM';
}

/** @param error as of `openTap`, or of what opens sockets */
export function isAbsent(error: unknown): boolean {
  if (error instanceof UnderlayError) return OF_SOCKETS.has(error.code);
  if (!(error instanceof TapError) || !isNativeError(error.cause)) return false;
  const { syscall, code, message } = error.cause;
  // The owner of the namespace renamed, moved or deleted the NIC during opening. It can be created again.
  if ((code === 'ENODEV' && syscall !== 'open') || code === 'EBADFD') return true;
  return message.includes('network namespace') && OF_NAMESPACES.has(`${syscall} ${code}`);
}

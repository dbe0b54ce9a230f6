/**
 * Classifies failures to open a device: a port waits for a missing device, address or network namespace, and for conditions that
 * the owner of a guest's namespace controls, and for rights while other ports work. Other failures, such as a UDP port in use,
 * are errors.
 */
import { isNativeError } from '../native/binding.js';
import { NetdevError } from './netdev-error.js';
import { netnsIsForeign } from './netns.js';
import { FrameSocketError } from './frame-socket-error.js';
import { TapError } from './tap-error.js';
import { UnderlayError } from './underlay.js';

/**
 * Errors of sockets. A tentative IPv6 address (DAD in progress) cannot be bound, and a device may get multicast (EOPNOTSUPP)
 * or IPv6 (EAFNOSUPPORT) later.
 */
const OF_SOCKETS = new Set(['ENODEV', 'EADDRNOTAVAIL', 'EOPNOTSUPP', 'EAFNOSUPPORT']);
/** Errors of the sockets of qemu and udp ports: no directory, address or route. */
const OF_FRAME_SOCKETS = new Set(['ENOENT', 'ENOTDIR', 'EADDRNOTAVAIL', 'ENETUNREACH', 'EHOSTUNREACH', 'EAFNOSUPPORT']);
/** Errors of /dev/net/tun: no such file, no module. */
const NO_TUN = new Set(['ENOENT', 'ENODEV', 'ENXIO']);
/** Errors of a namespace's file: missing, or not yet a namespace, as during `ip netns add`. */
const OF_NAMESPACES = new Set(['open ENOENT', 'open ENOTDIR', 'setns EINVAL']);

/** Of a device that engines read frames from. */
function isOfDevice(error: unknown): error is TapError | NetdevError {
  return error instanceof TapError || error instanceof NetdevError;
}

/**
 * A guest must not be able to prevent the start of the switch, for instance by another device with its NIC's name, or by disabling
 * IPv6. So a port waits after any failure in a guest's namespace, except missing capabilities of the switch. A TAP that is open in
 * another process is waited for if another user owns the namespace; otherwise it may be a second switch, and is an error.
 *
 * @param error as of `openTap`, `openNetdev`, or of what opens sockets
 * @param netns the guest's namespace, name or path; absent: the switch's own
 */
export function mayPass(error: unknown, netns?: string): boolean {
  return isAbsent(error) || (netns !== undefined && isGuestsDoing(error, netns));
}

function isGuestsDoing(error: unknown, netns: string): boolean {
  if (!isOfDevice(error) || !isNativeError(error.cause)) return false;
  const { syscall, code } = error.cause;
  if (code === 'EBUSY') return netnsIsForeign(netns);
  return syscall !== 'open' && syscall !== 'setns' && code !== 'EPERM';
}

/**
 * Whether a TAP, or an interface, could not be opened because the switch may not: no usable /dev/net/tun, a missing capability, a sandbox. The owner
 * of the host may grant it later.
 */
export function lacksRight(error: unknown): boolean {
  if (!isOfDevice(error) || !isNativeError(error.cause)) return false;
  const { syscall, code, message } = error.cause;
  if (code === 'EPERM' || code === 'EACCES' || isFamilyRefused(error.cause)) return true;
  return syscall === 'open' && message.includes('/dev/net/tun') && NO_TUN.has(code);
}

/** A sandbox refuses packet sockets. */
function isFamilyRefused({ code, syscall }: { code: string; syscall: string }): boolean {
  return code === 'EAFNOSUPPORT' && syscall === 'socket';
}

/** @param error as of `openTap`, `openNetdev`, or of what opens sockets */
export function isAbsent(error: unknown): boolean {
  if (error instanceof UnderlayError) return OF_SOCKETS.has(error.code);
  if (error instanceof FrameSocketError) return OF_FRAME_SOCKETS.has(error.code);
  if (!isOfDevice(error) || !isNativeError(error.cause)) return false;
  const { syscall, code, message } = error.cause;
  // The owner of the namespace renamed, moved or deleted the NIC during opening. It can be created again.
  if ((code === 'ENODEV' && syscall !== 'open') || code === 'EBADFD') return true;
  return message.includes('network namespace') && OF_NAMESPACES.has(`${syscall} ${code}`);
}

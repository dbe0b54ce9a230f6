/**
 * Error messages for attached interfaces, one line each: the interface, the reason and the remedy. Owns the wording.
 */
import type { NativeError } from '../native/binding.js';
import { netnsRemedy } from '../text/netns.js';
import { nameOf } from './tap-error.js';

/** Thrown by `openNetdev`: one line for the user. `code` is the errno's name. */
export class NetdevError extends Error {
  override readonly name = 'NetdevError';

  constructor(
    message: string,
    readonly code: string,
    cause?: NativeError,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** @param place as configured */
export function explainNetdev(error: NativeError, place: { ifname: string; netns?: string | undefined }): string {
  return `cannot attach the interface ${nameOf(place)}: ${reasonOf(error, place)}`;
}

function reasonOf(
  { code, syscall, message }: NativeError,
  { netns = '', ifname }: { ifname: string; netns?: string | undefined },
): string {
  const isOfNetns = message.includes('network namespace');
  if (isOfNetns && (code === 'ENOENT' || code === 'ENOTDIR'))
    return `its network namespace does not exist${netnsRemedy(netns)}`;
  if (syscall === 'setns' && code === 'EINVAL') return `${netns} is no network namespace`;
  if (syscall === 'setns') return `entering a network namespace needs root (CAP_SYS_ADMIN) (${code})`;
  if (code === 'ENODEV' && syscall === 'ioctl') return 'there is no such interface; see "ip link"';
  if (code === 'EAFNOSUPPORT' && syscall === 'bind')
    return `it does not carry Ethernet frames (a TUN, WireGuard or loopback interface); attach another one than ${ifname}`;
  if (code === 'EAFNOSUPPORT' && syscall === 'socket')
    return 'the kernel or a sandbox refuses packet sockets (EAFNOSUPPORT); a systemd unit takes netdev.conf';
  if (code === 'EPERM' || code === 'EACCES') return `packet sockets need root or CAP_NET_RAW (${syscall}: ${code})`;
  return message;
}

/**
 * Error messages for TAPs, one line each: the device, the reason and the remedy.
 *
 * Owns the wording. Never opens or changes anything.
 */
import { isNativeError, type NativeError } from '../native/binding.js';
import { netnsRemedy } from '../text/netns.js';
import { netnsPath } from './netns.js';

/** Thrown by `openTap` and the methods of a TapHandle: one line for the user. `code` is the errno's name. */
export class TapError extends Error {
  readonly code: string;

  constructor(message: string, code: string, cause?: NativeError) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'TapError';
    this.code = code;
  }
}

/** The device as configured; `netns` as in the configuration. */
export interface TapNames {
  ifname: string;
  netns?: string | undefined;
  /** A TUN. */
  layer3?: boolean | undefined;
}

export function kindOf({ layer3 }: Pick<TapNames, 'layer3'>): 'TAP' | 'TUN' {
  return layer3 === true ? 'TUN' : 'TAP';
}

/** The minimum MTU of a link that carries IPv6 (RFC 8200, section 5). */
const IPV6_MIN_MTU = 1280;

export function nameOf({ ifname, netns }: TapNames): string {
  return netns === undefined ? ifname : `${ifname} in netns ${netns}`;
}

function missingRight(error: NativeError): boolean {
  return error.code === 'EPERM' || error.code === 'EACCES';
}

/** The missing capability: each step of creating a TAP needs a different one. @param what the purpose of the step */
function reasonOfRights({ code, syscall, message }: NativeError, names: TapNames, what: string): string {
  if (syscall === 'open' && message.includes('/dev/net/tun')) {
    // The mode of the file, or the container's device rules (devices cgroup).
    return code === 'EACCES'
      ? 'the permissions of /dev/net/tun do not let this user open it (EACCES); run it as root, or "chmod 0666 /dev/net/tun"'
      : 'the container may not use /dev/net/tun (EPERM); give it that device (character device 10:200)';
  }
  if (syscall === 'open')
    return `this user may not open the file of the network namespace ${names.netns} (${code}); run it as root`;
  if (syscall === 'setns') return 'entering a network namespace needs root (CAP_SYS_ADMIN)';
  const where = names.netns === undefined ? '' : ` over the network namespace ${names.netns}`;
  return `${what} a ${kindOf(names)} needs root or CAP_NET_ADMIN${where} (${syscall}: ${code})`;
}

/** Reasons common to opening and changing, or `undefined`. `mtu`: the device's, if known. */
function commonReason(error: NativeError, mtu: number | undefined): string | undefined {
  const about = error.message;
  const adding = /adding the address ([^/]*)/.exec(about);
  if (adding?.[1].includes(':') && mtu !== undefined && mtu < IPV6_MIN_MTU)
    return `${about}; its MTU is ${mtu}, and IPv6 needs ${IPV6_MIN_MTU} or more`;
  if (adding !== null && error.code === 'EACCES')
    return `${about}; is IPv6 switched off there (net.ipv6.conf.all.disable_ipv6)?`;
  return undefined;
}

/** The message for a TAP that could not be opened. */
export function explainOpen(error: NativeError, names: TapNames, mtu: number | undefined): string {
  const start = `cannot open the ${kindOf(names)} ${nameOf(names)}:`;
  const about = error.message;
  if (error.syscall === 'open' && about.includes('/dev/net/tun') && !missingRight(error))
    return `${start} /dev/net/tun is not usable (${error.code}); load the module with "modprobe tun", or give the container that device`;
  const common = commonReason(error, mtu);
  if (common !== undefined) return `${start} ${common}`;
  if (missingRight(error)) return `${start} ${reasonOfRights(error, names, 'opening')}`;
  if (about.includes('network namespace') && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
    return `${start} its network namespace does not exist${netnsRemedy(names.netns ?? '')}`;
  if (error.syscall === 'setns' && error.code === 'EINVAL')
    return `${start} ${netnsPath(names.netns ?? '')} is no network namespace`;
  if (error.code === 'EBUSY')
    return `${start} another process has it open (a virtual machine, another switch); stop that one or choose another ifname`;
  if (error.syscall === 'TUNSETIFF' && error.code === 'EINVAL')
    return `${start} a device of that name is there and is no ${kindOf(names)}; choose another ifname`;
  return `${start} ${about}`;
}

/** What to do about a descriptor that was refused, by the reason. */
const ADOPTION_REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/is not open/, 'start the switch with it, as a shell does with "overtap run ... 5<>FILE", or a service manager'],
  [/has no device/, 'give one that a device was created with (TUNSETIFF)'],
  [/is no TAP and no TUN/, 'give a descriptor of /dev/net/tun'],
  [/is a TUN/, 'use type: tun for it'],
  [/is a TAP/, 'use type: tap for it'],
  [/IFF_NO_PI/, 'create the device with IFF_NO_PI'],
  [/IFF_MULTI_QUEUE/, 'create the device with IFF_MULTI_QUEUE, or set workers: 1'],
];

/** The message for a descriptor that could not be taken. */
export function explainAdoption({ message }: NativeError, fd: number): string {
  const remedy = ADOPTION_REMEDIES.find(([pattern]) => pattern.test(message))?.[1];
  return `cannot use descriptor ${fd}: ${message}${remedy === undefined ? '' : `; ${remedy}`}`;
}

/** The message for an open TAP that could not be changed. @param verb the attempted change */
export function explainChange(error: NativeError, names: TapNames, mtu: number, verb: string): string {
  const start = `cannot ${verb} the ${kindOf(names)} ${nameOf(names)}:`;
  const { code, syscall } = error;
  // The file of an unmounted namespace is an ordinary file, which setns refuses.
  if ((syscall === 'open' && (code === 'ENOENT' || code === 'ENOTDIR')) || (syscall === 'setns' && code === 'EINVAL'))
    return `${start} its network namespace is gone (${code})${netnsRemedy(names.netns ?? '')}`;
  if (code === 'ENODEV' || code === 'EBADFD') return `${start} the device is gone (${code})`;
  const common = commonReason(error, mtu);
  if (common !== undefined) return `${start} ${common}`;
  if (missingRight(error)) return `${start} ${reasonOfRights(error, names, 'changing')}`;
  if (code === 'EADDRNOTAVAIL' && error.message.includes('MAC address'))
    return `${start} the kernel refuses that MAC address: a NIC's is neither multicast nor all zeros (${code})`;
  return `${start} ${error.message}`;
}

/** Runs `action` and converts a failure of the addon to a TapError with the message from `say`. */
export function withWords<T>(action: () => T, say: (error: NativeError) => string): T {
  try {
    return action();
  } catch (error) {
    throw isNativeError(error) ? new TapError(say(error), error.code, error) : error;
  }
}

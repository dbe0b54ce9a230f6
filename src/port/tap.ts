/**
 * TAP devices: opens them where they are to be, and says in plain words why one cannot be opened.
 *
 * Owns the descriptor and the device's life. Never moves a frame: the Nic does, once the descriptor is attached.
 */
import * as native from '../native/binding.js';
import { isNativeError, type NativeError, type TapAddress, type TapPlace, type TapState } from '../native/binding.js';

/** TUN_F_*: what the reader of a TAP is able to take in unfinished (linux/if_tun.h). */
export const TUN_F_CSUM = 0x01;
export const TUN_F_TSO4 = 0x02;
export const TUN_F_TSO6 = 0x04;
export const TUN_F_USO4 = 0x20;
export const TUN_F_USO6 = 0x40;

export interface TapOptions {
  /** Name (as of `ip netns`) or path of a network namespace; absent: the switch's own. */
  netns?: string;
  ifname: string;
  /** Absent: the kernel's choice. */
  mac?: string;
  mtu?: number;
  addresses?: readonly TapAddress[];
  /** The device outlives the switch. Default false. */
  persist?: boolean;
  /** Default true. */
  multiQueue?: boolean;
  /** Default true. */
  up?: boolean;
  /** TUN_F_* flags. Default: TUN_F_CSUM alone, frames are segmented by the guest. */
  offload?: number;
}

export interface TapHandle {
  readonly fd: number;
  readonly ifname: string;
  /** Path of the namespace's file, when it is not the switch's own. */
  readonly netns: string | undefined;
  readonly mac: string;
  readonly mtu: number;
  readonly offload: number;
  readonly vnetHeaderSize: number;
  /** `null` when the device or its namespace is gone. */
  state(): TapState | null;
  setMtu(mtu: number): void;
  /** Detach it first. A TAP that is not persistent is gone with it. A second call does nothing. */
  close(): void;
}

/** What `openTap` and `setMtu` throw: one line for the user. `code` is the errno's name. */
export class TapError extends Error {
  readonly code: string;

  constructor(message: string, cause: NativeError) {
    super(message, { cause });
    this.name = 'TapError';
    this.code = cause.code;
  }
}

/** The path of a namespace's file: a name stands for a file of `ip netns`. */
export function netnsPath(netns: string): string {
  return netns.includes('/') ? netns : `/run/netns/${netns}`;
}

/** Where a device is, as the addon wants it. */
function placeOf(ifname: string, netns: string | undefined): TapPlace {
  return netns === undefined ? { ifname } : { ifname, netns: netnsPath(netns) };
}

/**
 * The device as its namespace has it, whoever set it so; `null` when the device or the namespace is gone.
 * @param netns name or path; absent: the switch's own
 */
export function tapState(ifname: string, netns?: string): TapState | null {
  return native.tapState(placeOf(ifname, netns));
}

function missingRight(error: NativeError): boolean {
  return error.code === 'EPERM' || error.code === 'EACCES';
}

function explain(error: NativeError, options: TapOptions): string {
  const tap = options.netns === undefined ? options.ifname : `${options.ifname} in netns ${options.netns}`;
  const about = error.message;
  if (error.syscall === 'open' && about.includes('/dev/net/tun') && !missingRight(error))
    return `cannot open the TAP ${tap}: /dev/net/tun is not usable (${error.code}); load the module with "modprobe tun", or give the container that device`;
  if (error.syscall === 'setns' && error.code === 'EPERM')
    return `cannot open the TAP ${tap}: entering a network namespace needs root (CAP_SYS_ADMIN)`;
  if (about.includes('adding the address') && error.code === 'EACCES')
    return `cannot open the TAP ${tap}: ${about}; is IPv6 switched off there (net.ipv6.conf.all.disable_ipv6)?`;
  if (missingRight(error)) return `cannot open the TAP ${tap}: opening a TAP needs root or CAP_NET_ADMIN`;
  if (about.includes('network namespace') && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
    return `cannot open the TAP ${tap}: there is no network namespace ${options.netns}; "ip netns list" shows those there are`;
  if (error.syscall === 'setns' && error.code === 'EINVAL')
    return `cannot open the TAP ${tap}: ${netnsPath(options.netns ?? '')} is no network namespace`;
  if (error.code === 'EBUSY')
    return `cannot open the TAP ${tap}: another process has it open; stop that one or choose another ifname`;
  if (error.syscall === 'TUNSETIFF' && error.code === 'EINVAL')
    return `cannot open the TAP ${tap}: a device of that name is there and is no TAP; choose another ifname`;
  return `cannot open the TAP ${tap}: ${about}`;
}

/**
 * Makes a TAP, or takes over a persistent one of that name, whose addresses stay.
 * @throws TapError in plain words; whatever was begun is undone
 */
export function openTap(options: TapOptions): TapHandle {
  const { netns, persist = false, multiQueue = true, up = true, offload = TUN_F_CSUM, ...rest } = options;
  const place = placeOf(options.ifname, netns);
  let opened: ReturnType<typeof native.openTap>;
  try {
    opened = native.openTap({ ...rest, ...place, persist, multiQueue, up, offload });
  } catch (error) {
    if (isNativeError(error)) throw new TapError(explain(error, options), error);
    throw error;
  }
  let { mtu } = opened;
  let open = true;
  return {
    fd: opened.fd,
    ifname: opened.ifname,
    netns: place.netns,
    mac: opened.mac,
    get mtu() {
      return mtu;
    },
    offload: opened.offload,
    vnetHeaderSize: opened.vnetHeaderSize,
    state: () => native.tapState(place),
    setMtu(bytes) {
      try {
        native.setTapMtu({ ...place, mtu: bytes });
        mtu = bytes;
      } catch (error) {
        if (isNativeError(error))
          throw new TapError(`cannot change the TAP ${options.ifname}: ${error.message}`, error);
        throw error;
      }
    },
    close() {
      if (!open) return;
      open = false;
      native.closeFd(opened.fd);
    },
  };
}

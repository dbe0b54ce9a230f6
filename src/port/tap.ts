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
const TSO = TUN_F_TSO4 | TUN_F_TSO6;
/** What the addon's Nic splits and completes. */
export const ALL_OFFLOADS = TUN_F_CSUM | TSO | TUN_F_USO4 | TUN_F_USO6;

/** Bytes of one send (UDP over IPv4), and of VXLAN and Ethernet headers around each segment's IP packet. */
const SEND_BYTES = 65_507;
const SEGMENT_OVERHEAD = 8 + 14;
/** Segments of one send. */
const SEND_SEGMENTS = 64;
/** What the kernel gives a new TAP. */
const DEFAULT_MTU = 1500;

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
  /** TUN_F_* flags: what the guest may leave unfinished. Default: ALL_OFFLOADS, less what the kernel does not have. */
  offload?: number;
  /** `false`: without a virtio-net header, and so without any offload. Default true. */
  vnetHeader?: boolean;
  /** Segments of the guest's superframes. Default, with TSO: as many as fit one send at the TAP's MTU; 44 at 1450. */
  gsoMaxSegs?: number;
  /** Queues, which are handed out by `openQueue`. Whatever the kernel puts in one that no one reads is lost. Default 1. */
  queues?: number;
}

export interface TapHandle {
  readonly fd: number;
  readonly ifname: string;
  /** Path of the namespace's file, when it is not the switch's own. */
  readonly netns: string | undefined;
  readonly mac: string;
  readonly mtu: number;
  readonly offload: number;
  /** For `attachTap`; 0: none. */
  readonly vnetHeaderSize: number;
  /** `null` when the device or its namespace is gone. */
  state(): TapState | null;
  setMtu(mtu: number): void;
  /**
   * The descriptor of a further queue, which belongs to this handle: one of those that were opened with the TAP, else a new
   * one. A new one in another namespace keeps that namespace in being until it is closed.
   * @throws TapError, with code EINVAL when the TAP is not multi-queue
   */
  openQueue(): number;
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

/** Superframes of so many segments are one send each: what is over would be a second send, and a small one. */
export function segmentsPerSend(mtu: number): number {
  return Math.max(1, Math.min(SEND_SEGMENTS, Math.floor(SEND_BYTES / (mtu + SEGMENT_OVERHEAD))));
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

function wrap<T>(action: () => T, say: (error: NativeError) => string): T {
  try {
    return action();
  } catch (error) {
    throw isNativeError(error) ? new TapError(say(error), error) : error;
  }
}

/**
 * Makes a TAP, or takes over a persistent one of that name, whose addresses stay.
 * @throws TapError in plain words; whatever was begun is undone
 */
export function openTap(options: TapOptions): TapHandle {
  const { netns, persist = false, multiQueue = true, up = true, offload = ALL_OFFLOADS, gsoMaxSegs, ...rest } = options;
  const place = placeOf(options.ifname, netns);
  const segments = (mtu: number): { gsoMaxSegs?: number } => {
    const most = gsoMaxSegs ?? ((offload & TSO) === 0 ? undefined : segmentsPerSend(mtu));
    return most === undefined ? {} : { gsoMaxSegs: most };
  };
  const opened = wrap(
    () =>
      native.openTap({ ...rest, ...place, persist, multiQueue, up, offload, ...segments(options.mtu ?? DEFAULT_MTU) }),
    (error) => explain(error, options),
  );
  const fds = [opened.fd, ...opened.moreQueues];
  let given = 1;
  let { mtu } = opened;
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
      wrap(
        () => native.setTapMtu({ ...place, mtu: bytes, ...segments(bytes) }),
        (error) => `cannot change the TAP ${options.ifname}: ${error.message}`,
      );
      mtu = bytes;
    },
    openQueue() {
      if (given === fds.length)
        fds.push(
          wrap(
            () => native.openTapQueue({ ...place, vnetHeader: opened.vnetHeaderSize > 0 }),
            (error) => `cannot open a queue of the TAP ${options.ifname}: ${error.message}`,
          ),
        );
      return fds[given++];
    },
    close() {
      for (const fd of fds.splice(0)) native.closeFd(fd);
      given = 0;
    },
  };
}

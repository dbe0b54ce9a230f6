/**
 * Sockets of the underlay: a receiver, a receiver for each multicast group, and a pool of senders.
 *
 * Each sender has one outer source port, so flows are spread over as many source ports as the pool has sockets. Owns the
 * descriptors; never moves a datagram and is independent of VXLAN.
 */
import * as native from '../native/binding.js';
import { isNativeError, type NativeError } from '../native/binding.js';
import { command } from '../text/shell.js';

/** Default size of a pool, unless the range of source ports is smaller. */
export const DEFAULT_SENDERS = 16;
/** Socket buffers in bytes: several batches, so that a burst survives one turn of the engine. */
export const RECEIVE_BUFFER = 8 * 1024 * 1024;
export const SEND_BUFFER = 4 * 1024 * 1024;
/** TTL of datagrams to groups: they stay on the link, as those of the kernel's vxlan device do. */
export const DEFAULT_GROUP_TTL = 1;

/** Thrown by this file: one line for the user. `code` is the errno's name. */
export class UnderlayError extends Error {
  readonly code: string;

  constructor(message: string, cause: NativeError, code = cause.code) {
    super(message, { cause });
    this.name = 'UnderlayError';
    this.code = code;
  }
}

export interface UnderlayPlace {
  /** The outer source address; absent: any. */
  local?: string;
  /** Used without `local`; default 4. */
  family?: 4 | 6;
  dev?: string;
}

export interface ReceiverOptions extends UnderlayPlace {
  port: number;
  receiveBuffer?: number;
  /** Enables UDP_GRO if the kernel supports it. Default false. */
  gro?: boolean;
  /** Several receivers may share address and port; the kernel spreads flows over them. Default false. */
  reusePort?: boolean;
}

export interface GroupReceiverOptions {
  /** The multicast address, IPv4 or IPv6. */
  group: string;
  /** The device on which the group is joined. Datagrams to the group on other devices are not received. */
  dev: string;
  port: number;
  receiveBuffer?: number;
  /** As of ReceiverOptions. */
  gro?: boolean;
}

export interface Receiver {
  readonly fd: number;
  readonly port: number;
  /** Whether UDP_GRO is enabled. */
  readonly gro: boolean;
  close(): void;
}

/** Properties of the datagrams that a socket sends. */
export interface SendingOptions extends UnderlayPlace {
  /** TTL of unicast datagrams, 1-255; absent or 0: the route's. */
  ttl?: number;
  /**
   * For pools that also send to multicast groups: the device and the TTL (default: `ttl`, otherwise 1). Multicast loopback is
   * off.
   */
  multicast?: { dev: string; ttl?: number };
  /** Sets the DF bit. This host never fragments. Default false. */
  df?: boolean;
  checksum?: boolean;
  /** Datagrams over IPv6 have a flow label: `attachSender` or the command says which. Default false. */
  labels?: boolean;
  sendBuffer?: number;
}

export interface SenderOptions extends SendingOptions {
  /** First and last source port. */
  range: readonly [number, number];
  /** Number of sockets. Default: DEFAULT_SENDERS, or the size of the range if that is smaller. */
  count?: number;
  /** Any integer: selects the first port in the range, so that switches on one host use different ports. */
  seed: number;
}

export interface Sender {
  readonly fd: number;
  readonly port: number;
  close(): void;
}

function familyOf(place: UnderlayPlace): 4 | 6 {
  if (place.local !== undefined) return place.local.includes(':') ? 6 : 4;
  return place.family ?? 4;
}

/** Options that receivers and senders share in the addon. */
function placeOf(place: UnderlayPlace): { family: 4 | 6; local?: string; dev?: string } {
  const family = familyOf(place);
  return {
    family,
    ...(place.local === undefined ? {} : { local: place.local }),
    ...(place.dev === undefined ? {} : { dev: place.dev }),
  };
}

/** Reasons why a device cannot carry multicast, by code. */
function multicastReasons(dev: string, family: 4 | 6): Record<string, string> {
  return {
    ENODEV: `there is no device ${dev}`,
    EOPNOTSUPP: `${dev} does not carry multicast; choose another device, or try "${command`ip link set ${dev} multicast on`}"`,
    EAFNOSUPPORT:
      family === 6
        ? `IPv6 is off on ${dev}; switch it on with "${command`sysctl ${`net.ipv6.conf.${dev.replaceAll('.', '/')}.disable_ipv6=0`}`}" and an MTU of 1280 or more`
        : `${dev} has no IPv4`,
  };
}

function explain(
  error: NativeError,
  place: UnderlayPlace,
  port: string,
  extra: Record<string, string> = {},
): UnderlayError {
  const at = `${place.local ?? 'any address'}, UDP port ${port}`;
  if (refusesIpv6(error, place)) {
    const reason = `this host opens no IPv6 sockets (${error.code}); start its kernel without ipv6.disable=1, or let the sandbox open them`;
    return new UnderlayError(`cannot open the underlay's socket at ${at}: ${reason}`, error, 'EAFNOSUPPORT');
  }
  const reasons: Record<string, string> = {
    EADDRINUSE: 'another process, or a vxlan device of the kernel, has that port; stop it or choose another port',
    EADDRNOTAVAIL: 'no device of this host has that address',
    ENODEV: `there is no device ${place.dev}`,
    EPERM: 'binding to a device needs root or CAP_NET_RAW',
    ...(Number.parseInt(port, 10) < 1024 ? { EACCES: 'a port below 1024 needs root or CAP_NET_BIND_SERVICE' } : {}),
    ...extra,
  };
  const reason = reasons[error.code] ?? error.message;
  return new UnderlayError(`cannot open the underlay's socket at ${at}: ${reason}`, error);
}

/** Kernels say EAFNOSUPPORT, and filters of sandboxes what they like, mostly EPERM. */
function refusesIpv6({ syscall, code }: NativeError, place: UnderlayPlace): boolean {
  return syscall === 'socket' && familyOf(place) === 6 && !/^(EMFILE|ENFILE|ENOMEM|ENOBUFS)$/.test(code);
}

/** Closes a descriptor only once, since its number may be reused afterwards. */
function closer(fd: number): () => void {
  let open = true;
  return () => {
    if (!open) return;
    open = false;
    native.closeFd(fd);
  };
}

/**
 * The device of the VRF that a device is, or is in, also through a bond or bridge above it; null: none, as for a device that is not
 * there. As in Linux (vxlan_sock_add) a port receives by the VRF of its `dev`, whose addresses are those of that VRF only.
 */
export function vrfOf(dev: string): string | null {
  try {
    return native.vrfOf({ dev });
  } catch {
    return null; // what it is needed for says what is wrong
  }
}

/**
 * Lets a receiving socket go on in another VRF, or in none: a new one could not be bound beside it, where one of the two is bound to no
 * device.
 * @throws UnderlayError; code ENODEV when the device is not there
 */
export function moveToVrf({ fd, port }: { fd: number; port: number }, vrf: string | undefined): void {
  const dev = vrf === undefined ? {} : { dev: vrf };
  try {
    native.rebindReceiver(fd, dev);
  } catch (error) {
    if (isNativeError(error)) throw explain(error, dev, String(port));
    throw error;
  }
}

/**
 * The receiving socket of one local address and port.
 * @throws UnderlayError; code EADDRINUSE when the port is taken
 */
export function openReceiver(options: ReceiverOptions): Receiver {
  const { port, receiveBuffer = RECEIVE_BUFFER, gro = false, reusePort = false } = options;
  try {
    const socket = native.openUdpReceiver({ ...placeOf(options), port, receiveBuffer, gro, reusePort });
    return { ...socket, close: closer(socket.fd) };
  } catch (error) {
    if (isNativeError(error)) throw explain(error, options, String(port));
    throw error;
  }
}

/**
 * A socket that receives datagrams to one multicast group only. Closing it leaves the group, unless another socket of this host
 * is a member.
 *
 * It coexists with the receiver of the same port. A receiver bound to any address must be opened first, since it cannot share
 * its port with existing sockets. Every socket of a group gets every datagram, so several engines need only one. Deleting the
 * device ends the membership: a new device of the same name needs a new socket.
 * @throws UnderlayError; code ENODEV, EINVAL (no multicast address), EOPNOTSUPP (no multicast there), EAFNOSUPPORT (no IPv6
 *   there), EADDRINUSE
 */
export function openGroupReceiver(options: GroupReceiverOptions): Receiver {
  const { group, dev, port, receiveBuffer = RECEIVE_BUFFER, gro = false } = options;
  const family = familyOf({ local: group });
  try {
    const socket = native.openUdpReceiver({ family, group, dev, port, receiveBuffer, gro });
    return { ...socket, close: closer(socket.fd) };
  } catch (error) {
    if (!isNativeError(error)) throw error;
    throw explain(error, { local: group, dev }, String(port), {
      ...multicastReasons(dev, family),
      EINVAL: `${group} is not a multicast address`,
      ENOPROTOOPT: 'multicast groups over IPv6 need Linux 4.20 or later',
    });
  }
}

/** All ports of the range, in the order in which they are tried; the seed selects the first. */
export function* portsOf(range: readonly [number, number], seed: number): Generator<number> {
  const [low, high] = range;
  const size = high - low + 1;
  const start = (seed >>> 0) % size;
  for (let i = 0; i < size; i++) yield low + ((start + i) % size);
}

/** A receiving or sending socket that another process has opened. Closing it closes this process's descriptor. */
export function adoptSocket(fd: number, port: number): Sender {
  return { fd, port, close: closer(fd) };
}

/** The options of a sending socket for the addon. */
function sendingOf(options: SendingOptions): Omit<native.UdpSenderOptions, 'port'> {
  const { multicast, ttl = 0, df = false, checksum = true, labels = false, sendBuffer = SEND_BUFFER } = options;
  const groups =
    multicast === undefined
      ? {}
      : { multicastDev: multicast.dev, multicastTtl: multicast.ttl || ttl || DEFAULT_GROUP_TTL };
  return {
    ...placeOf(options),
    ...groups,
    ttl,
    df: df ? 'set' : 'unset',
    checksum,
    labels,
    sendBuffer,
  };
}

function explainSending(error: unknown, options: SendingOptions, port: number): unknown {
  if (!isNativeError(error)) return error;
  const { multicast } = options;
  // Only the device of `multicast` is asked for by ioctl; `dev` is bound to.
  const extra = multicast && error.syscall === 'ioctl' ? multicastReasons(multicast.dev, familyOf(options)) : {};
  return explain(error, options, String(port), extra);
}

/**
 * Lets a receiving socket also send, from the port that it receives on, or changes its sending options. `dev` selects the
 * device for sending; it still receives on all devices.
 * @throws UnderlayError; code ENODEV when the device is not there
 */
export function sendByReceiver(receiver: { fd: number; port: number }, options: SendingOptions): void {
  try {
    native.sendByReceiver(receiver.fd, { ...sendingOf(options), port: receiver.port });
  } catch (error) {
    throw explainSending(error, options, receiver.port);
  }
}

/**
 * A pool of sending sockets. Ports in use are skipped; the pool is smaller than `count` only if the range has fewer free
 * ports.
 * @throws UnderlayError if no port of the range is free, or the address or device does not exist
 */
export function openSenders(options: SenderOptions): Sender[] {
  const { range, seed } = options;
  const [low, high] = range;
  if (!(low >= 1 && high <= 65535 && low <= high))
    throw new RangeError(`the range of source ports ${low}-${high} is empty or not within 1-65535`);
  const wanted = Math.min(options.count ?? DEFAULT_SENDERS, high - low + 1);
  const sending = sendingOf(options);
  const senders: Sender[] = [];
  let busy: NativeError | undefined;
  for (const port of portsOf(range, seed)) {
    if (senders.length === wanted) break;
    try {
      const socket = native.openUdpSender({ ...sending, port });
      senders.push({ ...socket, close: closer(socket.fd) });
    } catch (error) {
      if (isNativeError(error) && error.code === 'EADDRINUSE') {
        busy = error;
        continue;
      }
      for (const sender of senders) sender.close();
      throw explainSending(error, options, port);
    }
  }
  if (senders.length === 0 && busy !== undefined)
    throw new UnderlayError(
      `cannot open a sending socket: every source port of ${low}-${high} is in use; widen srcport`,
      busy,
    );
  return senders;
}

/**
 * The path MTU to `remote` in bytes (outer IP packet), as known to the kernel. For a multicast group, which needs `dev`, the MTU
 * of that device, since groups have no route.
 * @throws UnderlayError, with code ENETUNREACH when there is no route, ENODEV when there is no such device
 */
export function pathMtu(options: { remote: string; local?: string; dev?: string }): number {
  try {
    return native.pathMtu(options);
  } catch (error) {
    if (!isNativeError(error)) throw error;
    const reasons: Record<string, string> = {
      ENETUNREACH: 'there is no route to it',
      ENODEV: `there is no device ${options.dev}`,
      EDESTADDRREQ: 'it is a multicast group, which takes the device by which it is reached (dev)',
    };
    const reason = reasons[error.code] ?? error.message;
    throw new UnderlayError(`cannot find the MTU of the path to ${options.remote}: ${reason}`, error);
  }
}

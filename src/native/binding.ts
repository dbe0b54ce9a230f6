/**
 * The only loader of the addon: its verbs with their types.
 *
 * Owns the way to the built file and what is said when it is not there. Never adds behaviour of its own: which device is
 * opened how is decided in `src/port`, what moves where by the engine.
 *
 * Set-up verbs throw a `NativeError`; data verbs answer with status words and throw only on misuse.
 */
import { createRequire } from 'node:module';

/** What set-up verbs throw: `code` as in 'EPERM', `errno` its number, `syscall` the call or request that failed. */
export interface NativeError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
}

export interface TapAddress {
  address: string;
  prefix: number;
}

export interface OpenTapOptions {
  /** Path of the namespace's file; absent: the thread's own. */
  netns?: string;
  ifname: string;
  mac?: string;
  /** Without `mac`, of a TAP that is made; one that is taken over keeps its own. */
  newMac?: string;
  mtu?: number;
  addresses?: readonly TapAddress[];
  /** Whether the device outlives its descriptor. Of one that is taken over: as it is when overtap has not made it. */
  persist: boolean;
  multiQueue: boolean;
  /** `true` sets the link up; `false` leaves it as it is. */
  up: boolean;
  /** TUN_F_* flags, of which the kernel may accept fewer. */
  offload: number;
  /** `false`: frames come and go without a virtio-net header, and without offloads. Default true. */
  vnetHeader?: boolean;
  /** Segments that the guest's kernel puts into one superframe at most; a kernel that refuses is let be. Absent: as it is. */
  gsoMaxSegs?: number;
  /** More than one needs `multiQueue`. Default 1. */
  queues?: number;
}

export interface OpenedTap {
  fd: number;
  ifname: string;
  mac: string;
  mtu: number;
  /** 0 without `vnetHeader`. */
  vnetHeaderSize: number;
  /** The TUN_F_* flags that the kernel accepted. */
  offload: number;
  /** Descriptors of its further queues. */
  moreQueues: number[];
  /** It was there before. */
  takenOver: boolean;
  /** It was there before, and overtap has not made it: it does not bear the mark. */
  isForeign: boolean;
  /** Of its virtio-net header, as it was taken over. */
  foundVnetHeaderSize: number;
}

export interface SelfTest {
  /** Trains of datagrams leave in one call (UDP_SEGMENT). */
  udpSegment: boolean;
  /** Trains of datagrams are taken in in one piece (UDP_GRO). */
  udpGro: boolean;
  /** A TAP can be made, and has a virtio-net header. */
  vnetHeader: boolean;
  /** A TAP hands over unsegmented TCP. */
  tso: boolean;
  /** A TAP hands over unsegmented UDP. */
  uso: boolean;
  /** A TAP takes superframes in their outer headers, and sends them on (Linux 6.17). */
  tunnelGso: boolean;
  /** By the names above: why it does not work, or why it is believed to without having been tried; of `tunnelGso`, too, why it is not used. */
  reasons: Partial<Record<'udpSegment' | 'udpGro' | 'vnetHeader' | 'tso' | 'uso' | 'tunnelGso', string>>;
}

export interface TapPlace {
  netns?: string;
  ifname: string;
}

/** A TAP that is open, wherever it is now. */
export interface TapDescriptor {
  /** One of its descriptors. */
  fd: number;
  /** Path of the namespace that it was opened in; absent: the thread's own. Asked for by kernels before 5.2 only. */
  netns?: string;
}

/** What is absent stays as it is. Carried out in this order, but for addresses: removed ones go first. */
export interface TapNicChanges {
  mtu?: number;
  /** As of OpenTapOptions. */
  gsoMaxSegs?: number;
  /** Notes down, with the device, that overtap has made it. */
  mark?: boolean;
  /** The device may be up. */
  mac?: string;
  /** At most 64; one that is there already is no error. */
  addresses?: readonly TapAddress[];
  /** At most 64; one that is not there is no error. */
  removeAddresses?: readonly TapAddress[];
}

/** The process at the other end of a unix socket. */
export interface PeerProcess {
  /** 0: in a PID namespace that this process does not see. */
  pid: number;
  uid: number;
}

export interface HostAddress {
  ifname: string;
  /** As inet_ntop(3) writes it; without a zone. */
  address: string;
  /** Whether the interface is set up and has a carrier (IFF_UP and IFF_RUNNING). */
  up: boolean;
}

export interface LinkState {
  /** Of the device in its namespace: another device of its name has another one. */
  index: number;
  up: boolean;
  mtu: number;
  mac: string;
}

export interface TapState extends LinkState {
  /** The name that it has now. */
  ifname: string;
  /** The namespace that it is in now: the number (inode) of its file. */
  netns: number;
}

export interface UdpReceiverOptions {
  local?: string;
  family: 4 | 6;
  port: number;
  dev?: string;
  /** A multicast group to join on `dev` and to be bound to, in place of `local`; left when the socket is closed. */
  group?: string;
  /** Bytes; 0: the system's default. */
  receiveBuffer: number;
  /** Asks for trains of datagrams (UDP_GRO). */
  gro?: boolean;
  /** Other sockets with it may share address and port (SO_REUSEPORT): the kernel spreads flows over them. */
  reusePort?: boolean;
}

export interface UdpSenderOptions {
  local?: string;
  family: 4 | 6;
  /** 0: any. */
  port: number;
  /** To single hosts. 1-255; absent or 0: the route's. */
  ttl?: number;
  /** Where datagrams to multicast groups go; they do not come back to this host. Absent: the system's choice, with its TTL and looped back. */
  multicastDev?: string;
  /** Of datagrams to groups, with `multicastDev`: 1-255, default 1. */
  multicastTtl?: number;
  /** The DF bit. Neither value lets the kernel make fragments: what is too long fails with EMSGSIZE. */
  df: 'unset' | 'set';
  /** Outer UDP checksum. */
  checksum: boolean;
  dev?: string;
  /** Bytes; 0: the system's default. */
  sendBuffer: number;
}

declare const nicHandle: unique symbol;
/** A Nic of the addon. Its memory goes when it is collected; `closeNic` ends it before. */
export interface NicHandle {
  readonly [nicHandle]: true;
}

export interface CreateNicOptions {
  arena: ArrayBuffer;
  /** Bytes at the start of the arena that belong to the sender. */
  headerBytes: number;
  rx: Int32Array;
  tx: Int32Array;
  status: Int32Array;
  /** A batch ends when it holds this many bytes ... */
  batchBytes: number;
  /** ... or this many frames. */
  maxFrames: number;
  /** Of TAPs that are attached without saying otherwise: 10 or 12. */
  vnetHeaderSize: number;
  /** Default true, both: see NativeNicOptions. */
  udpSegment?: boolean;
  /** Default false. */
  tunnelGso?: boolean;
  /** Default true. */
  tunnelGuard?: boolean;
  merge?: boolean;
  /** Default 0: `receive` sleeps at once when there is nothing. */
  spinMicroseconds?: number;
}

interface NativeBinding {
  /** Makes a TAP, or takes over a persistent one of that name with its addresses. */
  openTap(options: OpenTapOptions): OpenedTap;
  /** A further queue of a multi-queue TAP that this process has open; `vnetHeader` as when it was opened. */
  openTapQueue(options: TapDescriptor & { vnetHeader?: boolean }): number;
  /** Changes the NIC of a TAP that is there. Steps that came before the one that fails stay done. */
  setTapNic(options: TapDescriptor & TapNicChanges): void;
  /** Whether the device outlives its descriptors, of which `fd` is one. EBADFD: the device is gone. */
  setTapPersist(fd: number, on: boolean): void;
  /** Before one that outlives the switch is closed: its next user finds no offloads, and a virtio-net header of this size (0: as it is). */
  leaveTap(fd: number, vnetHeaderSize: number): void;
  /** `null` when the device is gone. @param seen what was told last: when it holds, the descriptor itself needs not be asked */
  tapState(tap: TapDescriptor & { seen?: TapState }): TapState | null;
  /** `null` when the link, or its namespace, is gone. */
  linkState(place: TapPlace): LinkState | null;
  /** Whether another user namespace than the process's owns the network namespace; false where the kernel does not say. */
  netnsIsForeign(place: { netns: string }): boolean;
  openUdpReceiver(options: UdpReceiverOptions): { fd: number; port: number; gro: boolean };
  /** A socket that only sends: what comes to it is dropped by the kernel. */
  openUdpSender(options: UdpSenderOptions): { fd: number; port: number };
  /** Makes a receiving socket one that sends too, or changes how it does. `dev`: by which device it sends; it receives by all, as before. `local` and `port` have no effect. */
  sendByReceiver(fd: number, options: UdpSenderOptions): void;
  /** Bytes of an outer IP packet that reaches `remote` in one piece, as far as the kernel knows. Throws ENETUNREACH and the like. Of a group: the MTU of `dev`. */
  pathMtu(options: { remote: string; local?: string; dev?: string }): number;
  /** Tries what the kernel can do, in the thread's namespace. Leaves nothing behind, takes a fifth of a second at most. */
  selfTest(): SelfTest;
  openPacketSocket(options: TapPlace & { promiscuous?: boolean }): number;
  /** The length of one frame, cut off at the buffer's end; 0 when none is waiting. */
  readPacket(fd: number, buffer: Uint8Array): number;
  writePacket(fd: number, buffer: Uint8Array): void;
  /** Blocks the thread until the descriptor is readable; `false` when the time was over first. -1: no limit. */
  waitReadable(fd: number, timeoutMs: number): boolean;
  closeFd(fd: number): void;
  /** Moves the calling thread into a namespace for good. */
  enterNamespace(path: string): void;
  /** Ends the process without waiting for its threads. */
  exitAtOnce(status: number): never;
  peerOf(fd: number): PeerProcess;
  /** The IP addresses of the thread's network namespace. */
  hostAddresses(): HostAddress[];

  createNic(options: CreateNicOptions): NicHandle;
  /** Closes the Nic's own descriptor; what is attached stays open and belongs to whoever opened it. */
  closeNic(nic: NicHandle): void;
  receive(nic: NicHandle, timeoutMs: number): number;
  transmit(nic: NicHandle, count: number, more: boolean): number;
  attachTap(nic: NicHandle, index: number, fd: number, vnetHeaderSize?: number): void;
  attachSocket(nic: NicHandle, index: number, fd: number): void;
  attachSender(nic: NicHandle, index: number, fd: number): void;
  attachEvent(nic: NicHandle, fd: number): void;
  detachTap(nic: NicHandle, index: number): void;
  detachSocket(nic: NicHandle, index: number): void;
  detachSender(nic: NicHandle, index: number): void;
  setRemote(nic: NicHandle, index: number, a0: number, a1: number, a2: number, a3: number, port: number): void;
  /** A bell for `attachEvent`; any thread rings it by its number. */
  createEventFd(): number;
  ring(fd: number): void;
}

/** `src/native` and `dist/native` lie equally deep. */
const ADDON = '../../build/Release/overtap.node';

function load(): NativeBinding {
  const require = createRequire(import.meta.url);
  try {
    return require(ADDON) as NativeBinding;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new Error(
      `the native addon of overtap cannot be loaded (${reason}). Build it with "npm run build:native" in the directory of overtap; that takes gcc, make and Python 3 (on Debian: apt-get install build-essential python3)`,
      { cause },
    );
  }
}

export const {
  openTap,
  openTapQueue,
  selfTest,
  setTapNic,
  setTapPersist,
  leaveTap,
  tapState,
  linkState,
  netnsIsForeign,
  openUdpReceiver,
  openUdpSender,
  sendByReceiver,
  pathMtu,
  openPacketSocket,
  readPacket,
  writePacket,
  waitReadable,
  closeFd,
  enterNamespace,
  exitAtOnce,
  peerOf,
  hostAddresses,
  createNic,
  closeNic,
  receive,
  transmit,
  attachTap,
  attachSocket,
  attachSender,
  attachEvent,
  detachTap,
  detachSocket,
  detachSender,
  setRemote,
  createEventFd,
  ring,
}: NativeBinding = load();

/** Whether an error came from a set-up verb. */
export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && 'code' in error && 'errno' in error && 'syscall' in error;
}

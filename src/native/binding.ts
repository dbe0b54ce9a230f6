/**
 * The only loader of the addon: its functions with their types.
 *
 * Owns the path of the built file and the message when it is missing. No behaviour of its own: `src/port` decides how devices
 * are opened, the engine decides what is sent.
 *
 * Set-up functions throw a `NativeError`; data functions return status words and throw only on misuse.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Thrown by set-up functions: `code` such as 'EPERM', `errno` its number, `syscall` the call or request that failed. */
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
  /** Without `mac`, of a TAP that is created; an existing one keeps its own. */
  newMac?: string;
  mtu?: number;
  addresses?: readonly TapAddress[];
  /** Whether the device outlives its descriptor. For an existing TAP not created by overtap: as it is. */
  persist: boolean;
  multiQueue: boolean;
  /** `true` sets the link up; `false` leaves it as it is. */
  up: boolean;
  /** TUN_F_* flags; the kernel may accept fewer. */
  offload: number;
  /** `false`: frames have no virtio-net header and no offloads. Default true. */
  vnetHeader?: boolean;
  /** Most segments that the guest's kernel puts into one superframe; a kernel that refuses is left as it is. Absent: unchanged. */
  gsoMaxSegs?: number;
  /** More than one needs `multiQueue`. Default 1. */
  queues?: number;
  /** A TUN, which carries IP packets and has no MAC, instead of a TAP. Default false. */
  layer3?: boolean;
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
  /** Descriptors of the additional queues. */
  moreQueues: number[];
  /** The device existed before. */
  takenOver: boolean;
  /** The device existed before and was not created by overtap: it lacks the alias. */
  isForeign: boolean;
  /** It was made in its namespace, which its descriptor keeps alive, instead of being moved there. */
  madeInside: boolean;
  /** Of several queues: a program chooses one for each flow. Absent: not known. */
  isSteered?: boolean;
  /** Size of its virtio-net header before it was taken over. */
  foundVnetHeaderSize: number;
}

export interface SelfTest {
  /** Bursts of equal datagrams are sent in one call (UDP_SEGMENT). */
  udpSegment: boolean;
  /** Bursts of equal datagrams are received in one piece (UDP_GRO). */
  udpGro: boolean;
  /** A TAP can be created, and has a virtio-net header. */
  vnetHeader: boolean;
  /** A TAP delivers unsegmented TCP. */
  tso: boolean;
  /** A TAP delivers unsegmented UDP. */
  uso: boolean;
  /** A TAP accepts superframes in their outer headers, and sends them on (Linux 6.17). */
  tunnelGso: boolean;
  /** Frames are moved from and to a TAP, and datagrams sent, several in one call (io_uring; Linux 6.4). */
  ioUring: boolean;
  /** A TAP can be created, with a virtio-net header or without. */
  tap: boolean;
  /** A TAP has several queues (IFF_MULTI_QUEUE). */
  multiQueue: boolean;
  /** A TAP outlives its descriptors (TUNSETPERSIST). */
  persist: boolean;
  /** The size of the virtio-net header can be set (TUNSETVNETHDRSZ). */
  headerSize: boolean;
  /** A TAP tells its present namespace (TUNGETDEVNETNS). */
  deviceNetns: boolean;
  /** A socket gets a receive buffer of the wanted size (SO_RCVBUFFORCE, or the limit of the system allows it). */
  buffers: boolean;
  /** IPv6 sockets can be opened. */
  ipv6: boolean;
  /** Netlink sockets can be opened. */
  netlink: boolean;
  /** Network namespaces can be entered. */
  setns: boolean;
  /** A socket tells the TOS of received datagrams (IP_RECVTOS). */
  recvTos: boolean;
  /** As above, over IPv6 (IPV6_RECVTCLASS). This and the next ones over IPv6 hold where there is no IPv6. */
  recvTclass: boolean;
  /** A socket takes datagrams without a checksum over IPv6 (UDP_NO_CHECK6_RX). */
  noCheck6Rx: boolean;
  /** A socket takes no datagrams of groups that it has not joined (IP_MULTICAST_ALL, and over IPv6). */
  multicastAll: boolean;
  /** A socket has a filter (SO_ATTACH_FILTER). */
  socketFilter: boolean;
  /** A socket sends no fragments, with DF and without (IP_MTU_DISCOVER). */
  mtuDiscover: boolean;
  /** A socket sends no fragments over IPv6 (IPV6_MTU_DISCOVER, IPV6_DONTFRAG). */
  mtuDiscover6: boolean;
  /** A connected socket tells the MTU of its path (IP_MTU). */
  pathMtu: boolean;
  /** Sockets share a port (SO_REUSEPORT). */
  reusePort: boolean;
  /** A socket is bound to a device (SO_BINDTODEVICE). */
  bindToDevice: boolean;
  /** A socket sets the TTL or hop limit (IP_TTL, IPV6_UNICAST_HOPS). */
  ttl: boolean;
  /** A socket leaves the checksum out (SO_NO_CHECK, UDP_NO_CHECK6_TX). */
  noChecksum: boolean;
  /** Many datagrams are moved by one call (recvmmsg, sendmmsg). */
  messages: boolean;
  /** A program can be linked to what an interface receives (tcx). */
  tcx: boolean;
  /** A packet socket receives by shared memory (PACKET_RX_RING). Holds where no packet socket can be opened. */
  packetRing: boolean;
  /** Known flows can be carried by programs in the kernel (Linux 6.6). */
  flows: boolean;
  /** By the names above: why it does not work, or is assumed to without a test; for `tunnelGso` also why it is unused. */
  reasons: Partial<Record<Trial, string>>;
}

/** What the self-test tries. */
export type Trial = Exclude<keyof SelfTest, 'reasons'>;

/** Descriptors of the maps of known flows, and how many slots they have. */
export interface FlowMaps {
  rows: number;
  notes: number;
  shared: number;
  far: number;
  outers: number;
  slots: number;
  /** Index of the device that superframes out of tunnels go to; 0: none. */
  decap: number;
}

/** What takes superframes out of tunnels: closing both descriptors ends it. */
export interface Decap {
  netns: number;
  link: number;
  /** For `FlowMaps`. */
  index: number;
}

/** The programs of one device: closing both descriptors ends them. */
export interface FlowLink {
  /** For `filterFlows`. */
  filter: number;
  link: number;
  /** The index of the interface. */
  index: number;
}

/** Made by `mapFlows`; of no use in another thread. */
export interface FlowHandle {
  readonly flows: unique symbol;
}

export interface TapPlace {
  netns?: string;
  ifname: string;
}

/** An open TAP, wherever its NIC is now. */
export interface TapDescriptor {
  /** One of its descriptors. */
  fd: number;
  /** Path of the namespace in which it was opened; absent: the thread's own. Used on kernels before 5.2 only. */
  netns?: string;
}

/** Absent values stay unchanged. Applied in this order, except that addresses are removed first. */
export interface TapNicChanges {
  mtu?: number;
  /** See OpenTapOptions. */
  gsoMaxSegs?: number;
  /** Marks the device as created by overtap. */
  mark?: boolean;
  /** The device may be up. */
  mac?: string;
  /** At most 64; an existing address is no error. */
  addresses?: readonly TapAddress[];
  /** At most 64; a missing address is no error. */
  removeAddresses?: readonly TapAddress[];
}

/** The peer process of a unix socket. */
export interface PeerProcess {
  /** 0: in a PID namespace that this process cannot see. */
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
  /** Interface index in its namespace: a new device with the same name has another one. */
  index: number;
  up: boolean;
  mtu: number;
  mac: string;
}

export interface TapState extends LinkState {
  /** Its present name. */
  ifname: string;
  /** Its present namespace: the inode number of the namespace file. */
  netns: number;
}

/** Packet sockets on an existing interface. */
export interface OpenedNetdev {
  /** One for each queue. */
  fds: number[];
  /** The host's stack gets nothing from the interface until it is closed; -1: not asked for, or refused by the kernel. */
  silencer: number;
}

export interface NetdevState extends LinkState {
  /** Its present name. */
  ifname: string;
  carrier: boolean;
}

export interface UdpReceiverOptions {
  local?: string;
  family: 4 | 6;
  port: number;
  dev?: string;
  /** A multicast group to join on `dev` and to bind to, instead of `local`; left when the socket is closed. */
  group?: string;
  /** Bytes; 0: the system's default. */
  receiveBuffer: number;
  /** Enables receiving GRO batches (UDP_GRO). */
  gro?: boolean;
  /** Shares address and port with other such sockets (SO_REUSEPORT): the kernel spreads flows over them. */
  reusePort?: boolean;
}

export interface UdpSenderOptions {
  local?: string;
  family: 4 | 6;
  /** 0: any. */
  port: number;
  /** TTL for unicast, 1-255; absent or 0: the route's. */
  ttl?: number;
  /**
   * Device for multicast datagrams, which do not loop back to this host. Absent: the system's choice, with its TTL, looped
   * back.
   */
  multicastDev?: string;
  /** TTL of multicast datagrams, with `multicastDev`: 1-255, default 1. */
  multicastTtl?: number;
  /** The DF bit. With either value the kernel creates no fragments: longer packets fail with EMSGSIZE. */
  df: 'unset' | 'set';
  /** Outer UDP checksum. */
  checksum: boolean;
  /** Datagrams have the flow label that the sender is attached with (IPv6); absent: none. */
  labels?: boolean;
  dev?: string;
  /** Bytes; 0: the system's default. */
  sendBuffer: number;
}

declare const nicHandle: unique symbol;
/** A `PacketIo` of the addon. Its memory is freed on garbage collection; `closeNic` closes it before. */
export interface NicHandle {
  readonly [nicHandle]: true;
}

export interface CreateNicOptions {
  arena: ArrayBuffer;
  /** Bytes at the start of the arena reserved for the sender. */
  headerBytes: number;
  rx: Int32Array;
  tx: Int32Array;
  status: Int32Array;
  /** A batch ends when it holds this many bytes ... */
  batchBytes: number;
  /** ... or this many frames. */
  maxFrames: number;
  /** Default for TAPs attached without a size: 10 or 12. */
  vnetHeaderSize: number;
  /** Default true, both: see NativePacketIoOptions. */
  udpSegment?: boolean;
  /** Default false. */
  tunnelGso?: boolean;
  /** Default true. */
  tunnelGuard?: boolean;
  merge?: boolean;
  /** Default false. */
  ioUring?: boolean;
  /** Default 0: `receive` sleeps at once when there is no frame. */
  spinMicroseconds?: number;
  /** Default false: `receive` always looks for frames that long. */
  spinAdapts?: boolean;
}

interface NativeBinding {
  /** Creates a TAP, or takes over a persistent one of that name with its addresses. */
  openTap(options: OpenTapOptions): OpenedTap;
  /**
   * Takes a TAP or TUN that another program has opened; what this process may not change stays as it is. Of the options the name,
   * the namespace and `persist` do not matter. After a failure the descriptor is still open.
   */
  adoptTap(fd: number, options: OpenTapOptions): OpenedTap;
  /** An additional queue of a multi-queue TAP that this process has open; `vnetHeader` as when it was opened. */
  openTapQueue(options: TapDescriptor & { vnetHeader?: boolean }): number;
  /** Changes the NIC of an existing TAP. Steps before a failed one remain in effect. */
  setTapNic(options: TapDescriptor & TapNicChanges): void;
  /** Whether the device outlives its descriptors, of which `fd` is one. EBADFD: the device is gone. */
  setTapPersist(fd: number, on: boolean): void;
  /**
   * Before closing a TAP that outlives the switch: resets its offloads, and sets the size of its virtio-net header (0:
   * unchanged).
   */
  leaveTap(fd: number, vnetHeaderSize: number): void;
  /**
   * `null` when the device is gone. With `mtu` 0 its namespace may not be entered, and MTU, MAC and index are unknown.
   * @param seen the last result: if it still holds, the descriptor itself is not queried
   */
  tapState(tap: TapDescriptor & { seen?: TapState }): TapState | null;
  /** `null` when the link or its namespace is gone. */
  linkState(place: TapPlace): LinkState | null;
  /** Whether another user namespace than the process's owns the network namespace; false if the kernel does not tell. */
  netnsIsForeign(place: { netns: string }): boolean;
  /**
   * Attaches an interface in promiscuous mode. `attachTap` takes each descriptor, with a virtio-net header of 10 bytes.
   * `ring`: where the kernel can, frames come by memory that is shared with it (PACKET_RX_RING): 2 MiB for each descriptor.
   */
  openNetdev(options: TapPlace & { queues: number; silence: boolean; ring: boolean }): OpenedNetdev;
  /** `null` when the interface was deleted or moved to another namespace. */
  netdevState(fd: number): NetdevState | null;
  /** Frames that were lost for want of room in the socket's queue since the last call. */
  netdevMissed(fd: number): number;
  openUdpReceiver(options: UdpReceiverOptions): { fd: number; port: number; gro: boolean };
  /** A socket for sending only: the kernel drops whatever it receives. */
  openUdpSender(options: UdpSenderOptions): { fd: number; port: number };
  /**
   * Makes a receiving socket send too, or changes its send options. `dev` applies to sending only; it receives by all devices
   * as before. `local` and `port` have no effect.
   */
  sendByReceiver(fd: number, options: UdpSenderOptions): void;
  /** Binds a receiving socket to another device; without `dev` to none. */
  rebindReceiver(fd: number, options: { dev?: string }): void;
  /**
   * Bytes of the largest outer IP packet that reaches `remote` unfragmented, as known to the kernel. Throws ENETUNREACH and the
   * like. For a multicast group: the MTU of `dev`.
   */
  pathMtu(options: { remote: string; local?: string; dev?: string }): number;
  /** The device of the VRF that `dev` is, or is in; `null`: none. Throws ENODEV. */
  vrfOf(options: { dev: string }): string | null;
  /** Tests the kernel's features in the thread's namespace. Leaves nothing behind and takes at most a fifth of a second. */
  selfTest(): SelfTest;
  /** `filter`: a bit for each ICMP type that is kept out. */
  openIcmp(options: { family: 4 | 6; dev?: string; filter: Uint8Array }): number;
  /** `packet` begins with its IP header; `address` may have a zone. */
  sendIcmp(fd: number, packet: Uint8Array, address: string): void;
  /** `null` when none is waiting. */
  readIcmp(fd: number, buffer: Uint8Array): { length: number; source: string } | null;
  openPacketSocket(options: TapPlace & { promiscuous?: boolean }): number;
  /** The length of one frame, truncated at the buffer's end; 0 when none is waiting. */
  readPacket(fd: number, buffer: Uint8Array): number;
  writePacket(fd: number, buffer: Uint8Array): void;
  /** Blocks the thread until the descriptor is readable; `false` on timeout. -1: no limit. */
  waitReadable(fd: number, timeoutMs: number): boolean;
  closeFd(fd: number): void;
  /** Makes a descriptor the standard error, and closes its former number. */
  keepStderr(fd: number): void;
  /**
   * Two joined sockets (SOCK_SEQPACKET), which `attachTap` takes: a frame written to one is read from the other.
   * @param bytes of frames under way in each direction, with the kernel's overhead
   */
  openPair(bytes: number): [number, number];
  /** Connects to a unix stream socket; never waits: EAGAIN when its backlog is full. */
  connectStream(path: string): number;
  /** A listening unix stream socket whose file, which must not exist, is for its owner only. */
  listenStream(path: string): number;
  /** The next peer of a listening socket; `null` when none is waiting. */
  acceptStream(fd: number): number | null;
  /** For `attachStream`: memory that all PacketIos share which write to one socket. It ends with its descriptors and attachments. */
  openTail(): number;
  /** A unix datagram socket, its file as of `listenStream`. */
  bindDatagrams(path: string): number;
  /** A UDP socket that exchanges datagrams with one remote only. */
  connectDatagrams(options: {
    family: 4 | 6;
    local: string;
    localPort: number;
    remote: string;
    remotePort: number;
  }): number;
  /** Connects such a socket to another remote. */
  reconnectDatagrams(fd: number, options: { family: 4 | 6; remote: string; remotePort: number }): void;
  /** A TCP socket for Node to connect, or to listen on; bound, unless neither `local` nor `port` is given. */
  openTcp(options: { family: 4 | 6; local?: string; port?: number }): number;
  /** Sends with TTL 255, and drops what comes from farther away than `hops`, 1-255 (RFC 5082). 0: drops nothing. */
  guardTcp(fd: number, options: { family: 4 | 6; hops: number }): void;
  /** The key for segments from and to `remote` (RFC 2385), at most 80 bytes; empty: none any more. ENOPROTOOPT: not in this kernel. */
  signTcp(fd: number, options: { family: 4 | 6; remote: string }, key: Uint8Array): void;
  /** Whether a process has the unix socket of that path open, of whatever type. */
  socketAnswers(path: string): boolean;
  /** Moves the calling thread into a namespace permanently. */
  enterNamespace(path: string): void;
  /** Ends the process without waiting for its threads. */
  exitAtOnce(status: number): never;
  /**
   * Takes all capabilities but these (numbers of linux/capability.h) from all threads of the process, for good, and sets
   * no_new_privs.
   */
  keepCapabilities(capabilities: readonly number[]): void;
  /**
   * Replaces the process by another program, as execve(2) does. Returns only by throwing.
   * @param descriptors that it inherits besides 0 to 2
   */
  execute(
    path: string,
    words: readonly string[],
    environment: readonly string[],
    descriptors: readonly number[],
  ): never;
  /** Collects all garbage of the calling thread and shrinks its heap. @returns 0 if this Node cannot */
  collectGarbage(): number;
  /** Gives back the clean pages of Node's program file; the next use maps them again. @returns bytes */
  releaseStartPages(): number;
  peerOf(fd: number): PeerProcess;
  /** The number of a group by its name; null: the host has none. May wait for the host's name service. */
  groupId(name: string): number | null;
  /** One datagram to the service manager (sd_notify(3)). Never waits: EAGAIN when its queue is full. */
  sendNotice(socket: string, text: string): void;
  /** A connected stream socket, in blocking mode. Waits at most five seconds. */
  connectUnix(path: string): number;
  /**
   * Sends bytes over a unix socket, and descriptors with the first of them; at most 250. Never waits: EAGAIN when the queue is
   * full. @returns how many of the bytes were sent
   */
  sendRights(fd: number, bytes: Uint8Array, fds: readonly number[]): number;
  /**
   * Blocks until bytes come. Descriptors that come with them belong to the caller. EMFILE: there was no room for them, and all are
   * closed. `length` 0: the peer has closed.
   */
  receiveRights(fd: number, buffer: Uint8Array): { length: number; fds: number[] };
  /** The IP addresses of the thread's network namespace. */
  hostAddresses(): HostAddress[];

  createNic(options: CreateNicOptions): NicHandle;
  /** Closes its own descriptor; attached descriptors stay open and belong to their opener. */
  closeNic(nic: NicHandle): void;
  receive(nic: NicHandle, timeoutMs: number): number;
  transmit(nic: NicHandle, count: number, more: boolean): number;
  attachTap(nic: NicHandle, index: number, fd: number, vnetHeaderSize?: number, layer3?: boolean): void;
  attachStream(nic: NicHandle, index: number, fd: number, tail: number, reads: boolean): void;
  /** `remote`: a path, or empty. */
  attachDatagrams(nic: NicHandle, index: number, fd: number, reads: boolean, remote: string): void;
  attachSocket(nic: NicHandle, index: number, fd: number): void;
  /** `flowLabel`: of datagrams over IPv6 of a socket with `labels`, 0-0xfffff; 0: none. */
  attachSender(nic: NicHandle, index: number, fd: number, flowLabel: number): void;
  attachEvent(nic: NicHandle, fd: number): void;
  detachTap(nic: NicHandle, index: number): void;
  detachSocket(nic: NicHandle, index: number): void;
  detachSender(nic: NicHandle, index: number): void;
  setRemote(nic: NicHandle, index: number, a0: number, a1: number, a2: number, a3: number, port: number): void;
  /** Received datagrams of the socket come with their TTL from now on. */
  tellTtl(fd: number, family: 4 | 6): void;
  /** The socket drops datagrams whose TTL is not 255, before they are queued, from now on. */
  onlyOneHop(fd: number): void;
  /** Datagrams that the socket has dropped, modulo 2^32; 0: the kernel does not say. */
  droppedAt(fd: number): number;
  /**
   * Reads waiting datagrams, each into an equal part of `bytes`. `facts`: for each, eight words: source address (as in RX_ADDRESS),
   * source port, TTL (-1: not known), length, 0. Never waits.
   * @returns how many
   */
  readDatagrams(fd: number, bytes: Uint8Array, facts: Uint8Array): number;
  /** Sends one datagram to an address (words as in RX_ADDRESS). Never waits. @returns an errno; 0: sent */
  sendDatagram(
    fd: number,
    bytes: Uint8Array,
    length: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    port: number,
  ): number;
  /**
   * Waits until one of the descriptors is readable or in error.
   * @param fds words of descriptors, at most 256
   * @param ready gets a byte for each: 1 when it is
   * @returns how many are
   */
  awaitAny(fds: Uint8Array, ready: Uint8Array, microseconds: number): number;
  /** Takes what `ring` has left in an eventfd. */
  hearRing(fd: number): void;
  /** The maps of known flows, for so many engines. */
  openFlowMaps(engines: number): FlowMaps;
  /** Makes devices of the kernel that take superframes out of tunnels, in the namespace of the thread. */
  openDecap(maps: FlowMaps): Decap;
  /** Frames that went to these devices since this thread saw one that had come out of them. */
  decapHolds(table: FlowHandle): number;
  /**
   * Links the programs of a device to an interface. Nothing of it is carried before its packet sockets have the filter.
   * @param device a number that no other device of these maps has had
   */
  linkFlows(maps: FlowMaps, device: number, place: TapPlace): FlowLink;
  /** Gives a packet socket the filter of its device, in place of the one that it had. @returns an errno; 0: done */
  filterFlows(fd: number, filter: number): number;
  /** The maps for one thread. */
  mapFlows(maps: FlowMaps): FlowHandle;
  /** Adds or replaces a row: words of `FLOW_*` (`port/flow-table.ts`), as bytes. @returns an errno; 0: done */
  setFlow(table: FlowHandle, words: Uint8Array): number;
  /** @param words those of the key @returns an errno; 0: done */
  removeFlow(table: FlowHandle, words: Uint8Array): number;
  /** The same for a flow out of a tunnel: words of `FAR_*`, and those of the row. */
  setFarFlow(table: FlowHandle, words: Uint8Array): number;
  removeFarFlow(table: FlowHandle, words: Uint8Array): number;
  /** See `FlowTable.outer`. */
  flowOuter(table: FlowHandle, slot: number, sender: number, words: Uint8Array): number;
  /** Links the program that takes flows out of tunnels to a device. @returns whether it is linked */
  flowUnder(table: FlowHandle, device: number): boolean;
  /** Whether netfilter or IPsec look at what this namespace sends or receives. */
  flowsWatched(): boolean;
  /** The stamp at a place, -1: of all rows. */
  flowStamp(table: FlowHandle, place: number): number;
  /** Changes the stamp at a place, -1: of all rows. */
  touchFlows(table: FlowHandle, place: number): void;
  /** Reads the counts of slots from `first` on: three words each. */
  readFlows(table: FlowHandle, first: number, words: Uint8Array): void;
  /** Resolves when no program runs any more that runs now. @returns an errno; 0: done */
  settleFlows(): Promise<number>;
  /** An eventfd for `attachEvent`; any thread signals it by its number. */
  createEventFd(): number;
  ring(fd: number): void;
}

/** Built on this machine; `src/native` and `dist/native` lie equally deep. */
const BUILT = '../../build/Release/overtap.node';

/** The addon that the package carries for this machine. */
function carried(): string {
  return `../../prebuilds/linux-${process.arch}/overtap.${libc()}.node`;
}

/** By what is mapped: musl loads a program for glibc too, and it ends at the first function that musl lacks. */
function libc(): 'glibc' | 'musl' {
  try {
    return readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-') ? 'musl' : 'glibc';
  } catch {
    return 'glibc';
  }
}

function load(): NativeBinding {
  const require = createRequire(import.meta.url);
  const isBuilt = existsSync(new URL(BUILT, import.meta.url));
  try {
    return require(isBuilt ? BUILT : carried()) as NativeBinding;
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
  adoptTap,
  openTapQueue,
  selfTest,
  setTapNic,
  setTapPersist,
  leaveTap,
  tapState,
  linkState,
  netnsIsForeign,
  openNetdev,
  netdevState,
  netdevMissed,
  openUdpReceiver,
  openUdpSender,
  sendByReceiver,
  rebindReceiver,
  pathMtu,
  vrfOf,
  openIcmp,
  sendIcmp,
  readIcmp,
  openPacketSocket,
  readPacket,
  writePacket,
  waitReadable,
  closeFd,
  keepStderr,
  openPair,
  connectStream,
  listenStream,
  acceptStream,
  openTail,
  bindDatagrams,
  connectDatagrams,
  reconnectDatagrams,
  socketAnswers,
  openTcp,
  guardTcp,
  signTcp,
  enterNamespace,
  exitAtOnce,
  keepCapabilities,
  execute,
  collectGarbage,
  releaseStartPages,
  peerOf,
  groupId,
  sendNotice,
  connectUnix,
  sendRights,
  receiveRights,
  hostAddresses,
  createNic,
  closeNic,
  receive,
  transmit,
  attachTap,
  attachStream,
  attachDatagrams,
  attachSocket,
  attachSender,
  attachEvent,
  detachTap,
  detachSocket,
  detachSender,
  setRemote,
  tellTtl,
  onlyOneHop,
  droppedAt,
  readDatagrams,
  sendDatagram,
  awaitAny,
  hearRing,
  createEventFd,
  ring,
  openFlowMaps,
  openDecap,
  decapHolds,
  linkFlows,
  filterFlows,
  mapFlows,
  setFlow,
  removeFlow,
  setFarFlow,
  removeFarFlow,
  flowOuter,
  flowUnder,
  flowsWatched,
  flowStamp,
  touchFlows,
  readFlows,
  settleFlows,
}: NativeBinding = load();

/** Whether an error was thrown by a set-up function. */
export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && 'code' in error && 'errno' in error && 'syscall' in error;
}

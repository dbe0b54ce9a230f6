/**
 * The packet I/O contract of the engine.
 *
 * A PacketIo receives batches of frames into one arena and executes a list of transmit commands over the same arena. It has no
 * policy: the engine chooses the destination, header and tag of each frame.
 * Descriptors and commands are Int32Arrays that live as long as the PacketIo, so that one call moves a whole batch.
 *
 * The layouts below are mirrored in `src/native/layout.h`; `test/native/layout.test.ts` compares the two.
 */

/** Source of a received frame and target of a transmit command: a local port (an Ethernet frame) or a UDP socket. */
export const KIND_FRAME = 1;
export const KIND_UDP = 2;

// ---- Receive descriptors: RX_STRIDE words each -------------------------------------------------
export const RX_STRIDE = 16;
/** KIND_FRAME or KIND_UDP. */
export const RX_KIND = 0;
/** The index given to `attachTap` or `attachSocket`. */
export const RX_INDEX = 1;
/**
 * Byte offset in the arena: the Ethernet header of a TAP's frame, the payload of a datagram. Headroom precedes it. The packet of a
 * TUN is preceded by an Ethernet header of zeros, which counts in all offsets and lengths.
 */
export const RX_OFFSET = 2;
/** Length in bytes from RX_OFFSET. */
export const RX_LENGTH = 3;
/** virtio-net header of a TAP's frame: flags in bits 0-7, gso_type in bits 8-15. */
export const RX_VNET = 4;
/** virtio-net header: gso_size in bits 0-15, hdr_len in bits 16-31. */
export const RX_GSO = 5;
/** virtio-net header: csum_start in bits 0-15, csum_offset in bits 16-31. */
export const RX_CSUM = 6;
/** Outer type-of-service byte of a datagram (DSCP and ECN). */
export const RX_TOS = 7;
/** Outer source address of a datagram: four big-endian words; IPv4 as ::ffff:a.b.c.d. */
export const RX_ADDRESS = 8;
/** Outer source port of a datagram. */
export const RX_SOURCE_PORT = 12;
/** Segment size of the datagram's GRO batch (UDP_GRO); 0 for a single datagram. */
export const RX_SEGMENT = 13;
/**
 * Position of the datagram in its GRO batch: 0 for the first, and for a single datagram. A GRO batch has consecutive
 * descriptors, one for each datagram, with the same source, and never spans two batches. Only the first one has headroom.
 */
export const RX_TRAIN = 14;
/** 1: a datagram of a local port that came from another sender than the port's remote. */
export const RX_STRANGER = 15;

// ---- Transmit commands: TX_STRIDE words each ---------------------------------------------------
export const TX_STRIDE = 16;
/** KIND_FRAME: write to a local port; KIND_UDP: send to a remote. */
export const TX_KIND = 0;
/** Index of the TAP, or of the sending socket. */
export const TX_INDEX = 1;
/** Byte offset of the frame's Ethernet header in the arena. */
export const TX_OFFSET = 2;
/** Length of the frame in the arena in bytes, before the tag operation. */
export const TX_LENGTH = 3;
/** Tag operation on transmission: TAG_* in bits 16-18, the TCI in bits 0-15. */
export const TX_TAG = 4;
/**
 * virtio-net header, as RX_VNET. It is written before a frame to a TAP. For a socket, and for a TAP without such a header, a
 * partial checksum is completed and a superframe is segmented.
 */
export const TX_VNET = 5;
export const TX_GSO = 6;
export const TX_CSUM = 7;
/** Byte offset in the arena of the encapsulation header (KIND_UDP). */
export const TX_HEADER = 8;
/** Its length in bytes. */
export const TX_HEADER_LENGTH = 9;
/** Index of the remote given to `setRemote` (KIND_UDP). */
export const TX_REMOTE = 10;
/**
 * Outer type-of-service byte (KIND_UDP), and above it (TX_FRAGMENT_SHIFT), if not 0, the most bytes of an Ethernet frame after the tag
 * operation: a longer one, which has an IPv4 packet without DF, is sent as fragments. With TX_LABELLED the number above it is the flow
 * label (TX_LABEL_SHIFT) of a datagram over IPv6, in place of that of the sender, and the frame is sent whole.
 */
export const TX_TOS = 11;
export const TX_FRAGMENT_SHIFT = 8;
export const TX_LABEL_SHIFT = 8;
export const TX_LABELLED = -2147483648;
/** Written by the PacketIo: 0, or the errno of the failure; OFFLOAD_MISFIT is one of them. */
export const TX_STATUS = 12;
/** For the caller's own use; ignored by the PacketIo. */
export const TX_COOKIE = 13;
export const TX_COOKIE2 = 14;
export const TX_COOKIE3 = 15;

export const TAG_KEEP = 0;
/** Remove the four bytes at offset 12. */
export const TAG_POP = 1 << 16;
/** Insert 0x8100, or with TAG_SERVICE 0x88a8, and the TCI at offset 12. */
export const TAG_PUSH = 2 << 16;
/** Overwrite the TCI of the existing tag. */
export const TAG_REPLACE = 3 << 16;
/** With TAG_PUSH: a service tag (802.1ad). */
export const TAG_SERVICE = 1 << 18;

// virtio-net header (virtio 1.2, section 5.1.6)
export const VNET_NEEDS_CSUM = 1;
export const VNET_GSO_NONE = 0;
export const VNET_GSO_TCPV4 = 1;
export const VNET_GSO_TCPV6 = 4;
export const VNET_GSO_UDP_L4 = 5;
export const VNET_GSO_ECN = 0x80;

// ---- Status words, written by `receive` unless noted otherwise ------------------------------------------------------------
export const STATUS_WORDS = 9;
/** Monotonic clock in milliseconds, wrapped to 31 bits. */
export const STATUS_NOW = 0;
/** 1 if `ring()` ended the wait. */
export const STATUS_RUNG = 1;
/** Errno of the last TAP or socket that was detached because its device is gone; 0: none. */
export const STATUS_LOST_ERRNO = 2;
/** KIND_* of that device. */
export const STATUS_LOST_KIND = 3;
/** Index of that device. */
export const STATUS_LOST_INDEX = 4;
/** 1 if the batch reached its limit and more frames are queued. */
export const STATUS_MORE = 5;
/** LATCHED_* bits of offloads that failed and are now disabled; each is reported once. */
export const STATUS_LATCHED = 6;
/** Number of superframes sent unsegmented, for a device to segment; wraps at 31 bits. */
export const STATUS_TUNNELLED = 7;
/** Written by `transmit`: its duration in microseconds if it had at least 256 commands, otherwise 0. */
export const STATUS_SENDING = 8;

/** UDP_SEGMENT is disabled: the kernel or a device refused it. Nothing was lost. */
export const LATCHED_UDP_SEGMENT = 1;
/** Tunnel GSO is disabled: its TAP could not be created, or is gone. Nothing was lost. */
export const LATCHED_TUNNEL_GSO = 2;
/** The kernel does not fill the ring of a packet socket any more: its frames come through the socket's queue. */
export const LATCHED_PACKET_RING = 4;
/** System calls are made one by one again. */
export const LATCHED_IO_URING = 8;

/** EBADMSG as a TX_STATUS: the virtio-net header does not match the frame, or requests an unsupported offload. */
export const OFFLOAD_MISFIT = 74;

/** Free bytes before every received frame. */
export const HEADROOM = 64;
/** Bytes of the longest frame of a local port: a longer one fills its slot, and may have been cut off. */
export const LONGEST_FRAME = 65_599;
/** Bytes of the longest frame of a stream (`attachStream`): 64 KiB and an Ethernet header. */
export const LONGEST_STREAM_FRAME = 65_550;
/**
 * Distance of two datagrams of a batch in the arena, in bytes; fits the largest one. An odd number of cache lines: an even
 * number would map all datagrams to a few cache sets.
 */
export const SLOT_BYTES = 1065 * 64;
/** Maximum of one send with UDP_SEGMENT on every kernel: segments, and total bytes. */
export const SEND_SEGMENTS = 64;
export const SEND_BYTES = 65_507;
/** Bytes of the virtio-net header of the TAPs that `tap.ts` opens. */
export const VNET_HEADER_SIZE = 10;

export interface PacketIo {
  /** Holds the encapsulation headers (from `headerBase`, `headerBytes` long) and the frames of the current batch. */
  readonly arena: ArrayBuffer;
  readonly headerBase: number;
  readonly headerBytes: number;
  readonly rx: Int32Array;
  readonly tx: Int32Array;
  readonly status: Int32Array;
  /**
   * Waits for a frame, `ring()` or the timeout, then receives one batch. Overwrites the previous batch in the arena.
   * @returns the number of descriptors written to `rx`
   */
  receive(timeoutMs: number): number;
  /**
   * Executes the first `count` commands of `tx` in order.
   * @param more true if another call follows with commands on the same frames: a checksum is completed in the arena only once
   * @returns the number of failed commands; TX_STATUS of each has its errno
   */
  transmit(count: number, more?: boolean): number;
  /**
   * @param vnetHeaderSize bytes of the virtio-net header, 0: none. Default: the size that the PacketIo was created with
   * @param layer3 a TUN: it gets and gives IP packets. A frame to it is written without its Ethernet header. Default false
   */
  attachTap(index: number, fd: number, vnetHeaderSize?: number, layer3?: boolean): void;
  /**
   * A local port over a connected stream socket: a 32-bit big-endian length before each frame, no virtio-net header. Ended like a
   * TAP, with `detachTap`. A frame is never sent in part; a wrong length is reported as a loss, with EPROTO, and ends the connection.
   * @param tail a descriptor of `openTail`, the same for all that write to the socket
   * @param reads whether frames are received here: by one PacketIo only
   */
  attachStream(index: number, fd: number, tail: number, reads: boolean): void;
  /**
   * A local port over a datagram socket: a frame each, no virtio-net header. Ended with `detachTap`.
   * @param remote path of the unix socket that frames go to, and that alone is believed; absent: the socket is connected
   */
  attachDatagrams(index: number, fd: number, reads: boolean, remote?: string): void;
  /** A receiving socket. */
  attachSocket(index: number, fd: number): void;
  /**
   * A sending socket: TX_INDEX of KIND_UDP commands.
   * @param flowLabel of its datagrams over IPv6, 0-0xfffff (RFC 6437), of a socket opened with `labels`; default 0: none
   */
  attachSender(index: number, fd: number, flowLabel?: number): void;
  detachTap(index: number): void;
  detachSocket(index: number): void;
  detachSender(index: number): void;
  /** Address (four big-endian words, IPv4 mapped) and port that TX_REMOTE stands for. */
  setRemote(index: number, a0: number, a1: number, a2: number, a3: number, port: number): void;
}

/** A frame or datagram that no device has received, for tests and `overtap trace --apply`: words as in a receive descriptor. */
export interface Injection {
  kind: number;
  index: number;
  bytes: Uint8Array;
  vnet?: number;
  gso?: number;
  csum?: number;
  tos?: number;
  /** Outer source address, four words. */
  address?: ArrayLike<number>;
}

/**
 * The device contract: what the engine asks of the thing that moves frames.
 *
 * A PacketIo receives batches of frames into one arena and executes a ring of transmit commands over the same
 * arena. It has no policy: which frame goes where, with which header and tag, is decided by its user.
 * Both rings are Int32Arrays that live as long as the PacketIo, so that one call moves a whole batch.
 *
 * The layouts below are mirrored in `src/native/layout.h`; `test/native/layout.test.ts` compares the two.
 */

/** Where a received frame came from, and where a transmit command sends: a local port (a whole Ethernet frame) or a UDP socket. */
export const KIND_FRAME = 1;
export const KIND_UDP = 2;

// ---- Receive descriptors: RX_STRIDE words each -------------------------------------------------
export const RX_STRIDE = 16;
/** KIND_FRAME or KIND_UDP. */
export const RX_KIND = 0;
/** The index given to `attachTap` or `attachSocket`. */
export const RX_INDEX = 1;
/** Byte offset in the arena: the Ethernet header of a TAP's frame, the payload of a datagram. Headroom lies before it. */
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
/** Segment size of the coalesced train (UDP_GRO) that the datagram came in, 0 when it came alone. */
export const RX_SEGMENT = 13;
/**
 * Place of the datagram in its train: 0 for the first, and for one that came alone. A train is one descriptor for each
 * of its datagrams, one behind the other, with the same source, and is never cut by the end of a batch. Only before
 * the first one is there headroom.
 */
export const RX_TRAIN = 14;

// ---- Transmit commands: TX_STRIDE words each ---------------------------------------------------
export const TX_STRIDE = 16;
/** KIND_FRAME: write to a local port; KIND_UDP: send to a remote. */
export const TX_KIND = 0;
/** Index of the TAP, or of the sending socket. */
export const TX_INDEX = 1;
/** Byte offset of the frame's Ethernet header in the arena. */
export const TX_OFFSET = 2;
/** Length of the frame in bytes, as it lies in the arena (before TX_TAG is carried out). */
export const TX_LENGTH = 3;
/** What to do to the 802.1Q tag on the way out: a TAG_* operation in bits 16-17, the TCI in bits 0-15. */
export const TX_TAG = 4;
/**
 * virtio-net header, as RX_VNET. To a TAP it is written before the frame; to a socket, and to a TAP without such a
 * header, the checksum it leaves open is completed and a superframe is split.
 */
export const TX_VNET = 5;
export const TX_GSO = 6;
export const TX_CSUM = 7;
/** Byte offset in the arena of the encapsulation header sent before the frame (KIND_UDP). */
export const TX_HEADER = 8;
/** Its length in bytes. */
export const TX_HEADER_LENGTH = 9;
/** Index of the remote given to `setRemote` (KIND_UDP). */
export const TX_REMOTE = 10;
/** Outer type-of-service byte (KIND_UDP). */
export const TX_TOS = 11;
/** Written by the PacketIo: 0, or the errno of the failure; OFFLOAD_MISFIT is one of them. */
export const TX_STATUS = 12;
/** Not read by the PacketIo: the sender's own bookkeeping. */
export const TX_COOKIE = 13;
export const TX_COOKIE2 = 14;

export const TAG_KEEP = 0;
/** Remove the four bytes at offset 12. */
export const TAG_POP = 1 << 16;
/** Insert 0x8100 and the TCI at offset 12. */
export const TAG_PUSH = 2 << 16;
/** Overwrite the TCI of the tag that is there. */
export const TAG_REPLACE = 3 << 16;

// virtio-net header (virtio 1.2, section 5.1.6)
export const VNET_NEEDS_CSUM = 1;
export const VNET_GSO_NONE = 0;
export const VNET_GSO_TCPV4 = 1;
export const VNET_GSO_TCPV6 = 4;
export const VNET_GSO_UDP_L4 = 5;
export const VNET_GSO_ECN = 0x80;

// ---- Status words, written by `receive` where nothing else is said --------------------------------------------------------
export const STATUS_WORDS = 9;
/** Monotonic clock in milliseconds, wrapped to 31 bits. */
export const STATUS_NOW = 0;
/** 1 when the wait was ended by `ring()`. */
export const STATUS_RUNG = 1;
/** Errno of the last TAP or socket that had to be detached because its device is gone; 0: none. */
export const STATUS_LOST_ERRNO = 2;
/** KIND_* of it. */
export const STATUS_LOST_KIND = 3;
/** Index of it. */
export const STATUS_LOST_INDEX = 4;
/** 1 when the batch was ended by its bound, so that more is waiting. */
export const STATUS_MORE = 5;
/** LATCHED_* bits of what was found not to work, and is done without from now on; each is reported once. */
export const STATUS_LATCHED = 6;
/** How many superframes left whole, for a device to segment; 31 bits, which wrap. */
export const STATUS_TUNNELLED = 7;
/** Written by `transmit`: the microseconds that it took, where it had at least 256 commands; else 0. */
export const STATUS_SENDING = 8;

/** No trains are sent any more: the kernel or a device refuses UDP_SEGMENT. Nothing was lost. */
export const LATCHED_UDP_SEGMENT = 1;
/** No superframe leaves whole any more: the TAP for them could not be made, or has gone. Nothing was lost. */
export const LATCHED_TUNNEL_GSO = 2;

/** EBADMSG as a TX_STATUS: the virtio-net header does not fit the frame, or asks for what no NIC does with it. */
export const OFFLOAD_MISFIT = 74;

/** Room before every received frame, in bytes. */
export const HEADROOM = 64;
/**
 * Distance in the arena of two datagrams of a batch, in bytes; holds the largest one. An odd number of cache lines: with an
 * even number all datagrams would fall into the same few cache sets.
 */
export const SLOT_BYTES = 1065 * 64;
/** The most that one send with UDP_SEGMENT takes on every kernel: segments, and bytes in all. */
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
   * Waits until something arrives, `ring()` is called or the time is over, then takes in one batch.
   * What the last batch left in the arena is gone.
   * @returns the number of descriptors written to `rx`
   */
  receive(timeoutMs: number): number;
  /**
   * Executes the first `count` commands of `tx` in order.
   * @param more true when commands on the same frames follow in another call: a checksum is completed in the arena once
   * @returns how many failed; each has its TX_STATUS
   */
  transmit(count: number, more?: boolean): number;
  /** @param vnetHeaderSize bytes of the virtio-net header, 0: none, frames bare. Default: what the PacketIo was made for */
  attachTap(index: number, fd: number, vnetHeaderSize?: number): void;
  /** A receiving socket. */
  attachSocket(index: number, fd: number): void;
  /** A sending socket: TX_INDEX of KIND_UDP commands. */
  attachSender(index: number, fd: number): void;
  detachTap(index: number): void;
  detachSocket(index: number): void;
  detachSender(index: number): void;
  /** Address (four big-endian words, IPv4 mapped) and port that TX_REMOTE stands for. */
  setRemote(index: number, a0: number, a1: number, a2: number, a3: number, port: number): void;
}

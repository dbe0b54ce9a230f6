/**
 * The PacketIo over the addon: its sizes and its memory.
 *
 * Owns how much memory a PacketIo has and how it is laid out. Never opens or closes a device: descriptors come from `tap.ts`
 * and `underlay.ts` and stay theirs, and must be detached before they are closed.
 */
import * as native from '../native/binding.js';
import {
  HEADROOM,
  type PacketIo,
  RX_STRIDE,
  SLOT_BYTES,
  STATUS_WORDS,
  TX_STRIDE,
  VNET_HEADER_SIZE,
} from './packet-io.js';

/** Frames of one batch: more small ones than its bytes allow large ones, and room for several trains of either. */
export const MAX_FRAMES = 1024;
/** Bytes of one batch: what stays in a 2 MiB second-level cache with everything else. */
export const BATCH_BYTES = 400 * 1024;
/**
 * How long `receive` looks for more after a batch before it sleeps, giving other threads the CPU in between. Beside the
 * same switch without it: half the latency and less, TCP as fast or a little faster, and 5 % instead of 2 % of a CPU at
 * 500 frames a second.
 */
export const SPIN_MICROSECONDS = 50;
/** Commands of one `transmit`. */
export const TX_COMMANDS = 4096;
/** Encapsulation headers: 16 bytes for every command. */
export const HEADER_BYTES = TX_COMMANDS * 16;

export interface NativePacketIoOptions {
  maxFrames?: number;
  batchBytes?: number;
  txCommands?: number;
  headerBytes?: number;
  /** Default: room for `maxFrames` datagrams of the greatest length; only the pages that were written to take memory. */
  arenaBytes?: number;
  /** Sends trains of datagrams as one message (UDP_SEGMENT). Default true. */
  udpSegment?: boolean;
  /**
   * Hands TCP superframes whole, in their outer headers, to devices that segment frames in UDP tunnels, by a TAP `otgso*` of
   * the PacketIo's own. Default false.
   */
  tunnelGso?: boolean;
  /** Not while a firewall or IPsec looks at what this host sends, whom such frames would pass by. Default true. */
  tunnelGuard?: boolean;
  /** Writes consecutive segments of a TCP flow to a TAP as one. Default true. */
  merge?: boolean;
  /** Default SPIN_MICROSECONDS; 0: sleep at once. */
  spinMicroseconds?: number;
}

export interface NativePacketIo extends PacketIo {
  /** The bell: an eventfd of `createWake`, which ends the wait of `receive`. */
  attachEvent(fd: number): void;
  /** Ends the PacketIo: detaches everything and closes its own descriptor. `receive` throws from then on. */
  close(): void;
}

/** @throws NativeError with code EINVAL when sizes do not go together */
export function createNativePacketIo(options: NativePacketIoOptions = {}): NativePacketIo {
  const maxFrames = options.maxFrames ?? MAX_FRAMES;
  const headerBytes = options.headerBytes ?? HEADER_BYTES;
  const arena = new ArrayBuffer(options.arenaBytes ?? headerBytes + HEADROOM + 2 * 64 + maxFrames * SLOT_BYTES);
  const rx = new Int32Array(maxFrames * RX_STRIDE);
  const tx = new Int32Array((options.txCommands ?? TX_COMMANDS) * TX_STRIDE);
  const status = new Int32Array(STATUS_WORDS);
  const handle = native.createNic({
    arena,
    headerBytes,
    rx,
    tx,
    status,
    batchBytes: options.batchBytes ?? BATCH_BYTES,
    maxFrames,
    vnetHeaderSize: VNET_HEADER_SIZE,
    udpSegment: options.udpSegment ?? true,
    tunnelGso: options.tunnelGso ?? false,
    tunnelGuard: options.tunnelGuard ?? true,
    merge: options.merge ?? true,
    spinMicroseconds: options.spinMicroseconds ?? SPIN_MICROSECONDS,
  });
  return {
    arena,
    headerBase: 0,
    headerBytes,
    rx,
    tx,
    status,
    receive: (timeoutMs) => native.receive(handle, timeoutMs),
    transmit: (count, more = false) => native.transmit(handle, count, more),
    attachTap: (index, fd, vnetHeaderSize = VNET_HEADER_SIZE) => native.attachTap(handle, index, fd, vnetHeaderSize),
    attachSocket: (index, fd) => native.attachSocket(handle, index, fd),
    attachSender: (index, fd) => native.attachSender(handle, index, fd),
    attachEvent: (fd) => native.attachEvent(handle, fd),
    detachTap: (index) => native.detachTap(handle, index),
    detachSocket: (index) => native.detachSocket(handle, index),
    detachSender: (index) => native.detachSender(handle, index),
    setRemote: (index, a0, a1, a2, a3, port) => native.setRemote(handle, index, a0, a1, a2, a3, port),
    close: () => native.closeNic(handle),
  };
}

/**
 * A PacketIo in memory, for tests and simulations: the owner injects frames, sets the clock and the failures, and reads what
 * was sent.
 *
 * Like the addon it adjusts the offload header of a frame to a TAP by the tag operation. Unlike the addon it does not segment a
 * superframe to a socket, nor does it fragment a packet.
 */
import { concatBytes, viewOf } from '../wire/bytes.js';
import { internetChecksum } from '../wire/checksum.js';
import { UDP_CHECKSUM } from '../wire/udp.js';
import { VLAN_TAG } from '../wire/vlan.js';
import {
  HEADROOM,
  type Injection,
  KIND_FRAME,
  KIND_UDP,
  type PacketIo,
  RX_ADDRESS,
  RX_CSUM,
  RX_GSO,
  RX_INDEX,
  RX_KIND,
  RX_LENGTH,
  RX_OFFSET,
  RX_SEGMENT,
  RX_SOURCE_PORT,
  RX_STRANGER,
  RX_STRIDE,
  RX_TOS,
  RX_TRAIN,
  RX_VNET,
  STATUS_LOST_ERRNO,
  STATUS_LOST_INDEX,
  STATUS_LOST_KIND,
  STATUS_MORE,
  STATUS_NOW,
  STATUS_RUNG,
  STATUS_SENDING,
  STATUS_WORDS,
  TAG_KEEP,
  TAG_POP,
  TAG_PUSH,
  TAG_REPLACE,
  TAG_SERVICE,
  TX_COOKIE,
  TX_CSUM,
  TX_FRAGMENT_SHIFT,
  TX_LABEL_SHIFT,
  TX_LABELLED,
  TX_GSO,
  TX_HEADER,
  TX_HEADER_LENGTH,
  TX_INDEX,
  TX_KIND,
  TX_LENGTH,
  TX_OFFSET,
  TX_REMOTE,
  TX_STATUS,
  TX_STRIDE,
  TX_TAG,
  TX_TOS,
  TX_VNET,
  VNET_NEEDS_CSUM,
} from './packet-io.js';

const DEFAULT_SOURCE_PORT = 50_000;
/** Least number of commands for which `transmit` is timed, as in the addon. */
const MEASURED = 256;

/** An injected frame or datagram. */
export interface Arrival extends Injection {
  sourcePort?: number;
  /** For a datagram of a train: the train's segment size, and the datagram's position in it. */
  segment?: number;
  train?: number;
  /** A datagram of another sender than the local port's remote. */
  stranger?: boolean;
}

/** A sent frame or datagram, after its tag operation and with its encapsulation header. */
export interface Departure {
  kind: number;
  index: number;
  bytes: Uint8Array;
  remote: number;
  tos: number;
  /** Most bytes of a frame: it is sent as fragments; 0: whole. */
  most: number;
  /** Flow label of its own; absent: that of the sender. */
  label?: number;
  vnet: number;
  gso: number;
  csum: number;
  /** Of the command: what the sender has put into TX_COOKIE, and where in the arena the frame lies. */
  cookie: number;
  offset: number;
}

export interface MemoryPacketIoOptions {
  maxFrames?: number;
  maxCommands?: number;
  /** Bytes of the arena for headers, and for the frames of a batch. */
  headerBytes?: number;
  frameBytes?: number;
}

const HEADER_BYTES = 634_880;
const FRAME_BYTES = (5 << 19) - HEADER_BYTES;

export class MemoryPacketIo implements PacketIo {
  readonly arena: ArrayBuffer;
  readonly headerBase = 0;
  readonly headerBytes: number;
  readonly rx: Int32Array;
  readonly tx: Int32Array;
  readonly status = new Int32Array(STATUS_WORDS);
  /** Departures since the last `take`. */
  departures: Departure[] = [];
  /** Errno of failing commands to a TAP or sender, by `kind << 16 | index`. */
  readonly faults = new Map<number, number>();
  readonly remotes = new Map<number, { address: number[]; port: number }>();
  /** Simulated nanoseconds per command; default 0. */
  commandNs = 0;
  private queue: Arrival[] = [];
  private rung = false;
  private lost: { kind: number; index: number; errno: number } | null = null;
  private readonly bytes: Uint8Array;
  private readonly maxFrames: number;

  constructor(options: MemoryPacketIoOptions = {}) {
    this.headerBytes = options.headerBytes ?? HEADER_BYTES;
    this.arena = new ArrayBuffer(this.headerBytes + (options.frameBytes ?? FRAME_BYTES));
    this.bytes = new Uint8Array(this.arena);
    this.maxFrames = options.maxFrames ?? 256;
    this.rx = new Int32Array(this.maxFrames * RX_STRIDE);
    this.tx = new Int32Array((options.maxCommands ?? 1024) * TX_STRIDE);
  }

  /** Injects a frame; the next `receive` returns it. */
  arrive(arrival: Arrival): void {
    this.queue.push(arrival);
  }

  /** Returns the departures since the last call. */
  take(): Departure[] {
    const taken = this.departures;
    this.departures = [];
    return taken;
  }

  /** Number of frames and datagrams that `receive` has not returned yet. */
  get waiting(): number {
    return this.queue.length;
  }

  /** Advances the clock. */
  advance(ms: number): void {
    this.status[STATUS_NOW] = (this.status[STATUS_NOW] + ms) & 0x7fffffff;
  }

  /** Ends the wait of the next `receive`. */
  ring(): void {
    this.rung = true;
  }

  /** Simulates the loss of a device; the next `receive` reports it. */
  lose(kind: number, index: number, errno: number): void {
    this.lost = { kind, index, errno };
  }

  receive(_timeoutMs: number): number {
    let cursor = this.headerBase + this.headerBytes;
    let count = 0;
    while (count < this.maxFrames && this.queue.length > 0) {
      const next = this.queue[0];
      // Ethernet headers lie at 2 mod 4, as in the addon.
      const offset = ((cursor + HEADROOM + 3) & ~3) + 2;
      if (offset + next.bytes.length > this.bytes.length) break;
      this.queue.shift();
      this.bytes.set(next.bytes, offset);
      this.describe(count * RX_STRIDE, next, offset);
      cursor = offset + next.bytes.length;
      count++;
    }
    this.report();
    return count;
  }

  private report(): void {
    const { status } = this;
    status[STATUS_RUNG] = this.rung ? 1 : 0;
    status[STATUS_LOST_ERRNO] = this.lost?.errno ?? 0;
    status[STATUS_LOST_KIND] = this.lost?.kind ?? 0;
    status[STATUS_LOST_INDEX] = this.lost?.index ?? 0;
    status[STATUS_MORE] = this.queue.length > 0 ? 1 : 0;
    this.rung = false;
    this.lost = null;
  }

  private describe(at: number, arrival: Arrival, offset: number): void {
    const { rx } = this;
    rx.fill(0, at, at + RX_STRIDE);
    rx[at + RX_KIND] = arrival.kind;
    rx[at + RX_INDEX] = arrival.index;
    rx[at + RX_OFFSET] = offset;
    rx[at + RX_LENGTH] = arrival.bytes.length;
    rx[at + RX_VNET] = arrival.vnet ?? 0;
    rx[at + RX_GSO] = arrival.gso ?? 0;
    rx[at + RX_CSUM] = arrival.csum ?? 0;
    rx[at + RX_TOS] = arrival.tos ?? 0;
    rx[at + RX_SEGMENT] = arrival.segment ?? 0;
    rx[at + RX_TRAIN] = arrival.train ?? 0;
    rx[at + RX_STRANGER] = arrival.stranger === true ? 1 : 0;
    rx[at + RX_SOURCE_PORT] = arrival.sourcePort ?? DEFAULT_SOURCE_PORT;
    for (let word = 0; word < 4; word++) rx[at + RX_ADDRESS + word] = arrival.address?.[word] ?? 0;
  }

  transmit(count: number): number {
    let failed = 0;
    for (let at = 0; at < count * TX_STRIDE; at += TX_STRIDE) {
      const fault = this.faultOf(at);
      this.tx[at + TX_STATUS] = fault;
      if (fault !== 0) failed++;
      else this.departures.push(this.depart(at));
    }
    this.status[STATUS_SENDING] = count < MEASURED ? 0 : Math.ceil((count * this.commandNs) / 1000);
    return failed;
  }

  private faultOf(at: number): number {
    const { tx } = this;
    return this.faults.get((tx[at + TX_KIND] << 16) | tx[at + TX_INDEX]) ?? 0;
  }

  private depart(at: number): Departure {
    const { tx } = this;
    const kind = tx[at + TX_KIND];
    const tag = tx[at + TX_TAG];
    const frame = this.bytes.slice(tx[at + TX_OFFSET], tx[at + TX_OFFSET] + tx[at + TX_LENGTH]);
    const place = { cookie: tx[at + TX_COOKIE], offset: tx[at + TX_OFFSET] };
    const common = { ...place, kind, index: tx[at + TX_INDEX], vnet: tx[at + TX_VNET] };
    if (kind !== KIND_UDP) {
      const shift = tagShift(tag);
      const { gso, csum } = shiftOffload(common.vnet, tx[at + TX_GSO], tx[at + TX_CSUM], shift);
      return { ...common, bytes: withTag(frame, tag), remote: 0, tos: 0, most: 0, gso, csum };
    }
    if ((common.vnet & VNET_NEEDS_CSUM) !== 0 && common.vnet >>> 8 === 0) completeChecksum(frame, tx[at + TX_CSUM]);
    const header = this.bytes.slice(tx[at + TX_HEADER], tx[at + TX_HEADER] + tx[at + TX_HEADER_LENGTH]);
    return {
      ...common,
      bytes: concatBytes(header, withTag(frame, tag)),
      remote: tx[at + TX_REMOTE],
      tos: tx[at + TX_TOS] & 0xff,
      ...sizeOrLabel(tx[at + TX_TOS]),
      gso: tx[at + TX_GSO],
      csum: tx[at + TX_CSUM],
    };
  }

  attachTap(_index: number, _fd: number): void {}
  attachStream(_index: number, _fd: number, _tail: number, _reads: boolean): void {}
  attachDatagrams(_index: number, _fd: number, _reads: boolean): void {}
  attachSocket(_index: number, _fd: number): void {}
  attachSender(_index: number, _fd: number): void {}
  detachTap(_index: number): void {}
  detachSocket(_index: number): void {}
  detachSender(_index: number): void {}

  setRemote(index: number, a0: number, a1: number, a2: number, a3: number, port: number): void {
    if (!(port > 0 && port <= 0xffff)) throw new RangeError(`the UDP port of remote ${index} is ${port}`);
    this.remotes.set(index, { address: [a0, a1, a2, a3], port });
  }
}

/** Drives frames of local ports without an offload header. */
export function tapFrame(index: number, bytes: Uint8Array): Arrival {
  return { kind: KIND_FRAME, index, bytes };
}

function completeChecksum(frame: Uint8Array, csum: number): void {
  const view = viewOf(frame);
  const start = csum & 0xffff;
  const field = csum >>> 16;
  const sum = internetChecksum(view, start, frame.length - start);
  view.setUint16(start + field, sum === 0 && field === UDP_CHECKSUM ? 0xffff : sum);
}

function tagShift(tag: number): number {
  const operation = tag & TAG_REPLACE;
  if (operation === TAG_PUSH) return VLAN_TAG;
  return operation === TAG_POP ? -VLAN_TAG : 0;
}

/** The offload words of a frame whose headers are shifted by `shift` bytes. */
function shiftOffload(vnet: number, gso: number, csum: number, shift: number): { gso: number; csum: number } {
  const header = gso >>> 16;
  const start = csum & 0xffff;
  return {
    gso: header === 0 ? gso : (gso & 0xffff) | ((header + shift) << 16),
    csum: (vnet & VNET_NEEDS_CSUM) === 0 ? csum : (csum & ~0xffff) | ((start + shift) & 0xffff),
  };
}

function withTag(frame: Uint8Array, tag: number): Uint8Array {
  const operation = tag & TAG_REPLACE;
  if (operation === TAG_KEEP) return frame;
  const addresses = frame.slice(0, 12);
  if (operation === TAG_POP) return concatBytes(addresses, frame.slice(16));
  const [high, low] =
    operation === TAG_REPLACE ? frame.subarray(12) : (tag & TAG_SERVICE) !== 0 ? [0x88, 0xa8] : [0x81, 0x00];
  const bytes = Uint8Array.of(high, low, (tag >> 8) & 0xff, tag & 0xff);
  return concatBytes(addresses, bytes, frame.slice(operation === TAG_PUSH ? 12 : 16));
}

/** What TX_TOS has above the type of service. */
function sizeOrLabel(tos: number): { most: number; label?: number } {
  if ((tos & TX_LABELLED) === 0) return { most: tos >>> TX_FRAGMENT_SHIFT };
  return { most: 0, label: (tos & ~TX_LABELLED) >>> TX_LABEL_SHIFT };
}

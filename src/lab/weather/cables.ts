/**
 * The cables of a weather process: their devices, and the frames between them. Devices have no offloads, so that each frame is one packet of
 * the wire: a loss is the loss of a packet, never of 64 KiB of TCP.
 */
import { createNativePacketIo, type NativePacketIo } from '../../port/native-packet-io.js';
import {
  HEADROOM,
  KIND_FRAME,
  LONGEST_FRAME,
  RX_INDEX,
  RX_LENGTH,
  RX_OFFSET,
  RX_STRIDE,
  STATUS_LOST_ERRNO,
  STATUS_LOST_INDEX,
  TAG_KEEP,
  TX_GSO,
  TX_INDEX,
  TX_KIND,
  TX_LENGTH,
  TX_OFFSET,
  TX_STATUS,
  TX_STRIDE,
  TX_TAG,
  TX_VNET,
} from '../../port/packet-io.js';
import { StreamEnd, type StreamPeer } from '../../port/stream-end.js';
import { openTap, type TapHandle } from '../../port/tap.js';
import { Direction } from './direction.js';
import type { CableEnd, CablePlan, DirectionRow } from './protocol.js';
import type { Weather } from './weather.js';

const MAX_FRAMES = 128;
const HEADER_BYTES = 4096;
/** Of a stream with a length that no frame has. */
const EPROTO = 71;
/** Devices of a cable: 2k and 2k + 1 are its ends, and their number is the index that the PacketIo knows. */
const INDEX_BASE = 1;

interface Device {
  readonly tap: TapHandle | null;
  readonly stream: StreamEnd | null;
  peer: StreamPeer | null;
}

/** A direction, by the device that its frames come from. */
interface Way {
  readonly direction: Direction;
  readonly plan: CablePlan;
  readonly side: 0 | 1;
  undelivered: number;
}

export class Cables {
  readonly #io: NativePacketIo;
  readonly #arena: Uint8Array;
  readonly #devices: Device[];
  readonly #ways: Way[];

  /** Makes all devices. @throws TapError, FrameSocketError */
  constructor(plans: readonly CablePlan[]) {
    this.#io = createNativePacketIo({
      maxFrames: MAX_FRAMES,
      txCommands: MAX_FRAMES,
      headerBytes: HEADER_BYTES,
      udpSegment: false,
      merge: false,
      spinMicroseconds: 0,
    });
    this.#arena = new Uint8Array(this.#io.arena);
    this.#devices = plans.flatMap(({ devices }) => devices.map(open));
    this.#ways = plans.flatMap((plan, i) =>
      ([0, 1] as const).map((side) => {
        const direction = new Direction(plan.weather[side], (2 * i + side) << 16);
        return { direction, plan, side, undelivered: 0 };
      }),
    );
    for (const [i, { tap }] of this.#devices.entries()) if (tap !== null) this.#io.attachTap(i + INDEX_BASE, tap.fd, 0);
  }

  /** When the next frame leaves, in microseconds; Infinity: none waits. */
  get due(): number {
    let due = Number.POSITIVE_INFINITY;
    for (const { direction } of this.#ways) due = Math.min(due, direction.due);
    return due;
  }

  /** Streams without their switch. */
  get unconnected(): number {
    return this.#devices.filter(({ stream, peer }) => stream !== null && peer === null).length;
  }

  rows(): DirectionRow[] {
    return this.#ways.map(({ direction, plan, side, undelivered }) => ({
      link: plan.names.join('-'),
      from: plan.ends[side],
      to: plan.ends[1 - side] as string,
      weather: direction.weather,
      counts: { ...direction.counts, waiting: direction.waiting, undelivered },
    }));
  }

  /** The directions of a link, or the one from an end. */
  directions(link: string, from: string | undefined): Direction[] {
    return this.#ways
      .filter(({ plan, side }) => isNamed(plan, link) && (from === undefined || plan.ends[side] === from))
      .map(({ direction }) => direction);
  }

  /** Waits for frames, and takes them in. @param now the clock, in microseconds @param timeoutMs at most */
  receive(timeoutMs: number, now: () => number): void {
    const count = this.#io.receive(timeoutMs);
    const { rx, status } = this.#io;
    const at = now();
    for (let row = 0; row < count; row++) {
      const base = row * RX_STRIDE;
      const way = this.#ways[(rx[base + RX_INDEX] as number) - INDEX_BASE];
      const offset = rx[base + RX_OFFSET] as number;
      way?.direction.offer(this.#arena.subarray(offset, offset + (rx[base + RX_LENGTH] as number)), at);
    }
    if (status[STATUS_LOST_ERRNO] !== 0)
      this.#lose(status[STATUS_LOST_INDEX] as number, status[STATUS_LOST_ERRNO] as number);
  }

  /** Sends the frames that are due, up to one batch. */
  send(now: number): void {
    let count = 0;
    // The last batch is over, so its memory is free: frames lie behind each other, each with headroom.
    let offset = HEADER_BYTES + HEADROOM;
    for (const [i, { direction }] of this.#ways.entries()) {
      for (; count < MAX_FRAMES && offset + LONGEST_FRAME < this.#arena.length; count++) {
        const frame = direction.take(now);
        if (frame === null) break;
        this.#arena.set(frame, offset);
        this.#command(count, i, offset, frame.length);
        offset += (frame.length + 2 * HEADROOM) & ~(HEADROOM - 1);
      }
    }
    if (count > 0 && this.#io.transmit(count) > 0) this.#countFailures(count);
  }

  /** Looks for switches that connect to the streams. */
  look(): void {
    for (const [i, device] of this.#devices.entries()) {
      const { stream, peer } = device;
      if (stream === null) continue;
      if (peer !== null) stream.refuseOthers();
      else if (stream.look() === null) {
        device.peer = stream.take();
        this.#io.attachStream(i + INDEX_BASE, device.peer.fd, device.peer.tail, true);
      }
    }
  }

  close(): void {
    this.#io.close();
    for (const { tap, stream, peer } of this.#devices) {
      tap?.close();
      peer?.close();
      stream?.close();
    }
  }

  /** From device `i` to the other end of its cable. */
  #command(row: number, i: number, offset: number, length: number): void {
    const { tx } = this.#io;
    const base = row * TX_STRIDE;
    tx.fill(0, base, base + TX_STRIDE);
    tx[base + TX_KIND] = KIND_FRAME;
    tx[base + TX_INDEX] = (i ^ 1) + INDEX_BASE;
    tx[base + TX_OFFSET] = offset;
    tx[base + TX_LENGTH] = length;
    tx[base + TX_TAG] = TAG_KEEP;
    tx[base + TX_VNET] = 0;
    tx[base + TX_GSO] = 0;
  }

  #countFailures(count: number): void {
    const { tx } = this.#io;
    for (let row = 0; row < count; row++) {
      const base = row * TX_STRIDE;
      const way = this.#ways[((tx[base + TX_INDEX] as number) - INDEX_BASE) ^ 1];
      if (tx[base + TX_STATUS] !== 0 && way !== undefined) way.undelivered++;
    }
  }

  /** A switch has ended, or a NIC is gone; the switch may come back. */
  #lose(index: number, errno: number): void {
    const device = this.#devices[index - INDEX_BASE];
    if (device?.peer == null) return;
    this.#io.detachTap(index);
    device.peer.close();
    device.peer = null;
    device.stream?.lose(errno === EPROTO);
  }
}

const isNamed = (plan: CablePlan, link: string): boolean => plan.names.includes(link) || plan.names.join('-') === link;

function open(end: CableEnd): Device {
  if (end.form === 'stream')
    return { tap: null, stream: new StreamEnd({ listen: end.socket, access: {} }), peer: null };
  const { netns, ifname, mac, addresses } = end;
  const tap = openTap({
    netns,
    ifname,
    ...(mac === undefined ? {} : { mac }),
    addresses: addresses.map((text) => {
      const [address = '', prefix = ''] = text.split('/');
      return { address, prefix: Number(prefix) };
    }),
    vnetHeader: false,
    multiQueue: false,
  });
  return { tap, stream: null, peer: null };
}

/** A weather with some settings changed. @param clear whether the others go back to their defaults */
export function changed(before: Weather, given: Partial<Weather>, defaults: Weather, clear: boolean): Weather {
  return { ...(clear ? defaults : before), ...given };
}

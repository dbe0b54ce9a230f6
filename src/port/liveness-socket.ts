/**
 * Sockets of BFD sessions, and waiting for them. The receiving ones tell the TTL of what comes; the sending ones have TTL 255
 * (RFC 5881 section 5) and a source port of their own (section 4). Owns no descriptor.
 */
import * as native from '../native/binding.js';
import { openReceiver, openSenders, type Receiver, type Sender, type UnderlayPlace } from './underlay.js';

/** Bytes of the queue of received packets: 1,024 sessions at 10 ms for a tenth of a second. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;
const SEND_BUFFER = 1024 * 1024;
/** RFC 5881 section 4. */
const SOURCE_PORTS = [49_152, 65_535] as const;
const TTL = 255;

/** Datagrams read by one call, and bytes of each. */
const MOST = 64;
const STRIDE = 128;
const WORDS = 8;

/** `isOneHop`: what has passed a router is dropped before the queue, so that a flood from afar finds no room in it. */
export interface LivenessPlace extends UnderlayPlace {
  port: number;
  isOneHop: boolean;
}

/** @throws UnderlayError; code EADDRINUSE when another program has the port, such as another BFD daemon */
export function openLivenessReceiver(place: LivenessPlace): Receiver {
  const receiver = openReceiver({ ...place, receiveBuffer: RECEIVE_BUFFER });
  try {
    native.tellTtl(receiver.fd, place.local?.includes(':') === true || place.family === 6 ? 6 : 4);
    if (place.isOneHop) native.onlyOneHop(receiver.fd);
    return receiver;
  } catch (error) {
    receiver.close();
    throw error;
  }
}

/** Datagrams that a receiver has dropped: those that have passed a router, and those without room in the queue. */
export function droppedAt({ fd }: Receiver): number {
  return native.droppedAt(fd);
}

/** Its datagrams are never fragmented, since probes tell what passes in one piece. @param seed any integer: selects the first port that is tried @throws UnderlayError */
export function openLivenessSender(place: UnderlayPlace, seed: number): Sender {
  const [sender] = openSenders({
    ...place,
    range: SOURCE_PORTS,
    count: 1,
    seed,
    ttl: TTL,
    df: true,
    sendBuffer: SEND_BUFFER,
  });
  return sender;
}

/** Reads datagrams of one thread. */
export class DatagramReader {
  readonly words = new Int32Array(MOST * WORDS);
  readonly view: DataView;
  private readonly facts = new Uint8Array(this.words.buffer);
  private readonly bytes = new Uint8Array(MOST * STRIDE);

  constructor() {
    this.view = new DataView(this.bytes.buffer);
  }

  /**
   * Reads what waits, at most 64 datagrams.
   * @param take gets where four words of the source address are in `words`, the TTL, and where the bytes are in `view`
   */
  read(fd: number, take: (address: number, ttl: number, offset: number, length: number) => void): void {
    const count = native.readDatagrams(fd, this.bytes, this.facts);
    for (let i = 0; i < count; i++) {
      const at = i * WORDS;
      take(at, this.words[at + 5], i * STRIDE, Math.min(this.words[at + 6], STRIDE));
    }
  }
}

/** Waits for several descriptors. */
export class Waiting {
  private fds = new Int32Array(0);
  private ready = new Uint8Array(0);

  /** At most 256 descriptors. */
  watch(fds: readonly number[]): void {
    this.fds = Int32Array.from(fds);
    this.ready = new Uint8Array(fds.length);
  }

  /** @param milliseconds longest wait, which may have fractions */
  wait(milliseconds: number): void {
    const limit = Math.min(Math.max(0, Math.ceil(milliseconds * 1000)), 60_000_000);
    native.awaitAny(new Uint8Array(this.fds.buffer), this.ready, limit);
  }

  /** Whether the descriptor at this place was readable, or in error, after the last wait. */
  isReady(place: number): boolean {
    return this.ready[place] !== 0;
  }
}

/** Takes the rings of an eventfd. */
export function hearRing(fd: number): void {
  native.hearRing(fd);
}

/** Sends one datagram; what becomes of it is not known. */
export function sendTo(fd: number, bytes: Uint8Array, address: ArrayLike<number>, port: number): void {
  native.sendDatagram(fd, bytes, bytes.length, address[0], address[1], address[2], address[3], port);
}

/**
 * One trial of the tester of RFC 2889, as a program of its own, since it enters namespaces and keeps its core busy. It sends
 * frames from new addresses into the learning port, then one frame to each of them into the test port: a frame to a learned
 * address arrives at the learning port only, another one is flooded to the monitoring port too.
 *
 *   node learning-tester.js '{"learning": NETNS, "test": NETNS, "monitor": NETNS, "ifname": ..., "series": N,
 *                              "addresses": N, "rate": N or null}'    prints {"rate", "lost", "learned"}
 *
 * `rate`: new addresses per second, 0 for the maximum; null: no faster than the frames arrive, so that none is lost.
 * The output: the reached rate, the number of lost learning frames, and whether all addresses were learned. Received frames
 * are counted by the NICs' counters.
 */
import { openSync, readSync } from 'node:fs';
import * as native from '../../../native/binding.js';

/** Minimum length of an Ethernet frame without FCS. */
const FRAME_BYTES = 60;
/** EtherType for local experiments (IEEE Std 802), which guests ignore. */
const ETHER_TYPE = 0x88b5;
const TEST_MAC = [0x02, 0, 0, 0, 0xb2, 0x02];

/** Maximum number of frames in flight when none may be lost; the queue of a TAP is longer. */
const WINDOW = 512;
/** Frames between two readings of counters or clock. */
const BURST = 64;
/** Frames that a sender may send faster after a pause by the scheduler. More would exceed the rate. */
const MOST_BEHIND = 128;
/** Time without a frame after which the missing frames are lost: much longer than the scheduler may stop a switch. */
const SILENCE_MS = 400;
/** Milliseconds between two readings when there is nothing to send. */
const PAUSE_MS = 0.05;
/** Milliseconds for a flooded frame to reach the other ports after the first. */
const FLOOD_MS = 20;

/** A guest's NIC: its sending socket and its receive counter. */
interface Port {
  send(frame: Uint8Array): void;
  /** Number of received frames until now. */
  received(): number;
}

/** Creates the frame with a number; the buffer is reused. */
type Numbered = (number: number) => Uint8Array;

interface Ports {
  readonly learning: Port;
  readonly test: Port;
  readonly monitor: Port;
}

/** `rate`: new addresses per second; 0: the maximum; null: no faster than the frames arrive. */
interface Trial {
  readonly series: number;
  readonly addresses: number;
  readonly rate: number | null;
}

/** The program's argument: namespaces of the ports, the name of their NICs, and the trial. */
interface Order extends Record<keyof Ports, string>, Trial {
  readonly ifname: string;
}

function openPort(netns: string, ifname: string): Port {
  native.enterNamespace(`/run/netns/${netns}`);
  const counters = openSync('/proc/thread-self/net/dev', 'r');
  const text = Buffer.alloc(4096);
  const pattern = new RegExp(`^ *${ifname}: *\\d+ +(\\d+)`, 'm');
  return {
    send: sender(native.openPacketSocket({ ifname })),
    received() {
      const length = readSync(counters, text, 0, text.length, 0);
      return Number(pattern.exec(text.toString('latin1', 0, length))?.[1]);
    },
  };
}

/** A function that sends a frame, and retries while the buffer is full. */
function sender(fd: number): (frame: Uint8Array) => void {
  return (frame) => {
    for (;;) {
      try {
        return native.writePacket(fd, frame);
      } catch (error) {
        const { code } = error as native.NativeError;
        if (code !== 'EAGAIN' && code !== 'ENOBUFS') throw error;
      }
    }
  };
}

/** Frames whose destination (offset 0) or source (offset 6) contains the number. */
function numbered(offset: 0 | 6, series: number): Numbered {
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.set(TEST_MAC, 6 - offset);
  frame.writeUInt16BE(ETHER_TYPE, 12);
  // Each trial has its own addresses, so that entries of an earlier trial cannot count.
  frame.set([0x02, series & 0xff], offset);
  return (number) => {
    frame.writeUInt32BE(number, offset + 2);
    return frame;
  };
}

const never = new Int32Array(new SharedArrayBuffer(4));

/** Leaves the core to the switch for some milliseconds. */
function pause(ms: number): void {
  Atomics.wait(never, 0, 0, ms);
}

/** The frames that a port receives from now on. */
interface Arrivals {
  count(): number;
  /** Whether no frame has arrived for SILENCE_MS. */
  isSilent(): boolean;
  /** Restarts the time of silence, since a frame was just sent. */
  restart(): void;
}

function arrivals(port: Port): Arrivals {
  const start = port.received();
  let seen = 0;
  let last = performance.now();
  return {
    count() {
      const now = port.received() - start;
      if (now !== seen) last = performance.now();
      seen = now;
      return seen;
    },
    isSilent: () => performance.now() - last > SILENCE_MS,
    restart() {
      last = performance.now();
    },
  };
}

/** Waits for `count` frames. @returns the number of missing frames */
function missing(arrived: Arrivals, count: number): number {
  arrived.restart();
  while (arrived.count() < count && !arrived.isSilent()) pause(PAUSE_MS);
  return Math.max(0, count - arrived.count());
}

/**
 * Sends so that no queue overflows: a frame is sent when an earlier one has arrived.
 * @param isOver ends sending early
 * @returns the numbers of sent and of lost frames
 */
function sendCarefully(
  from: Port,
  to: Port,
  frame: Numbered,
  count: number,
  isOver: () => boolean = () => false,
): { sent: number; lost: number } {
  const arrived = arrivals(to);
  let sent = 0;
  let lost = 0;
  while (sent < count && !isOver()) {
    const until = Math.min(count, sent + BURST, arrived.count() + lost + WINDOW);
    if (until > sent) arrived.restart();
    else pause(PAUSE_MS);
    for (; sent < until; sent++) from.send(frame(sent));
    if (arrived.isSilent()) lost = sent - arrived.count();
  }
  return { sent, lost: missing(arrived, sent) };
}

/**
 * Sends at a rate, without watching the arrivals.
 * @param rate frames per second; 0: the maximum
 */
function sendAt(rate: number, from: Port, frame: Numbered, count: number): void {
  let start = performance.now();
  for (let sent = 0; sent < count; ) {
    const due = rate === 0 ? count : Math.floor(((performance.now() - start) * rate) / 1000) + 1;
    if (due - sent > MOST_BEHIND && rate > 0) start += ((due - sent - MOST_BEHIND) * 1000) / rate;
    const until = Math.min(count, due, sent + BURST);
    for (; sent < until; sent++) from.send(frame(sent));
  }
}

/** Sends frames from new addresses into the learning port. @returns the duration, and the number of lost frames */
function learn({ learning, test }: Ports, { addresses, series, rate }: Trial): { seconds: number; lost: number } {
  const frame = numbered(6, series);
  const arrived = arrivals(test);
  const start = performance.now();
  if (rate === null) sendCarefully(learning, test, frame, addresses);
  else sendAt(rate, learning, frame, addresses);
  const seconds = (performance.now() - start) / 1000;
  return { seconds, lost: missing(arrived, addresses) };
}

/**
 * Sends a frame to each address: if it is flooded, the address was not learned. A frame that is neither flooded nor arrives was
 * lost on the way, so everything is repeated once.
 * @returns whether all addresses were learned
 * @throws when frames are lost again
 */
function verify({ learning, test, monitor }: Ports, { addresses, series }: Trial): boolean {
  const frame = numbered(0, series);
  for (let attempt = 1; ; attempt++) {
    const flooded = arrivals(monitor);
    const { lost } = sendCarefully(test, learning, frame, addresses, () => flooded.count() > 0);
    pause(FLOOD_MS);
    if (flooded.count() > 0) return false;
    if (lost === 0) return true;
    if (attempt === 2)
      throw new Error(`${lost} of ${addresses} frames were lost: they neither arrived nor were flooded`);
  }
}

function trial({ learning, test, monitor, ifname, ...what }: Order): { rate: number; lost: number; learned: boolean } {
  const ports = {
    learning: openPort(learning, ifname),
    test: openPort(test, ifname),
    monitor: openPort(monitor, ifname),
  };
  // The switch learns the test port's address first, so that it does not flood the learning frames.
  const known = arrivals(ports.learning);
  const announcement = numbered(0, what.series)(what.addresses);
  ports.test.send(announcement);
  if (missing(known, 1) > 0) throw new Error('the switch does not forward between test and learning port');
  pause(FLOOD_MS);
  const { seconds, lost } = learn(ports, what);
  return { rate: what.addresses / seconds, lost, learned: verify(ports, what) };
}

process.stdout.write(`${JSON.stringify(trial(JSON.parse(process.argv[2]) as Order))}\n`);

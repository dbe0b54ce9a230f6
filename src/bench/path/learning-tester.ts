/**
 * The tester of RFC 2889, one trial of it, as a program of its own (it moves between namespaces and never lets go of its
 * core): sends frames from new addresses into the learning port, then one frame to each of them into the test port, and
 * tells how many the learning port got and how many were flooded to the monitoring port.
 *
 *   node learning-tester.js '{"learning": NETNS, "test": NETNS, "monitor": NETNS, "ifname": ..., "series": N,
 *                              "addresses": N, "rate": N or null}'    prints {"rate", "lost", "learned"}
 *
 * `rate`: new addresses a second, 0 for as many as can be; null: none faster than the frames arrive, so that none is lost.
 * What it prints: the rate that it came to, learning frames that did not arrive, and whether all addresses were learned.
 * It knows no switch and searches nothing. What arrives is read from the NICs' counters, which count every frame.
 */
import { openSync, readSync } from 'node:fs';
import * as native from '../../native/binding.js';

/** Of a frame without FCS: the shortest that there is. */
const FRAME_BYTES = 60;
/** For local experiments (IEEE 802): no guest listens to it. */
const ETHER_TYPE = 0x88b5;
const TEST_MAC = [0x02, 0, 0, 0, 0xb2, 0x02];

/** Frames on their way at once where none is to be lost. A TAP's queue holds more. */
const WINDOW = 512;
/** Frames between two looks at counters or clock. */
const BURST = 64;
/** How far a sender that was kept from its core may make up for it, in frames. More would be a faster rate. */
const MOST_BEHIND = 128;
/** Nothing arrives any more when nothing has arrived for so long: far more than a switch may be off its core. */
const SILENCE_MS = 400;
/** Between two looks when there is nothing to send. */
const PAUSE_MS = 0.05;
/** Between the arrival of a flooded frame at the first port and at the last. */
const FLOOD_MS = 20;

/** A guest's NIC: a socket to send by, and the counter of what it received. */
interface Port {
  send(frame: Uint8Array): void;
  /** Frames so far. */
  received(): number;
}

/** Frames by their number. */
type Numbered = (number: number) => Uint8Array;

interface Ports {
  readonly learning: Port;
  readonly test: Port;
  readonly monitor: Port;
}

/** `rate`: new addresses a second; 0: as many as can be; null: none faster than the frames arrive. */
interface Trial {
  readonly series: number;
  readonly addresses: number;
  readonly rate: number | null;
}

/** Namespaces of the ports, the name of their NIC, and the trial. */
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

/** A full buffer is waited for. */
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

/** A frame whose destination (offset 0) or source (offset 6) `number` chooses. */
function numbered(offset: 0 | 6, series: number): Numbered {
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.set(TEST_MAC, 6 - offset);
  frame.writeUInt16BE(ETHER_TYPE, 12);
  // Each trial has addresses of its own: what is left of an earlier one cannot pass for learned.
  frame.set([0x02, series & 0xff], offset);
  return (number) => {
    frame.writeUInt32BE(number, offset + 2);
    return frame;
  };
}

const never = new Int32Array(new SharedArrayBuffer(4));

/** Leaves the core to the switch for a while. */
function pause(ms: number): void {
  Atomics.wait(never, 0, 0, ms);
}

/** What a port receives from a moment on. */
interface Arrivals {
  count(): number;
  /** Whether the last frame came long ago. */
  isSilent(): boolean;
  /** A frame that was sent is waited for from here on. */
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

/** Waits for the last of `count` frames. @returns how many have not come */
function missing(arrived: Arrivals, count: number): number {
  arrived.restart();
  while (arrived.count() < count && !arrived.isSilent()) pause(PAUSE_MS);
  return Math.max(0, count - arrived.count());
}

/**
 * Sends so that no queue on the way overflows: a frame leaves when an earlier one has arrived.
 * @param isOver ends it before its time
 * @returns how many were sent, and how many of them did not arrive
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
 * Sends at a rate, whatever becomes of the frames.
 * @param rate frames a second; 0: as many as can be
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

/** Sends frames from new addresses into the learning port. */
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
 * Sends a frame to each address: one that is flooded was not learned. A frame that is not flooded and does not arrive is
 * a loss of the way, not of the address; the whole is repeated once then.
 * @returns whether all were learned
 */
function verify({ learning, test, monitor }: Ports, { addresses, series }: Trial): boolean {
  const frame = numbered(0, series);
  for (let attempt = 1; ; attempt++) {
    const flooded = arrivals(monitor);
    const { lost } = sendCarefully(test, learning, frame, addresses, () => flooded.count() > 0);
    pause(FLOOD_MS);
    if (flooded.count() > 0) return false;
    if (lost === 0) return true;
    if (attempt === 2) throw new Error(`${lost} of ${addresses} frames were neither flooded nor did they arrive`);
  }
}

function trial({ learning, test, monitor, ifname, ...what }: Order): { rate: number; lost: number; learned: boolean } {
  const ports = {
    learning: openPort(learning, ifname),
    test: openPort(test, ifname),
    monitor: openPort(monitor, ifname),
  };
  // The test port's own address is known before anything is learned: learning frames are not flooded.
  const known = arrivals(ports.learning);
  const announcement = numbered(0, what.series)(what.addresses);
  ports.test.send(announcement);
  if (missing(known, 1) > 0) throw new Error('the switch does not forward between test and learning port');
  pause(FLOOD_MS);
  const { seconds, lost } = learn(ports, what);
  return { rate: what.addresses / seconds, lost, learned: verify(ports, what) };
}

process.stdout.write(`${JSON.stringify(trial(JSON.parse(process.argv[2]) as Order))}\n`);

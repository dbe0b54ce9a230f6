/**
 * Shared by tests of the addon: namespaces, a small PacketIo, and frames.
 *
 * Every namespace is named `ott-<pid>-<n>` and deleted by `cleanUp`, as are all resources passed to `later`.
 */
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { enterNamespace } from '../../src/native/binding.js';
import { type Capture, openCapture } from '../../src/port/capture.js';
import {
  createNativePacketIo,
  type NativePacketIo,
  type NativePacketIoOptions,
} from '../../src/port/native-packet-io.js';
import * as layout from '../../src/port/packet-io.js';
import { selfTest } from '../../src/port/self-test.js';
import { openTap, type TapHandle, type TapOptions } from '../../src/port/tap.js';
import { quoted, shell, shellLine } from './shell.js';

const undo: (() => void)[] = [];
let made = 0;

export function needRoot(): void {
  if (process.getuid?.() !== 0)
    throw new Error('the tests of the addon make network namespaces and TAPs: run them as root');
}

/** Runs when the test is over, last first. */
export function later(action: () => void): void {
  undo.push(action);
}

export function cleanUp(): void {
  for (let action = undo.pop(); action !== undefined; action = undo.pop()) action();
}

export function ip(...args: string[]): string {
  return shell('ip', ...args);
}

/** Several commands of `ip`, a line each, in one process. */
export function ipBatch(lines: readonly string[], netns?: string): void {
  const place = netns === undefined ? '' : `-n ${netns} `;
  shellLine(`printf '%s\\n' ${lines.map(quoted).join(' ')} | ip ${place}-batch -`);
}

/** A namespace whose links stay silent: IPv6 would send of its own accord. */
export function makeNamespace(options: { ipv6?: boolean } = {}): string {
  needRoot();
  const name = `ott-${process.pid}-${made++}`;
  ip('netns', 'add', name);
  later(() => deleteNamespace(name));
  if (!options.ipv6) inside(name, () => writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1'));
  ip('-n', name, 'link', 'set', 'lo', 'up');
  return name;
}

export function deleteNamespace(name: string): void {
  if (existsSync(`/run/netns/${name}`)) ip('netns', 'del', name);
}

/** Runs `body` with this thread inside the namespace. */
export function inside<T>(netns: string, body: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    enterNamespace(`/run/netns/${netns}`);
    try {
      return body();
    } finally {
      enterNamespace(`/proc/self/fd/${home}`);
    }
  } finally {
    closeSync(home);
  }
}

export function tapIn(netns: string, ifname: string, options: Partial<TapOptions> = {}): TapHandle {
  const tap = openTap({ netns, ifname, ...options });
  later(() => tap.close());
  return tap;
}

export function captureIn(netns: string, ifname: string): Capture {
  const capture = openCapture({ netns, ifname });
  later(() => capture.close());
  return capture;
}

/** With io_uring, as a switch has it where it works; with OVERTAP_IO_URING=off the tests run without. */
export const ioUring = process.env.OVERTAP_IO_URING !== 'off' && selfTest().ioUring;

export function makePacketIo(options: NativePacketIoOptions = { txCommands: 512 }): NativePacketIo {
  const io = createNativePacketIo({ ioUring, ...options });
  later(() => io.close());
  return io;
}

const WORDS = new Map(Object.entries(layout) as [string, number][]);

export type Words = Partial<Record<Extract<keyof typeof layout, `TX_${string}`>, number>>;

/** Writes one command; words that are not given are 0. TX_STATUS starts as nonsense, so that a test sees it written. */
export function command(io: NativePacketIo, at: number, words: Words): void {
  const base = at * layout.TX_STRIDE;
  io.tx.fill(0, base, base + layout.TX_STRIDE);
  io.tx[base + layout.TX_STATUS] = -1;
  for (const [name, value] of Object.entries(words)) io.tx[base + (WORDS.get(name) as number)] = value;
}

export function outcome(io: NativePacketIo, at: number): number {
  return io.tx[at * layout.TX_STRIDE + layout.TX_STATUS];
}

/** A word of the receive descriptor. */
export function rx(io: NativePacketIo, at: number, word: number): number {
  return io.rx[at * layout.RX_STRIDE + word];
}

export function rxBytes(io: NativePacketIo, at: number): Buffer {
  return Buffer.from(io.arena, rx(io, at, layout.RX_OFFSET), rx(io, at, layout.RX_LENGTH));
}

/** Puts bytes into the arena where no batch of the test will come. */
export function put(io: NativePacketIo, offset: number, bytes: Uint8Array): void {
  new Uint8Array(io.arena).set(bytes, offset);
}

export const EXPERIMENTAL = 0x88b5;

/** An Ethernet frame of the local experimental type, its payload counting up from `first`; VID and priority when `tci` is given. */
export function frame(payload: number, options: { first?: number; tci?: number } = {}): Buffer {
  const { first = 0, tci } = options;
  const tag = tci === undefined ? Buffer.alloc(0) : Buffer.from([0x81, 0x00, tci >> 8, tci & 0xff]);
  return Buffer.concat([
    Buffer.from('020000000002020000000001', 'hex'),
    tag,
    Buffer.from([EXPERIMENTAL >> 8, EXPERIMENTAL & 0xff]),
    Buffer.from(Array.from({ length: payload }, (_, i) => (first + i) & 0xff)),
  ]);
}

/** Calls `receive` until it has taken in something, two seconds at most. */
export function receiveSome(io: NativePacketIo, timeoutMs = 2000): number {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const count = io.receive(Math.max(0, Math.ceil(end - performance.now())));
    if (count > 0 || performance.now() >= end) return count;
  }
}

/** The next frame on the wire, or an error after two seconds. */
export function nextFrame(capture: Capture): Buffer {
  const end = performance.now() + 2000;
  while (performance.now() < end) {
    const bytes = capture.read();
    if (bytes !== null) return Buffer.from(bytes);
    capture.wait(100);
  }
  throw new Error('no frame came');
}

/** A small generator with a seed (mulberry32): integers below `bound`. */
export function random(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((((mixed ^ (mixed >>> 14)) >>> 0) * bound) / 4294967296) | 0;
  };
}

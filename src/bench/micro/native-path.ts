/**
 * Nanoseconds per frame in the addon, with system calls: trains and superframes to a loopback socket, and coalesced segments
 * to a TAP. Needs root, since it creates a namespace, and a build. `--quick`: a run of one second that only shows that it works.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { enterNamespace } from '../../native/binding.js';
import { createNativePacketIo, type NativePacketIoOptions } from '../../port/native-packet-io.js';
import type { PacketIo } from '../../port/packet-io.js';
import * as L from '../../port/packet-io.js';
import { openTap, type TapHandle } from '../../port/tap.js';
import { openReceiver, openSenders, type Receiver, type Sender } from '../../port/underlay.js';
import { type Effort, measure, type Stage, type Timing } from './measure.js';

const FRAME = 1 << 20;
const ROOM = 1536;
const SEGMENTS = 44;
const PAYLOAD = 1398;
const HEADERS = 14 + 20 + 20;

/** A TCP frame over IPv4. Its payload is zeros, so that the headers alone determine the checksum. */
function tcpFrame(payload: number, sequence: number, id: number, open: boolean): Buffer {
  const bytes = Buffer.alloc(HEADERS + payload);
  bytes.set([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0, 0x45]);
  bytes.writeUInt16BE(40 + payload, 16);
  bytes.writeUInt16BE(id, 18);
  bytes.set([0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 20);
  bytes.writeUInt16BE(~sum(bytes, 14, 34) & 0xffff, 24);
  bytes.set([4, 0, 8, 0], 34);
  bytes.writeUInt32BE(sequence, 38);
  bytes.set([0x50, 0x10, 1, 0], 46);
  const pseudo = sum(bytes, 26, 34) + 6 + 20 + payload;
  const all = pseudo + (open ? 0 : sum(bytes, 34, HEADERS));
  const folded = (all & 0xffff) + (all >>> 16);
  bytes.writeUInt16BE(open ? folded : ~folded & 0xffff, 50);
  return bytes;
}

function sum(bytes: Buffer, from: number, to: number): number {
  let total = 0;
  for (let at = from; at < to; at += 2) total += bytes.readUInt16BE(at);
  return (total & 0xffff) + (total >>> 16);
}

/** A transmit command: the frame, and the other words by index. */
interface Command {
  readonly bytes: Uint8Array;
  readonly [word: number]: number;
}

/** Fills the command list. @returns a function that executes it */
function commands(io: PacketIo, count: number, fill: (i: number) => Command): () => void {
  for (let i = 0; i < count; i++) {
    const offset = FRAME + i * ROOM;
    const { bytes, ...words } = fill(i);
    new Uint8Array(io.arena).set(bytes, offset);
    io.tx.fill(0, i * L.TX_STRIDE, (i + 1) * L.TX_STRIDE);
    io.tx[i * L.TX_STRIDE + L.TX_OFFSET] = offset;
    io.tx[i * L.TX_STRIDE + L.TX_LENGTH] = bytes.length;
    for (const [word, value] of Object.entries(words)) io.tx[i * L.TX_STRIDE + Number(word)] = value;
  }
  return () => {
    if (io.transmit(count) !== 0) throw new Error('a command failed');
  };
}

/** The cases by name; each has its own PacketIo, and so its own command list. */
function cases(devices: Devices): Record<string, Stage> {
  const io = (options: NativePacketIoOptions = {}): PacketIo => {
    const made = createNativePacketIo({ txCommands: 64, ...options });
    made.attachTap(0, devices.tap.fd, devices.tap.vnetHeaderSize);
    made.attachSender(0, devices.sender.fd);
    made.setRemote(0, 0, 0, 0xffff, 0x7f000001, devices.receiver.port);
    return made;
  };
  const small = (): Command => ({ [L.TX_KIND]: L.KIND_UDP, [L.TX_HEADER_LENGTH]: 8, bytes: Buffer.alloc(64) });
  const segment =
    (open: boolean) =>
    (i: number): Command => ({
      [L.TX_KIND]: L.KIND_FRAME,
      bytes: tcpFrame(PAYLOAD, 1 + i * PAYLOAD, i, open),
      ...(open ? { [L.TX_VNET]: L.VNET_NEEDS_CSUM, [L.TX_CSUM]: 34 | (16 << 16) } : {}),
    });
  const superframe = (): Command => ({
    [L.TX_KIND]: L.KIND_UDP,
    [L.TX_HEADER_LENGTH]: 8,
    [L.TX_VNET]: L.VNET_NEEDS_CSUM | (L.VNET_GSO_TCPV4 << 8),
    [L.TX_GSO]: PAYLOAD,
    [L.TX_CSUM]: 34 | (16 << 16),
    bytes: tcpFrame(SEGMENTS * PAYLOAD, 1, 1, true),
  });
  return {
    '64-byte frames, in a train of 64': [64, commands(io(), 64, small)],
    '64-byte frames, one by one': [64, commands(io({ udpSegment: false }), 64, small)],
    'segments of a superframe, in a train': [SEGMENTS, commands(io(), 1, superframe)],
    'segments of a superframe, one by one': [SEGMENTS, commands(io({ udpSegment: false }), 1, superframe)],
    'segments merged into one write': [SEGMENTS, commands(io(), SEGMENTS, segment(false))],
    'segments merged, checksums left open': [SEGMENTS, commands(io(), SEGMENTS, segment(true))],
    'segments written one by one': [SEGMENTS, commands(io({ merge: false }), SEGMENTS, segment(false))],
  };
}

interface Devices {
  readonly tap: TapHandle;
  readonly sender: Sender;
  readonly receiver: Receiver;
}

function openDevices(): Devices {
  const [sender] = openSenders({ local: '127.0.0.1', range: [40000, 40099], count: 1, seed: 0 });
  // Nothing reads this socket: the kernel drops datagrams when its buffer is full.
  const receiver = openReceiver({ local: '127.0.0.1', port: 4789, gro: true, receiveBuffer: 4096 });
  return { tap: openTap({ ifname: 'tap0' }), sender, receiver };
}

/** Runs `body` in a new network namespace, which is deleted after it. */
function inNamespace<T>(body: () => T): T {
  const name = `ot-micro-${process.pid}`;
  const home = openSync('/proc/thread-self/ns/net', 'r');
  execFileSync('ip', ['netns', 'add', name]);
  try {
    execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    enterNamespace(`/run/netns/${name}`);
    return body();
  } finally {
    enterNamespace(`/proc/self/fd/${home}`);
    closeSync(home);
    execFileSync('ip', ['netns', 'del', name]);
  }
}

/** Measures all cases. Needs root. */
export function measureNative(effort: Effort = {}): Timing[] {
  return inNamespace(() => {
    const devices = openDevices();
    try {
      return Object.entries(cases(devices)).map(([name, stage]) => measure(name, stage, effort));
    } finally {
      for (const device of Object.values(devices)) device.close();
    }
  });
}

function main(quick: boolean): void {
  console.log(`${'ns per frame or segment'.padEnd(40)}${'median'.padStart(8)}${'min'.padStart(8)}${'max'.padStart(8)}`);
  for (const { name, median, low, high } of measureNative(quick ? { seconds: 0.05, samples: 3 } : {}))
    console.log(`${name.padEnd(40)}${[median, low, high].map((ns) => ns.toFixed(0).padStart(8)).join('')}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes('--quick'));

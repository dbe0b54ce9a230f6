/**
 * What passes a NIC, read by libpcap in a program of its own and decoded there: an eye that shares no code with the
 * switch. Both directions are seen. VXLAN headers are read here, by hand, from the bytes of the UDP payload.
 */
import { statSync } from 'node:fs';
import type { Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import type { End, World } from './host-testbed.js';
import { EXPERIMENTAL, tool } from './traffic.js';

/** How long nothing new comes from a capture that has told all: it is a program of its own, and may have to wait for a CPU. */
const REST_MS = 300;

export interface Packet {
  /** Of the whole frame, in bytes. */
  readonly length: number;
  /** The first 128 bytes. */
  readonly hex: string;
  readonly ip?: {
    source: string;
    destination: string;
    ttl: number;
    length: number;
    tos: number;
    df: boolean;
    mf: boolean;
  };
  readonly udp?: { source: number; destination: number; length: number; checksum: number };
  /** The first 128 bytes of the UDP payload. */
  readonly payload?: string;
}

/** A datagram of VXLAN, with the first bytes of the frame inside. */
export interface Vxlan {
  readonly packet: Packet;
  readonly flags: number;
  /** The 24 + 8 reserved bits as one number; 0 when all are zero. */
  readonly reserved: number;
  readonly vni: number;
  readonly inner: Buffer;
}

export class Sniffer {
  private readonly seen: Packet[] = [];

  constructor(private readonly program: Program) {}

  /** All that was seen so far, in order. A line is parsed once: conditions read this many times a second. */
  get packets(): readonly Packet[] {
    const { lines } = this.program;
    // The first line is no packet.
    for (let at = this.seen.length + 1; at < lines.length; at++) this.seen.push(JSON.parse(lines[at]) as Packet);
    return this.seen;
  }

  /** The datagrams whose UDP destination port is VXLAN's, taken apart. */
  get vxlan(): Vxlan[] {
    return this.packets.filter(({ udp }) => udp?.destination === 4789).map(readVxlan);
  }

  /** Frames of the experimental EtherType that hold this text. */
  experimental(text: string): Packet[] {
    return this.packets.filter((packet) => experimentalText(Buffer.from(packet.hex, 'hex')) === text);
  }

  /** Waits for such a frame. */
  async sees(text: string): Promise<void> {
    await until(`a frame "${text}" passes`, () => this.experimental(text).length > 0);
  }

  /** Waits until so many were seen at least, and no more come: captures hand over what they saw a moment late. */
  async rests(least = 0): Promise<void> {
    // The first line is no packet.
    await rest(`${least} packets were captured`, () => this.program.lines.length - 1, least);
  }

  async stop(): Promise<void> {
    await this.program.stop('SIGKILL');
  }
}

/**
 * Starts to look; resolves once nothing can be missed any more. `filter` is libpcap's. `megabytes`: what was not read yet is
 * lost above it; each packet takes 64 KiB of it, however short, where the NIC takes superframes.
 */
export async function sniff(world: World, { netns, ifname }: End, filter: string, megabytes = 16): Promise<Sniffer> {
  const program = world.spawn(netns, tool('sniff', ifname, filter, megabytes));
  await program.line(`a capture of ${ifname} in ${netns} begins`, (line) => line.includes('ready'));
  return new Sniffer(program);
}

/** Waits until a number is as high as `least`, and then does not change for a while. */
async function rest(what: string, number: () => number, least: number): Promise<void> {
  let before = -1;
  let since = 0;
  const isAtRest = (): boolean => {
    const now = number();
    if (now !== before) since = performance.now();
    before = now;
    return now >= least && performance.now() - since > REST_MS;
  };
  await until(what, isAtRest).catch((error: Error) => {
    throw new Error(`${error.message}; ${before} so far`, { cause: error });
  });
}

/** What passes a NIC, written to a file by tcpdump. */
export class Dump {
  constructor(
    private readonly program: Program,
    private readonly file: string,
  ) {}

  /**
   * Ends it, once the file has so many bytes at least and does not grow any more: what tcpdump has not read at its end is
   * lost. @returns what it says of its work, such as how many packets it had no room for
   */
  async stop(least: number): Promise<string> {
    await rest(`${this.file} has ${least} bytes`, () => statSync(this.file).size, least);
    await this.program.stop('SIGINT');
    return this.program.errors;
  }
}

/** Starts to write datagrams of at most 2 KB; resolves once nothing can be missed any more. `words` are tcpdump's. */
export async function dump(world: World, { netns, ifname }: End, file: string, words: string[]): Promise<Dump> {
  const program = world.spawn(netns, [
    // At once, or packets lie in libpcap's buffer for up to two seconds. Each takes as much of it then as it may be long.
    ...['tcpdump', '-i', ifname, '-n', '-U', '--immediate-mode', '-s', '2048', '-B', '65536', '-Z', 'root'],
    ...['-w', file, ...words],
  ]);
  await until('tcpdump listens', () => program.errors.includes('listening on'));
  return new Dump(program, file);
}

function readVxlan(packet: Packet): Vxlan {
  const bytes = Buffer.from(packet.payload ?? '', 'hex');
  return {
    packet,
    flags: bytes.readUInt8(0),
    reserved: bytes.readUIntBE(1, 3) * 256 + bytes.readUInt8(7),
    vni: bytes.readUIntBE(4, 3),
    inner: bytes.subarray(8),
  };
}

/** The text of a frame of `experimentalFrame`, tagged or not; undefined for every other frame. */
export function experimentalText(frame: Buffer): string | undefined {
  const at = frame.readUInt16BE(12) === 0x8100 ? 16 : 12;
  if (frame.length < at + 3 || frame.readUInt16BE(at) !== EXPERIMENTAL) return undefined;
  const text = frame.subarray(at + 2);
  const end = text.indexOf(0);
  return text.toString('utf8', 0, end < 0 ? text.length : end);
}

export const macOf = {
  destination: (frame: Buffer): string => formatMac(frame.subarray(0, 6)),
  source: (frame: Buffer): string => formatMac(frame.subarray(6, 12)),
};

function formatMac(bytes: Buffer): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** VID of a frame's 802.1Q tag; undefined without one. */
export function vlanOf(packet: Packet): number | undefined {
  const frame = Buffer.from(packet.hex, 'hex');
  return frame.readUInt16BE(12) === 0x8100 ? frame.readUInt16BE(14) & 0xfff : undefined;
}

/**
 * Reads the packets of a capture file: pcapng, and pcap in all its byte orders and resolutions. No length in the file is believed.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { concatBytes, viewOf } from '../wire/bytes.js';
import { ETHERNET_HEADER } from '../wire/ethernet.js';
import { BLOCK_SECTION, DIRECTION_MASK, LINK_ETHERNET, OUTBOUND } from '../wire/pcapng.js';
import { readPcapng } from '../wire/pcapng-reader.js';

/** Bytes of a file at most: it is read as a whole. */
export const MAX_FILE = 1 << 30;
/** Bytes of a pipe for which there is room at first. */
const PIECE = 1 << 16;
/** LINKTYPE_RAW: IP packets without a link header. */
const LINK_RAW = 101;
const PCAP_HEADER = 24;
const PCAP_RECORD = 16;
const PCAP_MICRO = 0xa1b2c3d4;
const PCAP_NANO = 0xa1b23c4d;
/** First words of captures, as they read in big endian. */
const MAGIC = new Set([BLOCK_SECTION, PCAP_MICRO, 0xd4c3b2a1, PCAP_NANO, 0x4d3cb2a1]);
const NO_CAPTURE = 'this is neither a pcapng nor a pcap file';
const BILLION = 1_000_000_000n;

export interface CapturedFrame {
  /** From 1, over the whole file. */
  number: number;
  /** Name of its interface; absent in a pcap file, or where the interface has none. */
  port?: string;
  /** Nanoseconds since 1970; absent: the file does not say. */
  time?: bigint;
  /** The interface sent it, by the packet's flags. */
  outbound?: true;
  /** The Ethernet frame. An IP packet of a capture without link headers is behind one of zeros. */
  bytes: Uint8Array;
  /** Bytes of the whole frame; more than `bytes` where the capture has cut it. */
  length: number;
}

/** What is wrong with a capture file. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
}

/** All frames of a file. @throws CaptureError when it cannot be read */
export function* capturedFrames(path: string): Generator<CapturedFrame> {
  const file = contentsOf(path);
  try {
    const isPcapng = file.length >= 4 && viewOf(file).getUint32(0) === BLOCK_SECTION;
    yield* isPcapng ? ofPcapng(file) : ofPcap(file);
  } catch (error) {
    throw new CaptureError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function contentsOf(path: string): Uint8Array {
  try {
    const fd = openSync(path, 'r');
    try {
      const { size } = fstatSync(fd);
      if (size > MAX_FILE) throw new Error(`${size} bytes are more than the ${MAX_FILE} that are read`);
      return size > 0 ? readFileSync(fd) : readPipe(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new CaptureError(`${path}: ${reasonOf(error)}`);
  }
}

/** In words: the system's message has a call and the path once more. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'you may not read it',
  EISDIR: 'it is a folder',
};

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ''] ?? message;
}

/** What has no size may have no end, as /dev/zero: its first bytes already say whether it is a capture. */
function readPipe(fd: number): Uint8Array {
  let bytes: Uint8Array = new Uint8Array(PIECE);
  for (let length = 0; ; ) {
    if (length > MAX_FILE) throw new Error(`it has more than the ${MAX_FILE} bytes that are read`);
    if (length === bytes.length) bytes = concatBytes(bytes, new Uint8Array(length));
    const count = readSync(fd, bytes.subarray(length));
    if (count === 0) return bytes.subarray(0, length);
    length += count;
    if (length >= 4 && !MAGIC.has(viewOf(bytes).getUint32(0))) throw new Error(NO_CAPTURE);
  }
}

interface Interface {
  name?: string;
  linkType: number;
}

function* ofPcapng(file: Uint8Array): Generator<CapturedFrame> {
  let interfaces: Interface[] = [];
  let number = 0;
  for (const block of readPcapng(file)) {
    if (block.type === 'section') interfaces = [];
    else if (block.type === 'interface') interfaces.push(block);
    else if (block.type === 'packet') {
      const { name, linkType = LINK_ETHERNET } = interfaces[block.interface] ?? {};
      const frame = framed(++number, linkType, block.data, block.length);
      yield {
        ...frame,
        ...(name === undefined ? {} : { port: name }),
        ...(block.time === undefined ? {} : { time: block.time }),
        ...(((block.flags ?? 0) & DIRECTION_MASK) === OUTBOUND ? { outbound: true } : {}),
      };
    }
  }
}

function* ofPcap(file: Uint8Array): Generator<CapturedFrame> {
  const view = viewOf(file);
  const { little, isNano } = pcapOrder(view);
  const linkType = view.getUint32(20, little) & 0xffff;
  let number = 0;
  for (let at = PCAP_HEADER; at < file.length; ) {
    number++;
    if (at + PCAP_RECORD > file.length) throw new Error(`byte ${at}: the file ends within frame ${number}`);
    const kept = view.getUint32(at + 8, little);
    if (at + PCAP_RECORD + kept > file.length) throw new Error(`byte ${at}: the file ends within frame ${number}`);
    const fraction = BigInt(view.getUint32(at + 4, little)) * (isNano ? 1n : 1000n);
    const time = BigInt(view.getUint32(at, little)) * BILLION + fraction;
    const data = file.subarray(at + PCAP_RECORD, at + PCAP_RECORD + kept);
    yield { ...framed(number, linkType, data, view.getUint32(at + 12, little)), time };
    at += PCAP_RECORD + kept;
  }
}

function pcapOrder(view: DataView): { little: boolean; isNano: boolean } {
  if (view.byteLength >= PCAP_HEADER) {
    for (const little of [true, false]) {
      const magic = view.getUint32(0, little);
      if (magic === PCAP_MICRO || magic === PCAP_NANO) return { little, isNano: magic === PCAP_NANO };
    }
  }
  throw new Error(NO_CAPTURE);
}

function framed(number: number, linkType: number, data: Uint8Array, length: number): CapturedFrame {
  if (linkType === LINK_ETHERNET) return { number, bytes: data, length };
  if (linkType !== LINK_RAW)
    throw new Error(
      `frame ${number} has link type ${linkType}; capture Ethernet (${LINK_ETHERNET}), or IP (${LINK_RAW})`,
    );
  const bytes = new Uint8Array(ETHERNET_HEADER + data.length);
  bytes.set(data, ETHERNET_HEADER);
  viewOf(bytes).setUint16(12, data[0] >>> 4 === 6 ? 0x86dd : 0x0800);
  return { number, bytes, length: ETHERNET_HEADER + length };
}

/** One frame of a file, by its number from 1. @throws CaptureError */
export function capturedFrame(path: string, number: number): CapturedFrame {
  let last = 0;
  for (const frame of capturedFrames(path)) {
    last = frame.number;
    if (last === number) return frame;
  }
  throw new CaptureError(`${path}: there is no frame ${number}; it has ${last}`);
}

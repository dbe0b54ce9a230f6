/** The FRAME of `overtap trace`: words, hex digits, or a frame of a capture file. */
import { FRAME_HEX, type TraceRequest } from '../api/trace.js';
import { UsageError } from './errors.js';

const FRAME_OF_FILE = /^(.+\.(?:pcapng|pcap|cap))#(\d+)$/;
/** Nothing in a description ends like that. */
const FILE = /\.(?:pcapng|pcap|cap)(?:#.*)?$/;
const HEX = /^([0-9a-f]{2})+$/i;

export type FrameOfRequest = Pick<TraceRequest, 'frame'> | Pick<TraceRequest, 'description'>;

/** @throws UsageError */
export async function frameOf(words: readonly string[]): Promise<FrameOfRequest> {
  const file = words.length === 1 ? FRAME_OF_FILE.exec(words[0]) : null;
  if (file !== null) return { frame: await frameOfFile(file[1], Number(file[2])) };
  if (words.length === 1 && FILE.test(words[0])) {
    const path = words[0].replace(/#[^#/]*$/, '');
    throw new UsageError(`${words[0]}: say which frame of the file, counted from 1, as in ${path}#1`);
  }
  const text = words.join(' ').trim();
  const parts = text.split(/\s+/);
  const length = parts.at(-2) === 'len' && /^\d{1,8}$/.test(parts.at(-1) ?? '') ? Number(parts.at(-1)) : undefined;
  const hex = (length === undefined ? parts : parts.slice(0, -2)).join('').replaceAll(':', '');
  if (!HEX.test(hex)) return { description: text };
  return { frame: length === undefined ? hex : lengthened(hex, length) };
}

async function frameOfFile(path: string, number: number): Promise<string> {
  const { capturedFrame } = await import('../replay/capture-file.js');
  const { toHex } = await import('../wire/bytes.js');
  const { bytes, length } = capturedFrame(path, number);
  if (bytes.length < length)
    throw new UsageError(`frame ${number} was cut to ${bytes.length} of ${length} bytes; capture whole frames`);
  return toHex(bytes);
}

/** `overtap drops` has the first bytes of a frame only, and its length: zeros stand for the rest. */
function lengthened(hex: string, length: number): string {
  const [least, most] = [hex.length / 2, FRAME_HEX / 2];
  if (length < least || length > most)
    throw new UsageError(
      `len ${length}: behind hex digits it is the length of the whole frame; give ${least} (the bytes given) to ${most}`,
    );
  return hex.padEnd(2 * length, '0');
}

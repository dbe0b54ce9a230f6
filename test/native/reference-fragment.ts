/**
 * Slow reference for fragmentation (RFC 791 section 3.2): each fragment is built as a whole frame. Options that are not copied
 * become no operations, as in Linux, so all fragments have headers of one length.
 */
import { slowSum } from './packets.js';

/** The frame, an IPv4 packet behind at most two tags, as frames of at most `most` bytes. */
export function fragmentSlowly(frame: Buffer, most: number): Buffer[] {
  let type = 12;
  while ([0x8100, 0x88a8].includes(frame.readUInt16BE(type))) type += 4;
  const l3 = type + 2;
  const size = (frame[l3] & 15) * 4;
  const total = frame.readUInt16BE(l3 + 2);
  if (l3 + total <= most) return [frame.subarray(0, l3 + total)];
  const payload = frame.subarray(l3 + size, l3 + total);
  const step = Math.floor((most - l3 - size) / 8) * 8;
  const word = frame.readUInt16BE(l3 + 6);
  const fragments: Buffer[] = [];
  for (let at = 0; at < payload.length; at += step) {
    const part = payload.subarray(at, at + step);
    const header = Buffer.from(frame.subarray(0, l3 + size));
    const more = at + step < payload.length || (word & 0x2000) !== 0;
    header.writeUInt16BE(size + part.length, l3 + 2);
    header.writeUInt16BE((word & 0xc000) | (more ? 0x2000 : 0) | ((word & 0x1fff) + at / 8), l3 + 6);
    if (at > 0) leaveCopied(header.subarray(l3 + 20));
    header.writeUInt16BE(0, l3 + 10);
    header.writeUInt16BE(~slowSum(header.subarray(l3)) & 0xffff, l3 + 10);
    fragments.push(Buffer.concat([header, part]));
  }
  return fragments;
}

function leaveCopied(options: Buffer): void {
  for (let at = 0; at < options.length && options[at] !== 0; ) {
    const length = options[at] === 1 ? 1 : options[at + 1];
    if (options[at] < 0x80) options.fill(1, at, at + length);
    at += length;
  }
}

/**
 * Slow reference for the segmentation by a NIC: each segment is built as a whole frame, with every field and checksum computed
 * from that frame alone. Obviously correct, whatever the cost.
 */
import { CWR, complete, FIN, type Packet, PSH, slowSum, TCP } from './packets.js';

/** Whole frames with complete checksums, in order. */
export function splitSlowly(superframe: Packet, segmentSize: number): Buffer[] {
  const payload = superframe.bytes.subarray(superframe.payload);
  const count = Math.max(1, Math.ceil(payload.length / segmentSize));
  return Array.from({ length: count }, (_, i) => {
    const part = payload.subarray(i * segmentSize, (i + 1) * segmentSize);
    const bytes = Buffer.concat([superframe.bytes.subarray(0, superframe.payload), part]);
    const segment = { ...superframe, bytes };
    writeIp(segment, i);
    if (segment.protocol === TCP) writeTcp(segment, i * segmentSize, i === 0, i === count - 1);
    else bytes.writeUInt16BE(bytes.length - segment.l4, segment.l4 + 4);
    complete(segment);
    return bytes;
  });
}

function writeIp({ bytes, family, l3, l4 }: Packet, i: number): void {
  if (family === 6) {
    bytes.writeUInt16BE(bytes.length - l3 - 40, l3 + 4);
    return;
  }
  bytes.writeUInt16BE(bytes.length - l3, l3 + 2);
  bytes.writeUInt16BE((bytes.readUInt16BE(l3 + 4) + i) & 0xffff, l3 + 4);
  bytes.writeUInt16BE(0, l3 + 10);
  bytes.writeUInt16BE(~slowSum(bytes.subarray(l3, l4)) & 0xffff, l3 + 10);
}

function writeTcp({ bytes, l4 }: Packet, at: number, first: boolean, last: boolean): void {
  bytes.writeUInt32BE((bytes.readUInt32BE(l4 + 4) + at) >>> 0, l4 + 4);
  if (!last) bytes[l4 + 13] &= ~(FIN | PSH);
  if (!first) bytes[l4 + 13] &= ~CWR;
}

/**
 * Literal frames of IGMP and MLD, with checksums computed by hand, and parsing as in the data path.
 */
import { fromHex, viewOf } from '../../src/wire/bytes.js';
import type { GroupMessage } from '../../src/wire/group-message.js';
import { igmpMessage, readIgmp } from '../../src/wire/igmp.js';
import { L3_END, L3_OFFSET, L4_OFFSET, LAYOUT_WORDS, parseInner } from '../../src/wire/inner.js';
import { mldMessage, readMld } from '../../src/wire/mld.js';

/** Ethernet, an IPv4 header with Router Alert, IGMP. */
export const IGMP = {
  v1Query: '01005e000001 02000000000a 0800 46c000200000400001023e03c6120001e000000194040000 1100eeff00000000',
  v2Query: '01005e000001 02000000000a 0800 46c000200000400001023e03c6120001e000000194040000 1164ee9b00000000',
  v2GroupQuery: '01005e010101 02000000000a 0800 46c000200000400001022e02c6120001ef01010194040000 110afef2ef010101',
  v3Query: '01005e000001 02000000000a 0800 46c000240000400001023dffc6120001e000000194040000 118febf300000000027d0000',
  v3SourceQuery:
    '01005e010101 02000000000a 0800 46c000280000400001022dfac6120001ef01010194040000 110aca37ef0101010a7d0001c6336409',
  v1Report: '01005e010101 02000000000a 0800 46c000200000400001022e01c6120002ef01010194040000 1200fdfcef010101',
  v2Report: '01005e010101 02000000000a 0800 46c000200000400001022e01c6120002ef01010194040000 1600f9fcef010101',
  v2Leave: '01005e000002 02000000000a 0800 46c000200000400001023e01c6120002e000000294040000 1700f8fcef010101',
  /** Excludes nothing of 239.1.1.1, includes nothing of .2, a source of 232.1.1.1 with auxiliary data, blocks one of .2. */
  v3Report:
    '01005e000016 02000000000a 0800 46c0004c0000400001023dc1c6120002e000001694040000 22002bd300000004' +
    '04000000ef010101 03000000ef010102 01010001e8010101c6336409deadbeef 06000001e8010102c6336409',
} as const;

/** Ethernet, IPv6, a hop-by-hop header with Router Alert, MLD. */
export const MLD = {
  v1Query:
    '333300000001 02000000000a 86dd 6000000000200001 fe800000000000000000000000000001' +
    'ff020000000000000000000000000001 3a00050200000100 8200591727100000 00000000000000000000000000000000',
  v1GroupQuery:
    '333300000123 02000000000a 86dd 6000000000200001 fe800000000000000000000000000001' +
    'ff0e0000000000000000000000000123 3a00050200000100 82007adf03e80000 ff0e0000000000000000000000000123',
  v2Query:
    '333300000001 02000000000a 86dd 6000000000240001 fe800000000000000000000000000001' +
    'ff020000000000000000000000000001 3a00050200000100 8200e5a590000000 00000000000000000000000000000000 0a7d0000',
  v1Report:
    '333300000123 02000000000a 86dd 6000000000200001 fe80000000000000000000000000000a' +
    'ff0e0000000000000000000000000123 3a00050200000100 83007dbe00000000 ff0e0000000000000000000000000123',
  v1Done:
    '333300000002 02000000000a 86dd 6000000000200001 fe80000000000000000000000000000a' +
    'ff020000000000000000000000000002 3a00050200000100 84007deb00000000 ff0e0000000000000000000000000123',
  /** Excludes nothing of ff0e::123, includes nothing of ff0e::124. */
  v2Report:
    '333300000016 02000000000a 86dd 6000000000380001 fe80000000000000000000000000000a' +
    'ff020000000000000000000000000016 3a00050200000100 8f006b8a00000002' +
    '04000000ff0e0000000000000000000000000123 03000000ff0e0000000000000000000000000124',
} as const;

/** Where the message begins in the frames above. */
export const IGMP_AT = 14 + 24;
export const MLD_AT = 14 + 40 + 8;

export interface Reading {
  /** MESSAGE_*. */
  kind: number;
  message: GroupMessage | null;
}

/** Reads a frame as the data path does. @param finished whether its checksum is finished */
export function readFrame(family: 4 | 6, frame: Uint8Array, finished = true): Reading {
  const layout = new Int32Array(LAYOUT_WORDS);
  const view = viewOf(frame);
  parseInner(view, 0, frame.length, layout);
  const [l3, l4, end] = [layout[L3_OFFSET], layout[L4_OFFSET], layout[L3_END]];
  if (l4 === 0) return { kind: 0, message: null };
  const kind = (family === 4 ? igmpMessage : mldMessage)(view, l3, l4, end, finished);
  return { kind, message: kind === 0 ? null : (family === 4 ? readIgmp : readMld)(view, l3, l4, end) };
}

/** A frame above with bytes changed: `{ 38: 0x16 }`. */
export function changed(hex: string, bytes: Record<number, number>): Uint8Array {
  const frame = fromHex(hex);
  for (const [at, value] of Object.entries(bytes)) frame[Number(at)] = value;
  return frame;
}

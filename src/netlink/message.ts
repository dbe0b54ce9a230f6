/** Messages of netlink (RFC 3549 section 2.3.2; linux/netlink.h): headers, acknowledgements, ends of dumps. In the byte order of the host, which is little-endian on each of Node's Linux platforms that is supported. */
import { stringAttribute, writeAttributes } from './attributes.js';

export const HEADER_BYTES = 16;

export const NLM_F = {
  REQUEST: 1,
  MULTI: 2,
  ACK: 4,
  /** Of GET: the whole table (NLM_F_ROOT | NLM_F_MATCH). */
  DUMP: 0x300,
  /** Of NEW. */
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
  /** Of DEL. */
  BULK: 0x200,
  /** Of an acknowledgement: the request's payload is left out; attributes follow. */
  CAPPED: 0x100,
  ACK_TLVS: 0x200,
} as const;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
/** NLMSGERR_ATTR_MSG. */
const ERROR_TEXT = 1;

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly pid: number;
  readonly payload: Buffer;
}

const align = (length: number): number => (length + 3) & ~3;

/**
 * Splits a datagram into its messages. As the kernel does (netlink_rcv_skb), it ends where a length is smaller than a header or
 * leads past the end: programs send the rest of their buffers too.
 */
export function readMessages(bytes: Buffer): Message[] {
  const messages: Message[] = [];
  for (let at = 0; bytes.length - at >= HEADER_BYTES; ) {
    const length = bytes.readUInt32LE(at);
    if (length < HEADER_BYTES || length > bytes.length - at) break;
    messages.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      seq: bytes.readUInt32LE(at + 8),
      pid: bytes.readUInt32LE(at + 12),
      payload: bytes.subarray(at + HEADER_BYTES, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** One message with its padding. */
export function writeMessage({ type, flags, seq, pid, payload }: Message): Buffer {
  const out = Buffer.alloc(align(HEADER_BYTES + payload.length));
  out.writeUInt32LE(HEADER_BYTES + payload.length, 0);
  out.writeUInt16LE(type, 4);
  out.writeUInt16LE(flags, 6);
  out.writeUInt32LE(seq >>> 0, 8);
  out.writeUInt32LE(pid >>> 0, 12);
  payload.copy(out, HEADER_BYTES);
  return out;
}

/** The acknowledgement of a request. @param errno positive; 0: done @param portid of the socket that asked */
export function acknowledgement(request: Message, portid: number, errno = 0, text = ''): Buffer {
  const head = Buffer.alloc(4 + HEADER_BYTES);
  head.writeInt32LE(-errno, 0);
  writeMessage({ ...request, payload: Buffer.alloc(0) }).copy(head, 4);
  head.writeUInt32LE(HEADER_BYTES + request.payload.length, 4);
  const note = text === '' ? Buffer.alloc(0) : writeAttributes([stringAttribute(ERROR_TEXT, text)]);
  const flags = NLM_F.CAPPED | (text === '' ? 0 : NLM_F.ACK_TLVS);
  return writeMessage({
    type: NLMSG_ERROR,
    flags,
    seq: request.seq,
    pid: portid,
    payload: Buffer.concat([head, note]),
  });
}

/** What ends a dump. */
export function dumpEnd(request: Message, portid: number): Buffer {
  return writeMessage({
    type: NLMSG_DONE,
    flags: NLM_F.MULTI,
    seq: request.seq,
    pid: portid,
    payload: Buffer.alloc(4),
  });
}

export const isDone = ({ type }: Message): boolean => type === NLMSG_DONE;

/** The errno of an acknowledgement, positive; undefined: it is none. */
export function errnoOf({ type, payload }: Message): number | undefined {
  return type === NLMSG_ERROR && payload.length >= 4 ? 0 - payload.readInt32LE(0) : undefined;
}

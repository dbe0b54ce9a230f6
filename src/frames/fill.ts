/**
 * Supplies what a description does not say. MACs come from the switch's tables where they have one; else they are made from the IP
 * address, so that one address always has one MAC: 02:00 and its last four bytes.
 */
import { formatMac } from '../wire/ethernet.js';
import { addressBytes, parseAddress } from '../wire/ip-address.js';
import type { FrameSpec, IpBody, ResolveBody } from './spec.js';

/** What a switch knows. */
export interface Known {
  /** The MAC that an address has by the neighbour table. */
  macOf(address: string): string | undefined;
  /** The one MAC that is known behind the port of the frame. */
  ownMac?: string | undefined;
}

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const ALL_NODES = '33:33:00:00:00:01';
const ADDRESSES = { 4: ['10.0.0.1', '10.0.0.2'], 6: ['fd00::1', 'fd00::2'] } as const;

/** A MAC that is no host's as far as anybody knows: made from the address. */
export interface MadeMac {
  mac: string;
  address: string;
}

/** A description with both MACs and all addresses. */
export type FullSpec = FrameSpec & {
  src: string;
  dst: string;
  /** Of `src`, `dst` and `mac`: those that were made. */
  made: readonly MadeMac[];
  body:
    | (Required<Pick<IpBody, 'from' | 'to'>> & IpBody)
    | (ResolveBody & { other: string; mac: string })
    | FrameSpec['body'];
};

export function fillFrame(spec: FrameSpec, known: Known): FullSpec {
  const { body } = spec;
  const macs = new Macs(spec, known);
  const { made } = macs;
  if (body.kind === 'ip') {
    const [from, to] = [body.from ?? ADDRESSES[body.family][0], body.to ?? ADDRESSES[body.family][1]];
    const [src, dst] = [macs.own(from), spec.dst ?? groupMac(to) ?? macs.of(to)];
    return { ...spec, body: { ...body, from, to }, src, dst, made };
  }
  if (body.kind === 'type') {
    const src = spec.src ?? known.ownMac ?? macs.make(ADDRESSES[4][0]);
    return { ...spec, src, dst: spec.dst ?? BROADCAST, made };
  }
  return body.what === 'request' ? fillRequest(spec, body, macs) : fillReply(spec, body, macs);
}

function fillRequest(spec: FrameSpec, body: ResolveBody, macs: Macs): FullSpec {
  const other = body.other ?? ADDRESSES[body.family][0];
  const src = isUnspecified(other) && spec.src === undefined ? macs.own(ADDRESSES[body.family][0]) : macs.own(other);
  const dst = spec.dst ?? (body.family === 4 ? BROADCAST : solicitedMac(body.target));
  return { ...spec, src, dst, body: { ...body, other, mac: src }, made: macs.made };
}

function fillReply(spec: FrameSpec, body: ResolveBody, macs: Macs): FullSpec {
  const mac = body.mac ?? macs.own(body.target);
  // Without a receiver the reply announces the address to all.
  const toAll = body.family === 4 ? BROADCAST : ALL_NODES;
  const dst = spec.dst ?? (body.other === undefined ? toAll : macs.of(body.other));
  const full: ResolveBody = { ...body, mac, other: body.other ?? body.target };
  return { ...spec, src: spec.src ?? mac, dst, body: full, made: macs.made };
}

/** MACs of hosts: what is said or known, otherwise made, with a note of it. */
class Macs {
  readonly made: MadeMac[] = [];

  constructor(
    private readonly spec: FrameSpec,
    private readonly known: Known,
  ) {}

  of(address: string): string {
    return this.known.macOf(address) ?? this.make(address);
  }

  /** Of the sender. */
  own(address: string): string {
    return this.spec.src ?? this.known.macOf(address) ?? this.known.ownMac ?? this.make(address);
  }

  make(address: string): string {
    const mac = madeMac(address);
    if (!this.made.some((one) => one.mac === mac)) this.made.push({ mac, address });
    return mac;
  }
}

/** The MAC of a multicast or broadcast address (RFC 1112 section 6.4, RFC 2464 section 7). */
function groupMac(address: string): string | undefined {
  const bytes = addressBytes(address);
  if (bytes.length === 16) {
    return bytes[0] === 0xff ? formatMac(0x3333, tailOf(bytes)) : undefined;
  }
  if (address === '255.255.255.255') return BROADCAST;
  return bytes[0] >= 224 && bytes[0] < 240 ? formatMac(0x0100, 0x5e000000 | (tailOf(bytes) & 0x7fffff)) : undefined;
}

/** The MAC of the solicited-node group of an address (RFC 4291 section 2.7.1). */
export function solicitedMac(address: string): string {
  return formatMac(0x3333, 0xff000000 | (tailOf(addressBytes(address)) & 0xffffff));
}

export function madeMac(address: string): string {
  return formatMac(0x0200, tailOf(addressBytes(address)));
}

function tailOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4).getInt32(0);
}

export function isUnspecified(address: string): boolean {
  const parsed = parseAddress(address);
  return parsed === null || parsed.words.every((word, index) => word === 0 || (index === 2 && parsed.family === 4));
}

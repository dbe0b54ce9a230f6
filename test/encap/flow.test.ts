import { describe, expect, it } from 'vitest';
import { flowHash } from '../../src/encap/flow.js';
import { concatBytes, viewOf } from '../../src/wire/bytes.js';
import { LAYOUT_WORDS, parseInner } from '../../src/wire/inner.js';
import { encodeIpv4, PROTOCOL_TCP, PROTOCOL_UDP } from '../../src/wire/ipv4.js';
import { A, B, bytes, C, frame, type PacketFields, packet } from '../dataplane/support/frames.js';

function hash(frameBytes: Uint8Array, offset = 0): number {
  const layout = new Int32Array(LAYOUT_WORDS);
  const view = viewOf(concatBytes(bytes(offset), frameBytes));
  parseInner(view, offset, frameBytes.length, layout);
  return flowHash(view, offset, layout);
}

const KINDS: PacketFields[] = [{}, { protocol: 'udp' }, { version: 6 }, { version: 6, protocol: 'udp' }];

describe('the flow hash', () => {
  it('is a number from 0 to 2^31 - 1', () => {
    for (let sourcePort = 0; sourcePort < 2000; sourcePort++) {
      const h = hash(packet({ sourcePort }));
      expect(Number.isInteger(h) && h >= 0 && h <= 0x7fffffff).toBe(true);
    }
  });

  it.each(KINDS)('is the same wherever the frame lies, whatever it carries, by whatever MACs: %o', (kind) => {
    const h = hash(packet(kind));
    expect(hash(packet(kind), 130)).toBe(h);
    expect(hash(packet({ ...kind, data: 1000 }))).toBe(h);
    expect(hash(packet({ ...kind, tos: 0xb9 }))).toBe(h);
    expect(hash(packet({ ...kind, tci: 0x6007 }))).toBe(h);
    expect(hash(packet({ ...kind, source: C, destination: A }))).toBe(h);
    expect(hash(packet({ ...kind, checksum: 'partial' }))).toBe(h);
  });

  it.each(KINDS)('differs with each field of the flow: %o', (kind) => {
    const v6 = kind.version === 6;
    const hashes = [
      kind,
      { ...kind, sourcePort: 1 },
      { ...kind, destinationPort: 1 },
      { ...kind, sourceAddress: v6 ? '2001:db8:1::1' : '198.18.1.1' },
      { ...kind, destinationAddress: v6 ? '2001:db8::1:2' : '198.19.0.2' },
      { ...kind, protocol: kind.protocol === 'udp' ? ('tcp' as const) : ('udp' as const) },
    ].map((fields) => hash(packet(fields)));
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('takes MACs where there is no IP', () => {
    const hashes = [frame(), frame({ source: C }), frame({ destination: C }), frame({ source: B, destination: A })].map(
      (f) => hash(f),
    );
    expect(new Set(hashes).size).toBe(4);
    expect(hash(frame({ payload: bytes(9) }))).toBe(hash(frame()));
    expect(hash(frame({ tci: 5 }))).toBe(hash(frame()));
  });

  it('has all parts of a fragmented datagram in one flow', () => {
    const part = (fragmentOffset: number, moreFragments: boolean, payload: Uint8Array) =>
      hash(
        frame({
          etherType: 0x0800,
          payload: encodeIpv4({
            source: '198.18.0.1',
            destination: '198.18.0.2',
            protocol: PROTOCOL_UDP,
            payload,
            fragmentOffset,
            moreFragments,
          }),
        }),
      );
    const first = part(0, true, bytes(64));
    expect(part(64, true, bytes(64).reverse())).toBe(first);
    expect(part(128, false, new Uint8Array(8))).toBe(first);
  });

  it('reads no ports where the packet ends before them', () => {
    for (let length = 0; length < 20; length++) {
      const short = (fill: number) =>
        encodeIpv4({
          source: '198.18.0.1',
          destination: '198.18.0.2',
          protocol: PROTOCOL_TCP,
          payload: new Uint8Array(length).fill(fill),
        });
      expect(hash(frame({ etherType: 0x0800, payload: short(1) }))).toBe(
        hash(frame({ etherType: 0x0800, payload: short(2) })),
      );
    }
  });
});

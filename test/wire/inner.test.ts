import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, viewOf } from '../../src/wire/bytes.js';
import { encodeEthernet } from '../../src/wire/ethernet.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, LAYOUT_WORDS, parseInner } from '../../src/wire/inner.js';
import { encodeIpv4, type Ipv4Fields, ipv4Protocol } from '../../src/wire/ipv4.js';
import { encodeIpv6, type Ipv6Fields } from '../../src/wire/ipv6.js';
import { encodeTcp } from '../../src/wire/tcp.js';
import { encodeUdp } from '../../src/wire/udp.js';
import { encodeVlan } from '../../src/wire/vlan.js';

const V4 = { source: '192.0.2.1', destination: '192.0.2.2' };
const V6 = { source: '2001:db8::1', destination: '2001:db8::2' };
const TCP = encodeTcp({ sourcePort: 1, destinationPort: 2, payload: fromHex('0102030405') }, V4);
const UDP = encodeUdp({ sourcePort: 1, destinationPort: 2, payload: fromHex('01020304') }, V6);

const frameOf = (etherType: number, payload: Uint8Array): Uint8Array =>
  encodeEthernet({ destination: '02:00:00:00:00:02', source: '02:00:00:00:00:01', etherType, payload });
const v4 = (fields: Partial<Ipv4Fields> = {}): Uint8Array =>
  frameOf(0x0800, encodeIpv4({ ...V4, protocol: 6, payload: TCP, ...fields }));
const v6 = (fields: Partial<Ipv6Fields> = {}): Uint8Array =>
  frameOf(0x86dd, encodeIpv6({ ...V6, nextHeader: 17, payload: UDP, ...fields }));
const patch = (frame: Uint8Array, at: number, bytes: string): Uint8Array => {
  const copy = frame.slice();
  copy.set(fromHex(bytes), at);
  return copy;
};

/** Parses a frame that ends where its view ends, so that a read past it throws. */
function parse(frame: Uint8Array, before = 0): number[] {
  const layout = new Int32Array(LAYOUT_WORDS).fill(-7);
  parseInner(viewOf(concatBytes(new Uint8Array(before).fill(0x45), frame)), before, frame.length, layout);
  return [...layout];
}

describe('frames without a sound IP header', () => {
  it.each([
    ['of no bytes', new Uint8Array(0)],
    ['of 13 bytes', v4().slice(0, 13)],
    ['of 14 bytes, of type IPv4', v4().slice(0, 14)],
    ['of 14 bytes, of type 802.1Q', frameOf(0x8100, new Uint8Array(0))],
    ['of 17 bytes with half a tag', frameOf(0x8100, fromHex('000508'))],
    ['of type ARP', frameOf(0x0806, new Uint8Array(40).fill(0x45))],
    [
      'with three tags',
      frameOf(0x88a8, encodeVlan(5, 0x8100, encodeVlan(6, 0x8100, encodeVlan(7, 0x0800, v4().slice(14))))),
    ],
    ['of 21 bytes with half a second tag', frameOf(0x88a8, fromHex('00058100060800').slice(0, 7))],
    ['of type IPv4 with an IPv6 packet', frameOf(0x0800, v6().slice(14))],
    ['of type IPv6 with an IPv4 packet', frameOf(0x86dd, v4({ payload: new Uint8Array(40) }).slice(14))],
    ['with an IPv4 header cut off by a byte', v4().slice(0, 33)],
    ['with an IPv4 header of 16 bytes', patch(v4(), 14, '44')],
    ['with IPv4 options that are cut off', patch(v4({ payload: new Uint8Array(0) }), 14, '46')],
    ['with an IPv4 length below its header', patch(v4(), 16, '0013')],
    ['with an IPv6 header cut off by a byte', v6().slice(0, 53)],
  ])('%s', (_name, frame) => {
    expect(parse(frame)).toEqual([0, 0, 0, 0, frame.length]);
    expect(parse(frame, 3)).toEqual([0, 0, 0, 0, frame.length + 3]);
  });
});

describe('IP packets without a transport to read', () => {
  const later = { fragmentOffset: 8 };
  it.each([
    ['the first IPv4 fragment', v4({ moreFragments: true }), [14, 4, 0, 6, 59]],
    ['a later IPv4 fragment', v4(later), [14, 4, 0, 6, 59]],
    ['an IPv4 length beyond the frame', v4().slice(0, 58), [14, 4, 0, 6, 58]],
    ['a TCP header cut off by a byte', v4({ payload: TCP.slice(0, 19) }), [14, 4, 0, 6, 53]],
    ['a UDP header cut off by a byte', v4({ protocol: 17, payload: UDP.slice(0, 7) }), [14, 4, 0, 17, 41]],
    ['a TCP header only in the padding', concatBytes(v4({ payload: TCP.slice(0, 8) }), TCP), [14, 4, 0, 6, 42]],
    ['another protocol without a byte', v4({ protocol: 1, payload: new Uint8Array(0) }), [14, 4, 0, 1, 34]],
    ['an IPv6 fragment', v6({ nextHeader: 44, payload: fromHex('1100000900000001') }), [14, 6, 0, 17, 62]],
    ['an IPv6 length beyond the frame', v6().slice(0, 65), [14, 6, 0, 17, 65]],
    ['IPv6 with no next header', v6({ nextHeader: 59 }), [14, 6, 0, 59, 66]],
    [
      'IPv6 options only in the padding',
      concatBytes(v6({ nextHeader: 60, payload: fromHex('11000104') }), UDP),
      [14, 6, 0, 60, 58],
    ],
  ])('%s', (_name, frame, layout) => {
    expect(parse(frame)).toEqual(layout);
  });
});

describe('IP packets with a transport', () => {
  const shift = (layout: number[], by: number): number[] =>
    layout.map((word, i) => (i === L3_KIND || i === L4_PROTOCOL ? word : word + by));

  it.each([
    ['IPv4 with TCP', v4(), [14, 4, 34, 6, 59]],
    ['IPv4 with options', v4({ options: fromHex('0101010001010100') }), [14, 4, 42, 6, 67]],
    ['IPv4 with padding', concatBytes(v4({ payload: TCP.slice(0, 20) }), new Uint8Array(6)), [14, 4, 34, 6, 54]],
    ['IPv4 with DF', v4({ dontFragment: true }), [14, 4, 34, 6, 59]],
    ['IPv4 with a length of 0', patch(v4(), 16, '0000'), [14, 4, 34, 6, 59]],
    ['IPv4 with a single byte of another protocol', v4({ protocol: 47, payload: fromHex('00') }), [14, 4, 34, 47, 35]],
    ['IPv6 with UDP', v6(), [14, 6, 54, 17, 66]],
    ['IPv6 with padding', concatBytes(v6(), fromHex('0000')), [14, 6, 54, 17, 66]],
    ['IPv6 with a length of 0', patch(v6(), 18, '0000'), [14, 6, 54, 17, 66]],
    [
      'IPv6 with options',
      v6({ nextHeader: 60, payload: concatBytes(fromHex('1100010400000000'), UDP) }),
      [14, 6, 62, 17, 74],
    ],
  ])('%s', (_name, frame, layout) => {
    expect(parse(frame)).toEqual(layout);
    expect(parse(frame, 101)).toEqual(shift(layout, 101));
    const tagged = concatBytes(frame.slice(0, 12), fromHex('8100a005'), frame.slice(12));
    expect(parse(tagged)).toEqual(shift(layout, 4));
  });

  it('a frame of 100 KiB whose IP header cannot say so', () => {
    const payload = encodeTcp(
      { sourcePort: 1, destinationPort: 2, payload: new Uint8Array(100_000) },
      { ...V4, checksum: 'zero' },
    );
    expect(parse(v4({ payload }))).toEqual([14, 4, 34, 6, 100_054]);
    expect(parse(v6({ nextHeader: 6, payload }))).toEqual([14, 6, 54, 6, 100_074]);
  });
});

describe('any bytes', () => {
  const check = (frame: Uint8Array): void => {
    const layout = parse(frame);
    const [l3, kind, l4, protocol, end] = layout as [number, number, number, number, number];
    expect(end).toBeLessThanOrEqual(frame.length);
    expect([0, 4, 6]).toContain(kind);
    if (kind === 0) expect([l3, l4, protocol, end]).toEqual([0, 0, 0, frame.length]);
    else expect(l3 + (kind === 4 ? 20 : 40)).toBeLessThanOrEqual(end);
    if (kind === 4) expect(protocol).toBe(ipv4Protocol(viewOf(frame), l3));
    if (l4 === 0) return;
    expect(l4).toBeGreaterThanOrEqual(l3 + (kind === 4 ? 20 : 40));
    expect(l4 + (protocol === 6 ? 20 : protocol === 17 ? 8 : 1)).toBeLessThanOrEqual(end);
    expect([layout[L3_OFFSET], layout[L3_KIND], layout[L4_OFFSET], layout[L3_END]]).toEqual([l3, kind, l4, end]);
  };

  it('are never read beyond the end of the frame', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), check), { numRuns: 2000 });
  });

  it('behind a type field that says IP neither', () => {
    const types = fc.constantFrom('0800', '86dd', '810000050800', '8100000586dd');
    const first = fc.constantFrom('45', '46', '4f', '60');
    const bytes = fc.uint8Array({ maxLength: 120 });
    fc.assert(
      fc.property(types, first, bytes, (type, version, rest) => {
        check(concatBytes(new Uint8Array(12), fromHex(type), fromHex(version), rest));
      }),
      { numRuns: 5000 },
    );
  });

  it('of a good frame, cut off or with bytes changed, neither', () => {
    const chain = `00 00 010400000000 2b00 000000000000 2c00 000000000000 0600 0000 00000000`.replaceAll(' ', '');
    const frames = [v4(), v6(), v6({ nextHeader: 0, payload: concatBytes(fromHex(chain), TCP) })];
    const changes = fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...frames), changes, fc.nat(30), (frame, edits, cut) => {
        const copy = frame.slice();
        for (const [at, value] of edits) if (at < copy.length) copy[at] = value;
        check(copy.slice(0, copy.length - cut));
      }),
      { numRuns: 5000 },
    );
  });
});

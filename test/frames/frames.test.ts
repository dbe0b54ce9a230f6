/** Frames in words: literal bytes, errors, and words that come back from the bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildFrame } from '../../src/frames/build.js';
import { describeFrame } from '../../src/frames/describe.js';
import { fillFrame, type Known } from '../../src/frames/fill.js';
import { parseFrame } from '../../src/frames/parse.js';
import { FrameTextError } from '../../src/frames/spec.js';
import { fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import { fold, pseudoHeaderSum4, pseudoHeaderSum6, sum16 } from '../../src/wire/checksum.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, parseInner } from '../../src/wire/inner.js';

const NOTHING: Known = { macOf: () => undefined };
const built = (text: string, known = NOTHING): ReturnType<typeof buildFrame> =>
  buildFrame(fillFrame(parseFrame(text), known));
const hex = (text: string, known = NOTHING): string => toHex(built(text, known).bytes);

describe('words for a frame', () => {
  it('make an ARP request, byte by byte', () => {
    expect(hex('arp who-has 10.0.0.2 tell 10.0.0.1')).toBe(
      'ffffffffffff02000a000001' + '0806' + '0001080006040001' + '02000a0000010a000001' + '0000000000000a000002',
    );
  });

  it('make an ARP reply to one host, with a tag and its priority', () => {
    const mac = '02:00:00:00:00:02';
    expect(hex(`src ${mac} dst 02:00:00:00:00:01 vlan 10 prio 3 arp reply 10.0.0.2 is-at ${mac} to 10.0.0.1`)).toBe(
      '020000000001020000000002' +
        '8100600a' +
        '0806' +
        '0001080006040002' +
        '0200000000020a000002' +
        '0200000000010a000001',
    );
  });

  it('make UDP over IPv4 with right lengths and checksums', () => {
    expect(hex('src 02:00:00:00:00:01 dst 02:00:00:00:00:02 ip 10.0.0.1 > 10.0.0.2 udp 5000 > 53 len 2')).toBe(
      '020000000002020000000001' +
        '0800' +
        '4500001e0000000040' +
        '1166cd' +
        '0a0000010a000002' +
        '13880035000a' +
        'd81a' +
        '0000',
    );
  });

  it('say which MACs were made', () => {
    expect(built('icmp').made).toEqual([
      { mac: '02:00:0a:00:00:01', address: '10.0.0.1' },
      { mac: '02:00:0a:00:00:02', address: '10.0.0.2' },
    ]);
    const known: Known = { macOf: () => undefined, ownMac: '02:aa:00:00:00:01' };
    expect(built('arp who-has 10.0.0.9 tell 10.0.0.1', known).made).toEqual([]);
    expect(built('arp reply 10.0.0.9 to 10.0.0.7', known).made).toEqual([
      { mac: '02:00:0a:00:00:07', address: '10.0.0.7' },
    ]);
    expect(built('type 0x88b5').made).toEqual([{ mac: '02:00:0a:00:00:01', address: '10.0.0.1' }]);
    expect(built('src 02:00:00:00:00:01 dst 02:00:00:00:00:02 ip6 fd00::1 > fd00::2').made).toEqual([]);
    expect(built('ip 10.0.0.1 > 255.255.255.255', known).made).toEqual([]);
  });

  it('take MACs from what the switch knows, before they make one from the address', () => {
    const known: Known = {
      macOf: (address) => (address === '10.0.0.2' ? '02:aa:00:00:00:02' : undefined),
      ownMac: '02:aa:00:00:00:01',
    };
    expect(hex('icmp echo', known).slice(0, 24)).toBe('02aa0000000202aa00000001');
    expect(hex('icmp echo').slice(0, 24)).toBe('02000a00000202000a000001');
    expect(hex('ip 10.0.0.1 > 239.1.2.3 udp').slice(0, 12)).toBe('01005e010203');
    expect(hex('nd who-has fd00::12:3456').slice(0, 12)).toBe('3333ff123456');
  });

  it('make a superframe with the header that a guest gives it', () => {
    const { bytes, offload } = built('tcp 1 > 2 len 60000 gso 1448');
    expect(bytes).toHaveLength(14 + 20 + 20 + 60_000);
    expect(offload).toEqual({ vnet: 0x101, gso: 1448 | (54 << 16), csum: 34 | (16 << 16) });
  });

  it.each([
    ['arp who-hsa 10.0.0.2', 'character 5: expected who-has or reply, and found "who-hsa"; did you mean "who-has"?'],
    ['vlan 5000 icmp', 'character 6: "5000" is not a VLAN ID: give 0 to 4095'],
    ['src 02:00', 'character 5: "02:00" is no MAC address: write one as 02:00:00:00:00:01'],
    ['ip 10.0.0.1 10.0.0.2', 'character 13: expected ">" and the destination address, and found "10.0.0.2"'],
    ['ip 10.0.0.1 > 10.0.0.256 udp', 'character 15: "10.0.0.256" is not an IPv4 address such as 10.0.0.1'],
    ['udp lne 5', 'character 5: nothing more is expected than len and gso, and found "lne"; did you mean "len"?'],
    [
      'udp dst 02:00:00:00:00:01',
      'character 5: nothing more is expected than len and gso, and found "dst"; "dst" stands further ahead',
    ],
    ['tcp flags SX', 'character 11: "X" is no TCP flag: S, A, P, F, R, U'],
    ['arp who-has', 'character 12: expected an IPv4 address such as 10.0.0.1 at the end'],
    ['icmp gso 500', 'character 13: gso is of tcp and udp: say "tcp len 60000 gso 1448"'],
  ])('%s: the error names place and remedy', (text, message) => {
    expect(() => parseFrame(text)).toThrow(FrameTextError);
    expect(() => parseFrame(text)).toThrow(message);
  });

  it('says what may stand where nothing is read', () => {
    expect(() => parseFrame('10.0.0.1 > 10.0.0.2 udp')).toThrow(
      'character 1: before the address "10.0.0.1" the word ip is missing: "ip 10.0.0.1 > ADDRESS"',
    );
    expect(() => parseFrame('vlan 2 fd00::1 > fd00::2')).toThrow(
      'character 8: before the address "fd00::1" the word ip6 is missing',
    );
    expect(() => parseFrame('02:00:00:00:00:01 > 02:00:00:00:00:02')).toThrow(
      'before "02:00:00:00:00:01" say whose MAC address it is: "src MAC dst MAC"',
    );
    expect(() => parseFrame('')).toThrow('expected what the frame carries, and the text ends (arp, nd, ip,');
    expect(() => parseFrame('dts 02:00:00:00:00:01')).toThrow('did you mean "dst"?');
  });
});

// ---- Any frame

const mac = fc.integer({ min: 0, max: 0xffffffff }).map((low) => {
  const text = low.toString(16).padStart(8, '0');
  return `02:00:${text.slice(0, 2)}:${text.slice(2, 4)}:${text.slice(4, 6)}:${text.slice(6)}`;
});
const ip4 = fc
  .tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(255))
  .map((parts) => parts.join('.'));
const ip6 = fc.nat(0xfffe).map((part) => `fd00::${(part + 1).toString(16)}`);
const port = fc.nat(65_535);
const tag = fc
  .tuple(fc.constantFrom('vlan', 'qinq'), fc.nat(4095), fc.nat(7))
  .map(([kind, vid, priority]) => `${kind} ${vid}${priority === 0 ? '' : ` prio ${priority}`}`);
const upper = fc.oneof(
  fc.tuple(port, port, fc.nat(1400)).map(([from, to, len]) => `udp ${from} > ${to} len ${len}`),
  fc
    .tuple(port, port, fc.constantFrom('S', 'SA', 'A', 'PA', 'FA', 'R'), fc.nat(1400))
    .map(([from, to, flags, len]) => `tcp ${from} > ${to} flags ${flags} len ${len}`),
  fc.tuple(fc.constantFrom('echo', 'echo-reply'), fc.nat(1400)).map(([what, len]) => `icmp ${what} len ${len}`),
);
const body = fc.oneof(
  fc.tuple(ip4, ip4).map(([target, other]) => `arp who-has ${target} tell ${other}`),
  fc.tuple(ip6, ip6).map(([target, other]) => `nd who-has ${target} tell ${other}`),
  fc.tuple(ip4, ip4, fc.boolean(), upper).map(([from, to, df, rest]) => `ip ${from} > ${to}${df ? ' df' : ''} ${rest}`),
  fc.tuple(ip6, ip6, upper).map(([from, to, rest]) => `ip6 ${from} > ${to} ${rest}`),
  fc.tuple(fc.constantFrom('0x88cc', '0x8863'), fc.nat(100)).map(([type, len]) => `type ${type} len ${len}`),
);
const words = fc
  .tuple(mac, mac, fc.array(tag, { maxLength: 3 }), body)
  .map(([src, dst, tags, rest]) => ['src', src, 'dst', dst, ...tags, rest].join(' '));

describe('any frame', () => {
  it('has the words that it was made from', () => {
    fc.assert(
      fc.property(words, (text) => {
        expect(describeFrame(built(text).bytes)).toBe(text);
      }),
      { numRuns: 300 },
    );
  });

  it('has right checksums', () => {
    fc.assert(
      fc.property(fc.tuple(ip4, ip4, upper), ([from, to, rest]) => {
        expect(sumOf(built(`ip ${from} > ${to} ${rest}`).bytes)).toBe(0xffff);
      }),
      { numRuns: 100 },
    );
    fc.assert(
      fc.property(fc.tuple(ip6, ip6, upper), ([from, to, rest]) => {
        expect(sumOf(built(`ip6 ${from} > ${to} ${rest}`).bytes)).toBe(0xffff);
      }),
      { numRuns: 100 },
    );
  });

  it('whatever its bytes, has words', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom('', '0800', '86dd', '0806', '81000001', '88a8'),
        (bytes, type) => {
          const frame = fromHex(`${toHex(bytes.subarray(0, 12))}${type}${toHex(bytes.subarray(12))}`);
          expect(describeFrame(frame).length).toBeLessThan(400);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('no text makes the parser fail in another way than it says', () => {
    const word = fc.oneof(
      fc.constantFrom(...'src dst vlan arp nd ip ip6 udp tcp > len gso 10 1.2.3.4'.split(' ')),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (list) => {
        try {
          buildFrame(fillFrame(parseFrame(list.join(' ')), NOTHING));
        } catch (error) {
          expect(error).toBeInstanceOf(FrameTextError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** The sum over the transport segment and its pseudo-header, which a right checksum makes 0xffff. */
function sumOf(bytes: Uint8Array): number {
  const view = viewOf(bytes);
  const layout = new Int32Array(8);
  parseInner(view, 0, bytes.length, layout);
  const l4 = layout[L4_OFFSET];
  const length = layout[L3_END] - l4;
  const protocol = layout[L4_PROTOCOL];
  if (layout[L3_KIND] === 6)
    return fold(sum16(view, l4, length, pseudoHeaderSum6(view, layout[L3_OFFSET], protocol, length)));
  const pseudo = protocol === 1 ? 0 : pseudoHeaderSum4(view, layout[L3_OFFSET], protocol, length);
  return fold(sum16(view, l4, length, pseudo));
}

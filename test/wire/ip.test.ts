import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import { internetChecksum } from '../../src/wire/checksum.js';
import {
  encodeIpv4,
  ipVersion,
  ipv4Checksum,
  ipv4Destination,
  ipv4DontFragment,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4Identification,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4Source,
  ipv4Tos,
  ipv4TotalLength,
  ipv4Ttl,
  setIpv4Ecn,
} from '../../src/wire/ipv4.js';
import {
  EXTENSION_LIMIT,
  encodeIpv6,
  ipv6Destination,
  ipv6FlowLabel,
  ipv6HopLimit,
  ipv6NextHeader,
  ipv6PayloadLength,
  ipv6Source,
  ipv6TrafficClass,
  setIpv6Ecn,
  walkExtensions,
} from '../../src/wire/ipv6.js';

const NONE = new Uint8Array(0);

describe('IPv4', () => {
  it('is not built with options that do not fit or addresses that are none', () => {
    const fields = { source: '192.0.2.1', destination: '192.0.2.2', protocol: 6, payload: NONE };
    expect(() => encodeIpv4({ ...fields, options: new Uint8Array(3) })).toThrow(/options are 3 bytes long/);
    expect(() => encodeIpv4({ ...fields, options: new Uint8Array(44) })).toThrow(/options/);
    expect(() => encodeIpv4({ ...fields, source: '192.0.2' })).toThrow(/is not an IP address/);
  });

  it('is read', () => {
    // A captured header: 192.168.0.1 to 192.168.0.199, UDP, DF, with the checksum 0xb861.
    const view = viewOf(fromHex('ee 45 00 0073 0000 4000 40 11 b861 c0a80001 c0a800c7'));
    expect([ipVersion(view, 1), ipv4HeaderLength(view, 1), ipv4TotalLength(view, 1)]).toEqual([4, 20, 115]);
    expect([ipv4Tos(view, 1), ipv4Identification(view, 1), ipv4Ttl(view, 1), ipv4Protocol(view, 1)]).toEqual([
      0, 0, 64, 17,
    ]);
    expect([ipv4Source(view, 1), ipv4Destination(view, 1)]).toEqual([0xc0a80001 | 0, 0xc0a800c7 | 0]);
    expect([ipv4DontFragment(view, 1), ipv4IsFragment(view, 1), ipv4Checksum(view, 1)]).toEqual([true, false, 0xb861]);
    expect(internetChecksum(view, 1, 20)).toBe(0);
  });

  it('is built byte for byte, as captured', () => {
    const packet = encodeIpv4({
      source: '192.168.0.1',
      destination: '192.168.0.199',
      protocol: 17,
      dontFragment: true,
      payload: new Uint8Array(95),
    });
    expect(toHex(packet.subarray(0, 20))).toBe('45000073000040004011b861c0a80001c0a800c7');
    expect(packet.length).toBe(115);
  });

  it.each([
    ['the first', true, 0, 0],
    ['a middle', true, 1480, 1480],
    ['the last', false, 65_528, 65_528],
  ])('%s part is a fragment', (_name, moreFragments, fragmentOffset, read) => {
    const fields = { source: '192.0.2.1', destination: '192.0.2.2', protocol: 6, payload: NONE };
    const view = viewOf(encodeIpv4({ ...fields, moreFragments, fragmentOffset }));
    expect([ipv4IsFragment(view, 0), ipv4FragmentOffset(view, 0)]).toEqual([true, read]);
  });

  it('keeps its checksum right when ECN changes', () => {
    for (let before = 0; before < 4; before++) {
      for (let after = 0; after < 4; after++) {
        const packet = encodeIpv4({
          source: '10.0.0.1',
          destination: '10.0.0.2',
          protocol: 6,
          tos: 0xb8 | before,
          options: fromHex('01010100'),
          payload: fromHex('beef'),
        });
        setIpv4Ecn(viewOf(packet), 0, after);
        expect(ipv4Tos(viewOf(packet), 0)).toBe(0xb8 | after);
        expect(internetChecksum(viewOf(packet), 0, 24)).toBe(0);
      }
    }
  });

  it('over 64 KiB has a length of 0', () => {
    const fields = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 6, payload: new Uint8Array(65_516) };
    expect(ipv4TotalLength(viewOf(encodeIpv4(fields)), 0)).toBe(0);
  });
});

describe('IPv6', () => {
  const fields = { source: '2001:db8::1', destination: '2001:db8::2', hopLimit: 255 };

  it('is built byte for byte, and read', () => {
    const packet = encodeIpv6({
      ...fields,
      nextHeader: 58,
      trafficClass: 0xb9,
      flowLabel: 0xabcde,
      payload: fromHex('0102'),
    });
    expect(toHex(packet)).toBe(
      `6b9abcde00023aff${'20010db8000000000000000000000001'}${'20010db8000000000000000000000002'}0102`,
    );
    const view = viewOf(concatBytes(fromHex('ee'), packet));
    expect([ipVersion(view, 1), ipv6TrafficClass(view, 1), ipv6FlowLabel(view, 1)]).toEqual([6, 0xb9, 0xabcde]);
    expect([ipv6PayloadLength(view, 1), ipv6NextHeader(view, 1), ipv6HopLimit(view, 1)]).toEqual([2, 58, 255]);
    expect([0, 1, 2, 3].map((word) => ipv6Source(view, 1, word))).toEqual([0x20010db8, 0, 0, 1]);
    expect([0, 1, 2, 3].map((word) => ipv6Destination(view, 1, word))).toEqual([0x20010db8, 0, 0, 2]);
  });

  it('changes its ECN and nothing else', () => {
    const packet = encodeIpv6({ ...fields, nextHeader: 59, trafficClass: 0xff, flowLabel: 0xfffff, payload: NONE });
    setIpv6Ecn(viewOf(packet), 0, 1);
    expect([ipv6TrafficClass(viewOf(packet), 0), ipv6FlowLabel(viewOf(packet), 0)]).toEqual([0xfd, 0xfffff]);
    expect(ipVersion(viewOf(packet), 0)).toBe(6);
  });

  const HOP_BY_HOP = (next: string): string => `${next} 00 0104 00000000`;
  const walk = (
    nextHeader: number,
    payload: string,
    cut = 0,
  ): [offset: number, protocol: number, fragment: boolean] => {
    const packet = encodeIpv6({ ...fields, nextHeader, payload: fromHex(payload) });
    const out = new Int32Array(4).fill(-1);
    const fragment = walkExtensions(viewOf(packet), 0, packet.length - cut, out, 1);
    expect([out[0], out[3]]).toEqual([-1, -1]);
    return [out[1] as number, out[2] as number, fragment];
  };

  it.each([
    ['no next header', 59, '', 0, [0, 59, false]],
    ['an extension header cut off before its length', 0, '06', 0, [0, 0, false]],
    ['an extension header longer than the packet', 0, '06 01 0104 00000000', 0, [0, 0, false]],
    ['an extension header cut off by a byte', 60, HOP_BY_HOP('06'), 1, [0, 60, false]],
    ['more extension headers than anyone needs', 0, HOP_BY_HOP('00').repeat(EXTENSION_LIMIT + 1), 0, [0, 0, false]],
    ['the first fragment', 44, '06 00 0001 00000001 00', 0, [0, 6, true]],
    ['a later fragment', 44, '11 00 0008 00000001 00', 0, [0, 17, true]],
    ['a fragment behind options', 0, `${HOP_BY_HOP('2c')} 11 00 0009 00000001`, 0, [0, 17, true]],
  ] as const)('has no transport to read: %s', (_name, next, payload, cut, expected) => {
    expect(walk(next, payload, cut)).toEqual(expected);
  });

  it.each([
    ['directly', 6, '00', [40, 6, false]],
    ['behind hop-by-hop options', 0, `${HOP_BY_HOP('11')} 00`, [48, 17, false]],
    ['behind a routing header of 24 bytes', 43, `06 02 ${'00'.repeat(22)} 00`, [64, 6, false]],
    ['behind an authentication header, counted in words', 51, `06 04 ${'00'.repeat(22)} 00`, [64, 6, false]],
    ['behind an atomic fragment header', 44, '3a 00 0000 00000007 80', [48, 58, false]],
    ['behind three of them', 0, `${HOP_BY_HOP('2b')} 3c 00 0000 00000000 ${HOP_BY_HOP('3a')} 80`, [64, 58, false]],
    [
      'as many as are allowed',
      0,
      `${HOP_BY_HOP('00').repeat(EXTENSION_LIMIT - 1)} ${HOP_BY_HOP('06')} 00`,
      [104, 6, false],
    ],
    ['an encrypted payload', 50, '00', [40, 50, false]],
  ] as const)('has a transport: %s', (_name, next, payload, expected) => {
    expect(walk(next, payload)).toEqual(expected);
  });
});

/** ICMP errors about packets that were too big: their bytes, and packets that must not cause one. */
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import { mayTellTooBig, writeTooBig } from '../../src/wire/icmp-error.js';
import { LAYOUT_WORDS, parseInner } from '../../src/wire/inner.js';
import { encodeIpv4, PROTOCOL_ICMP, PROTOCOL_UDP } from '../../src/wire/ipv4.js';
import { encodeIpv6, findFragmentHeader, PROTOCOL_ICMPV6 } from '../../src/wire/ipv6.js';

const ROOM = 1280;
const count = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i & 0xff);

/** A frame with the packet, room before it, and its layout. */
function parsed(packet: Uint8Array, tci?: string): { view: DataView; layout: Int32Array } {
  const link = fromHex(`02000000000b 02000000000a ${tci === undefined ? '' : `8100${tci}`}`);
  const type = packet[0] >>> 4 === 6 ? '86dd' : '0800';
  const frame = concatBytes(link, fromHex(type), packet);
  const view = viewOf(concatBytes(new Uint8Array(ROOM), frame));
  const layout = new Int32Array(LAYOUT_WORDS);
  parseInner(view, ROOM, frame.length, layout);
  return { view, layout };
}

function written(packet: Uint8Array, mtu: number, tci?: string): Uint8Array {
  const { view, layout } = parsed(packet, tci);
  expect(mayTellTooBig(view, layout, mtu)).toBe(true);
  const length = writeTooBig(view, 0, layout, mtu);
  return new Uint8Array(view.buffer, 0, length).slice();
}

const isAnswered = (packet: Uint8Array, mtu = 1300): boolean => {
  const { view, layout } = parsed(packet);
  return mayTellTooBig(view, layout, mtu);
};

describe('fragmentation needed', () => {
  // 198.18.0.1:40000 to 198.18.0.2:5001, 90 bytes, DF.
  const udp =
    '4500005a000040004011ae6bc6120001c61200029c40138900461dac' +
    '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d';

  it.each([undefined, '6007'])('byte for byte; all of a short packet is quoted (tag %s)', (tci) => {
    expect(toHex(written(fromHex(udp), 86, tci))).toBe(
      `45000076000040004001ae5fc6120002c612000103048925000000${'56'}${udp}`,
    );
  });

  it.each([548, 549, 1351, 9000, 60_000])('of %i bytes quotes what fits 576, with both checksums', (size) => {
    const fields = { source: '198.18.0.1', destination: '198.18.0.2', protocol: PROTOCOL_UDP, dontFragment: true };
    const packet = encodeIpv4({ ...fields, payload: count(size - 20) });
    const error = written(packet, 400);
    expect(error).toHaveLength(576);
    expect(toHex(error.subarray(28))).toBe(toHex(packet.subarray(0, 548)));
    expect([sum(error.subarray(0, 20)), sum(error.subarray(20))]).toEqual([0xffff, 0xffff]);
  });

  it('leaves padding behind the packet out', () => {
    const padded = concatBytes(fromHex(udp), new Uint8Array(40).fill(0xee));
    expect(written(padded, 86)).toHaveLength(118);
  });
});

describe('packet too big', () => {
  const fields = { source: '2001:db8::1', destination: '2001:db8::2', nextHeader: PROTOCOL_UDP };
  const udp = (size: number): Uint8Array => encodeIpv6({ ...fields, payload: count(size - 40) });

  it.each([1301, 1302, 1303, 60_000])('of %i bytes: as much as fits 1280', (size) => {
    const packet = udp(size);
    const error = written(packet, 1300);
    expect(error).toHaveLength(1280);
    const header = '6000000004d83a40 20010db8000000000000000000000002 20010db8000000000000000000000001';
    expect(toHex(error.subarray(0, 40))).toBe(header.replaceAll(' ', ''));
    expect(toHex(error.subarray(40, 42))).toBe('0200');
    expect(toHex(error.subarray(44, 48))).toBe('00000514');
    expect(toHex(error.subarray(48))).toBe(toHex(packet.subarray(0, 1232)));
    const pseudo = fromHex(`${header.slice(17)} 000004d8 0000003a`);
    expect(sum(concatBytes(pseudo, error.subarray(40)))).toBe(0xffff);
  });
});

describe('no answer', () => {
  const v4 = { source: '198.18.0.1', destination: '198.18.0.2', protocol: PROTOCOL_UDP, dontFragment: true };
  const ipv4 = (more: Partial<Parameters<typeof encodeIpv4>[0]> = {}, first = 8): Uint8Array =>
    encodeIpv4({ ...v4, payload: concatBytes(Uint8Array.of(first), count(1400)), ...more });
  const v6 = { source: '2001:db8::1', destination: '2001:db8::2', nextHeader: PROTOCOL_UDP };
  const ipv6 = (more: Partial<Parameters<typeof encodeIpv6>[0]> = {}, first = 128): Uint8Array =>
    encodeIpv6({ ...v6, payload: concatBytes(Uint8Array.of(first), count(1400)), ...more });
  const fragment = (next: string, offset: string, first: string): Uint8Array =>
    ipv6({ nextHeader: 44, payload: concatBytes(fromHex(`${next}00${offset}00000001${first}`), count(1400)) });

  it('is the exception: packets that ask for an answer have one', () => {
    expect([isAnswered(ipv4()), isAnswered(ipv6())]).toEqual([true, true]);
  });

  it.each<[string, Uint8Array]>([
    ['IPv4 without DF', ipv4({ dontFragment: false })],
    ['a later fragment', ipv4({ fragmentOffset: 1400 })],
    ['a later fragment with more to come', ipv4({ fragmentOffset: 8, moreFragments: true })],
    ...[3, 4, 5, 11, 12].map((type): [string, Uint8Array] => [`ICMP ${type}`, ipv4({ protocol: PROTOCOL_ICMP }, type)]),
    ['a source in 0.0.0.0/8', ipv4({ source: '0.1.2.3' })],
    ['a loopback source', ipv4({ source: '127.0.0.1' })],
    ['a source that is a group', ipv4({ source: '239.1.1.1' })],
    ['a source that is everybody', ipv4({ source: '255.255.255.255' })],
    ['a destination that is a group', ipv4({ destination: '224.0.0.1' })],
    ['a destination that is everybody', ipv4({ destination: '255.255.255.255' })],
    ['a packet that is cut off', ipv4().subarray(0, 1390)],
    ...[1, 2, 3, 4, 100, 127].map((type): [string, Uint8Array] => [
      `ICMPv6 ${type}`,
      ipv6({ nextHeader: PROTOCOL_ICMPV6 }, type),
    ]),
    ['ICMPv6 1 behind an atomic fragment header', fragment('3a', '0000', '01')],
    ['ICMPv6 1 in a first fragment', fragment('3a', '0001', '01')],
    ['a later IPv6 fragment', fragment('11', '0009', '00')],
    ['the last IPv6 fragment', fragment('11', '0008', '00')],
    ['the source ::', ipv6({ source: '::' })],
    ['the source ::1', ipv6({ source: '::1' })],
    ['an IPv6 source that is a group', ipv6({ source: 'ff02::1' })],
    ['an IPv6 destination that is a group', ipv6({ destination: 'ff02::1' })],
    ['no next header', ipv6({ nextHeader: 59 })],
    ['an IPv6 packet that is cut off', ipv6().subarray(0, 1390)],
    ['nothing that is IP', fromHex('0001080006040001').subarray(0)],
  ])('to %s', (_name, packet) => {
    expect(isAnswered(packet)).toBe(false);
  });

  it.each<[string, Uint8Array]>([
    ['a first fragment', ipv4({ moreFragments: true })],
    ['an echo', ipv4({ protocol: PROTOCOL_ICMP }, 8)],
    ['an ICMPv6 echo', ipv6({ nextHeader: PROTOCOL_ICMPV6 }, 128)],
    ['a first IPv6 fragment', fragment('11', '0001', '00')],
    ['an ICMPv6 echo in a first fragment', fragment('3a', '0001', '80')],
    ['an address that is private or link-local', ipv4({ source: '169.254.0.1', destination: '10.0.0.1' })],
    ['link-local addresses', ipv6({ source: 'fe80::1', destination: 'fe80::2' })],
    ['a source that ends with 1', ipv6({ source: '0:0:1::1' })],
  ])('is not for %s', (_name, packet) => {
    expect(isAnswered(packet)).toBe(true);
  });

  it('where the MTU is none that a sender heeds', () => {
    expect([67, 68].map((mtu) => isAnswered(ipv4(), mtu))).toEqual([false, true]);
    expect([1279, 1280].map((mtu) => isAnswered(ipv6(), mtu))).toEqual([false, true]);
  });

  it('to a packet that is not too big, though its frame is', () => {
    const padded = concatBytes(ipv4(), new Uint8Array(100));
    expect([1420, 1421].map((mtu) => isAnswered(padded, mtu))).toEqual([true, false]);
  });
});

describe('the fragment header', () => {
  const v6 = { source: '2001:db8::1', destination: '2001:db8::2' };
  const found = (nextHeader: number, payload: string): number => {
    const packet = encodeIpv6({ ...v6, nextHeader, payload: fromHex(payload) });
    return findFragmentHeader(viewOf(packet), 0, packet.length);
  };
  it.each([
    ['directly', 44, '1100000100000001', 40],
    ['behind options', 0, '2c00010400000000 1100000100000001', 48],
    ['not there', 17, '0000000000000000', 0],
    ['behind the transport', 0, '1100010400000000 2c00000100000001', 0],
    ['cut off', 44, '11000001', 0],
    ['behind a header that is longer than the packet', 0, '2cff010400000000', 0],
  ])('%s', (_name, next, payload, at) => {
    expect(found(next, payload)).toBe(at);
  });
});

/** Ones' complement sum: 0xffff over bytes that hold a right checksum. Of the test's own. */
function sum(bytes: Uint8Array): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) total += bytes[i] * 256 + (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000);
  return total;
}

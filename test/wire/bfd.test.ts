/** BFD Control packets in literal bytes, every check of RFC 5880 section 6.8.6 that needs no session, and their way inside VXLAN. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BfdPacket, decodeBfd, emptyPacket, encodeBfd, UP } from '../../src/wire/bfd.js';
import { bfdLength, encodeEnvelope, findBfd, sealEnvelope } from '../../src/wire/bfd-vxlan.js';
import { fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import { VXLAN_HEADER } from '../../src/wire/vxlan.js';

/** Version 1, diagnostic 3; Up with P; multiplier 3; 24 bytes; 100 ms, 200 ms, no echo. */
const BYTES = '23e00318 01020304 a0b0c0d0 000186a0 00030d40 00000000'.replaceAll(' ', '');
const PACKET: BfdPacket = {
  diag: 3,
  state: UP,
  poll: true,
  final: false,
  demand: false,
  detectMult: 3,
  my: 0x01020304,
  your: 0xa0b0c0d0,
  desiredTx: 100_000,
  requiredRx: 200_000,
  requiredEchoRx: 0,
  hasMark: false,
  mark0: 0,
  mark1: 0,
};

function read(hex: string): ReturnType<typeof decodeBfd> | BfdPacket {
  const bytes = fromHex(hex.replaceAll(' ', ''));
  const packet = emptyPacket();
  return decodeBfd(viewOf(bytes), 0, bytes.length, packet) ?? packet;
}

const put = (at: number, hex: string): string => BYTES.slice(0, at * 2) + hex + BYTES.slice(at * 2 + hex.length);

describe('a Control packet', () => {
  it('is written as in its drawing', () => {
    const bytes = new Uint8Array(24);
    encodeBfd(viewOf(bytes), 0, PACKET);
    expect(toHex(bytes)).toBe(BYTES);
  });

  it.each([
    ['alone', BYTES],
    ['with bytes behind it', `${BYTES}ffff`],
    ['with the bit of a control plane of its own', put(1, 'e8')],
  ])('is read %s', (_, hex) => {
    expect(read(hex)).toEqual(PACKET);
  });

  it.each([
    ['of version 0', put(0, '03'), 'version'],
    ['of version 2', put(0, '43'), 'version'],
    ['that says less than 24 bytes', put(3, '17'), 'length'],
    ['that says more than there is', put(3, '19'), 'length'],
    ['that was cut', BYTES.slice(0, 46), 'length'],
    ['of nothing', '', 'length'],
    ['with authentication that has no room', put(1, 'e4'), 'length'],
    ['without a multiplier', put(2, '00'), 'detect_mult'],
    ['of multipoint', put(1, 'e1'), 'multipoint'],
    ['without the sender’s discriminator', put(4, '00000000'), 'my_discriminator'],
    ['that is Up and knows nobody', put(8, '00000000'), 'your_discriminator'],
    ['that is Init and knows nobody', put(1, '80').replace('a0b0c0d0', '00000000'), 'your_discriminator'],
    ['with authentication', `${put(1, 'e4').replace('0318', '031a')}0102`, 'authentication'],
  ])('%s is discarded', (_, hex, fault) => {
    expect(read(hex)).toBe(fault);
  });

  it.each([
    ['Down', '40'],
    ['AdminDown', '00'],
  ])('that is %s need not know the receiver', (_, flags) => {
    expect(read(put(1, flags).replace('a0b0c0d0', '00000000'))).toMatchObject({ your: 0 });
  });

  const packets = fc.record({
    diag: fc.integer({ min: 0, max: 31 }),
    state: fc.constantFrom(0, 1, 2, 3) as fc.Arbitrary<BfdPacket['state']>,
    poll: fc.boolean(),
    final: fc.boolean(),
    demand: fc.boolean(),
    detectMult: fc.integer({ min: 1, max: 255 }),
    my: fc.integer({ min: 1, max: 0xffffffff }),
    your: fc.integer({ min: 1, max: 0xffffffff }),
    desiredTx: fc.integer({ min: 0, max: 0xffffffff }),
    requiredRx: fc.integer({ min: 0, max: 0xffffffff }),
    requiredEchoRx: fc.integer({ min: 0, max: 0xffffffff }),
    hasMark: fc.constant(true),
    mark0: fc.integer({ min: 0, max: 0xffffffff }),
    mark1: fc.integer({ min: 0, max: 0xffffffff }),
  });

  it('is read as it was written', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const bytes = new Uint8Array(36);
        encodeBfd(viewOf(bytes), 0, packet);
        expect(read(toHex(bytes))).toEqual(packet);
        expect(read(toHex(bytes.subarray(0, 35)))).toEqual({ ...packet, hasMark: false, mark0: 0, mark1: 0 });
      }),
    );
  });

  it('has the mark of a probe behind its length, and zeros behind that', () => {
    const mark = '4f564d50 0a0b0c0d f1f2f3f4'.replaceAll(' ', '');
    const marked = { ...PACKET, hasMark: true, mark0: 0x0a0b0c0d, mark1: 0xf1f2f3f4 };
    expect(read(`${BYTES}${mark}`)).toEqual(marked);
    expect(read(`${BYTES}${mark}${'00'.repeat(1000)}`)).toEqual(marked);
    expect(read(`${BYTES}${'00'.repeat(1000)}`)).toEqual(PACKET);
  });

  it('of random bytes is read or refused, within its length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 0, max: 8 }), (bytes, more) => {
        // What is behind the given length must have no effect.
        const padded = new Uint8Array(bytes.length + more).fill(0xff);
        padded.set(bytes);
        const [one, other] = [emptyPacket(), emptyPacket()];
        const fault = decodeBfd(viewOf(bytes), 0, bytes.length, one);
        expect(decodeBfd(viewOf(padded), 0, bytes.length, other)).toBe(fault);
        if (fault === null) expect(other).toEqual(one);
      }),
    );
  });
});

/** Of RFC 8971 section 4, with the packet above. */
const INNER4 =
  '0800000000000100 00005e005202 020000000001 0800 4500003400000000ff117ab6c0000201 7f000001 c0010ec800200000'.replaceAll(
    ' ',
    '',
  );

function seal(source: string): Uint8Array {
  const envelope = encodeEnvelope({ vni: 1, source, sourceMac: '02:00:00:00:00:01', sourcePort: 49_153 });
  encodeBfd(envelope.view, envelope.at, PACKET);
  sealEnvelope(envelope);
  return envelope.bytes;
}

function find(datagram: Uint8Array, length = datagram.length): string | null {
  const view = viewOf(datagram);
  const at = findBfd(view, VXLAN_HEADER, length - VXLAN_HEADER);
  return at < 0 ? null : toHex(datagram.subarray(at, at + bfdLength));
}

describe('a packet inside VXLAN', () => {
  it('over IPv4 has these bytes', () => {
    expect(toHex(seal('192.0.2.1'))).toBe(INNER4 + BYTES);
  });

  it('over IPv6 goes to a mapped loopback address, with a right checksum', () => {
    const bytes = seal('2001:db8::1');
    expect(toHex(bytes.subarray(8 + 14, 8 + 14 + 40))).toBe(
      '60000000002011ff20010db800000000000000000000000100000000000000000000ffff7f000001',
    );
    const view = viewOf(bytes);
    let sum = 17 + 32;
    for (let at = 8 + 14 + 8; at < bytes.length; at += 2) sum += view.getUint16(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    expect(sum).toBe(0xffff);
  });

  it.each(['192.0.2.1', '2001:db8::1'])('from %s is found', (source) => {
    expect(find(seal(source))).toBe(BYTES);
  });

  const at = (offset: number, value: number) => (bytes: Uint8Array) => {
    bytes[offset] = value;
    return bytes;
  };
  it.each([
    ['to another MAC', at(8 + 5, 3)],
    ['with TTL 254', at(8 + 14 + 8, 254)],
    ['to an address that is not loopback', at(8 + 14 + 16, 10)],
    ['to another UDP port', at(8 + 14 + 23, 0xc9)],
    ['that is TCP', at(8 + 14 + 9, 6)],
    ['with a UDP length beyond the packet', at(8 + 14 + 25, 0x21)],
    ['with a UDP length that holds no packet', at(8 + 14 + 25, 0x1f)],
    ['that is a fragment', at(8 + 14 + 6, 0x20)],
  ])('%s is none', (_, change) => {
    expect(find(change(seal('192.0.2.1')))).toBeNull();
  });

  it('that was cut anywhere is none, whatever is behind it', () => {
    for (const source of ['192.0.2.1', '2001:db8::1']) {
      const bytes = seal(source);
      for (let length = VXLAN_HEADER; length < bytes.length; length++) expect(find(bytes, length)).toBeNull();
    }
  });
});

import { describe, expect, it } from 'vitest';
import {
  ARP_SENDER_MAC,
  ARP_TARGET_MAC,
  arpOperation,
  arpSenderAddress,
  arpTargetAddress,
  encodeArp,
  isArp4,
} from '../../src/wire/arp.js';
import { concatBytes, fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import { fold, internetChecksum, pseudoHeaderSum4, pseudoHeaderSum6, sum16 } from '../../src/wire/checksum.js';
import { formatMac, macHigh, macLow } from '../../src/wire/ethernet.js';
import {
  encodeIcmpEcho,
  encodeIcmpv6Echo,
  icmpCode,
  icmpIdentifier,
  icmpSequence,
  icmpType,
} from '../../src/wire/icmp.js';
import { encodeIpv4 } from '../../src/wire/ipv4.js';
import { encodeIpv6 } from '../../src/wire/ipv6.js';
import {
  encodeTcp,
  TCP_ACK,
  TCP_PSH,
  tcpChecksum,
  tcpDestinationPort,
  tcpFlags,
  tcpHeaderLength,
  tcpSequence,
  tcpSourcePort,
} from '../../src/wire/tcp.js';
import { encodeUdp, udpChecksum, udpDestinationPort, udpLength, udpSourcePort } from '../../src/wire/udp.js';

const V4 = { source: '192.0.2.1', destination: '198.51.100.2' };
const V6 = { source: '2001:db8::1', destination: '2001:db8::2' };

/** 0 for a segment with a right checksum in a packet between these addresses. */
function residue(path: { source: string; destination: string }, protocol: number, segment: Uint8Array): number {
  const v4 = path.source.includes('.');
  const packet = v4
    ? encodeIpv4({ ...path, protocol, payload: segment })
    : encodeIpv6({ ...path, nextHeader: protocol, payload: segment });
  const view = viewOf(packet);
  const pseudo = v4
    ? pseudoHeaderSum4(view, 0, protocol, segment.length)
    : pseudoHeaderSum6(view, 0, protocol, segment.length);
  return ~fold(sum16(view, v4 ? 20 : 40, segment.length, pseudo)) & 0xffff;
}

describe('TCP', () => {
  it('is not built with options that do not fit', () => {
    const fields = { sourcePort: 1, destinationPort: 2, payload: new Uint8Array(0), options: new Uint8Array(5) };
    expect(() => encodeTcp(fields, V4)).toThrow(/TCP options are 5 bytes long/);
  });

  const fields = {
    sourcePort: 40_000,
    destinationPort: 80,
    sequence: 0xfffffff0,
    acknowledgment: 7,
    flags: TCP_PSH | TCP_ACK,
    window: 512,
    options: fromHex('0101080a'),
    payload: fromHex('aabbcc'),
  };

  it('is built byte for byte, and read', () => {
    const segment = encodeTcp(fields, { ...V4, checksum: 'zero' });
    expect(toHex(segment)).toBe('9c400050fffffff000000007601802000000000001' + '01080aaabbcc');
    const view = viewOf(concatBytes(fromHex('ee'), segment));
    expect([tcpSourcePort(view, 1), tcpDestinationPort(view, 1), tcpSequence(view, 1)]).toEqual([
      40_000, 80, 0xfffffff0,
    ]);
    expect([tcpHeaderLength(view, 1), tcpFlags(view, 1), tcpChecksum(view, 1)]).toEqual([24, 0x18, 0]);
  });

  it.each([V4, V6])('has a right checksum from $source', (path) => {
    expect(residue(path, 6, encodeTcp(fields, path))).toBe(0);
    expect(residue(path, 6, encodeTcp(fields, { ...path, checksum: 'zero' }))).not.toBe(0);
  });

  it('left unfinished holds the sum of its pseudo-header', () => {
    const segment = encodeTcp(fields, { ...V4, checksum: 'partial' });
    expect(tcpChecksum(viewOf(segment), 0)).toBe(fold(0xc000 + 0x0201 + 0xc633 + 0x6402 + 6 + segment.length));
    // A device finishes it by the plain checksum from csum_start on, the field as it stands included.
    const view = viewOf(segment);
    view.setUint16(16, internetChecksum(view, 0, segment.length));
    expect(toHex(segment)).toBe(toHex(encodeTcp(fields, V4)));
  });
});

describe('UDP', () => {
  const fields = { sourcePort: 5353, destinationPort: 4789, payload: fromHex('01020304 05') };

  it('is built byte for byte, and read', () => {
    const datagram = encodeUdp(fields, { ...V4, checksum: 'zero' });
    expect(toHex(datagram)).toBe('14e912b5000d00000102030405');
    const view = viewOf(concatBytes(fromHex('ee'), datagram));
    expect([udpSourcePort(view, 1), udpDestinationPort(view, 1), udpLength(view, 1), udpChecksum(view, 1)]).toEqual([
      5353, 4789, 13, 0,
    ]);
  });

  it.each([V4, V6])('has a right checksum from $source', (path) => {
    expect(residue(path, 17, encodeUdp(fields, path))).toBe(0);
  });

  it('sends a calculated 0 as 0xffff', () => {
    const empty = encodeUdp({ ...fields, payload: new Uint8Array(2) }, V4);
    // The payload that makes the sum 0xffff is the checksum that it has without it.
    const payload = empty.slice(6, 8);
    const datagram = encodeUdp({ ...fields, payload }, V4);
    expect(udpChecksum(viewOf(datagram), 0)).toBe(0xffff);
    expect(residue(V4, 17, datagram)).toBe(0);
  });
});

describe('ICMP echo', () => {
  const fields = { type: 8, identifier: 0x1234, sequence: 5, payload: fromHex('61626364') };

  it('is built byte for byte, and read', () => {
    const message = encodeIcmpEcho(fields);
    expect(toHex(message)).toBe('080021001234000561626364');
    expect(internetChecksum(viewOf(message), 0, message.length)).toBe(0);
    const view = viewOf(message);
    expect([icmpType(view, 0), icmpCode(view, 0), icmpIdentifier(view, 0), icmpSequence(view, 0)]).toEqual([
      8, 0, 0x1234, 5,
    ]);
  });

  it('over IPv6 covers the pseudo-header', () => {
    expect(residue(V6, 58, encodeIcmpv6Echo({ ...fields, type: 128 }, V6))).toBe(0);
  });
});

describe('ARP', () => {
  const request = '0001 0800 06 04 0001 020000000001 c6120002 000000000000 c6120003';

  it.each([
    ['27 bytes', request, 27],
    ['another hardware', request.replace('0001', '0006'), 28],
    ['another protocol', request.replace('0800', '86dd'), 28],
    ['a MAC of eight bytes', request.replace('06 04', '08 04'), 28],
    ['an address of sixteen', request.replace('06 04', '06 10'), 28],
  ])('is not %s', (_name, text, length) => {
    expect(isArp4(viewOf(fromHex(text)), 0, length)).toBe(false);
  });

  it('is not made of IPv6 addresses', () => {
    const fields = { operation: 1, senderMac: '02:00:00:00:00:01', senderAddress: '::1', targetAddress: '198.18.0.3' };
    expect(() => encodeArp(fields)).toThrow(/IPv4 addresses only, not "::1"/);
  });

  it('is built byte for byte, and read', () => {
    const fields = {
      operation: 1,
      senderMac: '02:00:00:00:00:01',
      senderAddress: '198.18.0.2',
      targetAddress: '198.18.0.3',
    };
    expect(toHex(encodeArp(fields))).toBe(request.replaceAll(' ', ''));
    const view = viewOf(encodeArp({ ...fields, operation: 2, targetMac: '02:00:00:00:00:02' }));
    expect([isArp4(view, 0, 28), arpOperation(view, 0)]).toEqual([true, 2]);
    expect([arpSenderAddress(view, 0), arpTargetAddress(view, 0)]).toEqual([0xc6120002 | 0, 0xc6120003 | 0]);
    const macAt = (at: number): string => formatMac(macHigh(view, at), macLow(view, at));
    expect([macAt(ARP_SENDER_MAC), macAt(ARP_TARGET_MAC)]).toEqual(['02:00:00:00:00:01', '02:00:00:00:00:02']);
  });
});

/**
 * A guest may leave a checksum to others, and says where it goes. Where a guard reads, it would turn the message that was checked into
 * another one on its way through a tunnel.
 */
import { expect, it } from 'vitest';
import { VNET_NEEDS_CSUM } from '../../../src/port/packet-io.js';
import { fromHex } from '../../../src/wire/bytes.js';
import { TestSwitch } from '../support/harness.js';

const LINK = 'ffffffffffff 02000000000a';
/** From 10.0.0.1, 28 bytes of UDP with 20 of payload; protocol and destination port are open. */
const ip4 = (protocol: string): string => `0800 45000030 00000000 40${protocol}0000 0a000001 0a000009`;
const udp = (port: string): string => `1000 ${port} 001c 0000 ${'01'.repeat(20)}`;
const ARP = '0806 0001 0800 0604 0002 02000000000a 0a000001 02000000000b 0a000009';
const ICMP6 = `86dd 60000000 0020 3aff ${'fe80000000000000000000000000000a'} ${'ff020000000000000000000000000001'}`;
const ADVERTISEMENT = `8800 0000 20000000 fe80000000000000000000000000000a 0201 02000000000a`;

const sw = new TestSwitch({
  br0: {
    ports: {
      t1: { type: 'tap', guard: { addresses: ['10.0.0.1', 'fe80::a'], dhcp: true } },
      t2: { type: 'tap' },
    },
  },
});

/** @param start of the sum, and @param field where it goes, from the beginning of the frame */
function dropsOf(hex: string, start: number, field: number): readonly string[] {
  const bytes = fromHex(`${LINK}${hex}`.replaceAll(' ', ''));
  return sw.send('t1', bytes, { vnet: VNET_NEEDS_CSUM, gso: 0, csum: start | ((field - start) << 16) }).drops;
}

it.each([
  ['the sender of ARP', ARP, 14, 30],
  ['ARP behind its end', `${ARP} 0000`, 14, 42],
  ['the target of an advertisement', ICMP6 + ADVERTISEMENT, 54, 74],
  ['the type of ICMPv6', ICMP6 + ADVERTISEMENT, 54, 54],
  ['the destination port of UDP', ip4('11') + udp('2000'), 34, 36],
  ['the length of UDP', ip4('11') + udp('2000'), 34, 38],
  ['the operation of a DHCP client', ip4('11') + udp('0043'), 34, 42],
  ['the protocol of IPv4', ip4('06') + udp('2000'), 14, 22],
  ['the type behind a second tag', '8100 0001 8100 0001 9999 00000000000000000000', 18, 20],
])('%s is not written over', (_what, hex, start, field) => {
  expect(dropsOf(hex, start, field)).toEqual(['t1 arp_guard']);
});

it.each([
  ['of UDP', ip4('11') + udp('2000'), 34, 40],
  ['of a DHCP client', ip4('11') + udp('0043'), 34, 40],
  ['of TCP', `${ip4('06')} 1000 0050 00000000 00000000 5002 ffff 0000 0000 ${'00'.repeat(8)}`, 34, 50],
  ['within a tunnel of the guest', ip4('11') + udp('12b5'), 50, 56],
])('the checksum %s may be open', (_what, hex, start, field) => {
  expect(dropsOf(hex, start, field)).toEqual([]);
});

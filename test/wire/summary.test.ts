/** Frames in words, from literal bytes; any bytes, cut off anywhere. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../src/wire/bytes.js';
import { summaryOf, summaryText } from '../../src/wire/summary.js';

const MACS = '020000000002 020000000001';
const IP4 = (protocol: string, rest: string) =>
  `${MACS} 0800 4500 0054 0000 4000 40 ${protocol} 0000 0a000001 0a000002 ${rest}`;
const IP6 = (next: string, rest: string) =>
  `${MACS} 86dd 60000000 0018 ${next} ff 20010db8000000000000000000000001 20010db8000000000000000000000002 ${rest}`;

describe('a frame in words', () => {
  it.each([
    [
      'ARP request',
      `ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002`,
      'ARP who-has 10.0.0.2 tell 10.0.0.1',
    ],
    [
      'ARP reply',
      `${MACS} 0806 0001 0800 06 04 0002 020000000001 0a000001 020000000002 0a000002`,
      'ARP 10.0.0.1 is-at its sender',
    ],
    ['ping', IP4('01', '08 00'), '10.0.0.1 > 10.0.0.2 ICMP echo request'],
    ['UDP', IP4('11', '1388 0035 0008 0000'), '10.0.0.1 > 10.0.0.2 UDP 5000 > 53'],
    ['TCP', IP4('06', '1388 0050 00000000 00000000 5002 0000 0000 0000'), '10.0.0.1 > 10.0.0.2 TCP 5000 > 80 SYN'],
    ['TCP without its ports', IP4('06', '1388'), '10.0.0.1 > 10.0.0.2 TCP'],
    [
      'a later fragment',
      `${MACS} 0800 4500 0054 0000 2001 40 11 0000 0a000001 0a000002 1388 0035`,
      '10.0.0.1 > 10.0.0.2 fragment',
    ],
    ['half an IP header', `${MACS} 0800 4500 0054`, 'IPv4'],
    [
      'ND',
      IP6('3a', '87 00 0000 00000000 20010db8000000000000000000000003'),
      '2001:db8::1 > 2001:db8::2 ICMPv6 who-has 2001:db8::3',
    ],
    ['ping over IPv6', IP6('3a', '80 00'), '2001:db8::1 > 2001:db8::2 ICMPv6 echo request'],
    ['another type', `${MACS} 88b5 00`, 'type 0x88b5'],
    ['LLC', `0180c2000000 020000000001 0026 424203`, 'LLC'],
  ])('%s', (_name, hex, text) => {
    expect(summaryOf(fromHex(hex))?.text).toBe(text);
  });

  it('with its tag, and its addresses', () => {
    const frame = fromHex(`${MACS} 8100 600a 0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002`);
    expect(summaryOf(frame)).toMatchObject({ vid: 10, etherType: 0x0806, from: '10.0.0.1', to: '10.0.0.2' });
    expect(summaryText(frame)).toBe('02:00:00:00:00:01 > 02:00:00:00:00:02 tag 10 ARP who-has 10.0.0.2 tell 10.0.0.1');
    expect(summaryText(frame.subarray(0, 13))).toBe('no whole Ethernet header');
  });
});

it('any bytes give a text of printable characters', () => {
  const types = fc.constantFrom('0800', '0806', '86dd', '8100', '81000001 0800', '81000001 86dd');
  const property = fc.property(types, fc.uint8Array({ maxLength: 100 }), fc.nat(130), (type, rest, kept) => {
    const frame = Uint8Array.from([...fromHex(`${MACS} ${type}`), ...rest]).subarray(0, kept);
    expect(summaryText(frame)).toMatch(/^[\x20-\x7e]+$/);
  });
  fc.assert(property, { seed: Number(process.env.OVERTAP_SEED ?? 8), numRuns: 3000 });
});

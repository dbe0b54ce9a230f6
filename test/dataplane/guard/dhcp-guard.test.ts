/**
 * `dhcp_guard` and `ra_guard`: messages of DHCP servers and routers enter by trusted ports only. Each attack is written out in bytes, with
 * what is known to get around such guards (RFC 7113): tags, SNAP, IP options, extension headers, fragments.
 */
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../src/wire/bytes.js';
import { TestSwitch } from '../support/harness.js';

const switchWith = (guard: { dhcp?: boolean; ra?: boolean }): TestSwitch =>
  new TestSwitch({ br0: { ports: { t1: { type: 'tap', guard }, t2: { type: 'tap' } } } });

const both = switchWith({ dhcp: true, ra: true });

/** @returns whether the other guest got it */
function passes(hex: string, sw = both): boolean {
  const { to, drops } = sw.send('t1', fromHex(hex.replaceAll(' ', '')));
  expect([to, drops]).toEqual(to.length > 0 ? [['t2'], []] : [[], ['t1 dhcp_guard']]);
  return to.length > 0;
}

const hex4 = (value: number): string => value.toString(16).padStart(4, '0');
const sizeOf = (hex: string): number => hex.replaceAll(' ', '').length / 2;

const LINK = 'ffffffffffff 02000000000a';
const udp = (from: number, to: number, payload: string): string =>
  `${hex4(from)} ${hex4(to)} ${hex4(8 + sizeOf(payload))} 0000 ${payload}`;

/** @param fragment flags and offset; @param options of IP, a multiple of four bytes */
function ip4(body: string, { fragment = '0000', options = '', link = LINK, type = '0800' } = {}): string {
  const header = 20 + sizeOf(options);
  const words = (0x40 | (header / 4)).toString(16);
  return `${link} ${type} ${words}00 ${hex4(header + sizeOf(body))} 0001 ${fragment} 40 11 0000 0a000009 ffffffff ${options} ${body}`;
}

function ip6(
  body: string,
  { chain = '', next = '11', link = '333300000001 02000000000a', type = '86dd' } = {},
): string {
  const size = hex4(sizeOf(chain) + sizeOf(body));
  return `${link} ${type} 60000000 ${size} ${next} ff fe80000000000000000000000000000a ff020000000000000000000000000001 ${chain} ${body}`;
}

const REQUEST = '0101 0600 00000001 0000 8000';
const REPLY = '0201 0600 00000001 0000 8000';

const MESSAGES4: [string, string, boolean][] = [
  ['a request of a client', udp(68, 67, REQUEST), true],
  ['an offer', udp(67, 68, REPLY), false],
  ['an offer from another port, which clients take', udp(4000, 68, REPLY), false],
  ['an offer that says to be a request', udp(67, 68, REQUEST), false],
  ['an answer to a relay agent', udp(67, 67, REPLY), false],
  ['an answer to a relay agent, from another port', udp(4000, 67, REPLY), false],
  ['a request without a payload', udp(68, 67, ''), false],
  ['a datagram to another port', udp(67, 69, REPLY), true],
  ['DNS', udp(40_000, 53, '00'), true],
];

const MESSAGES6: [string, string, boolean][] = [
  ['a solicit of a client', udp(546, 547, '01 000001'), true],
  ['an information request', udp(546, 547, '0b 000001'), true],
  ['a relay-forward', udp(547, 547, '0c 00'), true],
  ['an advertise', udp(547, 546, '02 000001'), false],
  ['an advertise from another port', udp(4000, 546, '02 000001'), false],
  ['a reply that says to be a solicit', udp(547, 546, '01 000001'), false],
  ['an advertise to a relay agent', udp(547, 547, '02 000001'), false],
  ['a reply to a relay agent', udp(547, 547, '07 000001'), false],
  ['a reconfigure to a relay agent', udp(547, 547, '0a 000001'), false],
  ['a relay-reply', udp(547, 547, '0d 00'), false],
  ['a solicit without a payload', udp(546, 547, ''), false],
  ['DNS', udp(40_000, 53, '00'), true],
];

const RA = '86 00 0000 40 00 0708 00000000 00000000';
const ICMP6: [string, string, boolean][] = [
  ['a router advertisement', RA, false],
  ['a redirect', `89 00 0000 00000000 ${'fe80000000000000000000000000000b'.repeat(2)}`, false],
  ['a router solicitation', '85 00 0000 00000000', true],
  ['a neighbour advertisement', '88 00 0000 20000000 fe80000000000000000000000000000a', true],
  ['an echo request', '80 00 0000 00010001', true],
];

const TAGGED: [string, string][] = [
  ['a tag', `${LINK} 8100 0064`],
  ['two tags', `${LINK} 88a8 0064 8100 00c8`],
  ['SNAP', `${LINK} 0100 aaaa 0300 0000`],
  ['a tag and SNAP', `${LINK} 8100 0064 0100 aaaa 0300 0000`],
];

describe('a port that is not trusted', () => {
  it.each(MESSAGES4)('IPv4: %s', (_, body, allowed) => expect(passes(ip4(body))).toBe(allowed));
  it.each(MESSAGES6)('IPv6: %s', (_, body, allowed) => expect(passes(ip6(body))).toBe(allowed));
  it.each(ICMP6)('ICMPv6: %s', (_, body, allowed) => expect(passes(ip6(body, { next: '3a' }))).toBe(allowed));

  it.each(TAGGED)('sends no other ones behind %s', (_, link) => {
    for (const [what, body, allowed] of MESSAGES4) expect([what, passes(ip4(body, { link }))]).toEqual([what, allowed]);
    for (const [what, body, allowed] of MESSAGES6) expect([what, passes(ip6(body, { link }))]).toEqual([what, allowed]);
    for (const [what, body, allowed] of ICMP6)
      expect([what, passes(ip6(body, { link, next: '3a' }))]).toEqual([what, allowed]);
  });

  it.each(['01010101', '0000000001010101', '01'.repeat(40)])('nor behind IP options %s', (options) => {
    for (const [what, body, allowed] of MESSAGES4)
      expect([what, passes(ip4(body, { options }))]).toEqual([what, allowed]);
  });

  it.each([
    ['hop-by-hop options', (next: string) => `${next}00 0104 00000000`, '00'],
    ['destination options', (next: string) => `${next}01 010c 000000000000 000000000000`, '3c'],
    ['a routing header', (next: string) => `${next}00 0000 00000000`, '2b'],
    ['an atomic fragment', (next: string) => `${next}00 0000 00000001`, '2c'],
    ['seven headers', (next: string) => `${'3c00 0104 00000000'.repeat(6)} ${next}00 0104 00000000`, '3c'],
    ['an atomic fragment and options', (next: string) => `3c00 0000 00000001 ${next}00 0104 00000000`, '2c'],
  ])('nor behind %s', (_, chain, first) => {
    for (const [what, body, allowed] of MESSAGES6)
      expect([what, passes(ip6(body, { chain: chain('11'), next: first }))]).toEqual([what, allowed]);
    for (const [what, body, allowed] of ICMP6)
      expect([what, passes(ip6(body, { chain: chain('3a'), next: first }))]).toEqual([what, allowed]);
  });

  it('sends no message of theirs in fragments: the first one is dropped, and without it the others are nothing', () => {
    const first = '2000';
    for (const [, body] of [MESSAGES4[0], MESSAGES4[1], MESSAGES4[4]])
      expect(passes(ip4(body, { fragment: first }))).toBe(false);
    expect(passes(ip4(udp(67, 68, REPLY).slice(0, 12), { fragment: first }))).toBe(false); // less than a header of UDP
    expect(passes(ip4(udp(40_000, 53, REPLY), { fragment: first }))).toBe(true);
    expect(passes(ip4(udp(67, 68, REPLY), { fragment: '0001' }))).toBe(true);
    const chain = '1100 0001 00000001';
    for (const [, body] of [MESSAGES6[0], MESSAGES6[3]]) expect(passes(ip6(body, { chain, next: '2c' }))).toBe(false);
    expect(passes(ip6(udp(40_000, 53, '00'), { chain, next: '2c' }))).toBe(true);
    expect(passes(ip6(udp(547, 546, '02'), { chain: '1100 0009 00000001', next: '2c' }))).toBe(true);
    expect(passes(ip6(RA, { chain: '3a00 0001 00000001', next: '2c' }))).toBe(false);
  });

  it.each(['2c00 0000 00000002', '2c00 0000 00000002'.repeat(3), '3c00 0000 00000002 2c00 0104 00000000'])(
    'nor in fragments behind atomic ones: %s',
    (atomic) => {
      const chain = `${atomic} 1100 0001 00000001`;
      for (const [, body] of [MESSAGES6[0], MESSAGES6[3]]) expect(passes(ip6(body, { chain, next: '2c' }))).toBe(false);
      expect(passes(ip6(udp(40_000, 53, '00'), { chain, next: '2c' }))).toBe(true);
      expect(passes(ip6(RA, { chain: `${atomic} 3a00 0001 00000001`, next: '2c' }))).toBe(false);
      expect(passes(ip6(udp(40_000, 53, '00'), { chain: `${atomic} 3c00 0001 00000001`, next: '2c' }))).toBe(false);
    },
  );

  it.each([
    ['options in the first fragment, before the header', '3c00 0001 00000001 1100 0104 00000000', '2c'],
    ['a first fragment without its header', '3c00 0001 00000001 1101 0104 00000000', '2c'],
    ['twenty headers', `${'3c00 0104 00000000'.repeat(19)} 1100 0104 00000000`, '3c'],
    ['a header that is longer than the packet', '11ff 0104 00000000', '3c'],
  ])('sends nothing behind %s, whatever it is', (_, chain, next) => {
    expect(passes(ip6(udp(40_000, 53, '00'), { chain, next }))).toBe(false);
  });

  it('sends nothing behind nine tags', () => {
    expect(passes(ip4(udp(40_000, 53, '00'), { link: LINK + ' 8100 0001'.repeat(9) }))).toBe(false);
  });

  it('sends frames that are no such thing', () => {
    for (const body of [
      '0806 00',
      '88b5 00',
      '0800 45',
      '0800 60000000',
      '86dd 60',
      '8100 0001',
      '0003 424203',
      '0008 aaaa0300',
    ])
      expect([body, passes(`${LINK} ${body}`)]).toEqual([body, true]);
  });
});

describe('the two guards', () => {
  it('know only their own messages', () => {
    const [dhcp, ra] = [switchWith({ dhcp: true }), switchWith({ ra: true })];
    const offers = [ip4(MESSAGES4[1][1]), ip6(MESSAGES6[3][1])];
    for (const offer of offers) expect([passes(offer, dhcp), passes(offer, ra)]).toEqual([false, true]);
    const advertisement = ip6(RA, { next: '3a' });
    expect([passes(advertisement, dhcp), passes(advertisement, ra)]).toEqual([true, false]);
  });

  it('decide about each frame of a run by itself', () => {
    const sw = switchWith({ dhcp: true });
    sw.send('t2', fromHex('ffffffffffff02000000000b88b50000'));
    const link = '02000000000b 02000000000a';
    const [offer, query] = [udp(67, 68, REPLY), udp(40_000, 53, REPLY)].map((body) =>
      fromHex(ip4(body, { link }).replaceAll(' ', '')),
    );
    for (const one of [query, offer, query, offer, offer, query]) sw.inject('t1', one);
    expect(sw.turn()).toMatchObject({ to: ['t2', 't2', 't2'], drops: Array(3).fill('t1 dhcp_guard') });
  });
});

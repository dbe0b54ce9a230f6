/** EVPN routes and attributes: each layout's lengths, texts, and round trips through whole messages. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../../src/wire/bgp/message.js';
import { decodeNlri, routeKey } from '../../../src/wire/bgp/nlri.js';
import { parseRd, readRd, writeRd } from '../../../src/wire/bgp/rd.js';
import { type AsSegment, type EvpnRoute, NO_ESI, type PathAttributes } from '../../../src/wire/bgp/route.js';
import { EXTENDED_LIMIT, MESSAGE_LIMIT } from '../../../src/wire/bgp/session.js';
import { UpdateEncoder } from '../../../src/wire/bgp/update-encode.js';
import { fromHex, toHex, viewOf } from '../../../src/wire/bytes.js';
import { canonicalAddress } from '../../../src/wire/ip-address.js';
import { SESSION } from './reading.js';

const RD = '0001c00002020002';
const ESI = '00000000000000000000';
const TAG = '00000000';
const MAPPED = '00000000000000000000ffff0a000000';
const A16 = '20010db8000000000000000000000001';

/** Routes, others, unusable ones, malformed ones; null: the list cannot be divided. */
function counts(hex: string): number[] | null {
  const bytes = fromHex(hex);
  const list = decodeNlri(bytes, 0, bytes.length);
  return list && [list.routes.length, list.others.length, list.unusable.length, list.malformed];
}

const ROUTE = [1, 0, 0, 0];
const OTHER = [0, 1, 0, 0];
const UNUSABLE = [0, 0, 1, 0];
const MALFORMED = [0, 0, 0, 1];

describe('a route', () => {
  it.each([
    ['of type 2, MAC alone', `0221 ${RD} ${ESI} ${TAG} 30 020000000001 00 000064`, ROUTE],
    ['of type 2, two labels', `0224 ${RD} ${ESI} ${TAG} 30 020000000001 00 000064 000065`, ROUTE],
    ['of type 2, IPv4', `0225 ${RD} ${ESI} ${TAG} 30 020000000001 20 0a000001 000064`, ROUTE],
    ['of type 2, IPv6, two labels', `0234 ${RD} ${ESI} ${TAG} 30 020000000001 80 ${A16} 000064 000065`, ROUTE],
    ['of type 2, MAC of 40 bits', `0221 ${RD} ${ESI} ${TAG} 28 020000000001 00 000064`, MALFORMED],
    ['of type 2, IP of 4 bits', `0225 ${RD} ${ESI} ${TAG} 30 020000000001 04 0a000001 000064`, MALFORMED],
    ['of type 2, IPv6 that is not there', `0225 ${RD} ${ESI} ${TAG} 30 020000000001 80 0a000001 000064`, MALFORMED],
    ['of type 2, no label', `021e ${RD} ${ESI} ${TAG} 30 020000000001 00`, MALFORMED],
    ['of type 2, a byte more', `0222 ${RD} ${ESI} ${TAG} 30 020000000001 00 00006400`, MALFORMED],
    ['of type 2, a multicast MAC', `0221 ${RD} ${ESI} ${TAG} 30 010000000001 00 000064`, UNUSABLE],
    ['of type 2, MAC 0', `0221 ${RD} ${ESI} ${TAG} 30 000000000000 00 000064`, UNUSABLE],
    ['of type 2, a multicast address', `0225 ${RD} ${ESI} ${TAG} 30 020000000001 20 e0000001 000064`, UNUSABLE],
    ['of type 3, IPv4', `0311 ${RD} ${TAG} 20 c0000202`, ROUTE],
    ['of type 3, IPv6', `031d ${RD} ${TAG} 80 ${A16}`, ROUTE],
    ['of type 3, length of another family', `0311 ${RD} ${TAG} 80 c0000202`, MALFORMED],
    ['of type 3, 0.0.0.0', `0311 ${RD} ${TAG} 20 00000000`, UNUSABLE],
    ['of type 5, IPv4', `0522 ${RD} ${ESI} ${TAG} 18 0a000000 00000000 000064`, ROUTE],
    ['of type 5, IPv6', `053a ${RD} ${ESI} ${TAG} 80 ${A16} ${A16} 000064`, ROUTE],
    ['of type 5, 33 bits of IPv4', `0522 ${RD} ${ESI} ${TAG} 21 0a000000 00000000 000064`, MALFORMED],
    ['of type 5, 129 bits of IPv6', `053a ${RD} ${ESI} ${TAG} 81 ${A16} ${A16} 000064`, MALFORMED],
    ['of type 5, IPv4 in IPv6', `053a ${RD} ${ESI} ${TAG} 78 ${MAPPED} ${A16} 000064`, MALFORMED],
    ['of type 5, a gateway of IPv4 in IPv6', `053a ${RD} ${ESI} ${TAG} 40 ${A16} ${MAPPED} 000064`, MALFORMED],
    ['of type 5, 35 bytes', `0523 ${RD} ${ESI} ${TAG} 18 0a000000 00000000 00006400`, MALFORMED],
    ['of type 5, gateway and segment', `0522 ${RD} 01${'00'.repeat(8)}01 ${TAG} 18 0a000000 0a000001 000064`, UNUSABLE],
    ['of type 1', `0119 ${RD} ${ESI} ${TAG} 000064`, OTHER],
    ['of type 1, a byte less', `0118 ${RD} ${ESI} ${TAG} 0000`, MALFORMED],
    ['of type 4', `0417 ${RD} ${ESI} 20 c0000202`, OTHER],
    ['of type 4, length of another family', `0417 ${RD} ${ESI} 80 c0000202`, MALFORMED],
    ['of type 6', `0603 010203`, OTHER],
    ['of type 0, empty', `0000`, OTHER],
    ['that is cut off', `0221 ${RD}`, null],
    ['without a length', `02`, null],
  ] as const)('%s', (_, hex, expected) => {
    expect(counts(hex)).toEqual(expected);
    // What comes behind is read whatever was before.
    const behind = `0311 ${RD} ${TAG} 20 c0000203`;
    if (expected !== null) expect(counts(hex + behind)).toEqual([expected[0] + 1, ...expected.slice(1)]);
  });

  it('has a prefix without host bits', () => {
    const bytes = fromHex(`0522 ${RD} ${ESI} ${TAG} 09 0aff1234 00000000 000064`);
    expect(decodeNlri(bytes, 0, bytes.length)?.routes).toMatchObject([{ prefix: '10.128.0.0/9' }]);
  });

  it('is the same one with another label, segment or gateway', () => {
    const route: EvpnRoute = { type: 2, rd: '1:2', esi: NO_ESI, tag: 0, mac: '02:00:00:00:00:01', label: 1 };
    expect(routeKey({ ...route, label: 2, label2: 3, esi: '01'.repeat(10) })).toBe(routeKey(route));
    expect(routeKey({ ...route, ip: '10.0.0.1' })).not.toBe(routeKey(route));
  });
});

describe('a route distinguisher', () => {
  it.each([
    ['0000 fde9 00000064', '65001:100'],
    ['0001 c0000202 0005', '192.0.2.2:5'],
    ['0002 fa56ea00 0007', '4200000000:7'],
    ['0002 0000fde9 0064', '65001L:100'],
    ['0003 0102 03040506', '0x0003010203040506'],
  ])('%s is %s', (hex, text) => {
    const bytes = fromHex(hex);
    expect(readRd(viewOf(bytes), 0)).toBe(text);
    const written = new Uint8Array(8);
    writeRd(viewOf(written), 0, text);
    expect(toHex(written)).toBe(toHex(bytes));
  });

  it.each([
    '',
    '1',
    '1:',
    ':1',
    '65536:65536',
    '4294967296:1',
    '1:4294967296',
    '192.0.2.256:1',
    '192.0.2.1:65536',
    '0x12',
  ])('none is "%s"', (text) => {
    expect(parseRd(text)).toBeNull();
  });

  it('of any bytes has a text of its own', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (bytes) => {
        if (bytes[0] === 0) bytes[1] %= 4;
        const written = new Uint8Array(8);
        writeRd(viewOf(written), 0, readRd(viewOf(bytes), 0));
        expect(written).toEqual(bytes);
      }),
    );
  });
});

const hex = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => toHex(bytes));
const v4 = fc
  .tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(255))
  .map((parts) => parts.join('.'));
const v6 = fc
  .array(fc.nat(0xffff), { minLength: 6, maxLength: 6 })
  .map((groups) => canonicalAddress(`2001:db8:${groups.map((group) => group.toString(16)).join(':')}`));
const address = fc.oneof(v4, fc.constantFrom('2001:db8::1', 'fe80::1', '2001:db8:0:1::'), v6);
const u24 = fc.nat(0xffffff);
const u32 = fc.nat(0xffffffff);
const administrator = fc.oneof(
  fc.tuple(fc.nat(0xffff), u32).map(([as, number]) => `${as}:${number}`),
  fc.tuple(v4, fc.nat(0xffff)).map(([ip, number]) => `${ip}:${number}`),
  fc.tuple(fc.integer({ min: 65536, max: 0xffffffff }), fc.nat(0xffff)).map(([as, number]) => `${as}:${number}`),
  fc.tuple(fc.nat(0xffff), fc.nat(0xffff)).map(([as, number]) => `${as}L:${number}`),
);
const mac = hex(6).map((digits) => (`02${digits.slice(2)}`.match(/../g) as string[]).join(':'));
const esi = fc.oneof(fc.constant(NO_ESI), hex(10));
const macIp = fc.record(
  { type: fc.constant<2>(2), rd: administrator, esi, tag: u32, mac, ip: address, label: u24, label2: u24 },
  { requiredKeys: ['type', 'rd', 'esi', 'tag', 'mac', 'label'] },
);
const inclusive = fc.record({ type: fc.constant<3>(3), rd: administrator, tag: u32, origin: address });
const prefix = fc.record({
  ...{ type: fc.constant<5>(5), rd: administrator, esi: fc.constant(NO_ESI), tag: u32, label: u24 },
  ...{ prefix: fc.constantFrom('10.0.0.0/8', '0.0.0.0/0', '192.0.2.128/25', '198.51.100.7/32'), gateway: v4 },
});
const prefix6 = fc.record({
  ...{ type: fc.constant<5>(5), rd: administrator, esi, tag: u32, label: u24, gateway: fc.constant('::') },
  prefix: fc.constantFrom('2001:db8::/32', '::/0', '2001:db8::1/128', '2001:db8:0:8000::/49'),
});
const route: fc.Arbitrary<EvpnRoute> = fc.oneof(macIp, inclusive, prefix, prefix6);

const asn = fc.integer({ min: 1, max: 0xffffffff });
const segment: fc.Arbitrary<AsSegment> = fc.record({
  kind: fc.constantFrom('set', 'sequence', 'confed-sequence', 'confed-set'),
  asns: fc.array(asn, { minLength: 1, maxLength: 100 }),
});
const attributes: fc.Arbitrary<PathAttributes> = fc.record(
  {
    origin: fc.nat(2),
    asPath: fc.array(segment, { maxLength: 3 }),
    nextHop: address,
    med: u32,
    localPref: u32,
    communities: fc.array(u32, { minLength: 1, maxLength: 80 }),
    originatorId: fc.ipV4(),
    clusterList: fc.array(fc.ipV4(), { minLength: 1, maxLength: 10 }),
    pmsi: fc.record({ flags: fc.nat(255), type: fc.constant(6), label: u24, endpoint: address }),
    extended: fc.record(
      {
        routeTargets: fc.uniqueArray(administrator, { maxLength: 40 }),
        encapsulation: fc.nat(0xffff),
        mobility: fc.record({ sequence: u32, sticky: fc.boolean() }),
        isGateway: fc.boolean(),
        routerMac: mac,
        nd: fc.record({ immutable: fc.boolean(), override: fc.boolean(), router: fc.boolean() }),
      },
      { requiredKeys: ['routeTargets', 'isGateway'] },
    ),
  },
  { requiredKeys: ['origin', 'asPath', 'nextHop', 'localPref', 'extended'] },
);

/** Routes and attributes of messages, in their order. */
function decodeAll(messages: readonly Uint8Array[], fourOctetAs = true) {
  const announced: EvpnRoute[] = [];
  const withdrawn: EvpnRoute[] = [];
  let read: PathAttributes | null = null;
  for (const message of messages) {
    const decoded = decodeMessage(message, { ...SESSION, fourOctetAs });
    if (decoded.kind !== 'update' || decoded.result.verdict !== 'fine') throw new Error(JSON.stringify(decoded));
    announced.push(...decoded.result.update.announced);
    withdrawn.push(...decoded.result.update.withdrawn);
    read = decoded.result.update.attributes;
  }
  return { announced, withdrawn, read };
}

describe('routes with their attributes', () => {
  const routes = fc.array(route, { minLength: 1, maxLength: 300 });
  const limit = fc.constantFrom(MESSAGE_LIMIT, EXTENDED_LIMIT);

  it('are read as they were written, in messages that are not too long', () => {
    fc.assert(
      fc.property(routes, attributes, limit, (sent, with_, maxLength) => {
        const encoder = new UpdateEncoder({ ...SESSION, maxLength });
        const messages = encoder.announce(sent, with_);
        expect(Math.max(...messages.map(({ length }) => length))).toBeLessThanOrEqual(maxLength);
        expect(decodeAll(messages)).toEqual({ announced: sent, withdrawn: [], read: with_ });
        expect(decodeAll(encoder.withdraw(sent)).withdrawn).toEqual(sent);
      }),
      { numRuns: 60 },
    );
  });

  it('keep their AS numbers over a session of 2 bytes', () => {
    const plain = fc.array(asn, { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(plain, (asns) => {
        const with_: PathAttributes = {
          ...{ origin: 0, asPath: [{ kind: 'sequence', asns }], nextHop: '192.0.2.1', localPref: 1 },
          extended: { routeTargets: [], isGateway: false },
        };
        const short = { ...SESSION, fourOctetAs: false };
        const one: EvpnRoute = { type: 3, rd: '1:1', tag: 0, origin: '192.0.2.1' };
        expect(decodeAll(new UpdateEncoder(short).announce([one], with_), false).read).toEqual(with_);
      }),
    );
  });

  it('fill a message before the next one begins', () => {
    const one: EvpnRoute = { type: 3, rd: '1:1', tag: 0, origin: '192.0.2.1' };
    const messages = new UpdateEncoder(SESSION).withdraw(new Array(1000).fill(one));
    // 19 bytes each; 30 for header, lengths and the attribute's head.
    expect(messages.slice(0, -1).every(({ length }) => length === 30 + 214 * 19)).toBe(true);
    expect(messages).toHaveLength(Math.ceil(1000 / 214));
  });

  it('are refused when the attributes leave no room', () => {
    const with_: PathAttributes = {
      ...{ origin: 0, asPath: [], nextHop: '192.0.2.1', communities: new Array(1010).fill(1) },
      extended: { routeTargets: [], isGateway: false },
    };
    const one: EvpnRoute = { type: 3, rd: '1:1', tag: 0, origin: '192.0.2.1' };
    expect(() => new UpdateEncoder(SESSION).announce([one], with_)).toThrow(/leave no room/);
  });
});

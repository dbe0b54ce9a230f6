/** The stream in chunks of any size, headers, OPEN, NOTIFICATION: literal bytes and what is wrong with them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Framer } from '../../../src/wire/bgp/framer.js';
import { decodeMessage, encodeKeepalive, encodeNotification, encodeOpen } from '../../../src/wire/bgp/message.js';
import {
  type Notification,
  notification,
  notificationWords,
  shutdownData,
  shutdownText,
} from '../../../src/wire/bgp/notification.js';
import { EXTENDED_LIMIT, MESSAGE_LIMIT } from '../../../src/wire/bgp/session.js';
import { concatBytes, fromHex, toHex } from '../../../src/wire/bytes.js';
import { FRR, GOBGP } from './captures.js';
import { SESSION, whole } from './reading.js';

const MARKER = 'ff'.repeat(16);

/** Pushes chunks; all messages, and the first fault. */
function frame(
  chunks: readonly Uint8Array[],
  maxLength = MESSAGE_LIMIT,
): { messages: string[]; fault: Notification | null } {
  const framer = new Framer();
  framer.maxLength = maxLength;
  const messages: string[] = [];
  let fault: Notification | null = null;
  for (const chunk of chunks) {
    fault ??= framer.push(chunk, (message) => {
      messages.push(toHex(message));
      return true;
    });
  }
  return { messages, fault };
}

describe('the framer', () => {
  it('gives the same messages however the stream is cut', () => {
    const all = [...Object.values(FRR), ...Object.values(GOBGP)].map(fromHex);
    all.push(whole(2, new Uint8Array(MESSAGE_LIMIT - 19)));
    const stream = concatBytes(...all);
    const expected = all.map(toHex);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 40 }), (sizes) => {
        expect(frame(resized(stream, sizes))).toEqual({ messages: expected, fault: null });
      }),
    );
  });

  it.each([
    ['a bit of the marker', `${'ff'.repeat(15)}fe 0013 04`, [1, 1, '']],
    ['a type 0', `${MARKER} 0013 00`, [1, 3, '00']],
    ['a type 6', `${MARKER} 0017 06 00000000`, [1, 3, '06']],
    ['18 bytes', `${MARKER} 0012 04`, [1, 2, '0012']],
    ['a KEEPALIVE of 20 bytes', `${MARKER} 0014 04 00`, [1, 2, '0014']],
    ['an OPEN of 28 bytes', `${MARKER} 001c 01`, [1, 2, '001c']],
    ['an UPDATE of 22 bytes', `${MARKER} 0016 02`, [1, 2, '0016']],
    ['a NOTIFICATION of 20 bytes', `${MARKER} 0014 03`, [1, 2, '0014']],
    ['a ROUTE-REFRESH of 22 bytes', `${MARKER} 0016 05`, [1, 2, '0016']],
    ['an UPDATE of 4097 bytes', `${MARKER} 1001 02`, [1, 2, '1001']],
  ] as const)('refuses %s, and everything behind it', (_, hex, [code, subcode, data]) => {
    const { messages, fault } = frame([fromHex(hex), encodeKeepalive()]);
    expect(messages).toEqual([]);
    expect(fault && [fault.code, fault.subcode, toHex(fault.data)]).toEqual([code, subcode, data]);
  });

  it('takes extended messages when both ends have them, but no such OPEN (RFC 8654)', () => {
    const large = whole(2, new Uint8Array(EXTENDED_LIMIT - 19));
    expect(
      frame([large.subarray(0, 5000), large.subarray(5000), encodeKeepalive()], EXTENDED_LIMIT).messages,
    ).toHaveLength(2);
    expect(frame([whole(1, new Uint8Array(MESSAGE_LIMIT))], EXTENDED_LIMIT).fault).toMatchObject({
      code: 1,
      subcode: 2,
    });
  });

  it('stops when the session has ended', () => {
    const framer = new Framer();
    let count = 0;
    const end = () => {
      count++;
      return false;
    };
    framer.push(concatBytes(encodeKeepalive(), encodeKeepalive()), end);
    framer.push(encodeKeepalive(), end);
    expect([count, framer.pending]).toEqual([1, 0]);
  });
});

/** The stream in chunks of these sizes, over and over. */
function resized(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length];
    chunks.push(stream.slice(at, at + size));
    at += size;
  }
  return chunks;
}

describe('OPEN', () => {
  const open = (body: string): unknown => {
    const decoded = decodeMessage(whole(1, fromHex(body)), SESSION);
    if (decoded.kind === 'open') return decoded.open;
    if (decoded.kind !== 'fault') return decoded;
    const { code, subcode, data } = decoded.notification;
    return [code, subcode, toHex(data)];
  };

  it.each([
    ['version 3', '03 fde9 005a c0000202 00', [2, 1, '0004']],
    ['AS 0', '04 0000 005a c0000202 00', [2, 2, '']],
    ['AS 0 as a capability', '04 5ba0 005a c0000202 08 0206 4104 00000000', [2, 2, '']],
    ['identifier 0', '04 fde9 005a 00000000 00', [2, 3, '']],
    ['hold time 2', '04 fde9 0002 c0000202 00', [2, 6, '']],
    ['an unknown parameter', '04 fde9 005a c0000202 03 0101 00', [2, 4, '010100']],
    ['parameters that end early', '04 fde9 005a c0000202 03 0206', [2, 0, '']],
    ['parameters with bytes behind', '04 fde9 005a c0000202 00 0200', [2, 0, '']],
    ['a parameter that is too long', '04 fde9 005a c0000202 04 0206 4104', [2, 0, '']],
    ['a capability that is too long', '04 fde9 005a c0000202 04 0202 4104', [2, 0, '']],
    ['a capability of a wrong length', '04 fde9 005a c0000202 07 0205 4103 000001', [2, 0, '']],
    ['a family of 3 bytes', '04 fde9 005a c0000202 07 0205 0103 001900', [2, 0, '']],
    ['graceful restart of 5 bytes', '04 fde9 005a c0000202 09 0207 4005 0078001946', [2, 0, '']],
    ['long-lived stale of 6 bytes', '04 fde9 005a c0000202 0a 0208 4706 001946000000', [2, 0, '']],
    [
      'extended lengths that are wrong (RFC 9072)',
      '04 fde9 005a c0000202 ff ff 0008 02 0006 4104 0000fde9',
      [2, 0, ''],
    ],
  ] as const)('with %s', (_, body, expected) => {
    expect(open(body)).toEqual(expected);
  });

  it('without capabilities', () => {
    expect(open('04 fde9 0000 c0000202 00')).toMatchObject({ asn: 65001, holdTime: 0, capabilities: { families: [] } });
  });

  it('with lengths of 2 bytes (RFC 9072)', () => {
    expect(open('04 5ba0 005a c0000202 ff ff 000b 02 0008 4104 fa56ea00 0200')).toMatchObject({
      asn: 4200000000,
      capabilities: { routeRefresh: true },
    });
  });

  it('is read as it was written', () => {
    const family = fc.record({ afi: fc.nat(0xffff), safi: fc.nat(255) });
    const restart = fc.record({ afi: fc.nat(0xffff), safi: fc.nat(255), isForwarding: fc.boolean() });
    const capabilities = fc.record(
      {
        families: fc.array(family, { maxLength: 4 }),
        fourOctetAs: fc.integer({ min: 1, max: 0xffffffff }),
        ...{ routeRefresh: fc.boolean(), enhancedRefresh: fc.boolean(), extendedMessages: fc.boolean() },
        gracefulRestart: fc.record({
          ...{ isRestarting: fc.boolean(), keepsOnNotification: fc.boolean(), seconds: fc.nat(0x0fff) },
          families: fc.array(restart, { maxLength: 4 }),
        }),
        longLived: fc.array(
          fc.record({ afi: fc.nat(0xffff), safi: fc.nat(255), isForwarding: fc.boolean(), seconds: fc.nat(0xffffff) }),
          { maxLength: 4 },
        ),
        unknown: fc.constant<number[]>([]),
      },
      { requiredKeys: ['families', 'routeRefresh', 'enhancedRefresh', 'extendedMessages', 'unknown'] },
    );
    const message = fc.record({
      asn: fc.integer({ min: 1, max: 0xffff }),
      holdTime: fc.integer({ min: 3, max: 0xffff }),
      routerId: fc.ipV4().filter((text) => text !== '0.0.0.0'),
      capabilities,
    });
    fc.assert(
      fc.property(message, (drawn) => {
        const sent = { ...drawn, asn: drawn.capabilities.fourOctetAs ?? drawn.asn };
        expect(decodeMessage(encodeOpen(sent), SESSION)).toEqual({ kind: 'open', open: sent });
      }),
    );
  });
});

describe('NOTIFICATION', () => {
  it.each([
    [notification(4, 0), 'hold timer expired'],
    [notification(2, 2), 'OPEN error: bad peer AS'],
    [notification(3, 9), 'UPDATE error: optional attribute error'],
    [notification(6, 2), 'cease: administrative shutdown'],
    [notification(6, 4, shutdownData('new version')), 'cease: administrative reset: "new version"'],
    [notification(6, 9, Uint8Array.of(6, 1)), 'hard reset, cease: maximum number of prefixes reached'],
    [notification(6, 9, Uint8Array.of(6, 9, 6, 9)), 'cease: hard reset'],
    [notification(99, 7), 'code 99: subcode 7'],
    [notification(0, 0), 'code 0'],
  ])('%j in words', (told, words) => {
    expect(notificationWords(told)).toBe(words);
    const decoded = decodeMessage(encodeNotification(told), SESSION);
    expect(decoded).toEqual({ kind: 'notification', notification: told });
  });

  it.each([
    ['in UTF-8', '08 47c3bcc39f65210a', 'Güße!\ufffd'],
    ['shorter than it says', '05 6162', undefined],
    ['no UTF-8', '02 c328', undefined],
    ['empty', '00', undefined],
    ['without its length', '', undefined],
  ])('a text of a shutdown %s', (_, data, text) => {
    expect(shutdownText(notification(6, 2, fromHex(data)))).toBe(text);
  });

  it('a text is cut between two characters (RFC 9003)', () => {
    const data = shutdownData('ü'.repeat(200));
    expect([data.length, data[0]]).toEqual([255, 254]);
    expect(shutdownText(notification(6, 2, data))).toBe('ü'.repeat(127));
  });
});

describe('ROUTE-REFRESH', () => {
  it('a mark of another length is answered (RFC 7313 section 5)', () => {
    const refresh = (body: string) => decodeMessage(whole(5, fromHex(body)), SESSION);
    expect(refresh('0019 01 46 00')).toMatchObject({ kind: 'fault', notification: { code: 7, subcode: 1 } });
    expect(refresh('0019 00 46 00')).toEqual({ kind: 'refresh', refresh: { afi: 25, safi: 70, subtype: 0 } });
  });
});

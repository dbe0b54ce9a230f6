/** Neighbour discovery and ARP in literal bytes: validity, writing, and no reads past the end. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARP_REPLY, encodeArp, writeArpReply } from '../../src/wire/arp.js';
import { fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import {
  ADVERTISEMENT_PACKET,
  encodeNd,
  ND_ADVERTISEMENT,
  ND_NONE,
  ND_OVERRIDE,
  ND_ROUTER,
  ND_SOLICITATION,
  ND_SOLICITED,
  ND_SOURCE_LINK,
  ND_TARGET_LINK,
  ndEnd,
  ndFlags,
  ndLinkAddress,
  ndMessage,
  writeAdvertisement,
} from '../../src/wire/nd.js';

/** fe80::1 asks for 2001:db8::2, from 02:00:00:00:00:0a. */
const SOLICITATION = fromHex(
  `
  60000000 0020 3a ff fe800000000000000000000000000001 ff0200000000000000000001ff000002
  87 00 XXXX 00000000 20010db8000000000000000000000002 01 01 02000000000a`.replace('XXXX', checksum()),
);

/** The ones' complement of the sum of all words that the checksum covers, written out. */
function checksum(): string {
  const words = [
    0xfe80, 0, 0, 0, 0, 0, 0, 1, 0xff02, 0, 0, 0, 0, 1, 0xff00, 2, 0, 0x20, 0, 0x3a, 0x8700, 0, 0, 0x2001, 0x0db8, 0, 0,
    0, 0, 0, 2, 0x0101, 0x0200, 0, 0x000a,
  ];
  let sum = words.reduce((total, word) => total + word, 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return (~sum & 0xffff).toString(16).padStart(4, '0');
}

const kindOf = (bytes: Uint8Array, finished = true): number => ndMessage(viewOf(bytes), 0, bytes.length, finished);

/** A message that is sound but for its changed bytes; its checksum is not verified. */
function kindWith(change: (bytes: Uint8Array) => void, base = SOLICITATION): number {
  const bytes = base.slice();
  change(bytes);
  return kindOf(bytes, false);
}

const put =
  (at: number, value: number) =>
  (bytes: Uint8Array): void => {
    bytes[at] = value;
  };

describe('a solicitation', () => {
  it('is read from literal bytes', () => {
    const view = viewOf(SOLICITATION);
    expect(kindOf(SOLICITATION)).toBe(ND_SOLICITATION);
    expect(ndLinkAddress(view, 40, ndEnd(view, 0), ND_SOURCE_LINK)).toBe(66);
    expect(ndLinkAddress(view, 40, ndEnd(view, 0), ND_TARGET_LINK)).toBe(0);
  });

  it('is what the builder makes', () => {
    const path = { source: 'fe80::1', destination: 'ff02::1:ff00:2' };
    const made = encodeNd({ type: ND_SOLICITATION, target: '2001:db8::2', sourceLink: '02:00:00:00:00:0a' }, path);
    expect(toHex(made)).toBe(toHex(SOLICITATION));
  });

  it.each<[string, (bytes: Uint8Array) => void]>([
    ['hop limit 254', put(7, 254)],
    ['a code', put(41, 1)],
    ['another next header', put(6, 17)],
    ['another type', put(40, 134)],
    ['another version', put(0, 0x40)],
    ['a multicast target', put(48, 0xff)],
    ['an option of length 0', put(65, 0)],
    ['an option past the end', put(65, 2)],
    ['a payload longer than the frame', put(5, 0x21)],
    ['a payload shorter than the message', put(5, 0x17)],
    ['half an option', put(5, 0x19)],
    ['no source but a link-layer address', (bytes) => void bytes.fill(0, 8, 24)],
  ])('is none with %s', (_name, change) => {
    expect(kindWith(change)).toBe(ND_NONE);
  });

  it('is none with a wrong checksum, unless that is left to a device', () => {
    const bytes = SOLICITATION.slice();
    bytes[42] ^= 1;
    expect([kindOf(bytes), kindOf(bytes, false)]).toEqual([ND_NONE, ND_SOLICITATION]);
  });

  it('from :: goes to the solicited-node group and nowhere else', () => {
    const make = (destination: string): Uint8Array =>
      encodeNd({ type: ND_SOLICITATION, target: '2001:db8::2' }, { source: '::', destination });
    expect(kindOf(make('ff02::1:ff00:2'))).toBe(ND_SOLICITATION);
    expect(kindOf(make('ff02::1'))).toBe(ND_NONE);
    expect(kindOf(make('2001:db8::2'))).toBe(ND_NONE);
  });

  it('may have other options before the address, and an address that is no unicast one is none', () => {
    const path = { source: 'fe80::1', destination: 'ff02::1:ff00:2' };
    const link = (bytes: Uint8Array): number => ndLinkAddress(viewOf(bytes), 40, bytes.length, ND_SOURCE_LINK);
    const nonce = fromHex('0e 01 010203040506 01 01 02000000000b');
    const made = encodeNd({ type: ND_SOLICITATION, target: '2001:db8::2', options: nonce }, path);
    expect([kindOf(made), link(made)]).toEqual([ND_SOLICITATION, 40 + 24 + 8 + 2]);
    for (const option of ['01 01 010000000001', '01 01 000000000000', '01 02 02000000000a 0000000000000000']) {
      const odd = encodeNd({ type: ND_SOLICITATION, target: '2001:db8::2', options: fromHex(option) }, path);
      expect([kindOf(odd), link(odd)]).toEqual([ND_SOLICITATION, 0]);
    }
  });
});

describe('an advertisement', () => {
  const make = (destination: string, flags: number): Uint8Array =>
    encodeNd(
      { type: ND_ADVERTISEMENT, target: '2001:db8::2', flags, targetLink: '02:00:00:00:00:0b' },
      { source: '2001:db8::2', destination },
    );

  it('is sound to one or to all, but to all it is not solicited', () => {
    expect(kindOf(make('fe80::1', ND_SOLICITED | ND_OVERRIDE))).toBe(ND_ADVERTISEMENT);
    expect(kindOf(make('ff02::1', ND_OVERRIDE))).toBe(ND_ADVERTISEMENT);
    expect(kindOf(make('ff02::1', ND_SOLICITED))).toBe(ND_NONE);
  });

  it('is written as the builder makes it', () => {
    const bytes = new Uint8Array(ADVERTISEMENT_PACKET);
    const flags = ND_ROUTER | ND_SOLICITED | ND_OVERRIDE;
    const target = [7, 0x20010db8, 0, 0, 2];
    const to = [0xfe800000 | 0, 0, 0, 1];
    writeAdvertisement(viewOf(bytes), 0, flags, target, 1, to, 0, 0x0200, 0x0b);
    expect(toHex(bytes)).toBe(toHex(make('fe80::1', flags)));
    expect(ndFlags(viewOf(bytes), 40)).toBe(flags);
  });
});

it('an ARP reply is written as the builder makes it', () => {
  const bytes = new Uint8Array(28);
  writeArpReply(viewOf(bytes), 0, 0x0200, 0x0b, 0xc6120002 | 0, 0x0200, 0x0a, 0xc6120001 | 0);
  expect(toHex(bytes)).toBe('0001080006040002' + '02000000000b' + 'c6120002' + '02000000000a' + 'c6120001');
  const fields = { senderMac: '02:00:00:00:00:0b', senderAddress: '198.18.0.2', targetMac: '02:00:00:00:00:0a' };
  expect(toHex(encodeArp({ operation: ARP_REPLY, ...fields, targetAddress: '198.18.0.1' }))).toBe(toHex(bytes));
});

describe('whatever the bytes are', () => {
  it('nothing is read beyond them', () => {
    const sound = fc.constantFrom(
      SOLICITATION,
      encodeNd(
        { type: ND_ADVERTISEMENT, target: '2001:db8::2', targetLink: '02:00:00:00:00:0b' },
        { source: '2001:db8::2', destination: 'ff02::1' },
      ),
    );
    const change = fc.tuple(fc.nat(79), fc.nat(255));
    fc.assert(
      fc.property(
        sound,
        fc.array(change, { maxLength: 6 }),
        fc.nat(90),
        fc.boolean(),
        (base, changes, length, whole) => {
          const bytes = new Uint8Array(whole ? base.length : length);
          bytes.set(base.subarray(0, bytes.length));
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          // A view of exactly these bytes: a read beyond them throws.
          const kind = kindOf(bytes, false);
          if (kind === ND_NONE) return;
          const link = ndLinkAddress(viewOf(bytes), 40, ndEnd(viewOf(bytes), 0), ND_SOURCE_LINK);
          expect(link === 0 || link + 6 <= bytes.length).toBe(true);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

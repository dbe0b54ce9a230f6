import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/wire/bytes.js';
import { addressBytes, formatAddress, parseAddress } from '../../src/wire/ip-address.js';

describe('parseAddress refuses', () => {
  it.each([
    ['nothing', ''],
    ['a name', 'localhost'],
    ['three parts', '192.0.2'],
    ['five parts', '192.0.2.1.1'],
    ['an empty part', '192..2.1'],
    ['a part over 255', '192.0.2.256'],
    ['a leading zero, which some read as octal', '192.0.2.01'],
    ['a sign', '192.0.2.-1'],
    ['hexadecimal', '0xc0.0.2.1'],
    ['a prefix length', '192.0.2.1/24'],
    ['a space', ' 192.0.2.1'],
    ['seven groups', '1:2:3:4:5:6:7'],
    ['nine groups', '1:2:3:4:5:6:7:8:9'],
    ['"::" for nothing', '1:2:3:4::5:6:7:8'],
    ['"::" twice', '1::2::3'],
    ['three colons', '1:::2'],
    ['a colon at the beginning', ':1:2:3:4:5:6:7'],
    ['a colon at the end', '1:2:3:4:5:6:7:'],
    ['a single colon', ':'],
    ['five digits', '12345::'],
    ['other letters', 'g::1'],
    ['a zone', 'fe80::1%eth0'],
    ['brackets', '[::1]'],
    ['a dotted part not at the end', '::1.2.3.4:5'],
    ['a dotted part before "::"', '1.2.3.4::'],
    ['a dotted part and too many groups', '1:2:3:4:5:6:7:1.2.3.4'],
  ])('%s', (_name, text) => {
    expect(parseAddress(text)).toBeNull();
  });
});

describe('addresses', () => {
  it.each([
    ['192.0.2.1', 4, [0, 0, 0xffff, 0xc0000201 | 0]],
    ['0.0.0.0', 4, [0, 0, 0xffff, 0]],
    ['255.255.255.255', 4, [0, 0, 0xffff, -1]],
    ['::', 6, [0, 0, 0, 0]],
    ['::1', 6, [0, 0, 0, 1]],
    ['2001:db8::1', 6, [0x20010db8, 0, 0, 1]],
    ['2001:db8:0:1:1:1:1:1', 6, [0x20010db8, 1, 0x10001, 0x10001]],
    ['ff02::1:ff00:1', 6, [0xff020000 | 0, 0, 1, 0xff000001 | 0]],
    ['2001:0:0:1::1', 6, [0x20010000, 1, 0, 1]],
    ['1:2:3:4:5:6:7:8', 6, [0x10002, 0x30004, 0x50006, 0x70008]],
    ['1::', 6, [0x10000, 0, 0, 0]],
    ['::ffff:0:0:0', 6, [0, 0, 0xffff0000 | 0, 0]],
  ])('%s is read and written alike', (text, family, words) => {
    expect(parseAddress(text)).toEqual({ family, words });
    expect(formatAddress(...(words as [number, number, number, number]))).toBe(text);
  });

  it.each([
    ['2001:DB8::000A', '2001:db8::a'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8::0:1', '2001:db8::1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
  ])('%s is written as %s', (text, canonical) => {
    const address = parseAddress(text);
    expect(address === null ? null : formatAddress(...address.words)).toBe(canonical);
  });

  it('come back from their text, which others accept', () => {
    const word = fc.oneof(fc.constantFrom(0, 1, 0xffff, -1, 0x10000), fc.integer());
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), (words) => {
        const text = formatAddress(...words);
        expect(parseAddress(text)?.words).toEqual(words);
        expect(isIP(text)).toBe(parseAddress(text)?.family);
      }),
    );
  });

  it('agree with Node about what is an address', () => {
    const part = fc.constantFrom('0', '1', 'ff', '1234', '12345', '', ':', '::', '.', '1.2.3.4', '256', '01', 'g');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), fc.constantFrom('', ':', '.'), (parts, separator) => {
        const text = parts.join(separator);
        expect(parseAddress(text) !== null).toBe(isIP(text) !== 0);
      }),
      { numRuns: 3000 },
    );
  });

  it('have 4 or 16 bytes in a header', () => {
    expect(toHex(addressBytes('192.0.2.1'))).toBe('c0000201');
    expect(toHex(addressBytes('2001:db8::1'))).toBe('20010db8000000000000000000000001');
    expect(() => addressBytes('nowhere')).toThrow(/"nowhere" is not an IP address/);
  });
});

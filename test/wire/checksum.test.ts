import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, viewOf } from '../../src/wire/bytes.js';
import {
  adjust16,
  fold,
  internetChecksum,
  pseudoHeaderSum4,
  pseudoHeaderSum6,
  sum16,
} from '../../src/wire/checksum.js';

/** The definition, with numbers of any size. */
function naiveSum(bytes: Uint8Array): bigint {
  let sum = 0n;
  for (let i = 0; i < bytes.length; i += 2) sum += BigInt(((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0));
  return sum;
}

function naiveFold(sum: bigint): number {
  let folded = sum;
  while (folded > 0xffffn) folded = (folded & 0xffffn) + (folded >> 16n);
  return Number(folded);
}

describe('sums', () => {
  it('are those of the example in RFC 1071 section 3', () => {
    const view = viewOf(fromHex('0001 f203 f4f5 f6f7'));
    expect(fold(sum16(view, 0, 8, 0))).toBe(0xddf2);
    expect(internetChecksum(view, 0, 8)).toBe(0x220d);
  });

  it('of nothing is nothing', () => {
    expect(internetChecksum(viewOf(new Uint8Array(0)), 0, 0)).toBe(0xffff);
  });

  it('take an odd last byte as the high half of a word', () => {
    expect(fold(sum16(viewOf(fromHex('0102 03')), 0, 3, 0))).toBe(0x0402);
  });

  it('do not overflow over 256 KiB of ones', () => {
    const bytes = new Uint8Array(262_144).fill(0xff);
    expect(fold(sum16(viewOf(bytes), 0, bytes.length, 0x7fffffff))).toBe(naiveFold(naiveSum(bytes) + 0x7fffffffn));
  });

  it('equal the definition for any bytes, offset and beginning', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(20), fc.nat(0x7fffffff), (bytes, before, initial) => {
        const at = Math.min(before, bytes.length);
        const part = bytes.subarray(at);
        const sum = sum16(viewOf(bytes), at, part.length, initial);
        expect(sum).toBeLessThan(1 << 17);
        expect(fold(sum)).toBe(naiveFold(naiveSum(part) + BigInt(initial)));
      }),
    );
  });

  it('equal the definition over lengths around a block', () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 37) ^ (i >> 3));
    for (const length of [32_766, 32_767, 32_768, 32_769, 32_770, 65_535, 65_536, 65_537, 70_000]) {
      expect(fold(sum16(viewOf(bytes), 0, length, 0))).toBe(naiveFold(naiveSum(bytes.subarray(0, length))));
    }
  });

  it('of a message with its checksum put in are verified as 0', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 100 }), (bytes) => {
        const view = viewOf(bytes);
        view.setUint16(0, 0);
        view.setUint16(0, internetChecksum(view, 0, bytes.length));
        expect(internetChecksum(view, 0, bytes.length)).toBe(0);
      }),
    );
  });
});

describe('pseudo-headers', () => {
  it('of IPv4: addresses, protocol and length', () => {
    const view = viewOf(fromHex('ff 45000000 00000000 40110000 c0000201 c0000202'));
    expect(fold(pseudoHeaderSum4(view, 1, 17, 12))).toBe(fold(0xc000 + 0x0201 + 0xc000 + 0x0202 + 17 + 12));
  });

  it('of IPv6, with a length over 16 bits', () => {
    const addresses = '20010db8000000000000000000000001 20010db8000000000000000000000002';
    const view = viewOf(fromHex(`60000000 00001140 ${addresses}`));
    const pseudo = fromHex(`${addresses} 00012345 00000011`);
    expect(fold(pseudoHeaderSum6(view, 0, 17, 0x12345))).toBe(naiveFold(naiveSum(pseudo)));
  });
});

describe('adjust16', () => {
  it('gives the example of RFC 1624 section 4, where the older equation fails', () => {
    expect(adjust16(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  it('equals a fresh checksum after a word has changed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 4, maxLength: 40 }).filter((bytes) => bytes.length % 2 === 0),
        fc.nat(100),
        fc.nat(0xffff),
        (bytes, place, word) => {
          const view = viewOf(bytes);
          // A header is never all zeros: there only, 0 and 0xffff are not told apart.
          view.setUint16(0, 0x4500);
          const at = 2 + 2 * (place % (bytes.length / 2 - 1));
          const before = internetChecksum(view, 0, bytes.length);
          const old = view.getUint16(at);
          view.setUint16(at, word);
          expect(adjust16(before, old, word)).toBe(internetChecksum(view, 0, bytes.length));
        },
      ),
    );
  });
});

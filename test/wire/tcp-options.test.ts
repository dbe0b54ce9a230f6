import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { viewOf } from '../../src/wire/bytes.js';
import { findMss } from '../../src/wire/tcp-options.js';

/** A header with options, behind three other bytes; what follows it looks like an MSS option. */
function found(options: readonly number[]): number {
  const header = Uint8Array.from([9, 9, 9, ...new Array<number>(20).fill(0), ...options, 2, 4, 5, 0xb4, 2, 4, 5, 0xb4]);
  return findMss(viewOf(header), 3, 20 + options.length);
}

describe('the MSS option of a TCP header', () => {
  it('is found wherever it stands, at odd places too', () => {
    expect(found([2, 4, 5, 0xb4])).toBe(25);
    expect(found([1, 2, 4, 5, 0xb4, 0, 0, 0])).toBe(26);
    expect(found([4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4])).toBe(37);
  });

  it('is not found behind the end of the options, nor where its length or that of one before it is wrong', () => {
    expect(found([])).toBe(0);
    expect(found([0, 2, 4, 5])).toBe(0);
    expect(found([2, 3, 5, 0xb4])).toBe(0);
    expect(found([3, 0, 2, 4])).toBe(0);
    expect(found([3, 1, 2, 4])).toBe(0);
    expect(found([3, 9, 2, 4])).toBe(0);
    expect(found([1, 1, 2, 4])).toBe(0);
    expect(found([1, 1, 1, 2])).toBe(0);
  });

  it('lies within the header, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (options) => {
        const at = found([...options]);
        if (at === 0) return;
        expect(at).toBeLessThanOrEqual(23 + options.length - 2);
        expect([options[at - 25], options[at - 24]]).toEqual([2, 4]);
      }),
    );
  });
});

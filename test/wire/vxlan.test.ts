import { describe, expect, it } from 'vitest';
import { fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import { encodeVxlan, hasVniFlag, reservedBits, vni, writeVxlanHeader } from '../../src/wire/vxlan.js';

describe('invalid headers', () => {
  it('without the I flag', () => {
    expect(hasVniFlag(viewOf(fromHex('0000000000000100')), 0)).toBe(false);
    expect(hasVniFlag(viewOf(fromHex('f7ffffffffffffff')), 0)).toBe(false);
  });

  it('with a reserved bit: exactly 39 of the 64 bits are', () => {
    const reserved: number[] = [];
    for (let bit = 0; bit < 64; bit++) {
      const bytes = fromHex('0800000000000000');
      bytes[bit >> 3] ^= 0x80 >> (bit & 7);
      if (reservedBits(viewOf(bytes), 0) !== 0) reserved.push(bit);
    }
    // All flags but I (bit 4), the 24 bits behind them, and the last 8.
    const expected = [...Array(32).keys()].filter((bit) => bit !== 4);
    for (let bit = 56; bit < 64; bit++) expected.push(bit);
    expect(reserved).toEqual(expected);
    expect(reserved.length).toBe(39);
  });
});

describe('a valid header', () => {
  it('is read', () => {
    const view = viewOf(fromHex('ee 08000000 abcdef00'));
    expect([hasVniFlag(view, 1), vni(view, 1), reservedBits(view, 1)]).toEqual([true, 0xabcdef, 0]);
  });

  it.each([
    [1, '0800000000000100'],
    [42, '0800000000002a00'],
    [0xffffff, '08000000ffffff00'],
  ])('for VNI %i is written over anything with all reserved bits zero', (id, text) => {
    const bytes = new Uint8Array(10).fill(0xff);
    writeVxlanHeader(viewOf(bytes), 1, id);
    expect(toHex(bytes)).toBe(`ff${text}ff`);
    expect(vni(viewOf(bytes), 1)).toBe(id);
    expect(toHex(encodeVxlan(id, fromHex('0102')))).toBe(`${text}0102`);
  });
});

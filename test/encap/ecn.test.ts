import { describe, expect, it } from 'vitest';
import {
  decapsulatedEcn,
  ECN_CE,
  ECN_ECT0,
  ECN_ECT1,
  ECN_INVALID,
  ECN_NOT_ECT,
  outerTos,
} from '../../src/encap/ecn.js';

const [NOT, ECT1, ECT0, CE, DROP] = [ECN_NOT_ECT, ECN_ECT1, ECN_ECT0, ECN_CE, ECN_INVALID];

describe('ECN of the inner header after decapsulation (RFC 6040, figure 4, with the ruling for invalid pairs)', () => {
  it.each([
    { inner: NOT, becomes: { [NOT]: NOT, [ECT1]: NOT, [ECT0]: NOT, [CE]: DROP } },
    { inner: ECT1, becomes: { [NOT]: ECT1, [ECT1]: ECT1, [ECT0]: ECT1, [CE]: CE } },
    { inner: ECT0, becomes: { [NOT]: ECT0, [ECT1]: ECT1, [ECT0]: ECT0, [CE]: CE } },
    { inner: CE, becomes: { [NOT]: CE, [ECT1]: CE, [ECT0]: CE, [CE]: CE } },
  ])('inner $inner', ({ inner, becomes }) => {
    for (const [outer, ecn] of Object.entries(becomes)) expect(decapsulatedEcn(Number(outer), inner)).toBe(ecn);
  });
});

describe('TOS of the outer header', () => {
  it('for each of 256 inner bytes: DSCP as configured or inherited, ECN copied, CE as ECT(0)', () => {
    for (let inner = 0; inner < 256; inner++) {
      const ecn = [NOT, ECT1, ECT0, ECT0][inner & 3];
      expect(outerTos(0, inner)).toBe(ecn);
      expect(outerTos(0xb8, inner)).toBe(0xb8 | ecn);
      expect(outerTos(-1, inner)).toBe((inner & 0xfc) | ecn);
    }
  });

  it('ECN bits of the configured byte have no say', () => {
    for (let bits = 0; bits < 4; bits++) expect(outerTos(0x20 | bits, 0)).toBe(0x20);
  });
});

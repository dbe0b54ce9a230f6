import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import { decodeProbe, encodeProbe, isProbeOf, type Probe, probeVid } from '../../src/wire/loop-probe.js';

const PROBE: Probe = { vid: 0x0123, bridge: [0x11223344, 0x55667788], port: 0x99aabbcc, moment: 0xddeeff00 };
const SIGNED = '6f746c70 0001 0123 11223344 55667788 99aabbcc ddeeff00'.replaceAll(' ', '');
const FRAME = fromHex(
  `036f746c7001 024455667788 88b5 ${SIGNED} 000102030405060708090a0b0c0d0e0f 000000000000`.replaceAll(' ', ''),
);
const sign = (signed: Uint8Array): Uint8Array => {
  expect(toHex(signed)).toBe(SIGNED);
  return Uint8Array.from({ length: 16 }, (_, at) => at);
};

/** The same frame behind a tag. */
const TAGGED = concatBytes(FRAME.subarray(0, 12), fromHex('8100e123'), FRAME.subarray(12));

const isOwn = (frame: Uint8Array, length = frame.length): boolean =>
  isProbeOf(viewOf(frame), 0, length, PROBE.bridge[0], PROBE.bridge[1]);

describe('a probe', () => {
  it('is written as in its drawing, in 60 bytes', () => {
    expect(toHex(encodeProbe(PROBE, sign))).toBe(toHex(FRAME));
  });

  it.each([
    ['untagged', FRAME],
    ['tagged', TAGGED],
    ['with a service tag', concatBytes(FRAME.subarray(0, 12), fromHex('88a8e123'), FRAME.subarray(12))],
  ])('%s is recognised and read', (_, frame) => {
    expect(isOwn(frame)).toBe(true);
    expect(probeVid(viewOf(frame), 0)).toBe(PROBE.vid);
    const { signed, authenticator, ...facts } = decodeProbe(frame) ?? expect.fail('it is not read');
    expect(facts).toEqual(PROBE);
    expect(toHex(signed)).toBe(SIGNED);
    expect(toHex(authenticator)).toBe('000102030405060708090a0b0c0d0e0f');
  });
});

describe('what is no probe of this bridge', () => {
  it.each([
    ['another EtherType', 12],
    ['another magic', 14],
    ['another first word of the bridge', 22],
    ['another second word of the bridge', 29],
  ])('%s', (_, at) => {
    const frame = FRAME.slice();
    frame[at] ^= 1;
    expect(isOwn(frame)).toBe(false);
  });

  it('one that is cut anywhere, with or without a tag', () => {
    for (const [frame, whole] of [
      [FRAME, 54],
      [TAGGED, 58],
    ] as const) {
      for (let length = 14; length < whole; length++) {
        expect(isOwn(frame, length)).toBe(false);
        expect(decodeProbe(frame.subarray(0, length))).toBeNull();
      }
      expect(isOwn(frame, whole)).toBe(true);
    }
  });

  it('one of another version is not read', () => {
    const frame = FRAME.slice();
    frame[19] = 2;
    expect(decodeProbe(frame)).toBeNull();
  });

  it('any bytes are read without a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (noise, withHead) => {
        const frame = withHead ? concatBytes(FRAME.subarray(0, 18), noise) : noise;
        decodeProbe(frame);
        if (frame.length >= 18) isOwn(frame);
      }),
      { seed: Number(process.env.OVERTAP_SEED ?? 1), numRuns: 500 },
    );
  });
});

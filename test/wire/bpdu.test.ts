/** BPDUs as literal bytes (IEEE 802.1D-2004 clause 9), what is no BPDU, and frames of any bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BPDU_FRAME, type Bpdu, type ConfigBpdu, decodeBpdu, encodeBpdu } from '../../src/wire/bpdu.js';
import { concatBytes, fromHex, toHex } from '../../src/wire/bytes.js';

const SOURCE = '020000000a01';
const bytes = (text: string): Uint8Array => {
  const frame = new Uint8Array(BPDU_FRAME);
  frame.set(fromHex(text.replaceAll(' ', '')));
  return frame;
};

const FACTS = {
  topologyChange: true,
  topologyChangeAck: false,
  root: '1000020000000b02',
  cost: 20_004,
  bridge: '8000020000000a01',
  port: 0x8003,
  times: { messageAge: 1000, maxAge: 20_000, helloTime: 2000, forwardDelay: 15_000 },
};
const NO_FLAGS = { proposal: false, agreement: false, learning: false, forwarding: false };
const CONFIG: ConfigBpdu = { ...FACTS, ...NO_FLAGS, kind: 'config', role: 'designated' };
const RST: ConfigBpdu = { ...FACTS, ...NO_FLAGS, kind: 'rst', role: 'designated', proposal: true, learning: true };

const HEAD = `0180c2000000 ${SOURCE}`;
const BODY = '1000020000000b02 00004e24 8000020000000a01 8003 0100 1400 0200 0f00';
const ROWS: [string, Bpdu, string][] = [
  ['a TCN', { kind: 'tcn' }, `${HEAD} 0007 424203 0000 00 80`],
  ['a Configuration BPDU', CONFIG, `${HEAD} 0026 424203 0000 00 00 01 ${BODY}`],
  [
    'one with an acknowledgment',
    { ...CONFIG, topologyChange: false, topologyChangeAck: true },
    `${HEAD} 0026 424203 0000 00 00 80 ${BODY}`,
  ],
  ['an RST BPDU with a proposal, learning', RST, `${HEAD} 0027 424203 0000 02 02 1f ${BODY} 00`],
  [
    'one with an agreement, from the root port',
    { ...RST, ...NO_FLAGS, topologyChange: false, role: 'root', agreement: true, learning: true, forwarding: true },
    `${HEAD} 0027 424203 0000 02 02 78 ${BODY} 00`,
  ],
  [
    'one from a port that is closed',
    { ...RST, ...NO_FLAGS, topologyChange: false, role: 'alternate' },
    `${HEAD} 0027 424203 0000 02 02 04 ${BODY} 00`,
  ],
];

describe.each(ROWS)('%s', (_, bpdu, text) => {
  it('is written as it is drawn', () => expect(toHex(encodeBpdu(bpdu, SOURCE))).toBe(toHex(bytes(text))));
  it('is read', () => expect(decodeBpdu(bytes(text))).toEqual(bpdu));
  it('is read without padding, and not when it is a byte shorter', () => {
    const whole = bytes(text);
    const length = 14 + whole[13];
    expect(decodeBpdu(whole.subarray(0, length))).toEqual(bpdu);
    for (let short = 0; short < length; short++) expect(decodeBpdu(whole.subarray(0, short))).toBeNull();
    const lessSaid = whole.slice();
    lessSaid[13]--;
    expect(decodeBpdu(lessSaid)).toBeNull();
  });
});

it.each([
  ['an EtherType', '0180c2000000 020000000a01 0800 424203 0000 00 80'],
  ['another LLC address', '0180c2000000 020000000a01 0007 aaaa03 0000 00 80'],
  ['another protocol', '0180c2000000 020000000a01 0007 424203 0001 00 80'],
  ['an unknown type', `0180c2000000 020000000a01 0026 424203 0000 00 01 01 ${BODY}`],
  ['an RST BPDU of version 0', `0180c2000000 020000000a01 0027 424203 0000 00 02 01 ${BODY} 00`],
  ['a length beyond the frame', `0180c2000000 020000000a01 0100 424203 0000 00 00 01 ${BODY}`],
  ['a tag', `0180c2000000 020000000a01 8100 0001 0026 424203 0000 00 00 01 ${BODY}`],
])('%s is none', (_, text) => expect(decodeBpdu(bytes(text))).toBeNull());

it('one of MSTP is read as one of RSTP', () => {
  const mstp = bytes(`${HEAD} 0069 424203 0000 03 02 1f ${BODY} 00`);
  expect(decodeBpdu(concatBytes(mstp, new Uint8Array(80)))).toEqual(RST);
});

it('any bytes are read or refused, and what is read is written again', () => {
  const frames = fc
    .tuple(fc.uint8Array({ maxLength: 130 }), fc.constantFrom('', ...ROWS.map(([, , text]) => text)), fc.nat(60))
    .map(([noise, text, keep]) => concatBytes(bytes(text).subarray(0, text === '' ? 0 : keep), noise));
  fc.assert(
    fc.property(frames, (frame) => {
      const bpdu = decodeBpdu(frame);
      if (bpdu !== null) expect(decodeBpdu(encodeBpdu(bpdu, SOURCE))).toEqual(bpdu);
    }),
  );
});

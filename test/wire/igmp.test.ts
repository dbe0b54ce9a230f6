/** IGMP messages of all three versions in literal bytes, and invalid ones. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import { internetChecksum } from '../../src/wire/checksum.js';
import { floatCode, MESSAGE_LEAVE, MESSAGE_NONE, MESSAGE_QUERY, MESSAGE_REPORT } from '../../src/wire/group-message.js';
import {
  encodeIgmp,
  encodeIgmpV3Report,
  IGMP_QUERY,
  IGMP_V2_LEAVE,
  IGMP_V2_REPORT,
  isIpv4Multicast,
  isLocalControlGroup,
} from '../../src/wire/igmp.js';
import { formatAddress, parseAddress } from '../../src/wire/ip-address.js';
import { changed, IGMP, IGMP_AT, readFrame } from './group-frames.js';

const words = (text: string) => parseAddress(text)?.words as readonly number[];
const GROUP = words('239.1.1.1');
const read = (hex: string) => readFrame(4, fromHex(hex));
const query = { kind: 'query', family: 4, source: words('198.18.0.1'), group: null, sources: 0, suppress: false };

/** Puts the right checksum into a changed frame, so that the change alone is at fault. */
function summed(frame: Uint8Array): Uint8Array {
  const view = viewOf(frame);
  view.setUint16(IGMP_AT + 2, 0);
  view.setUint16(IGMP_AT + 2, internetChecksum(view, IGMP_AT, frame.length - IGMP_AT));
  return frame;
}

describe('a message is read', () => {
  it.each([
    ['v1Query', { ...query, maxDelay: 10_000 }],
    ['v2Query', { ...query, maxDelay: 10_000 }],
    ['v2GroupQuery', { ...query, maxDelay: 1000, group: GROUP }],
    ['v3Query', { ...query, maxDelay: 24_800 }],
    ['v3SourceQuery', { ...query, maxDelay: 1000, group: GROUP, sources: 1, suppress: true }],
  ] as const)('%s', (name, message) => {
    expect(read(IGMP[name])).toEqual({ kind: MESSAGE_QUERY, message });
  });

  it.each([
    ['v1Report', MESSAGE_REPORT, [{ type: 2, group: GROUP, sources: [] }]],
    ['v2Report', MESSAGE_REPORT, [{ type: 2, group: GROUP, sources: [] }]],
    ['v2Leave', MESSAGE_LEAVE, [{ type: 3, group: GROUP, sources: [] }]],
    [
      'v3Report',
      MESSAGE_REPORT,
      [
        { type: 4, group: GROUP, sources: [] },
        { type: 3, group: words('239.1.1.2'), sources: [] },
        { type: 1, group: words('232.1.1.1'), sources: [words('198.51.100.9')] },
        { type: 6, group: words('232.1.1.2'), sources: [words('198.51.100.9')] },
      ],
    ],
  ] as const)('%s', (name, kind, records) => {
    expect(read(IGMP[name])).toEqual({ kind, message: { kind: 'report', family: 4, records } });
  });

  it('with padding behind it, as a NIC sends short frames', () => {
    const padded = new Uint8Array(60);
    padded.set(fromHex(IGMP.v2Report));
    expect(readFrame(4, padded)).toEqual(read(IGMP.v2Report));
  });

  it('with each type of record', () => {
    const sources = ['198.51.100.9'];
    const records = [1, 2, 3, 4, 5, 6].flatMap((type) => [
      { type, group: `239.0.0.${type}` },
      { type, group: `239.0.1.${type}`, sources },
    ]);
    const frame = fromHex(IGMP.v3Report).slice(0, IGMP_AT);
    const message = encodeIgmpV3Report([...records, { type: 7, group: '239.9.9.9' }]);
    viewOf(frame).setUint16(16, 24 + message.length);
    const { message: found } = readFrame(4, Uint8Array.from([...frame, ...message]));
    if (found?.kind !== 'report') expect.fail('no report');
    const asText = found.records.map(({ type, group, sources: named }) =>
      [type, formatAddress(...group), ...named.map((source) => formatAddress(...source))].join(' '),
    );
    expect(asText).toEqual([
      ...records.map((record) => [record.type, record.group, ...('sources' in record ? sources : [])].join(' ')),
      '7 239.9.9.9',
    ]);
  });
});

describe('no message is', () => {
  it.each([
    ['a wrong checksum', changed(IGMP.v2Report, { [IGMP_AT + 3]: 0xfd })],
    ['a wrong checksum of a version 3 report', changed(IGMP.v3Report, { [IGMP_AT + 20]: 1 })],
    ['an unknown type', summed(changed(IGMP.v2Report, { [IGMP_AT]: 0x13 }))],
    ['a message of 7 bytes', changed(IGMP.v2Report, { 17: 31 })],
    ['a query between the versions', summed(Uint8Array.from([...changed(IGMP.v2GroupQuery, { 17: 34 }), 0, 0]))],
    ['a general query to a group', summed(changed(IGMP.v2Query, { 33: 5 }))],
    ['a report that claims one record more', summed(changed(IGMP.v3Report, { [IGMP_AT + 7]: 5 }))],
    ['a record with a source too many', summed(changed(IGMP.v3Report, { [IGMP_AT + 8 + 35]: 2 }))],
    ['a record with auxiliary data too long', summed(changed(IGMP.v3Report, { [IGMP_AT + 8 + 33]: 1 }))],
    ['a fragment', changed(IGMP.v2Report, { 20: 0x20 })],
    ['a datagram that is cut off', fromHex(IGMP.v2Report).slice(0, -1)],
  ])('%s', (_name, frame) => {
    expect(readFrame(4, frame)).toEqual({ kind: MESSAGE_NONE, message: null });
  });

  it('but a checksum that is left to a device is no fault', () => {
    const unfinished = changed(IGMP.v2Report, { [IGMP_AT + 2]: 0, [IGMP_AT + 3]: 0 });
    expect(readFrame(4, unfinished).kind).toBe(MESSAGE_NONE);
    expect(readFrame(4, unfinished, false)).toEqual(read(IGMP.v2Report));
  });
});

it('builds the same bytes', () => {
  const tail = (hex: string) => toHex(fromHex(hex).slice(IGMP_AT));
  expect(toHex(encodeIgmp({ type: IGMP_V2_REPORT, group: '239.1.1.1' }))).toBe(tail(IGMP.v2Report));
  expect(toHex(encodeIgmp({ type: IGMP_V2_LEAVE, group: '239.1.1.1' }))).toBe(tail(IGMP.v2Leave));
  expect(toHex(encodeIgmp({ type: IGMP_QUERY, code: 100 }))).toBe(tail(IGMP.v2Query));
  const source = { sources: ['198.51.100.9'], suppress: true };
  const built = encodeIgmp({ type: IGMP_QUERY, code: 10, group: '239.1.1.1', version3: source });
  expect(toHex(built)).toBe(tail(IGMP.v3SourceQuery));
});

it.each([
  [0, 4, 0],
  [127, 4, 127],
  [128, 4, 0x80],
  [129, 4, 0x80],
  [248, 4, 0x8f],
  [31_744, 4, 0xff],
  [1e9, 4, 0xff],
  [32_767, 12, 32_767],
  [32_768, 12, 0x8000],
  [8_387_584, 12, 0xffff],
])('writes %i, with a mantissa of %i bits, as %i', (units, bits, code) => {
  expect(floatCode(units, bits)).toBe(code);
});

it('knows which groups there are', () => {
  const last = (text: string) => words(text)[3];
  expect(['224.0.0.0', '239.255.255.255'].map((text) => isIpv4Multicast(last(text)))).toEqual([true, true]);
  expect(['223.255.255.255', '240.0.0.0', '0.0.0.0'].map((text) => isIpv4Multicast(last(text)))).not.toContain(true);
  expect(['224.0.0.0', '224.0.0.255'].map((text) => isLocalControlGroup(last(text)))).toEqual([true, true]);
  expect(['224.0.1.0', '223.0.0.1', '239.0.0.1'].map((text) => isLocalControlGroup(last(text)))).not.toContain(true);
});

it('reads whatever bytes there are, and never beyond them', () => {
  const literal = fc.constantFrom(...Object.values(IGMP)).map((hex) => fromHex(hex));
  const damage = fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(literal, damage, fc.nat(90), fc.boolean(), (frame, changes, length, finished) => {
      for (const [at, value] of changes) if (at < frame.length) frame[at] = value;
      readFrame(4, frame.slice(0, length), finished);
    }),
    { seed: 4, numRuns: 3000 },
  );
});

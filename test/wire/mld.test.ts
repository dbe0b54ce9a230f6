/** MLD messages of both versions in literal bytes, and invalid ones. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import { fold, pseudoHeaderSum6, sum16 } from '../../src/wire/checksum.js';
import { MESSAGE_LEAVE, MESSAGE_NONE, MESSAGE_QUERY, MESSAGE_REPORT } from '../../src/wire/group-message.js';
import { parseAddress } from '../../src/wire/ip-address.js';
import {
  encodeMld,
  encodeMldPacket,
  encodeMldV2Report,
  isAllNodes,
  isIpv6Multicast,
  MLD_QUERY,
  MLD_V1_REPORT,
} from '../../src/wire/mld.js';
import { changed, MLD, MLD_AT, readFrame } from './group-frames.js';

const words = (text: string) => parseAddress(text)?.words as [number, number, number, number];
const GROUP = words('ff0e::123');
const read = (hex: string) => readFrame(6, fromHex(hex));
const query = { kind: 'query', family: 6, source: words('fe80::1'), group: null, sources: 0, suppress: false };

/** Puts the right checksum into a changed frame, so that the change alone is at fault. */
function summed(frame: Uint8Array): Uint8Array {
  const view = viewOf(frame);
  view.setUint16(MLD_AT + 2, 0);
  const length = frame.length - MLD_AT;
  view.setUint16(MLD_AT + 2, ~fold(sum16(view, MLD_AT, length, pseudoHeaderSum6(view, 14, 58, length))) & 0xffff);
  return frame;
}

describe('a message is read', () => {
  it.each([
    ['v1Query', { ...query, maxDelay: 10_000 }],
    ['v1GroupQuery', { ...query, maxDelay: 1000, group: GROUP }],
    ['v2Query', { ...query, maxDelay: 65_536, suppress: true }],
  ] as const)('%s', (name, message) => {
    expect(read(MLD[name])).toEqual({ kind: MESSAGE_QUERY, message });
  });

  it.each([
    ['v1Report', MESSAGE_REPORT, [{ type: 2, group: GROUP, sources: [] }]],
    ['v1Done', MESSAGE_LEAVE, [{ type: 3, group: GROUP, sources: [] }]],
    [
      'v2Report',
      MESSAGE_REPORT,
      [
        { type: 4, group: GROUP, sources: [] },
        { type: 3, group: words('ff0e::124'), sources: [] },
      ],
    ],
  ] as const)('%s', (name, kind, records) => {
    expect(read(MLD[name])).toEqual({ kind, message: { kind: 'report', family: 6, records } });
  });

  it('a report from the unspecified address, as hosts send before they have one (RFC 3590)', () => {
    const source = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [22 + i, 0]));
    expect(readFrame(6, summed(changed(MLD.v1Report, source))).message).toEqual(read(MLD.v1Report).message);
  });

  it('but a version 1 query without a delay asks nothing', () => {
    const frame = summed(changed(MLD.v1Query, { [MLD_AT + 4]: 0, [MLD_AT + 5]: 0 }));
    expect(readFrame(6, frame)).toEqual({ kind: MESSAGE_QUERY, message: null });
  });
});

describe('no message is', () => {
  it.each([
    ['a wrong checksum', changed(MLD.v1Report, { [MLD_AT + 3]: 0 })],
    ['a hop limit of 2', changed(MLD.v1Report, { 21: 2 })],
    ['a query from a global address', summed(changed(MLD.v1Query, { 22: 0x20, 23: 0x01 }))],
    ['a general query to a group', summed(changed(MLD.v1Query, { 53: 5 }))],
    ['a query between the versions', summed(Uint8Array.from([...changed(MLD.v1GroupQuery, { 19: 34 }), 0, 0]))],
    ['another ICMPv6 message', summed(changed(MLD.v1Report, { [MLD_AT]: 135 }))],
    ['a report that claims one record more', summed(changed(MLD.v2Report, { [MLD_AT + 7]: 3 }))],
    ['a record with a source too many', summed(changed(MLD.v2Report, { [MLD_AT + 8 + 23]: 1 }))],
    ['a packet that is cut off', fromHex(MLD.v1Report).slice(0, -1)],
  ])('%s', (_name, frame) => {
    expect(readFrame(6, frame)).toEqual({ kind: MESSAGE_NONE, message: null });
  });

  it('one without a hop-by-hop header', () => {
    const bare = Uint8Array.from([
      ...changed(MLD.v1Report, { 19: 24, 20: 58 }).slice(0, 54),
      ...fromHex(MLD.v1Report).slice(MLD_AT),
    ]);
    expect(readFrame(6, bare)).toEqual({ kind: MESSAGE_NONE, message: null });
  });

  it('but a checksum that is left to a device is no fault', () => {
    const unfinished = changed(MLD.v1Report, { [MLD_AT + 2]: 0, [MLD_AT + 3]: 0 });
    expect(readFrame(6, unfinished).kind).toBe(MESSAGE_NONE);
    expect(readFrame(6, unfinished, false)).toEqual(read(MLD.v1Report));
  });
});

it('builds the same bytes', () => {
  const tail = (hex: string) => toHex(fromHex(hex).slice(14));
  const report = encodeMld({ type: MLD_V1_REPORT, group: 'ff0e::123' });
  expect(toHex(encodeMldPacket(report, { source: 'fe80::a', destination: 'ff0e::123' }))).toBe(tail(MLD.v1Report));
  const general = encodeMld({ type: MLD_QUERY, code: 10_000 });
  expect(toHex(encodeMldPacket(general, { source: 'fe80::1', destination: 'ff02::1' }))).toBe(tail(MLD.v1Query));
  const records = encodeMldV2Report([
    { type: 4, group: 'ff0e::123' },
    { type: 3, group: 'ff0e::124' },
  ]);
  expect(toHex(encodeMldPacket(records, { source: 'fe80::a', destination: 'ff02::16' }))).toBe(tail(MLD.v2Report));
});

it('knows which groups there are', () => {
  expect(['ff02::1', 'ff0e::1', 'ff00::'].map((text) => isIpv6Multicast(words(text)[0]))).toEqual([true, true, true]);
  expect(['fe80::1', '2001:db8::1', '::'].map((text) => isIpv6Multicast(words(text)[0]))).not.toContain(true);
  expect(isAllNodes(...words('ff02::1'))).toBe(true);
  expect(['ff02::2', 'ff01::1', 'ff02::1:0:1', 'ff02:1::1'].map((text) => isAllNodes(...words(text)))).not.toContain(
    true,
  );
});

it('reads whatever bytes there are, and never beyond them', () => {
  const literal = fc.constantFrom(...Object.values(MLD)).map((hex) => fromHex(hex));
  const damage = fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(literal, damage, fc.nat(120), fc.boolean(), (frame, changes, length, finished) => {
      for (const [at, value] of changes) if (at < frame.length) frame[at] = value;
      readFrame(6, frame.slice(0, length), finished);
    }),
    { seed: 6, numRuns: 3000 },
  );
});

import { expect, it } from 'vitest';
import { fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import { encodeEthernet } from '../../src/wire/ethernet.js';
import { encodeVlan, hasTag, priorityBits, taggedEtherType, tci, vidOf } from '../../src/wire/vlan.js';

const MACS = '020000000002 020000000001';

it('does not take an 802.1ad tag, or an untagged frame, for an 802.1Q tag', () => {
  expect(hasTag(viewOf(fromHex(`${MACS} 88a8 0005 8100 0006 0800`)), 0)).toBe(false);
  expect(hasTag(viewOf(fromHex(`${MACS} 0800 8100 0006 0800`)), 0)).toBe(false);
});

it('reads the tag of a frame', () => {
  const view = viewOf(fromHex(`ff ${MACS} 8100 b123 86dd`));
  expect(hasTag(view, 1)).toBe(true);
  expect(tci(view, 1)).toBe(0xb123);
  expect(vidOf(0xb123)).toBe(0x123);
  expect(priorityBits(0xb123)).toBe(0xb000);
  expect(taggedEtherType(view, 1)).toBe(0x86dd);
});

it.each([0, 1, 2, 4094, 4095])('gives back VID %i with every priority', (vid) => {
  for (let bits = 0; bits < 0x10000; bits += 0x1000) {
    expect([vidOf(bits | vid), priorityBits(bits | vid)]).toEqual([vid, bits]);
  }
});

it('builds a tagged frame', () => {
  const frame = encodeEthernet({
    destination: '02:00:00:00:00:02',
    source: '02:00:00:00:00:01',
    etherType: 0x8100,
    payload: encodeVlan(0x6002, 0x0800, fromHex('45')),
  });
  expect(toHex(frame)).toBe('02000000000202000000000181006002080045');
});

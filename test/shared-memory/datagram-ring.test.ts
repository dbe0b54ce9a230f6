import { expect, it } from 'vitest';
import { DATAGRAM_BYTES, DatagramRing } from '../../src/shared-memory/datagram-ring.js';

const ADDRESS = Int32Array.from([9, 0, 0, 0xffff, 7]);
const FROM = new DataView(Uint8Array.from({ length: 200 }, (_, at) => at).buffer);

function drain(ring: DatagramRing, most = 1000): string[] {
  const found: string[] = [];
  ring.drain(most, (subject, words, address, offset, length) => {
    const bytes = Array.from({ length: Math.min(length, 3) }, (_, at) => ring.view.getUint8(offset + at));
    found.push(`${subject} ${words.slice(address, address + 4).join('.')} ${length}: ${bytes.join(' ')}`);
  });
  return found;
}

it('carries datagrams to another thread in order, cut to what a record holds', () => {
  const writer = new DatagramRing();
  const reader = new DatagramRing(writer.memory);
  expect(writer.push(3, ADDRESS, 1, FROM, 10, 24)).toBe(true);
  expect(writer.push(4, ADDRESS, 1, FROM, 20, 100)).toBe(false);
  expect(drain(reader)).toEqual(['3 0.0.65535.7 24: 10 11 12', `4 0.0.65535.7 ${DATAGRAM_BYTES}: 20 21 22`]);
  expect(writer.push(5, ADDRESS, 1, FROM, 0, 1)).toBe(true);
  expect(drain(reader)).toEqual(['5 0.0.65535.7 1: 0']);
});

it('drops and counts what finds no room, and takes no more at once than it is asked for', () => {
  const ring = new DatagramRing();
  for (let i = 0; i < 300; i++) ring.push(i, ADDRESS, 1, FROM, 0, 24);
  expect(ring.lost).toBe(300 - 256);
  expect(drain(ring, 64)).toHaveLength(64);
  expect(drain(ring)).toHaveLength(192);
  for (let round = 0; round < 1000; round++) {
    ring.push(round, ADDRESS, 1, FROM, 0, 24);
    expect(drain(ring)[0]).toMatch(new RegExp(`^${round} `));
  }
});

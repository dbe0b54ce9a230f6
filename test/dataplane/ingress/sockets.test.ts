/** What only ports over sockets receive: datagrams of strangers, and frames that are too long for their slot. */
import { expect, it } from 'vitest';
import { LONGEST_FRAME } from '../../../src/port/packet-io.js';
import { concatBytes } from '../../../src/wire/bytes.js';
import { A, B, BROADCAST, frame } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

function make(): TestSwitch {
  return new TestSwitch({ br0: { ports: { one: { type: 'tap' }, other: { type: 'tap' } } } });
}

it("a stranger's datagram is dropped, and does not continue the run before it", () => {
  const sw = make();
  const bytes = frame({ source: A, destination: BROADCAST });
  for (const stranger of [false, true, false]) sw.inject('one', bytes, { stranger });
  const turn = sw.turn();
  expect(turn.to).toEqual(['other', 'other']);
  expect(turn.drops).toEqual(['one remote_unknown']);
});

it('nothing is learned from a stranger', () => {
  const sw = make();
  sw.send('one', frame({ source: B, destination: BROADCAST }), { stranger: true });
  expect(sw.send('other', frame({ source: A, destination: B })).to).toEqual(['one']);
  expect(sw.context.fdb.counters[0]).toBe(1);
});

it('a frame that fills its slot was cut off', () => {
  const sw = make();
  const head = frame({ source: A, destination: BROADCAST });
  const long = (length: number): Uint8Array => concatBytes(head, new Uint8Array(length - head.length));
  for (const length of [LONGEST_FRAME + 1, 60, LONGEST_FRAME + 1]) sw.inject('one', long(length));
  const turn = sw.turn();
  expect(turn.to).toEqual(['other']);
  expect(turn.drops).toEqual(['one frame_too_long', 'one frame_too_long']);
});

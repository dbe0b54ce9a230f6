/** Decisions as lines and as groups, from the stream of a switch. */
import { describe, expect, it } from 'vitest';
import { factsOf, readFrames, type SeenFrame } from '../../src/sight/frames.js';
import { LineLimit, logLine, logRow, Ways } from '../../src/sight/log-text.js';
import { concatBytes, fromHex } from '../../src/wire/bytes.js';
import { INBOUND, interfaceBlock, OUTBOUND, packetBlock, sectionBlock } from '../../src/wire/pcapng.js';

const DATA = fromHex('020000000002 020000000001 88b5');
const packet = (packetId: bigint, flags: number, comment: string, more: { dropCount?: number } = {}): Uint8Array =>
  packetBlock({
    interface: 0,
    time: 1_700_000_000_123_000_000n,
    data: DATA,
    length: 60,
    flags,
    packetId,
    comments: ['from elsewhere', comment],
    ...more,
  });

async function read(...pieces: Uint8Array[]): Promise<{ frames: SeenFrame[]; lost: number }> {
  const frames: SeenFrame[] = [];
  let lost = 0;
  const stream = async function* () {
    yield concatBytes(sectionBlock({}), interfaceBlock({ linkType: 1, snaplen: 0 }));
    yield* pieces;
  };
  await readFrames(stream(), {
    frame: (frame) => void frames.push(frame),
    lost(count) {
      lost += count;
    },
  });
  return { frames, lost };
}

describe('frames of a stream', () => {
  it('packets of one id are one frame, whatever the pieces', async () => {
    const all = concatBytes(
      packet(1n, INBOUND, 'overtap verdict=flooded port=tap1 vlan=10 copies=2'),
      packet(1n, OUTBOUND, 'overtap verdict=sent port=tap2 vlan=10'),
      packet(1n, OUTBOUND, 'overtap verdict=dropped reason=mtu_exceeded port=vx vlan=10 vni=42 remote=192.0.2.2'),
      packet(2n, INBOUND, 'overtap verdict=dropped reason=no_pvid port=tap1 copies=0', { dropCount: 3 }),
    );
    for (const size of [all.length, 7]) {
      const pieces = [];
      for (let at = 0; at < all.length; at += size) pieces.push(all.subarray(at, at + size));
      const { frames, lost } = await read(...pieces);
      expect(frames.map((frame) => logLine(frame))).toEqual([
        '22:13:20.123 tap1 vlan 10 -> tap2, vx 192.0.2.2 vni 42 (mtu_exceeded): flooded  [02:00:00:00:00:01 > 02:00:00:00:00:02 type 0x88b5, 60 bytes]',
        '22:13:20.123 tap1: dropped no_pvid  [02:00:00:00:00:01 > 02:00:00:00:00:02 type 0x88b5, 60 bytes]',
      ]);
      expect(lost).toBe(3);
      expect(logRow(frames[1])).toEqual({
        time: '2023-11-14T22:13:20.123Z',
        summary: '02:00:00:00:00:01 > 02:00:00:00:00:02 type 0x88b5',
        length: 60,
        ingress: { verdict: 'dropped', reason: 'no_pvid', port: 'tap1', copies: '0' },
        copies: [],
      });
    }
  });

  it('what the switch itself has made comes from the switch', async () => {
    const { frames } = await read(packet(1n, OUTBOUND, 'overtap verdict=originated port=tap1 vlan=10'));
    expect(logLine(frames[0])).toContain('the switch vlan 10 -> tap1: originated');
  });

  it('a comment of another program has no facts', () => {
    expect(factsOf({ comments: ['verdict=sent'] })).toEqual({});
    expect(factsOf({ comments: ['overtap a=b =c d e=f=g'] })).toEqual({ a: 'b', e: 'f=g' });
  });
});

describe('groups of equal ways', () => {
  it('the most frequent first', async () => {
    const way = (port: string) => `overtap verdict=forwarded port=${port} copies=0`;
    const { frames } = await read(
      packet(1n, INBOUND, way('a')),
      packet(2n, INBOUND, way('b')),
      packet(3n, INBOUND, way('b')),
    );
    const ways = new Ways();
    for (const frame of frames) ways.add(frame);
    expect(ways.rows()).toEqual([
      { frames: 2, bytes: 120, way: 'b: forwarded' },
      { frames: 1, bytes: 60, way: 'a: forwarded' },
    ]);
    expect(ways.text()).toContain('2 frames          120 bytes  b: forwarded\n');
  });
});

it('lines a second are limited, and the others counted', () => {
  let now = 0;
  const limit = new LineLimit(2, () => now);
  expect([limit.admits(), limit.admits(), limit.admits(), limit.admits()]).toEqual([true, true, false, false]);
  now = 1000;
  expect([limit.admits(), limit.takeHeld(), limit.takeHeld()]).toEqual([true, 2, 0]);
});

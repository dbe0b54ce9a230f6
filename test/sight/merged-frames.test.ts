/** Frames of several switches: in the order of their times, with the switch that saw each; failures and bounds. */
import { describe, expect, it } from 'vitest';
import type { CaptureSource } from '../../src/sight/capture.js';
import type { SeenFrame } from '../../src/sight/frames.js';
import { logLine, logRow, wayText } from '../../src/sight/log-text.js';
import { FrameMerger, readFramesOf } from '../../src/sight/merged-frames.js';
import { concatBytes } from '../../src/wire/bytes.js';
import { INBOUND, interfaceBlock, packetBlock, sectionBlock } from '../../src/wire/pcapng.js';

const MS = 1_000_000n;
const never = new AbortController().signal;

const stream = (port: string, times: readonly bigint[]): Uint8Array =>
  concatBytes(
    sectionBlock({}),
    interfaceBlock({ name: port, linkType: 1, snaplen: 0 }),
    ...times.map((time) =>
      packetBlock({
        ...{ interface: 0, time, data: new Uint8Array(14), length: 60, flags: INBOUND, packetId: time },
        comments: [`overtap verdict=flooded port=${port}`],
      }),
    ),
  );

const source = (name: string, pieces: readonly Uint8Array[], fault?: Error): CaptureSource => ({
  name,
  async *open(signal) {
    yield* pieces;
    if (fault !== undefined) throw fault;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  },
});

/** Reads until so many frames are told. */
async function read(sources: readonly CaptureSource[], count: number): Promise<SeenFrame[]> {
  const frames: SeenFrame[] = [];
  const end = new AbortController();
  const told = {
    frame(frame: SeenFrame) {
      frames.push(frame);
      if (frames.length === count) end.abort();
    },
    lost: () => undefined,
  };
  await readFramesOf(sources, end.signal, told);
  return frames;
}

describe('several switches', () => {
  it('are told by time, each frame with its switch', async () => {
    const start = BigInt(Date.now()) * MS;
    const times = (...at: number[]): bigint[] => at.map((ms) => start + BigInt(ms) * MS);
    const one = source('h1', [stream('alice', times(0, 2, 2, 9))]);
    const other = source('h2', [stream('vxlan0', times(1, 3))]);
    const frames = await read([other, one], 5);
    expect(frames.map((frame) => [Number((frame.time - start) / MS), frame.switch])).toEqual([
      [0, 'h1'],
      [1, 'h2'],
      [2, 'h1'],
      [3, 'h2'],
      [9, 'h1'],
    ]);
    expect(wayText(frames[0])).toBe('h1: alice: flooded');
    expect(logLine(frames[1])).toMatch(/^\d\d:\d\d:\d\d\.\d{3} h2: vxlan0: flooded {2}\[.*, 60 bytes\]$/);
    expect(logRow(frames[0])).toMatchObject({ switch: 'h1', length: 60 });
  });

  it('one alone is told as it comes, without a name', async () => {
    const frames = await read([source('', [stream('tap1', [2n, 1n])])], 2);
    expect(frames.map(({ time }) => time)).toEqual([2n, 1n]);
    expect(frames[0]).not.toHaveProperty('switch');
    expect(logRow(frames[0])).not.toHaveProperty('switch');
  });

  it('end together when one fails, and what came is told', async () => {
    const frames: SeenFrame[] = [];
    const told = { frame: (frame: SeenFrame) => frames.push(frame), lost: () => undefined };
    const far = BigInt(Date.now() + 3_600_000) * MS;
    const sources = [source('h1', [stream('a', [far])]), source('h2', [], new Error('h2 has gone'))];
    await expect(readFramesOf(sources, never, told)).rejects.toThrow('h2 has gone');
    expect(frames.map((frame) => frame.switch)).toEqual(['h1']);
  });

  it('are not kept without a bound', () => {
    let told = 0;
    const merger = new FrameMerger(() => told++);
    const frame: SeenFrame = { time: 1n, length: 0, bytes: new Uint8Array(), copies: [] };
    for (let n = 0; n < 65_536; n++) merger.add(frame);
    expect(told).toBe(65_536);
  });
});

/** Captures of several switches in one file, rings of files, and what happens when a file cannot be written. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type CaptureSource, capture } from '../../src/sight/capture.js';
import {
  CaptureFault,
  type CaptureSink,
  FileSink,
  isPipe,
  ReaderGone,
  StreamSink,
} from '../../src/sight/capture-file.js';
import { concatBytes } from '../../src/wire/bytes.js';
import { interfaceBlock, packetBlock, sectionBlock, statisticsBlock } from '../../src/wire/pcapng.js';
import { type PcapngBlock, readPcapng } from '../../src/wire/pcapng-reader.js';

const folder = mkdtempSync(join(tmpdir(), 'overtap-capture-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const head = (...names: string[]): Uint8Array =>
  concatBytes(sectionBlock({}), ...names.map((name) => interfaceBlock({ name, linkType: 1, snaplen: 100 })));
const packet = (time: number, id: number, at = 0): Uint8Array =>
  packetBlock({ interface: at, time: BigInt(time), data: Uint8Array.of(id), length: 60, packetId: BigInt(id) });

/** A switch that sends these pieces and falls silent, or ends with an error. */
function source(name: string, pieces: readonly Uint8Array[], fault?: Error): CaptureSource {
  return {
    name,
    async *open(signal) {
      yield* pieces;
      if (fault !== undefined) throw fault;
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
  };
}

const never = new AbortController().signal;
const options = { application: 'test' };
const blocksOf = (path: string): PcapngBlock[] => [...readPcapng(readFileSync(path))];
const packetsOf = (blocks: readonly PcapngBlock[]) =>
  blocks.flatMap((block) => (block.type === 'packet' ? [block] : []));

describe('one switch', () => {
  it('its packets, and statistics at the end', async () => {
    const path = join(folder, 'one.pcapng');
    const lost = statisticsBlock({ interface: 1, time: 1n, received: 9, dropped: 4 });
    const pieces = [head('tap1', 'tap2'), packet(5, 1), lost, packet(4, 2, 1), packet(6, 3)];
    const result = await capture([source('', pieces)], new FileSink(path, null), never, { ...options, count: 2 });
    expect(result).toEqual({ packets: 2, lost: 4 });
    const blocks = blocksOf(path);
    expect(blocks.map(({ type }) => type)).toEqual([
      'section',
      'interface',
      'interface',
      'packet',
      'packet',
      'statistics',
      'statistics',
    ]);
    expect(packetsOf(blocks).map(({ packetId }) => packetId)).toEqual([1n, 2n]);
    expect(blocks.slice(-2)).toMatchObject([
      { interface: 0, received: 1, dropped: 0 },
      { interface: 1, received: 5, dropped: 4 },
    ]);
  });

  it('losses that packets tell of count, also before the next statistics', async () => {
    const path = join(folder, 'lost.pcapng');
    const lossy = packetBlock({ interface: 0, time: 1n, data: Uint8Array.of(1), length: 60, dropCount: 7 });
    const pieces = [head('tap1'), lossy, packet(2, 2)];
    const result = await capture([source('', pieces)], new FileSink(path, null), never, { ...options, count: 2 });
    expect(result).toEqual({ packets: 2, lost: 7 });
    expect(blocksOf(path).at(-1)).toMatchObject({ type: 'statistics', received: 9, dropped: 7 });
  });

  it('that goes away is told of, and what there was is a valid capture', async () => {
    const path = join(folder, 'gone.pcapng');
    const gone = source('', [head('tap1'), packet(1, 1)], new Error('the switch has gone'));
    await expect(capture([gone], new FileSink(path, null), never, options)).rejects.toThrow('the switch has gone');
    expect(blocksOf(path).map(({ type }) => type)).toEqual(['section', 'interface', 'packet', 'statistics']);
  });

  it('a ring of files keeps the last ones, each a capture of its own', async () => {
    const path = join(folder, 'ring.pcapng');
    const pieces = [head('tap1'), ...Array.from({ length: 10 }, (_, n) => packet(n, n))];
    await capture([source('', pieces)], new FileSink(path, { files: 2, size: 200 }), never, { ...options, count: 10 });
    const files = readdirSync(folder).filter((name) => name.startsWith('ring'));
    expect(files).toHaveLength(2);
    const ids = files.sort().flatMap((name) => {
      const blocks = blocksOf(join(folder, name));
      expect(blocks.slice(0, 2).map(({ type }) => type)).toEqual(['section', 'interface']);
      expect(blocks.at(-1)?.type).toBe('statistics');
      return packetsOf(blocks).map(({ packetId }) => Number(packetId));
    });
    expect(ids).toEqual(ids.map((_, at) => 10 - ids.length + at));
    expect(ids.length).toBeGreaterThan(1);
  });
});

describe('several switches', () => {
  it('in the order of time, with names and ids of their own', async () => {
    const path = join(folder, 'lab.pcapng');
    const sources = [
      source('h1', [head('tap1'), packet(10, 1), packet(30, 2)]),
      source('h2', [head('tap1', 'vx'), packet(20, 1, 1), packet(40, 2)]),
    ];
    const result = await capture(sources, new FileSink(path, null), never, { ...options, count: 4 });
    expect(result.packets).toBe(4);
    const blocks = blocksOf(path);
    const names = blocks.flatMap((block) => (block.type === 'interface' ? [block.name] : []));
    expect(names.sort()).toEqual(['h1/tap1', 'h2/tap1', 'h2/vx']);
    const packets = packetsOf(blocks);
    expect(packets.map(({ time }) => time)).toEqual([10n, 20n, 30n, 40n]);
    expect(packets.map(({ packetId = 0n }) => packetId)).toEqual([1n, (1n << 56n) | 1n, 2n, (1n << 56n) | 2n]);
  });
});

describe('a capture that cannot be written', () => {
  it('a full disk: the file is cut off after the last whole block', () => {
    // /dev/full takes nothing: a write there fails with ENOSPC, as on a full disk.
    expect(() => new FileSink('/dev/full', null).write(packet(1, 1))).toThrow(
      /^\/dev\/full: the disk is full; nothing could be written to it$/,
    );
  });

  it('a fault of the sink ends the capture, and is told', async () => {
    const sink: CaptureSink = {
      isFull: false,
      next: () => undefined,
      close: () => undefined,
      write: () => {
        throw new CaptureFault('no more');
      },
    };
    await expect(capture([source('', [head('tap1')])], sink, never, options)).rejects.toThrow(CaptureFault);
  });

  it('a folder that is not there, a descriptor that is closed', () => {
    expect(() => new FileSink(join(folder, 'no', 'such.pcapng'), null)).toThrow(CaptureFault);
    expect(() => new StreamSink(1_000_000).write(packet(1, 1))).toThrow(CaptureFault);
  });
});

describe('a pipe', () => {
  const fifo = (name: string): string => {
    const path = join(folder, name);
    execFileSync('mkfifo', [path]);
    expect(isPipe(path)).toBe(true);
    return path;
  };
  const openReader = (path: string): number => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);

  /** A switch that has packets without an end, and counts those that were taken. */
  function endless(): { source: CaptureSource; readonly taken: number } {
    let taken = 0;
    return {
      get taken() {
        return taken;
      },
      source: {
        name: '',
        async *open(signal) {
          yield head('tap1');
          while (!signal.aborted) {
            yield packetBlock({ interface: 0, time: 1n, data: new Uint8Array(1000), length: 1000 });
            taken++;
            await new Promise((resolve) => setImmediate(resolve));
          }
        },
      },
    };
  }

  it('whose reader stops holds up the source, not the end', async () => {
    const path = fifo('stopped');
    const reader = openReader(path);
    const end = new AbortController();
    const one = endless();
    const done = capture([one.source], new StreamSink(path), end.signal, options);
    // A pipe holds 64 KiB: then nothing more is asked for.
    for (let before = -1; before !== one.taken || one.taken === 0; ) {
      before = one.taken;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(one.taken).toBeLessThan(100);
    end.abort();
    await expect(done).rejects.toThrow('the capture is incomplete: nobody reads the rest of it');
    closeSync(reader);
  });

  it('without a reader waits for one, and for the end', async () => {
    const end = new AbortController();
    const waiting = capture([endless().source], new StreamSink(fifo('none')), end.signal, options);
    setImmediate(() => end.abort());
    await expect(waiting).rejects.toThrow(CaptureFault);
    const path = fifo('later');
    const done = capture([source('', [head('tap1'), packet(1, 1)])], new StreamSink(path), never, {
      ...options,
      count: 1,
    });
    await new Promise((resolve) => setImmediate(resolve));
    const reader = openReader(path);
    expect(await done).toEqual({ packets: 1, lost: 0 });
    const bytes = Buffer.alloc(10_000);
    const types = [...readPcapng(bytes.subarray(0, readSync(reader, bytes)))].map(({ type }) => type);
    expect(types).toEqual(['section', 'interface', 'packet', 'statistics']);
    closeSync(reader);
  });

  it('whose reader goes ends the capture', async () => {
    const path = fifo('gone');
    const reader = openReader(path);
    const done = capture([endless().source], new StreamSink(path), never, options);
    await new Promise((resolve) => setTimeout(resolve, 20));
    closeSync(reader);
    await expect(done).rejects.toThrow(ReaderGone);
  });
});

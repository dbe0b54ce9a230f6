/** A capture on a disk that is really full: what is there is a valid capture, though there is room again for what comes at its end. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../src/lab/testbed/program.js';
import { runReplay } from '../../src/replay/run.js';
import { type CaptureSource, capture } from '../../src/sight/capture.js';
import { CaptureFault, FileSink, StreamSink } from '../../src/sight/capture-file.js';
import { concatBytes } from '../../src/wire/bytes.js';
import { interfaceBlock, packetBlock, sectionBlock } from '../../src/wire/pcapng.js';
import { readPcapng } from '../../src/wire/pcapng-reader.js';

const folder = mkdtempSync(join(tmpdir(), 'overtap-disk-'));
const never = new AbortController().signal;
/** Sixteen pages, of which six packets leave a part of one and a whole one. */
const DISK = 64 * 1024;
const PACKET = 10_000;

beforeAll(async () => {
  await run(['mount', '-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', folder]);
});
afterAll(async () => {
  await run(['umount', folder]);
  rmdirSync(folder);
});

/** More packets than the disk has room for. */
const source: CaptureSource = {
  name: '',
  async *open() {
    const one = packetBlock({ interface: 0, time: 1n, data: new Uint8Array(PACKET).fill(7), length: PACKET });
    yield concatBytes(sectionBlock({}), interfaceBlock({ name: 'tap1', linkType: 1, snaplen: 0 }));
    for (let i = 0; i < 20; i++) yield one;
  },
};

test('a file', async () => {
  const path = join(folder, 'full.pcapng');
  await expect(capture([source], new FileSink(path, null), never, { application: 'test' })).rejects.toThrow(
    /the disk is full; what is there so far is a valid capture/,
  );
  const packets = [...readPcapng(readFileSync(path))].filter(({ type }) => type === 'packet');
  expect(packets).toHaveLength(6);
});

test('standard output in a file: nothing comes behind the part of a block', async () => {
  await run(['rm', join(folder, 'full.pcapng')]);
  const path = join(folder, 'output.pcapng');
  const fd = openSync(path, 'w');
  const sink = new StreamSink(fd);
  try {
    await expect(capture([source], sink, never, { application: 'test' })).rejects.toThrow(CaptureFault);
    const { length } = readFileSync(path);
    expect(length).toBe(DISK);
    await run(['truncate', '-s', String(length - 2 * PACKET), path]);
    expect(() => sink.write(sectionBlock({}))).toThrow(CaptureFault);
    expect(readFileSync(path)).toHaveLength(length - 2 * PACKET);
  } finally {
    closeSync(fd);
  }
});

test('replay -w: what is there is a valid capture, and the reason is told', async () => {
  await run(['rm', '-f', join(folder, 'output.pcapng')]);
  const outside = mkdtempSync(join(tmpdir(), 'overtap-replay-'));
  try {
    const given = join(outside, 'in.pcapng');
    const data = new Uint8Array(1400).fill(2);
    data.set([255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1]);
    const one = packetBlock({ interface: 0, time: 1n, data, length: data.length });
    const begin = [sectionBlock({}), interfaceBlock({ name: 'tap1', linkType: 1, snaplen: 0 })];
    writeFileSync(given, concatBytes(...begin, ...Array.from({ length: 100 }, () => one)));
    const document = { bridges: { br0: { ports: { tap1: { type: 'tap' }, tap2: { type: 'tap' } } } } };
    const path = join(folder, 'replay.pcapng');
    const quiet = { ndjson: false, line: () => undefined, warn: () => undefined };
    await expect(runReplay(document, given, { ...quiet, write: path })).rejects.toThrow(
      /replay\.pcapng: the disk is full; what is there so far is a valid capture of \d+ bytes$/,
    );
    const packets = [...readPcapng(readFileSync(path))].filter(({ type }) => type === 'packet');
    expect(packets).toHaveLength(Math.floor(DISK / (1400 + 44)));
  } finally {
    rmSync(outside, { recursive: true });
  }
});

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { LogSink } from '../../../src/control/log/log-sink.js';
import { createLog } from '../../../src/control/log/logger.js';

afterEach(() => void vi.useRealTimers());

type Done = (error: NodeJS.ErrnoException | null, written: number) => void;

/** A descriptor in the test's hands: each write waits until the test says how it ends. */
class Pipe {
  text = '';
  /** Bytes of the write under way. */
  waiting: { bytes: Uint8Array; done: Done } | null = null;

  readonly write = (_fd: number, all: Uint8Array, from: number, length: number, _at: null, done: Done): void => {
    expect(this.waiting, 'one write at a time').toBeNull();
    this.waiting = { bytes: all.slice(from, from + length), done };
  };

  /** Takes so many bytes. */
  take(most = Number.POSITIVE_INFINITY): void {
    const { bytes, done } = this.next();
    const taken = bytes.subarray(0, most);
    this.text += Buffer.from(taken).toString();
    done(null, taken.length);
  }

  fail(code: string): void {
    this.next().done(Object.assign(new Error(code), { code }), 0);
  }

  private next(): { bytes: Uint8Array; done: Done } {
    const { waiting } = this;
    if (waiting === null) throw new Error('nothing is being written');
    this.waiting = null;
    return waiting;
  }
}

function scene(): { pipe: Pipe; sink: LogSink; told: [number, string][] } {
  vi.useFakeTimers();
  const pipe = new Pipe();
  const told: [number, string][] = [];
  return { pipe, told, sink: new LogSink(9, (lost, reason) => told.push([lost, reason]), pipe.write) };
}

describe('a log sink', () => {
  it('writes in order, in one write what has gathered, and finishes what was taken in part', () => {
    const { pipe, sink } = scene();
    for (const line of ['a\n', 'b\n', 'c\n']) sink.write(line);
    pipe.take();
    pipe.take(3);
    pipe.take();
    expect(pipe.text).toBe('a\nb\nc\n');
    expect(pipe.waiting).toBeNull();
    expect(sink.lost).toBe(0);
  });

  it('counts what a full disk does not take, tries again after a second, and says so when it can', () => {
    const { pipe, sink, told } = scene();
    sink.write('a\n');
    sink.write('b\n');
    pipe.fail('ENOSPC');
    expect(sink.lost).toBe(1);
    expect(pipe.waiting).toBeNull();
    vi.advanceTimersByTime(1000);
    pipe.fail('ENOSPC');
    expect({ lost: sink.lost, told }).toEqual({ lost: 2, told: [] });
    sink.write('c\n');
    vi.advanceTimersByTime(1000);
    pipe.take();
    expect({ text: pipe.text, lost: sink.lost, told }).toEqual({ text: 'c\n', lost: 2, told: [[2, 'ENOSPC']] });
  });

  it('ends a line that was cut off before it begins another', () => {
    const { pipe, sink } = scene();
    sink.write('first line\n');
    pipe.take(5);
    pipe.fail('ENOSPC');
    expect(sink.lost).toBe(1);
    sink.write('second\n');
    vi.advanceTimersByTime(1000);
    pipe.fail('ENOSPC');
    expect(sink.lost).toBe(2);
    sink.write('third\n');
    vi.advanceTimersByTime(1000);
    pipe.take();
    expect(pipe.text).toBe('first\nthird\n');
  });

  it('waits for a descriptor that takes nothing for the moment', () => {
    const { pipe, sink } = scene();
    sink.write('a\n');
    pipe.fail('EAGAIN');
    vi.advanceTimersByTime(20);
    pipe.take();
    expect({ text: pipe.text, lost: sink.lost }).toEqual({ text: 'a\n', lost: 0 });
  });

  it('holds no more than its bound while nothing is read, counts the rest, and says so afterwards', () => {
    const { pipe, sink, told } = scene();
    const line = `${'x'.repeat(1023)}\n`;
    for (let i = 0; i < 3000; i++) sink.write(line);
    // One is being written, 1,024 wait.
    expect(sink.lost).toBe(3000 - 1025);
    while (pipe.waiting !== null) pipe.take();
    expect(pipe.text.length).toBe(1025 * 1024);
    expect(told).toEqual([[1975, 'lines came faster than they were read']]);
  });

  it('survives a write that throws', () => {
    const sink = new LogSink(9, undefined, () => {
      throw new RangeError('planted');
    });
    expect(() => sink.write('a\n')).not.toThrow();
    expect(sink.lost).toBe(1);
  });

  it('at the end waits for what is under way, but not for ever', async () => {
    const { pipe, sink } = scene();
    sink.write('a\n');
    const hung = sink.flush(300);
    await vi.advanceTimersByTimeAsync(300);
    expect(await hung).toBe(false);
    const flushed = sink.flush(300);
    pipe.take();
    expect(await flushed).toBe(true);
    expect(await sink.flush(300)).toBe(true);
  });

  it('at the end gives up at once what a full disk does not take', async () => {
    const { pipe, sink } = scene();
    sink.write('a\n');
    sink.write('b\n');
    pipe.fail('ENOSPC');
    const flushed = sink.flush(300);
    pipe.fail('ENOSPC');
    expect(await flushed).toBe(true);
    expect(sink.lost).toBe(2);
  });
});

describe('the log', () => {
  it('counts every line that /dev/full refuses', async () => {
    const fd = openSync('/dev/full', 'w');
    const log = await createLog('test', 'info', fd);
    for (let i = 0; i < 100; i++) log.logger.info({ i }, 'line');
    expect(await log.flush(5000)).toBe(true);
    expect(log.lost()).toBe(100);
    closeSync(fd);
  });

  it('bears what cannot be put into a line, and loses no line before or behind it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'overtap-log-'));
    const fd = openSync(join(folder, 'log'), 'w');
    const log = await createLog('test', 'info', fd);
    log.logger.info('before');
    log.logger.info(
      {
        toJSON() {
          throw new Error('planted');
        },
      },
      'planted',
    );
    log.logger.info('behind');
    expect(await log.flush(5000)).toBe(true);
    closeSync(fd);
    const lines = readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n');
    const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
    expect([messages[0], messages.at(-1)]).toEqual(['before', 'behind']);
    rmSync(folder, { recursive: true });
  });
});

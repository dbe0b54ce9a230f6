import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/load.js';
import { MAX_TEXT } from '../../src/config/read/document.js';
import { readText } from '../../src/config/read/file.js';

const folder = mkdtempSync(join(tmpdir(), 'overtap-read-'));
const at = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

function faultOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.format();
    throw error;
  }
  throw new Error('no fault');
}

describe('the text of a file', () => {
  it('is read up to its bound, and refused beyond', () => {
    writeFileSync(at('largest'), 'x'.repeat(MAX_TEXT));
    expect(readText(at('largest')).length).toBe(MAX_TEXT);
    writeFileSync(at('larger'), 'x'.repeat(MAX_TEXT + 1));
    expect(faultOf(() => readText(at('larger')))).toContain(`longer than ${MAX_TEXT} bytes`);
  });

  it.each(['/dev/zero', '/dev/full', '/dev/ptmx', '/', '/proc/self/fd'])('is not read from %s', (path) => {
    expect(faultOf(() => readText(path))).toMatch(/the file cannot be read: it is a .*, not a file/);
  });

  it('is read from a pipe to its end, and no further than its bound', () => {
    execFileSync('mkfifo', [at('fifo')]);
    const write = (command: string): void =>
      void spawn('sh', ['-c', `exec ${command} >"$0"`, at('fifo')], { stdio: 'ignore' });
    write('echo name: piped');
    expect(readText(at('fifo'))).toBe('name: piped\n');
    write('cat /dev/zero');
    expect(faultOf(() => readText(at('fifo')))).toContain('longer than');
  });

  it('is not waited for without end', () => {
    execFileSync('mkfifo', [at('no-writer'), at('mute-writer')]);
    const silent = /it is a pipe, and nothing came for 0\.1 s/;
    expect(faultOf(() => readText(at('no-writer'), { silenceMs: 100 }))).toMatch(silent);
    const writer = spawn('sh', ['-c', 'exec sleep 20 >"$0"', at('mute-writer')], { stdio: 'ignore' });
    expect(faultOf(() => readText(at('mute-writer'), { silenceMs: 100 }))).toMatch(silent);
    writer.kill();
  });

  it('is at its end where the writer of a pipe without a name has gone', async () => {
    const reader = spawn('sh', ['-c', ": | sh -c 'echo $$; exec sleep 20'"]);
    const [pid] = (await once(reader.stdout, 'data')) as [Buffer];
    expect(readText(`/proc/${Number(pid)}/fd/0`)).toBe('');
    process.kill(Number(pid));
    await once(reader, 'exit');
  });

  it('is empty for a file of the kernel, whose log stays unread', () => {
    expect(readText('/proc/kmsg')).toBe('');
  });

  it('is not waited for where it may not block', () => {
    execFileSync('mkfifo', [at('silent')]);
    expect(faultOf(() => readText(at('silent'), { regularFile: true }))).toContain('it is a pipe, not a file');
  });
});

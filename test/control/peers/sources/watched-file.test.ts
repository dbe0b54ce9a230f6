/** A file that is written all the time, and whose reading takes long. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WatchedFile } from '../../../../src/control/peers/sources/file/watched-file.js';

let folder: string;
beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(performance, 'now').mockImplementation(() => Date.now());
  folder = mkdtempSync(join(tmpdir(), 'watched-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

it('is read for a tenth of the time at most, and in the end as it is', () => {
  const path = join(folder, 'peers.yaml');
  let reads = 0;
  let text = '';
  const watched = new WatchedFile(path, () => {
    reads++;
    text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    // The reading takes a second.
    vi.setSystemTime(Date.now() + 1000);
  });
  try {
    // 60 s, in which the file is another one each 100 ms.
    for (let i = 0; i < 600; i++) {
      writeFileSync(path, `remotes: [] # ${i}`);
      vi.advanceTimersByTime(100);
    }
    expect(reads).toBeGreaterThanOrEqual(5);
    expect(reads).toBeLessThanOrEqual(7);
    vi.advanceTimersByTime(30_000);
    expect(text).toBe('remotes: [] # 599');
  } finally {
    watched.stop();
  }
});
